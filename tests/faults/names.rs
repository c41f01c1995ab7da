//! Names that the system's resolver makes of others: aliases, search domains, as the environment of the
//! process has them.
//!
//! What it honours is its own; but whatever address comes of it, the guard looks at that. The real
//! resolver runs in a child with no network but its own loopback, and a name server there that knows
//! one honest name and gives a forbidden address for every name under `evil.test`.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookbox::model::WebhookUrl;
use hookbox::transport::{AddressPolicy, HttpOptions, HttpTransport, Method, Request, Transport};

use crate::run::{Figures, Size, figure};
use crate::support::Receiver;
use crate::system::{apart, put_over};

type Variables = &'static [(&'static str, &'static str)];

/// The environment, the host of the URL, whether anything but public addresses is allowed, and what
/// comes of it. Aliases are for names without a dot, which only an allow-list lets through.
#[rustfmt::skip]
const CASES: [(Variables, &str, &str, &str); 8] = [
    (&[], "good.test", "lenient", "status 200"),
    (&[], "evil.test", "lenient", "address_denied"),
    (&[("HOSTALIASES", "alias good.test")], "alias", "lenient", "status 200"),
    (&[("HOSTALIASES", "alias evil.test")], "alias", "lenient", "address_denied"),
    (&[("HOSTALIASES", "alias good.test")], "alias", "strict", "address_denied unasked"),
    (&[("LOCALDOMAIN", "evil.test")], "good.test", "lenient", "status 200"),
    (&[("LOCALDOMAIN", "evil.test")], "none.test", "lenient", "address_denied"),
    (&[("LOCALDOMAIN", "evil.test"), ("RES_OPTIONS", "ndots:15")], "good.test", "lenient", "address_denied"),
];

pub fn part(size: Size) -> Figures {
    let folder = tempfile::tempdir().unwrap();
    let mut connected = 0;
    for (variables, host, policy, expected) in CASES {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args(["child", "names", host, policy])
            .arg(folder.path());
        for (name, value) in variables {
            if *name == "HOSTALIASES" {
                let file = folder.path().join("aliases");
                std::fs::write(&file, format!("{value}\n")).unwrap();
                child.env(name, file);
            } else {
                child.env(name, value);
            }
        }
        let ended = child.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        if let Some(why) = said.strip_prefix("left out: ") {
            assert!(
                !size.full,
                "a network of one's own is needed for this: run it as root: {why}"
            );
            return vec![figure("left out", why.trim())];
        }
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(said.trim(), expected, "{variables:?}, {host}: {errors}");
        connected += usize::from(expected.starts_with("status"));
    }
    vec![
        figure("environments and names", CASES.len()),
        figure("let through", connected),
        figure("connections to a denied address", 0),
    ]
}

/// One request, and a line that says what came of it.
pub fn child(arguments: &[String]) {
    let [host, policy, folder] = arguments else {
        panic!("child names HOST POLICY FOLDER")
    };
    let folder = Path::new(folder);
    if let Err(error) = apart().and_then(|()| own_name_server(folder)) {
        return println!("left out: {error}");
    }
    let asked = answer_names();
    let receiver = Receiver::start();
    let allow = if policy == "lenient" {
        vec!["127.0.0.1/32".parse().unwrap()]
    } else {
        Vec::new()
    };
    let mut options = HttpOptions::default();
    options.policy = AddressPolicy {
        allow_http: true,
        allow,
        ..AddressPolicy::default()
    };
    let url = format!("http://{host}:{}/hook", receiver.port);
    let request = Request {
        method: Method::Get,
        url: WebhookUrl::parse(&url).unwrap(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Vec::new().into(),
        timeout: Duration::from_secs(20),
    };
    let answer = HttpTransport::new(options).unwrap().send(&request);
    let unasked = if asked.lock().unwrap().is_empty() {
        " unasked"
    } else {
        ""
    };
    match answer {
        Ok(response) => {
            assert_eq!(receiver.connections(), 1);
            println!("status {}{unasked}", response.status);
        }
        Err(error) => {
            eprintln!("{error}; asked for {:?}", asked.lock().unwrap());
            assert_eq!(receiver.connections(), 0);
            println!("{}{unasked}", error.kind.as_str());
        }
    }
}

/// Makes this machine's own name server, and nothing else, what the system's resolver asks.
fn own_name_server(folder: &Path) -> std::io::Result<()> {
    for (place, content) in [
        ("/etc/resolv.conf", "nameserver 127.0.0.1\n"),
        ("/etc/nsswitch.conf", "hosts: files dns\n"),
    ] {
        let (file, place) = (folder.join(place.replace('/', "_")), Path::new(place));
        // Where there is none, the resolver does the same by itself.
        if place.exists() {
            std::fs::write(&file, content)?;
            put_over(&file, place)?;
        }
    }
    Ok(())
}

/// The name server. Returns the names it was asked for.
fn answer_names() -> Arc<Mutex<Vec<String>>> {
    let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let seen = asked.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let (name, end) = question(&buffer[..length]);
            let address = match name.as_str() {
                "good.test" => Some(Ipv4Addr::new(127, 0, 0, 1)),
                name if name.ends_with("evil.test") => Some(Ipv4Addr::new(127, 0, 0, 2)),
                _ => None,
            };
            seen.lock().unwrap().push(name);
            let reply = reply(&buffer[..end], address);
            socket.send_to(&reply, from).unwrap();
        }
    });
    asked
}

/// The name in a query (RFC 1035 section 4.1.2), and where the question ends.
fn question(query: &[u8]) -> (String, usize) {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_lowercase());
        at = end;
    }
    (labels.join("."), at + 5)
}

/// The answer to a query without what follows its question: an address, that there is none of this kind, or
/// that there is no such name.
fn reply(query: &[u8], address: Option<Ipv4Addr>) -> Vec<u8> {
    const IS_A: [u8; 4] = [0, 1, 0, 1];
    let mut reply = query.to_vec();
    let answered = address.filter(|_| query.ends_with(&IS_A));
    let no_such_name = u8::from(address.is_none()) * 3;
    // A response, authoritative, to a question that wished for recursion.
    reply[2..4].copy_from_slice(&[0x85, 0x80 | no_such_name]);
    reply[4..12].copy_from_slice(&[0, 1, 0, u8::from(answered.is_some()), 0, 0, 0, 0]);
    if let Some(address) = answered {
        // The name is that of the question; one second to live.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        reply.extend(address.octets());
    }
    reply
}
