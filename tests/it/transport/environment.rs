//! The environment of the process.
//!
//! Goal: no variable moves a request: no proxy is used, nobody else is trusted, no other address is
//! reached. Method: the same test as a child of itself with the variable set, two servers that must
//! get exactly its requests, and a trap under the address that the variables name.

use std::process::{Command, Output};

use super::tls::{BOTH, identity, root, server};
use super::*;

/// Tells a child what it is, and which ports to send to: plain, encrypted.
const PORTS: &str = "HOOKBOX_TEST_ENVIRONMENT";

/// Where a child finds the root of the encrypted server.
const ROOT: &str = "HOOKBOX_TEST_ROOT";

const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

type Variable = (&'static str, String);

struct Servers {
    plain: Server,
    encrypted: Server,
    folder: tempfile::TempDir,
}

impl Servers {
    fn start() -> Self {
        let plain = Server::start(|peer| {
            while peer.read_request() && peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            {
            }
        });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("root.pem"), root().pem()).unwrap();
        Self {
            plain,
            encrypted: server(&identity(&["localhost"], Some(root()), |_| {}), BOTH),
            folder,
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs a test of this file as a child.
    fn child(&self, test: &str, variables: &[Variable]) -> Output {
        let ports = [&self.plain, &self.encrypted].map(|server| server.address.port().to_string());
        Command::new(std::env::current_exe().unwrap())
            .arg(format!("transport::environment::{test}"))
            .args(["--exact", "--nocapture"])
            .env(PORTS, ports.join(" "))
            .env(ROOT, self.file("root.pem"))
            .envs(variables.iter().map(|(name, value)| (*name, value)))
            .output()
            .unwrap()
    }
}

/// The ports, in a child.
fn told() -> Option<[u16; 2]> {
    let ports = std::env::var(PORTS).ok()?;
    let ports: Vec<u16> = ports.split(' ').map(|port| port.parse().unwrap()).collect();
    Some(ports.try_into().unwrap())
}

fn to(scheme: &str, port: u16) -> Request {
    let url = format!("{scheme}://localhost:{port}/hook");
    post(WebhookUrl::parse(&url).unwrap(), LONG)
}

fn with_localhost() -> HttpOptions {
    let mut options = options();
    options.policy.allow.push("::1/128".parse().unwrap());
    options
}

#[track_caller]
fn assert_passed(child: &Output, variables: &[Variable]) {
    assert!(
        child.status.success(),
        "{variables:?}: {}{}",
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
}

/// Three connections: two requests, and one to somebody who is not trusted.
fn send_all([plain, encrypted]: [u16; 2]) {
    let strict = HttpTransport::new(with_localhost()).unwrap();
    let mut options = with_localhost();
    options.extra_root_pem = Some(std::fs::read_to_string(std::env::var(ROOT).unwrap()).unwrap());
    let trusting = HttpTransport::new(options).unwrap();
    assert_eq!(send(&trusting, &to("http", plain)).unwrap().status, 200);
    assert_eq!(
        send(&trusting, &to("https", encrypted)).unwrap().status,
        200
    );
    let message = assert_fails(send(&strict, &to("https", encrypted)), FailureKind::Tls);
    assert!(message.contains("UnknownIssuer"), "{message}");
}

#[test]
fn no_variable_moves_a_request() {
    if let Some(ports) = told() {
        return send_all(ports);
    }
    let servers = Servers::start();
    let trap = Server::start(|peer| {
        peer.read_request();
    });
    std::fs::write(servers.file("aliases"), "localhost evil.example\n").unwrap();
    let mut sets: Vec<Vec<Variable>> = Vec::new();
    for scheme in ["http", "https", "socks5"] {
        let url = format!("{scheme}://{}", trap.address);
        let proxies = PROXIES.map(|name| (name, url.clone()));
        sets.extend(proxies.iter().map(|one| vec![one.clone()]));
        for exempt in ["", "example.com", "*"] {
            let mut all = proxies.to_vec();
            all.push(("NO_PROXY", exempt.to_owned()));
            all.push(("no_proxy", exempt.to_owned()));
            sets.push(all);
        }
    }
    let others = [
        ("SSL_CERT_FILE", servers.file("root.pem")),
        ("SSL_CERT_DIR", servers.file("")),
        ("RES_OPTIONS", "ndots:15 attempts:1 timeout:1".to_owned()),
        ("LOCALDOMAIN", "evil.example".to_owned()),
        ("HOSTALIASES", servers.file("aliases")),
    ];
    sets.extend(others.iter().map(|one| vec![one.clone()]));
    let everything = sets.iter().flatten();
    let everything = everything.filter(|(name, _)| !name.eq_ignore_ascii_case("no_proxy"));
    let everything = everything.cloned().collect();
    sets.push(everything);
    for variables in &sets {
        assert_passed(
            &servers.child("no_variable_moves_a_request", variables),
            variables,
        );
    }
    assert_eq!(trap.connections(), 0);
    assert_eq!(servers.plain.connections(), sets.len());
    assert_eq!(servers.encrypted.connections(), 2 * sets.len());
    println!("{} environments, no connection to a proxy", sets.len());

    // The trap would have noticed: a proxy that the host itself names is used.
    let mut options = with_localhost();
    options.proxy = Some(format!("http://{}", trap.address));
    let through = HttpTransport::new(options).unwrap();
    let request = to("http", servers.plain.address.port());
    assert_fails(send(&through, &request), FailureKind::Proxy);
    assert_eq!(trap.connections(), 1);
}

/// Who asks for the system's roots gets what the system is told they are.
#[cfg(all(feature = "platform-roots", target_os = "linux"))]
#[test]
fn the_systems_roots_are_the_environments() {
    if let Some([_, encrypted]) = told() {
        let mut options = with_localhost();
        options.tls_roots = hookbox::transport::TlsRoots::Platform;
        let platform = HttpTransport::new(options).unwrap();
        assert_eq!(
            send(&platform, &to("https", encrypted)).unwrap().status,
            200
        );
        return;
    }
    let servers = Servers::start();
    let variables = [("SSL_CERT_FILE", servers.file("root.pem"))];
    let child = servers.child("the_systems_roots_are_the_environments", &variables);
    assert_passed(&child, &variables);
    assert_eq!(servers.encrypted.connections(), 1);
}
