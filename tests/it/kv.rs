//! The key-value storage, below what all storages promise.
//!
//! Goal: nothing is left behind, nothing that somebody spoiled does harm beyond itself, and a file
//! says what is the matter with it. Method: the store's own keys, looked at, damaged one by one, and
//! counted; a redb file that is locked, foreign, or left by a killed process.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use hookbox::model::{NewApiKey, Overrides, WebhookId, WebhookUpdate};
use hookbox::storage::kv::{KEY_BYTES_MAX, KeyValue, KvStorage, MemoryStore, Transaction};
use hookbox::storage::{
    ApiKeyFilter, BatchFilter, EventFilter, PageRequest, Storage, WebhookFilter,
};
use hookbox::{Hookbox, Options};

use super::support::*;

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

fn pairs(store: &dyn KeyValue) -> Pairs {
    let mut all = Pairs::new();
    let transaction = store.begin(false).unwrap();
    let mut keep = |key: &[u8], value: &[u8]| {
        all.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    };
    transaction.scan(&[0], &[255], false, &mut keep).unwrap();
    all
}

fn store_of(pairs: &Pairs) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let mut transaction = store.begin(true).unwrap();
    for (key, value) in pairs {
        transaction.put(key, value).unwrap();
    }
    transaction.commit().unwrap();
    store
}

fn open(store: Arc<MemoryStore>, clock: &Arc<HandClock>, net: &Arc<FakeTransport>) -> Hookbox {
    let options = Options::new().clock(clock.clone()).transport(net.clone());
    let storage = KvStorage::open(store).unwrap();
    options.open_storage(Arc::new(storage)).unwrap()
}

/// A box with something of every kind in it: two webhooks, of which the first fails.
fn furnished() -> (Arc<MemoryStore>, Bench, [WebhookId; 2]) {
    let store = Arc::new(MemoryStore::new());
    let bench = Bench::over(Engine::Store(store.clone()), |options| options);
    let ids = [bench.webhook("a"), bench.webhook("b")];
    let hooks = &bench.hooks;
    bench.net.script(|request| {
        let fails = request.url.as_str().ends_with('a');
        status(if fails { 500 } else { 200 })
    });
    let event = hookbox::model::NewEvent::new(TYPE.parse().unwrap(), "1").key("k".repeat(255));
    hooks.emit_event(APP, event).unwrap();
    bench.poll();
    bench.emit("2");
    let update = WebhookUpdate {
        enabled: Some(false),
        ..WebhookUpdate::default()
    };
    let parked = bench.webhook("a");
    bench.emit("3");
    bench.poll();
    hooks.update_webhook(APP, &parked, update).unwrap();
    hooks.create_app("other").unwrap();
    let new = NewApiKey {
        scope: Some(APP.parse().unwrap()),
        ..NewApiKey::default()
    };
    hooks.create_api_key(new).unwrap();
    bench.webhook_with("other", "a", Overrides::default());
    hooks.emit("other", TYPE, "4").unwrap();
    bench.poll();
    hooks.replay(APP, &ids[1], START).unwrap();
    bench.emit("5");
    // What is not looked at yet: ready marks, a backlog.
    hooks
        .storage()
        .exchange(START, 1, Vec::new(), Some(NOTHING))
        .unwrap();
    assert_eq!(hooks.check().unwrap(), Vec::<String>::new());
    (store, bench, ids)
}

const NOTHING: hookbox::storage::ClaimRequest = hookbox::storage::ClaimRequest::any(0);

#[test]
fn every_kind_of_key_is_used_and_none_is_longer_than_stated() {
    let (store, _bench, _) = furnished();
    let all = pairs(&*store);
    let kinds: Vec<u8> = (1..=28)
        .filter(|kind| !all.keys().any(|key| key[0] == *kind))
        .collect();
    assert_eq!(kinds, Vec::<u8>::new());
    assert!(all.keys().all(|key| key.len() <= KEY_BYTES_MAX));
}

#[test]
fn deleting_leaves_no_key_behind() {
    let (store, bench, ids) = furnished();
    let of_webhooks = |key: &Vec<u8>| (5..=14).contains(&key[0]) || (20..=27).contains(&key[0]);
    assert!(pairs(&*store).keys().any(of_webhooks));
    for webhook in bench
        .hooks
        .webhooks(APP, WebhookFilter::default(), PageRequest::default())
        .unwrap()
        .items
    {
        bench.hooks.delete_webhook(APP, &webhook.id).unwrap();
    }
    bench.hooks.delete_app("other").unwrap();
    assert!(!pairs(&*store).keys().any(of_webhooks));
    assert!(bench.hooks.webhook(APP, &ids[0]).is_err());
    bench.webhook("c");
    bench.poll();
    bench.hooks.delete_app(APP).unwrap();
    // The settings and the catalogue.
    assert!(pairs(&*store).keys().all(|key| [1, 3].contains(&key[0])));
    assert_eq!(bench.hooks.check().unwrap(), Vec::<String>::new());
}

#[test]
fn retention_leaves_no_key_of_what_it_deletes() {
    let store = Arc::new(MemoryStore::new());
    let bench = Bench::over(Engine::Store(store.clone()), |options| options);
    bench.webhook("a");
    bench.poll();
    let before = pairs(&*store);
    for n in 0..5 {
        let event = hookbox::model::NewEvent::new(TYPE.parse().unwrap(), "1").key(n.to_string());
        bench.hooks.emit_event(APP, event).unwrap();
        bench.poll();
    }
    let later = START.plus(Duration::from_secs(86_400));
    while bench.hooks.storage().prune(later, later, 2).unwrap() {}
    let gone = |key: &&Vec<u8>| key[0] != 10 && key[0] != 1;
    let after = pairs(&*store);
    let (before, after): (Vec<_>, Vec<_>) = (
        before.keys().filter(gone).collect(),
        after.keys().filter(gone).collect(),
    );
    assert_eq!(before, after);
}

/// Everything that reads, and some that writes. Errors are fine, panics are not.
fn use_everything(hooks: &Hookbox, clock: &HandClock, ids: &[WebhookId; 2]) {
    let page = || PageRequest::default();
    let batches = hooks.batches(APP, BatchFilter::default(), page());
    let batches = batches.map(|page| page.items).unwrap_or_default();
    for batch in &batches {
        let _ = (hooks.batch(&batch.id), hooks.resend(APP, &batch.id));
        let _ = hooks.cancel(APP, &batch.id);
    }
    let _ = hooks.events(APP, EventFilter::default(), page());
    let _ = hooks.attempts(APP, hookbox::storage::AttemptFilter::default(), page());
    let _ = hooks.webhooks(APP, WebhookFilter::default(), page());
    let _ = (hooks.apps(page()), hooks.keys(APP), hooks.stats());
    let api_keys = hooks.api_keys(ApiKeyFilter::default(), page());
    for key in api_keys.map(|page| page.items).unwrap_or_default() {
        let _ = hooks.revoke_api_key(&key.id);
    }
    for id in ids {
        let _ = (hooks.backlog(APP, id), hooks.webhook(APP, id));
        let _ = hooks.replay(APP, id, START);
    }
    for _ in 0..4 {
        clock.advance(Duration::from_secs(3_600));
        let _ = hooks.poll(hookbox::clock::Clock::now(clock));
    }
    let later = START.plus(Duration::from_secs(86_400 * 365));
    let _ = hooks.storage().prune(later, later, 100);
    let _ = (hooks.disable_app(APP), hooks.enable_app(APP));
    for id in ids {
        let _ = hooks.delete_webhook(APP, id);
    }
    let _ = hooks.delete_app(APP);
}

#[test]
fn every_value_spoiled_in_turn_is_noticed_and_nothing_panics() {
    let (store, bench, ids) = furnished();
    let all = pairs(&*store);
    for (key, value) in &all {
        let cut = value[..value.len() / 2].to_vec();
        let longer = [value.as_slice(), b"}"].concat();
        for spoiled in [vec![0xff; value.len()], cut, longer] {
            if spoiled == *value {
                continue;
            }
            let mut damaged = all.clone();
            damaged.insert(key.clone(), spoiled);
            let Ok(storage) = KvStorage::open(store_of(&damaged)) else {
                // The layout itself.
                continue;
            };
            let clock = HandClock::new();
            let options = Options::new()
                .clock(clock.clone())
                .transport(bench.net.clone());
            let hooks = options.open_storage(Arc::new(storage)).unwrap();
            assert_ne!(hooks.check().unwrap(), Vec::<String>::new(), "{key:?}");
            use_everything(&hooks, &clock, &ids);
        }
    }
}

#[test]
fn a_key_without_its_row_or_a_row_without_its_key_is_noticed() {
    let (store, bench, _) = furnished();
    let all = pairs(&*store);
    let is_row = |kind: u8| [1, 2, 3, 4, 14, 28].contains(&kind);
    for key in all.keys().filter(|key| !is_row(key[0])) {
        let mut damaged = all.clone();
        damaged.remove(key);
        let hooks = open(store_of(&damaged), &bench.clock, &bench.net);
        let wrong = hooks.check();
        assert!(
            wrong.as_ref().is_ok_and(|wrong| !wrong.is_empty()),
            "{key:?}: {wrong:?}"
        );
        let mut damaged = all.clone();
        damaged.insert(vec![key[0], 7], Vec::new());
        let hooks = open(store_of(&damaged), &HandClock::new(), &bench.net);
        assert!(!hooks.check().unwrap().is_empty(), "{key:?}");
    }
}

/// One webhook's rows are spoiled, one after the other: the other webhook gets its events.
#[test]
fn a_spoiled_value_holds_up_its_own_webhook_only() {
    let (store, _bench, _) = furnished();
    let all = pairs(&*store);
    // Webhook 1: its registration, a subscription, its state, its batches; no index.
    let of_first = |key: &&Vec<u8>| [5, 8, 10].contains(&key[0]) && key[8] == 1;
    let mut keys: Vec<_> = all.keys().filter(of_first).collect();
    keys.extend(
        all.iter()
            .filter(|(key, value)| key[0] == 20 && value[7] == 1)
            .map(|(key, _)| key),
    );
    assert!(keys.len() >= 4);
    for key in keys {
        let mut damaged = all.clone();
        damaged.insert(key.clone(), vec![0xff; 9]);
        let clock = HandClock::new();
        let net = FakeTransport::new();
        let hooks = open(store_of(&damaged), &clock, &net);
        hooks.emit(APP, TYPE, "6").unwrap();
        for _ in 0..3 {
            clock.advance(Duration::from_secs(60));
            hooks.poll(hookbox::clock::Clock::now(&*clock)).unwrap();
        }
        let got = net.deliveries();
        let reached = got
            .iter()
            .any(|request| request.url.as_str().ends_with('b') && numbers_in(request).contains(&6));
        assert!(reached, "{key:?}");
    }
}

#[test]
fn a_store_of_somebody_else_or_of_a_later_hookbox_is_not_touched() {
    let foreign = Pairs::from([(b"hello".to_vec(), b"world".to_vec())]);
    let layout = |version: i64| {
        let key = [&[1], b"layout".as_slice()].concat();
        Pairs::from([(key, version.to_be_bytes().to_vec())])
    };
    for (pairs_in, code) in [
        (foreign, "storage_corrupt"),
        (layout(2), "storage_newer_schema"),
        (layout(-1), "storage_bad_row"),
    ] {
        let store = store_of(&pairs_in);
        assert_eq!(KvStorage::open(store.clone()).unwrap_err().code(), code);
        assert_eq!(
            KvStorage::open_read_only(store.clone()).unwrap_err().code(),
            code
        );
        assert_eq!(pairs(&*store), pairs_in);
    }
    let empty = Arc::new(MemoryStore::new());
    let refused = KvStorage::open_read_only(empty.clone()).unwrap_err();
    assert_eq!(refused.code(), "storage_corrupt");
    assert!(pairs(&*empty).is_empty());
}

#[test]
fn reading_only_changes_nothing_and_refuses_to() {
    let (store, _bench, ids) = furnished();
    let before = pairs(&*store);
    let storage = KvStorage::open_read_only(store.clone()).unwrap();
    let options = Options::new().transport(FakeTransport::new());
    let hooks = options.open_storage(Arc::new(storage)).unwrap();
    assert_eq!(hooks.emit(APP, TYPE, "1").unwrap_err().code(), "read_only");
    hooks.webhook(APP, &ids[0]).unwrap();
    assert_eq!(pairs(&*store), before);
}

/// A store of a host's own that panics once, when somebody wants to write.
#[derive(Debug, Default)]
struct Brittle {
    store: MemoryStore,
    breaks: AtomicBool,
}

impl KeyValue for Brittle {
    fn begin(&self, write: bool) -> hookbox::Result<Box<dyn Transaction + '_>> {
        let breaks = write && self.breaks.swap(false, SeqCst);
        assert!(!breaks, "on demand");
        self.store.begin(write)
    }
}

/// Its panic fails one write, with an unknown outcome. The next one does not wait for a leader that is gone.
#[test]
fn a_store_that_panics_fails_one_write_and_holds_up_no_other() {
    let store = Arc::new(Brittle::default());
    let storage = KvStorage::open(store.clone()).unwrap();
    store.breaks.store(true, SeqCst);
    let (say, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for _ in 0..2 {
            let types = vec![TYPE.parse().unwrap()];
            let _ = say.send(storage.set_event_types(types, false));
        }
    });
    let next = || heard.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(next().unwrap_err().code(), "storage_commit_unknown");
    assert_eq!(next(), Ok(()));
}
