//! Many webhooks, one address.
//!
//! Goal: what one endpoint can be made to bear is known: the same URL in other words is the same URL,
//! and however many webhooks it has, it gets no more requests at once than the box has senders.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use hookbox::storage::WebhookFilter;

use super::*;

/// One URL in so many words.
fn variant(number: usize) -> String {
    const PATHS: [&str; 6] = [
        "/hook",
        "/./hook",
        "/a/../hook",
        "/%2e/hook",
        "/a/%2E%2e/hook",
        "/a/b/../../hook",
    ];
    let scheme = ["https", "HTTPS", "Https"][number % 3];
    // Each letter in upper or lower case: so no two are alike.
    let mut letters = 0;
    let host: String = "hooks.example.com"
        .chars()
        .map(|c| {
            letters += usize::from(c != '.');
            if c != '.' && (number >> (letters - 1)) & 1 == 1 {
                c.to_ascii_uppercase()
            } else {
                c
            }
        })
        .collect();
    let port = ["", ":443"][number % 2];
    format!("{scheme}://{host}{port}{}", PATHS[number % PATHS.len()])
}

/// They are all taken, and say what they are: hookbox counts no URLs (SECURITY.md).
#[test]
fn ten_thousand_names_of_one_endpoint_are_one_url() {
    const NAMES: usize = 10_000;
    let hooks = open(&Arc::default(), Options::new());
    let mut profile = Profile::prelude();
    profile.signature = SignatureScheme::StandardWebhooks;
    profile.verification = Verification::None;
    let new = NewApp {
        profile,
        ..NewApp::new("many".parse().unwrap())
    };
    hooks.create_app_with(new).unwrap();
    let names: BTreeSet<String> = (0..NAMES).map(variant).collect();
    assert_eq!(names.len(), NAMES);
    for name in names {
        hooks.create_webhook("many", webhook(name)).unwrap();
    }
    let mut page = PageRequest::first(1000).unwrap();
    let mut registered = Vec::new();
    loop {
        let found = hooks
            .webhooks("many", WebhookFilter::default(), page.clone())
            .unwrap();
        registered.extend(found.items.into_iter().map(|one| one.url.to_string()));
        if found.next_cursor.is_none() {
            break;
        }
        page = page.after(found.next_cursor);
    }
    assert_eq!(registered.len(), NAMES);
    let urls: BTreeSet<String> = registered.into_iter().collect();
    assert_eq!(urls.len(), 1, "{urls:?}");
}

#[test]
fn one_address_gets_no_more_requests_at_once_than_there_are_senders() {
    const SENDERS: usize = 4;
    const WEBHOOKS: usize = 200;
    let bench = Bench::with(|options| options.workers(SENDERS).slow_requests_max(0));
    // Requests that are out, and the most there were.
    let out = Arc::new((Mutex::new((0, 0)), Condvar::new()));
    let seen = out.clone();
    bench.net.script(move |_| {
        let (counts, changed) = &*seen;
        let mut now = counts.lock().unwrap();
        now.0 += 1;
        now.1 = now.1.max(now.0);
        changed.notify_all();
        // The first of them wait for each other.
        let patience = Duration::from_secs(10);
        let (mut now, _) = changed
            .wait_timeout_while(now, patience, |(_, most)| *most < SENDERS)
            .unwrap();
        now.0 -= 1;
        status(200)
    });
    for number in 0..WEBHOOKS {
        bench.webhook(&number.to_string());
    }
    bench.emit("1");
    bench.hooks.start().unwrap();
    until("the last delivery", || {
        bench.net.deliveries().len() == WEBHOOKS
    });
    bench.hooks.stop(Duration::from_secs(5)).unwrap();
    assert_eq!(bench.net.deliveries().len(), WEBHOOKS);
    assert_eq!(out.0.lock().unwrap().1, SENDERS);
}
