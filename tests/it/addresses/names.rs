//! Names, and a resolver that lies.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use hookbox::model::FailureKind::{AddressDenied, Dns};

use super::*;

/// Per name: its answers in turn, the last one ever after.
#[derive(Debug, Default)]
struct Lies(Mutex<BTreeMap<String, VecDeque<Vec<IpAddr>>>>);

impl Resolver for Lies {
    fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        let mut all = self.0.lock().unwrap();
        let answers = all.get_mut(host).ok_or("no such name")?;
        let answer = answers.pop_front().unwrap();
        if answers.is_empty() {
            answers.push_back(answer.clone());
        }
        Ok(answer
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect())
    }
}

/// What is to come of a request.
#[derive(Clone, Copy, PartialEq)]
enum Is {
    Well,
    Denied,
    Unknown,
}

use Is::{Denied, Unknown, Well};

/// What the name resolves to at each request, and what is to come of it. The first requests are proofs
/// of ownership, until one succeeds; the others are deliveries. `127.0.0.1` stands for a public address.
#[rustfmt::skip]
const NAMES: &[&[(&[&str], Is)]] = &[
    &[(&["127.0.0.1"], Well), (&["127.0.0.1"], Well)],
    // Rebinding: after the proof, in turn, back again.
    &[(&["127.0.0.1"], Well), (&["127.0.0.2"], Denied)],
    &[(&["127.0.0.1"], Well), (&["169.254.169.254"], Denied), (&["127.0.0.1"], Well)],
    &[(&["127.0.0.2"], Denied), (&["127.0.0.1"], Well), (&["127.0.0.2"], Denied), (&["127.0.0.1"], Well)],
    // Mixed answers, in either order and family.
    &[(&["127.0.0.1"], Well), (&["127.0.0.1", "127.0.0.2"], Denied)],
    &[(&["127.0.0.1"], Well), (&["127.0.0.2", "127.0.0.1"], Denied)],
    &[(&["127.0.0.1", "::1"], Denied)],
    &[(&["127.0.0.1", "fd00:ec2::254"], Denied)],
    // More than the client's list holds: the last one is looked at too.
    &[(&["127.0.0.1"; 17], Well), (&["127.0.0.1"; 40], Well)],
    &[(&["127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1",
         "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1",
         "127.0.0.1", "127.0.0.1", "127.0.0.2"], Denied)],
    // IPv4 in IPv6: only the mapped form is that IPv4 address; the others embed what is allowed
    // and are refused all the same.
    &[(&["::ffff:127.0.0.2"], Denied)], &[(&["::ffff:169.254.169.254"], Denied)],
    &[(&["::127.0.0.1"], Denied)], &[(&["::ffff:0:127.0.0.1"], Denied)],
    &[(&["64:ff9b::127.0.0.1"], Denied)], &[(&["64:ff9b:1::127.0.0.1"], Denied)],
    &[(&["2002:7f00:1::"], Denied)], &[(&["2001:0:7f00:1::80ff:fffe"], Denied)],
    &[(&["2600::5efe:127.0.0.1"], Denied)], &[(&["2600::200:5efe:127.0.0.1"], Denied)],
    // Addresses that mean this host.
    &[(&["0.0.0.0"], Denied)], &[(&["::"], Denied)], &[(&["::1"], Denied)], &[(&["127.0.0.2"], Denied)],
    &[(&["127.255.255.254"], Denied)], &[(&["168.63.129.16"], Denied)], &[(&["fe80::1"], Denied)],
    // No answer, at first or later.
    &[(&[], Unknown)], &[(&["127.0.0.1"], Well), (&[], Unknown)],
];

#[test]
fn whatever_a_name_resolves_to() {
    // On every local address: a connection to any of them is seen.
    let receiver = Receiver::start();
    let lies = Arc::new(Lies::default());
    let policy = AddressPolicy {
        allow_http: true,
        allow: vec!["127.0.0.1/32".parse().unwrap()],
        ..AddressPolicy::default()
    };
    let hooks = open(&Arc::default(), with_resolver(policy, lies.clone()));
    let mut vectors = 0;
    for (app, _) in PROOFS {
        for (n, requests) in NAMES.iter().enumerate() {
            let name = format!("{app}-{n}.example.com");
            let answers = requests
                .iter()
                .map(|(texts, _)| texts.iter().map(|text| text.parse().unwrap()).collect());
            lies.0
                .lock()
                .unwrap()
                .insert(name.clone(), answers.collect());
            let url = format!("http://{name}:{}/hook", receiver.port);
            let id = hooks.create_webhook(app, webhook(url)).unwrap().id;
            let mut is_proven = false;
            for (texts, is) in *requests {
                let before = receiver.requests();
                if is_proven {
                    deliver(&hooks, app, &id, *is);
                } else {
                    prove(&hooks, app, &id, *is);
                    is_proven = *is == Well;
                }
                let arrived = receiver.requests() - before;
                assert_eq!(arrived, usize::from(*is == Well), "{app}: {texts:?}");
                vectors += 1;
            }
            hooks.delete_webhook(app, &id).unwrap();
        }
    }
    println!("{vectors} answers of a lying resolver");
}

fn prove(hooks: &Hookbox, app: &str, id: &WebhookId, is: Is) {
    let proof = hooks.activate(app, id);
    let Err(error) = proof else {
        return assert!(is == Well);
    };
    assert_eq!(error.code(), "webhook_activation_failed");
    let word = if is == Denied {
        "address_denied"
    } else {
        "dns"
    };
    assert!(is != Well && error.to_string().contains(word), "{error}");
}

fn deliver(hooks: &Hookbox, app: &str, id: &WebhookId, is: Is) {
    // A retry would come first: each event is a request of its own.
    hooks.emit(app, TYPE, "1").unwrap();
    hooks.poll(START).unwrap();
    let expected = match is {
        Well => AttemptResult::Status(200),
        Denied => AttemptResult::Failure(AddressDenied),
        Unknown => AttemptResult::Failure(Dns),
    };
    assert_eq!(results(hooks, app, id)[0], expected);
}

/// NXDOMAIN and SERVFAIL look alike from here: the resolver has no answer.
#[test]
fn a_name_without_an_answer_is_a_failed_lookup() {
    let hooks = open(
        &Arc::default(),
        with_resolver(AddressPolicy::default(), Arc::<Lies>::default()),
    );
    let id = hooks
        .create_webhook("get", webhook("https://nx.example.com/"))
        .unwrap()
        .id;
    prove(&hooks, "get", &id, Unknown);
}
