//! Who is let in to the management API.
//!
//! Goal: nobody without a valid key; a key opens what it was made for and nothing else; wrong guesses are
//! limited without harm to holders; the key itself is nowhere but with its holder. Method: the default
//! authorizer asked as the API asks it, over every storage, on a hand-set clock; the file's bytes.
//!
//! That comparing takes the same time for every guess is not measured here: a test of times proves
//! nothing on a shared machine. It holds by construction: the digest of what was sent is private to
//! `src/registry/api_keys.rs`, whose one function that reads it compares by `subtle`, also where
//! there is no such key.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use hookbox::api::{Access, ApiKeys, Authorizer, Denied, Grant, Request, Scope};
use hookbox::clock::Clock;
use hookbox::model::{ApiKeyId, CreatedApiKey, NewApiKey, Timestamp};
use hookbox::storage::kv::KvStorage;
use hookbox::storage::{ApiKeyFilter, PageRequest, Storage};
use hookbox::{Error, Hookbox, Options, StorageFault};

use super::support::*;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A box with an authorizer before it.
struct Gate {
    hooks: Arc<Hookbox>,
    clock: Arc<HandClock>,
    keys: ApiKeys,
    /// What the box stands on, for as long as it stands.
    _bench: Option<Bench>,
}

impl Gate {
    /// Over a storage; the bench beside it keeps the folder or schema.
    fn over(storage: Arc<dyn Storage>, clock: Arc<HandClock>) -> Self {
        let options = Options::new()
            .clock(clock.clone())
            .transport(FakeTransport::new());
        let hooks = Arc::new(options.open_storage(storage).unwrap());
        Self {
            keys: ApiKeys::new(hooks.clone()),
            hooks,
            clock,
            _bench: None,
        }
    }

    fn on(engine: Engine) -> Self {
        let bench = Bench::over(engine, |options| options);
        let storage = bench.hooks.storage().clone();
        Self {
            _bench: Some(bench),
            ..Self::over(storage, HandClock::new())
        }
    }

    /// In memory, with one app.
    fn new() -> Self {
        Self::on(Engine::Memory)
    }

    fn make(&self, change: impl FnOnce(&mut NewApiKey)) -> CreatedApiKey {
        let mut new = NewApiKey::default();
        change(&mut new);
        self.hooks.create_api_key(new).unwrap()
    }

    fn ask(&self, key: &str) -> Result<Grant, Denied> {
        ask(&self.keys, key)
    }

    fn last_used(&self, id: ApiKeyId) -> Option<Timestamp> {
        let stored = self.hooks.storage().get_api_key(&id).unwrap();
        stored.key.last_used_at
    }
}

fn request(headers: &[(&str, &str)]) -> Request {
    let headers = headers.iter();
    Request {
        method: "GET".into(),
        target: "/".into(),
        headers: headers
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        body: Vec::new(),
    }
}

fn ask(keys: &ApiKeys, key: &str) -> Result<Grant, Denied> {
    let value = format!("Bearer {key}");
    keys.authorize(&request(&[("Authorization", &value)]))
}

/// The same key, but for its last digit.
fn wrong(key: &CreatedApiKey) -> String {
    let text = key.secret.expose();
    let last = if text.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &text[..text.len() - 1])
}

const ALL: Grant = Grant {
    scope: Scope::All,
    access: Access::Full,
};

#[test]
fn without_keys_nobody_is_let_in() {
    let gate = Gate::new();
    let none = gate.keys.authorize(&request(&[]));
    assert_eq!(none, Err(Denied::Unauthorized));
    assert_eq!(gate.ask(""), Err(Denied::Unauthorized));
    let made_elsewhere = Gate::new().make(|_| ());
    let asked = gate.ask(made_elsewhere.secret.expose());
    assert_eq!(asked, Err(Denied::Unauthorized));
}

#[test]
fn a_key_opens_what_it_was_made_for() {
    for engine in Engine::ALL {
        let gate = Gate::on(engine.clone());
        let key = gate.make(|_| ());
        assert_eq!(gate.ask(key.secret.expose()), Ok(ALL), "{engine:?}");
        // Another app's, and one for looking only: what follows from it is the API's to do.
        let key = gate.make(|new| new.scope = Some(APP.parse().unwrap()));
        let grant = Grant {
            scope: Scope::App(APP.parse().unwrap()),
            access: Access::Full,
        };
        assert_eq!(gate.ask(key.secret.expose()), Ok(grant), "{engine:?}");
        let key = gate.make(|new| new.read_only = true);
        let grant = Grant {
            scope: Scope::All,
            access: Access::ReadOnly,
        };
        assert_eq!(gate.ask(key.secret.expose()), Ok(grant), "{engine:?}");
        // With its app it goes.
        gate.hooks.delete_app(APP).unwrap();
        let listed = gate
            .hooks
            .api_keys(ApiKeyFilter::default(), PageRequest::default());
        assert_eq!(listed.unwrap().items.len(), 2, "{engine:?}");
        assert_eq!(gate.hooks.check().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn a_wrong_key_is_refused_however_it_is_wrong() {
    let gate = Gate::new();
    let key = gate.make(|_| ());
    let other = gate.make(|_| ());
    let text = key.secret.expose();
    let (id, secret) = text.rsplit_once('_').unwrap();
    let (other_id, _) = other.secret.expose().rsplit_once('_').unwrap();
    let unknown = ApiKeyId::new(START, 7);
    for wrong in [
        wrong(&key),
        format!("{other_id}_{secret}"),
        format!("{unknown}_{secret}"),
        id.to_owned(),
        secret.to_owned(),
        text.to_uppercase(),
        format!("{text}0"),
        "' OR 1=1 --".to_owned(),
    ] {
        assert_eq!(gate.ask(&wrong), Err(Denied::Unauthorized), "{wrong}");
    }
    for headers in [
        &[("Authorization", text)][..],
        &[("Authorization", &format!("Basic {text}"))],
        &[("X-Api-Key", text)],
        // Which of the two would the next server believe?
        &[
            ("Authorization", &format!("Bearer {text}")),
            (
                "authorization",
                &format!("Bearer {}", other.secret.expose()),
            ),
        ],
    ] {
        let asked = gate.keys.authorize(&request(headers));
        assert_eq!(asked, Err(Denied::Unauthorized), "{headers:?}");
    }
    for (name, value) in [
        ("authorization", format!("bearer {text}")),
        ("AUTHORIZATION", format!("BEARER  {text}")),
    ] {
        let asked = gate.keys.authorize(&request(&[(name, &value)]));
        assert_eq!(asked, Ok(ALL), "{name}");
    }
}

#[test]
fn a_revoked_key_is_refused_at_once_and_in_every_process() {
    let bench = Bench::new();
    let open = || {
        let options = Options::new()
            .clock(bench.clock.clone())
            .transport(bench.net.clone());
        Arc::new(options.open(bench.path()).unwrap())
    };
    let (here, there) = (open(), open());
    let gates = [&here, &there].map(|hooks| ApiKeys::new(hooks.clone()));
    let key = here.create_api_key(NewApiKey::default()).unwrap();
    for gate in &gates {
        assert_eq!(ask(gate, key.secret.expose()), Ok(ALL));
    }
    let revoked = here.revoke_api_key(&key.key.id).unwrap();
    assert_eq!(revoked.revoked_at, Some(START));
    for gate in &gates {
        assert_eq!(ask(gate, key.secret.expose()), Err(Denied::Unauthorized));
    }
    bench.clock.advance(MINUTE);
    // Again changes nothing; it stays listed.
    assert_eq!(there.revoke_api_key(&key.key.id), Ok(revoked.clone()));
    let listed = there.api_keys(ApiKeyFilter::default(), PageRequest::default());
    let mut due = revoked;
    due.last_used_at = Some(START);
    assert_eq!(listed.unwrap().items, [due]);
    let none = ApiKeyId::new(START, 7);
    assert_eq!(here.revoke_api_key(&none), Err(Error::ApiKeyNotFound(none)));
}

#[test]
fn an_expired_key_is_refused_from_its_end_on() {
    let gate = Gate::new();
    let end = START.plus(MINUTE);
    let key = gate.make(|new| new.expires_at = Some(end));
    gate.clock.set(end.minus(Duration::from_millis(1)));
    assert_eq!(gate.ask(key.secret.expose()), Ok(ALL));
    gate.clock.set(end);
    assert_eq!(gate.ask(key.secret.expose()), Err(Denied::Unauthorized));
    let late = gate.hooks.create_api_key(NewApiKey {
        expires_at: Some(end),
        ..NewApiKey::default()
    });
    assert_eq!(late.unwrap_err().code(), "invalid_request");
    let nobodys = gate.hooks.create_api_key(NewApiKey {
        scope: Some("nobody".parse().unwrap()),
        ..NewApiKey::default()
    });
    assert_eq!(nobodys.unwrap_err().code(), "app_not_found");
}

#[test]
fn each_key_has_its_own_limit() {
    let gate = Gate::new();
    let key = gate.make(|new| new.requests_per_second = 5);
    let other = gate.make(|_| ());
    let passed = |key: &CreatedApiKey| {
        let text = key.secret.expose();
        (0..500).filter(|_| gate.ask(text).is_ok()).count()
    };
    assert_eq!(passed(&key), 10);
    let retry_after = Duration::from_millis(200);
    assert_eq!(
        gate.ask(key.secret.expose()),
        Err(Denied::RateLimited { retry_after })
    );
    assert_eq!(passed(&other), 100);
    gate.clock.advance(retry_after);
    assert_eq!(passed(&key), 1);
    gate.clock.advance(SECOND);
    assert_eq!(passed(&key), 5);
    // A clock that is set back neither fills it nor holds anybody up.
    gate.clock.set(START.minus(100 * MINUTE));
    assert_eq!(passed(&key), 0);
    gate.clock.advance(SECOND);
    assert_eq!(passed(&key), 5);
}

#[test]
fn brute_force_is_limited_and_locks_nobody_out() {
    let gate = Gate::new();
    let key = gate.make(|new| new.requests_per_second = 1000);
    let guess = wrong(&key);
    let refusals = |count: usize| {
        let answers: Vec<_> = (0..count).map(|_| gate.ask(&guess).unwrap_err()).collect();
        let is_plain = |answer: &&Denied| **answer == Denied::Unauthorized;
        answers.iter().filter(is_plain).count()
    };
    assert_eq!(refusals(10_000), 50);
    let retry_after = Duration::from_millis(100);
    let limited = Err(Denied::RateLimited { retry_after });
    assert_eq!(gate.ask(&guess), limited);
    // Whatever is wrong, and wherever it comes from.
    assert_eq!(gate.ask("nonsense"), limited);
    gate.hooks
        .revoke_api_key(&gate.make(|_| ()).key.id)
        .unwrap();
    // The holder notices nothing, not even that his key's id was guessed with.
    assert_eq!(gate.ask(key.secret.expose()), Ok(ALL));
    let passed = (0..1999).filter(|_| gate.ask(key.secret.expose()).is_ok());
    assert_eq!(passed.count(), 1999);
    // Who sends nothing is told to send a key.
    let none = gate.keys.authorize(&request(&[]));
    assert_eq!(none, Err(Denied::Unauthorized));
    gate.clock.advance(SECOND);
    assert_eq!(refusals(10_000), 10);
}

#[test]
fn the_last_use_is_noted_once_a_minute() {
    let (clock, writes) = (HandClock::new(), Arc::new(AtomicUsize::new(0)));
    let counted = writes.clone();
    let hooks = Hooks {
        note_api_key_use: Some(Box::new(move |inner, id, at| {
            counted.fetch_add(1, SeqCst);
            inner.note_api_key_use(id, at)
        })),
        ..Hooks::default()
    };
    let memory = Arc::new(KvStorage::in_memory().unwrap());
    let gate = Gate::over(Arc::new(Wrapped::new(memory, hooks)), clock);
    let key = gate.make(|_| ());
    let id = key.key.id;
    assert_eq!(gate.last_used(id), None);
    gate.ask(&wrong(&key)).unwrap_err();
    assert_eq!(gate.last_used(id), None);
    for second in 0..180 {
        gate.ask(key.secret.expose()).unwrap();
        gate.ask(key.secret.expose()).unwrap();
        assert_eq!(writes.load(SeqCst), second / 60 + 1);
        gate.clock.advance(SECOND);
    }
    assert_eq!(gate.last_used(id), Some(START.plus(2 * MINUTE)));
    // Somebody else that shares the box sees that it is noted.
    let other = ApiKeys::new(gate.hooks.clone());
    gate.clock.set(START.plus(2 * MINUTE + SECOND));
    ask(&other, key.secret.expose()).unwrap();
    assert_eq!(writes.load(SeqCst), 3);
    // A clock that went back does not make each request a write, nor its use older.
    gate.clock.set(START.minus(60 * MINUTE));
    for _ in 0..50 {
        gate.ask(key.secret.expose()).unwrap();
    }
    assert_eq!(writes.load(SeqCst), 4);
    assert_eq!(gate.last_used(id), Some(START.plus(2 * MINUTE)));
}

#[test]
fn a_storage_that_fails_opens_nothing_and_one_that_is_full_closes_nothing() {
    let writes = Arc::new(AtomicUsize::new(0));
    let (reads, counted) = (Arc::new(AtomicUsize::new(0)), writes.clone());
    let failing = reads.clone();
    let hooks = Hooks {
        note_api_key_use: Some(Box::new(move |_, _, _| {
            counted.fetch_add(1, SeqCst);
            Err(Error::storage(StorageFault::Full, "no space"))
        })),
        get_api_key: Some(Box::new(move |inner, id| {
            if failing.load(SeqCst) > 0 {
                return Err(Error::storage(StorageFault::Io, "no disk"));
            }
            inner.get_api_key(id)
        })),
        ..Hooks::default()
    };
    let memory = Arc::new(KvStorage::in_memory().unwrap());
    let gate = Gate::over(Arc::new(Wrapped::new(memory, hooks)), HandClock::new());
    let key = gate.make(|_| ());
    for _ in 0..50 {
        assert_eq!(gate.ask(key.secret.expose()), Ok(ALL));
    }
    assert_eq!(writes.load(SeqCst), 1, "not tried with each request");
    gate.clock.advance(MINUTE);
    assert_eq!(gate.ask(key.secret.expose()), Ok(ALL));
    assert_eq!(writes.load(SeqCst), 2);
    reads.store(1, SeqCst);
    assert_eq!(gate.ask(key.secret.expose()), Err(Denied::Unavailable));
    assert_eq!(gate.ask(&wrong(&key)), Err(Denied::Unavailable));
}

#[test]
fn a_box_for_reading_only_still_checks_keys() {
    let bench = Bench::over(Engine::Sqlite, |options| options);
    let key = bench.hooks.create_api_key(NewApiKey::default()).unwrap();
    let options = Options::new()
        .clock(bench.clock.clone())
        .transport(bench.net.clone());
    let hooks = Arc::new(options.open_read_only(bench.path()).unwrap());
    let keys = ApiKeys::new(hooks.clone());
    assert_eq!(ask(&keys, key.secret.expose()), Ok(ALL));
    let refused = [
        hooks.create_api_key(NewApiKey::default()).unwrap_err(),
        hooks.revoke_api_key(&key.key.id).unwrap_err(),
    ];
    assert_eq!(refused.map(|error| error.code()), ["read_only"; 2]);
    let stored = hooks.storage().get_api_key(&key.key.id).unwrap();
    assert_eq!(stored.key.last_used_at, None);
}

#[test]
fn the_key_is_kept_and_shown_nowhere() {
    let bench = Bench::over(Engine::Sqlite, |options| options);
    let key = bench.hooks.create_api_key(NewApiKey::default()).unwrap();
    let text = key.secret.expose();
    let (id, secret) = text.rsplit_once('_').unwrap();
    assert_eq!((id.len(), secret.len()), (30, 64));
    assert_eq!(id, key.key.id.to_string());
    let holds = |bytes: &[u8], part: &str| {
        let part = part.as_bytes();
        bytes.windows(part.len()).any(|window| window == part)
    };
    let mut found = 0;
    for file in std::fs::read_dir(bench.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        found += usize::from(holds(&bytes, id));
        assert!(!holds(&bytes, secret));
    }
    assert!(found > 0, "the id is there");
    let stored = bench.hooks.storage().get_api_key(&key.key.id).unwrap();
    let asked = request(&[("Authorization", text)]);
    let shown = format!("{key:?} {stored:?} {asked:?} {:?}", bench.hooks);
    assert!(!shown.contains(secret) && !shown.contains("digest"));
    let other = bench.hooks.create_api_key(NewApiKey::default()).unwrap();
    let (_, others) = other.secret.expose().rsplit_once('_').unwrap();
    assert_ne!(secret, others);
}

/// What a host may put in its place.
#[test]
fn a_host_may_bring_its_own_authorizer() {
    #[derive(Debug)]
    struct Tickets;
    impl Authorizer for Tickets {
        fn authorize(&self, request: &Request) -> Result<Grant, Denied> {
            let ticket = ("x-ticket".to_owned(), "valid".to_owned());
            let is_valid = request.headers.contains(&ticket);
            is_valid.then_some(ALL).ok_or(Denied::Unauthorized)
        }
    }
    let gate = Gate::new();
    let key = gate.make(|_| ());
    let both: [Box<dyn Authorizer>; 2] = [Box::new(Tickets), Box::new(gate.keys)];
    let bearer = format!("Bearer {}", key.secret.expose());
    let asked = request(&[("x-ticket", "valid")]);
    assert_eq!(
        both.each_ref().map(|one| one.authorize(&asked).is_ok()),
        [true, false]
    );
    let asked = request(&[("authorization", &bearer)]);
    assert_eq!(
        both.each_ref().map(|one| one.authorize(&asked).is_ok()),
        [false, true]
    );
    // It may check keys by itself.
    let checked = gate.hooks.check_api_key(key.secret.expose()).unwrap();
    assert_eq!(checked.unwrap().id, key.key.id);
    assert_eq!(gate.hooks.check_api_key(&wrong(&key)), Ok(None));
    assert_eq!(gate.clock.now(), START);
}
