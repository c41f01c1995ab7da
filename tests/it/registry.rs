//! The registry.
//!
//! Goal: every rule and limit of contracts.md §1.1 and §2.1 that a host meets. Method: tables of
//! calls and the codes they must give, and the box's own file looked at with plain SQL.

use std::time::Duration;

use hookbox::model::{
    EventType, Events, Header, NewWebhook, Overrides, Profile, RateLimit, Secret, WebhookId,
    WebhookUpdate,
};
use hookbox::storage::{PageRequest, WebhookFilter};
use hookbox::{Hookbox, NewApp};

use super::support::*;

fn kind(name: &str) -> EventType {
    EventType::parse(name).unwrap()
}

fn types(names: &[&str]) -> Events {
    Events::Only(names.iter().map(|name| kind(name)).collect())
}

fn webhook(url: &str) -> NewWebhook {
    NewWebhook::new(url).events(types(&[TYPE]))
}

const URL: &str = "https://example.com/a";

/// Faults to make a registration with, from the first that is told to the last.
fn with_faults(shape: bool, events: bool, url: bool) -> NewWebhook {
    let mut new = webhook(if url { "ftp://example.com" } else { URL });
    if shape {
        new.verification_token = Secret::new("t".repeat(101));
    }
    if events {
        new.events = Some(types(&["no.such"]));
    }
    new
}

#[test]
fn of_several_faults_the_shape_is_told_first_then_the_events_then_the_url() {
    let bench = Bench::new();
    let id = bench.webhook("a");
    bench.hooks.create_app("off").unwrap();
    let of_off = bench.hooks.create_webhook("off", webhook(URL)).unwrap().id;
    bench.hooks.disable_app("off").unwrap();
    for (faults, code) in [
        ((true, true, true), "invalid_request"),
        ((true, false, true), "invalid_request"),
        ((false, true, true), "invalid_webhook_event"),
        ((false, false, true), "webhook_invalid_url"),
    ] {
        let new = || with_faults(faults.0, faults.1, faults.2);
        let update = || WebhookUpdate {
            url: Some(new().url),
            verification_token: Some(new().verification_token),
            events: new().events,
            ..WebhookUpdate::default()
        };
        for (app, code) in [
            (APP, code),
            ("none", "app_not_found"),
            ("off", "session_disabled"),
        ] {
            assert_eq!(
                bench.hooks.create_webhook(app, new()).unwrap_err().code(),
                code
            );
        }
        let before = bench.hooks.webhook(APP, &id).unwrap();
        assert_eq!(
            bench
                .hooks
                .update_webhook(APP, &id, update())
                .unwrap_err()
                .code(),
            code
        );
        assert_eq!(bench.hooks.webhook(APP, &id).unwrap(), before);
        let refused = bench
            .hooks
            .update_webhook("off", &of_off, update())
            .unwrap_err();
        assert_eq!(refused.code(), "session_disabled");
    }
}

#[test]
fn each_limit_holds_at_its_edge() {
    let bench = Bench::new();
    let header = |n: usize| Header {
        name: format!("x-{n}"),
        value: Secret::new("v"),
    };
    let make = |change: &dyn Fn(&mut NewWebhook)| {
        let mut new = webhook(URL);
        change(&mut new);
        bench
            .hooks
            .create_webhook(APP, new)
            .map_or_else(|error| error.code(), |_| "ok")
    };
    let overrides =
        |overrides: Overrides| make(&move |new: &mut NewWebhook| new.overrides = overrides.clone());
    let long = |bytes: usize| format!("https://example.com/{}", "a".repeat(bytes - 20));
    assert_eq!(make(&|new| new.url = long(2048)), "ok");
    assert_eq!(make(&|new| new.url = long(2049)), "webhook_invalid_url");
    for url in [
        "",
        "/a",
        "example.com",
        "http://example.com",
        "ftp://a.example.com",
        "https://10.0.0.1/",
        "https://127.0.0.1",
        "https://[::1]/",
        "https://localhost/",
        "https://u:p@example.com/",
    ] {
        assert_eq!(
            make(&|new| new.url = url.into()),
            "webhook_invalid_url",
            "{url}"
        );
    }
    assert_eq!(
        make(&|new| new.verification_token = Secret::new("é".repeat(100))),
        "ok"
    );
    assert_eq!(
        make(&|new| new.verification_token = Secret::new("é".repeat(101))),
        "invalid_request"
    );
    assert_eq!(make(&|new| new.description = "d".repeat(1024)), "ok");
    assert_eq!(
        make(&|new| new.description = "d".repeat(1025)),
        "invalid_request"
    );
    assert_eq!(
        make(&|new| new.headers = (0..32).map(header).collect()),
        "ok"
    );
    assert_eq!(
        make(&|new| new.headers = (0..33).map(header).collect()),
        "invalid_request"
    );
    let plain = Overrides::default;
    for (count, expected) in [
        (0, "invalid_request"),
        (1, "ok"),
        (64, "ok"),
        (65, "invalid_request"),
    ] {
        assert_eq!(
            overrides(Overrides {
                concurrency: Some(count),
                ..plain()
            }),
            expected
        );
    }
    for (per_second, expected) in [
        (0, "invalid_request"),
        (1, "ok"),
        (10_000, "ok"),
        (10_001, "invalid_request"),
    ] {
        let rate_limit = Some(RateLimit { per_second });
        assert_eq!(
            overrides(Overrides {
                rate_limit,
                ..plain()
            }),
            expected
        );
    }
    for (seconds, expected) in [
        (0, "invalid_request"),
        (1, "ok"),
        (60, "ok"),
        (61, "invalid_request"),
    ] {
        let timeout = Some(Duration::from_secs(seconds));
        assert_eq!(overrides(Overrides { timeout, ..plain() }), expected);
    }
}

#[test]
fn ids_have_the_vendors_forms() {
    let bench = Bench::new();
    let web = bench
        .hooks
        .create_webhook(APP, webhook(URL))
        .unwrap()
        .id
        .to_string();
    let new = NewApp {
        profile: Profile::fingerprint(),
        ..NewApp::new("fp".parse().unwrap())
    };
    bench.hooks.create_app_with(new).unwrap();
    let wh = bench
        .hooks
        .create_webhook("fp", NewWebhook::new(URL))
        .unwrap()
        .id
        .to_string();
    let is_lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    assert!(
        web.len() == 30 && web.starts_with("web_") && web[4..].bytes().all(is_lower),
        "{web}"
    );
    assert!(
        wh.len() == 17
            && wh.starts_with("wh_")
            && wh[3..].bytes().all(|b| b.is_ascii_alphanumeric()),
        "{wh}"
    );
    for app in ["", "a b", ".a", &"a".repeat(65)] {
        assert_eq!(
            bench.hooks.create_app(app).unwrap_err().code(),
            "app_not_found",
            "{app}"
        );
    }
    assert_eq!(
        bench.hooks.create_app(APP).unwrap_err().code(),
        "app_exists"
    );
}

#[test]
fn subscriptions_keep_their_order_and_hold_no_name_twice() {
    let bench = Bench::new();
    let mut new = webhook(URL);
    new.events = Some(types(&["user.deleted", TYPE, "user.deleted"]));
    let made = bench.hooks.create_webhook(APP, new).unwrap();
    assert_eq!(made.events, types(&["user.deleted", TYPE]));
    assert_eq!(bench.hooks.webhook(APP, &made.id).unwrap(), made);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(
        bench
            .hooks
            .add_event_type(APP, &made.id, &kind(TYPE))
            .unwrap(),
        made,
        "twice is once"
    );
    let added = bench
        .hooks
        .add_event_type(APP, &made.id, &kind("user.session.created"))
        .unwrap();
    assert_eq!(
        added.events,
        types(&["user.deleted", TYPE, "user.session.created"])
    );
    assert!(added.updated_at > made.updated_at);
    let unknown = bench
        .hooks
        .add_event_type(APP, &made.id, &kind("no.such"))
        .unwrap_err();
    assert_eq!(unknown.code(), "invalid_webhook_event");
    bench
        .hooks
        .remove_event_type(APP, &made.id, &kind("no.such"))
        .unwrap();
    let all = WebhookUpdate {
        events: Some(Events::All),
        ..WebhookUpdate::default()
    };
    bench.hooks.update_webhook(APP, &made.id, all).unwrap();
    let unknown = bench
        .hooks
        .add_event_type(APP, &made.id, &kind("no.such"))
        .unwrap_err();
    assert_eq!(unknown.code(), "invalid_webhook_event");
    let empty = WebhookUpdate {
        events: Some(types(&[])),
        ..WebhookUpdate::default()
    };
    assert_eq!(
        bench
            .hooks
            .update_webhook(APP, &made.id, empty)
            .unwrap()
            .events,
        types(&[])
    );
    bench.hooks.activate(APP, &made.id).unwrap();
    bench.emit("1");
    assert_eq!(bench.poll().attempts, 0);
}

#[test]
fn a_failed_activation_changes_nothing_and_a_new_url_must_be_proven_anew() {
    let bench = Bench::new();
    let id = bench.webhook("a");
    let before = bench.hooks.webhook(APP, &id).unwrap();
    assert!(before.is_active() && before.last_http_code.is_none());
    let new_url = WebhookUpdate {
        url: Some("https://example.com/b".into()),
        ..WebhookUpdate::default()
    };
    let same_url = WebhookUpdate {
        url: Some(before.url.to_string()),
        ..WebhookUpdate::default()
    };
    assert!(
        bench
            .hooks
            .update_webhook(APP, &id, same_url)
            .unwrap()
            .verified
    );
    let changed = bench.hooks.update_webhook(APP, &id, new_url).unwrap();
    assert!(!changed.verified && changed.enabled);
    bench.emit("1");
    assert_eq!(bench.poll().attempts, 0);
    bench.net.script_challenges(|_| status(500));
    bench.clock.advance(Duration::from_secs(1));
    for call in [Hookbox::activate, Hookbox::verify] {
        let error = call(&bench.hooks, APP, &id).unwrap_err();
        assert_eq!(error.code(), "webhook_activation_failed");
        assert!(error.to_string().contains("500"), "{error}");
        assert_eq!(bench.hooks.webhook(APP, &id).unwrap(), changed);
    }
}

#[test]
fn lists_come_in_pages_without_gaps_or_repeats() {
    let bench = Bench::new();
    let ids: Vec<WebhookId> = (0..25).map(|n| bench.webhook(&n.to_string())).collect();
    for id in &ids[..5] {
        bench.hooks.deactivate(APP, id).unwrap();
    }
    let collect = |filter: WebhookFilter| {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = PageRequest::first(10).unwrap().after(cursor);
            let page = bench.hooks.webhooks(APP, filter.clone(), page).unwrap();
            found.extend(page.items.into_iter().map(|webhook| webhook.id));
            cursor = page.next_cursor;
            if cursor.is_none() {
                return found;
            }
        }
    };
    assert_eq!(collect(WebhookFilter::default()), ids);
    assert_eq!(
        collect(WebhookFilter {
            enabled: Some(false),
            ..Default::default()
        }),
        ids[..5]
    );
    for limit in [0, 1001] {
        assert_eq!(
            PageRequest::first(limit).unwrap_err().code(),
            "invalid_request"
        );
    }
    let odd = PageRequest::default().after(Some("x'; --".into()));
    let refused = bench
        .hooks
        .webhooks(APP, WebhookFilter::default(), odd)
        .unwrap_err();
    assert_eq!(refused.code(), "invalid_request");
}

#[test]
fn deleting_leaves_no_row_behind() {
    let bench = Bench::new();
    let id = bench.webhook("a");
    bench.net.script(|_| status(500));
    bench.emit("1");
    bench.poll();
    bench.hooks.replay(APP, &id, START).unwrap();
    let db = rusqlite::Connection::open(bench.path()).unwrap();
    let rows = |table: &str| -> i64 {
        db.query_row(&format!("SELECT count(*) FROM {table}"), (), |row| {
            row.get(0)
        })
        .unwrap()
    };
    let of_webhook = [
        "webhook",
        "webhook_state",
        "subscription",
        "replay",
        "batch",
        "attempt",
    ];
    let of_app = ["app", "key", "event"];
    for table in of_webhook.iter().chain(&of_app) {
        assert!(rows(&format!("hookbox_{table}")) > 0, "{table}");
    }
    bench.hooks.delete_webhook(APP, &id).unwrap();
    for table in of_webhook {
        assert_eq!(rows(&format!("hookbox_{table}")), 0, "{table}");
    }
    assert_eq!(
        bench.hooks.delete_webhook(APP, &id).unwrap_err().code(),
        "webhook_not_found"
    );
    bench.webhook("b");
    bench.poll();
    bench.hooks.delete_app(APP).unwrap();
    for table in of_webhook.iter().chain(&of_app) {
        assert_eq!(rows(&format!("hookbox_{table}")), 0, "{table}");
    }
    assert_eq!(
        bench.hooks.delete_app(APP).unwrap_err().code(),
        "app_not_found"
    );
    assert_eq!(bench.hooks.check().unwrap(), Vec::<String>::new());
}
