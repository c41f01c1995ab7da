//! The addresses of this machine.
//!
//! Goal: what listens on this machine for itself gets nothing. Method: every address that the system
//! says is its own, somebody who listens on all of them, and the registries for which are public.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use hookbox::model::{FailureKind, WebhookUrl};
use hookbox::transport::Transport;

use super::spellings::{Gives, get, transport, with_http};
use super::*;

/// Every address of this machine, as Linux tells; elsewhere those that every machine has.
fn own() -> Vec<IpAddr> {
    let mut all = vec![
        IpAddr::from(Ipv4Addr::LOCALHOST),
        IpAddr::from(Ipv6Addr::LOCALHOST),
    ];
    let mut last: Option<IpAddr> = None;
    for line in read("/proc/net/fib_trie").lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            all.extend(last);
        }
    }
    for line in read("/proc/net/if_inet6").lines() {
        let bits = u128::from_str_radix(line.split(' ').next().unwrap(), 16).unwrap();
        all.push(Ipv6Addr::from(bits).into());
    }
    all.sort();
    all.dedup();
    all
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn what_this_machine_keeps_to_itself_is_not_reached() {
    // On every address, of both families where there are both.
    let listener = TcpListener::bind("[::]:0")
        .or_else(|_| TcpListener::bind("0.0.0.0:0"))
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    let hooks = open(&Arc::default(), Options::new().addresses(with_http()));
    let (networks, own) = (networks(), own());
    let (private, public): (Vec<IpAddr>, Vec<IpAddr>) = own
        .into_iter()
        .partition(|address| networks.iter().any(|net| net.contains(address)));
    for address in &private {
        let literal = format!("http://{}/", SocketAddr::new(*address, port));
        let error = hooks.create_webhook("get", webhook(&literal)).unwrap_err();
        assert_eq!(error.code(), "webhook_invalid_url", "{address}");
        let name = format!("http://example.com:{port}/");
        for url in [literal, name] {
            let url = WebhookUrl::parse(&url).unwrap();
            let strict = transport(with_http(), Gives(vec![*address]));
            let refused = strict.send(&get(url)).unwrap_err();
            assert_eq!(refused.kind, FailureKind::AddressDenied, "{address}");
        }
    }
    listener.set_nonblocking(true).unwrap();
    let connected = listener.accept();
    assert_eq!(connected.unwrap_err().kind(), ErrorKind::WouldBlock);
    println!(
        "{} of this machine's addresses refused, {} public",
        private.len(),
        public.len()
    );
}

/// A machine's public address counts as public (SECURITY.md). A host denies it with a resolver of
/// its own, and a profile under which no URL goes past that.
#[test]
fn where_urls_must_name_hosts_the_resolver_sees_all_of_them() {
    let hooks = open(&Arc::default(), Options::new());
    let mut profile = Profile::prelude();
    profile.signature = SignatureScheme::StandardWebhooks;
    profile.ip_literals = false;
    let new = NewApp {
        profile,
        ..NewApp::new("named".parse().unwrap())
    };
    hooks.create_app_with(new).unwrap();
    let good = hooks
        .create_webhook("named", webhook("https://example.com/"))
        .unwrap();
    for url in [
        "https://93.184.216.34/",
        "https://93.184.216.34:8443/hook?a=b",
        "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
    ] {
        // It is the profile that refuses them.
        hooks.create_webhook("get", webhook(url)).unwrap();
        let error = hooks.create_webhook("named", webhook(url)).unwrap_err();
        assert_eq!(error.code(), "webhook_invalid_url", "{url}");
        let update = WebhookUpdate {
            url: Some(url.to_owned()),
            ..WebhookUpdate::default()
        };
        let error = hooks.update_webhook("named", &good.id, update).unwrap_err();
        assert_eq!(error.code(), "webhook_invalid_url", "{url}");
    }
}
