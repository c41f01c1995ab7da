//! TLS with a private root.

use std::sync::OnceLock;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

pub(super) type Issuer = CertifiedIssuer<'static, KeyPair>;

fn new_issuer(name: &str) -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// The root that the clients trust.
pub(super) fn root() -> &'static Issuer {
    static ROOT: OnceLock<Issuer> = OnceLock::new();
    ROOT.get_or_init(|| new_issuer("hookbox test root"))
}

pub(super) struct Identity {
    certificate: Certificate,
    key: KeyPair,
}

pub(super) fn identity(
    names: &[&str],
    issuer: Option<&Issuer>,
    change: fn(&mut CertificateParams),
) -> Identity {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    Identity { certificate, key }
}

pub(super) fn server(
    identity: &Identity,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Server {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    Server::start(move |peer| {
        let conn = ServerConnection::new(config.clone()).unwrap();
        let mut stream = BufReader::new(StreamOwned::new(conn, peer.stream.get_ref()));
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if stream.read_line(&mut head).unwrap_or(0) == 0 {
                    return;
                }
            }
            peer.heads.lock().unwrap().push(head);
            // The body of `post`.
            let mut body = [0; 13];
            if stream.read_exact(&mut body).is_err() {
                return;
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            stream.get_mut().write_all(answer).unwrap();
        }
    })
}

fn client() -> HttpTransport {
    let mut options = options();
    options.extra_root_pem = Some(root().pem());
    // `localhost` is `::1` as well on most machines.
    options.policy.allow.push("::1/128".parse().unwrap());
    HttpTransport::new(options).unwrap()
}

fn https(server: &Server, host: &str) -> Request {
    let url = format!("https://{host}:{}/hook", server.address.port());
    post(WebhookUrl::parse(&url).unwrap(), LONG)
}

pub(super) const BOTH: &[&rustls::SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];

#[test]
fn a_private_root_is_trusted_and_connections_are_reused() {
    for versions in [
        &[&rustls::version::TLS13][..],
        &[&rustls::version::TLS12][..],
    ] {
        let server = server(
            &identity(&["localhost", "127.0.0.1"], Some(root()), |_| {}),
            versions,
        );
        let client = client();
        for host in ["127.0.0.1", "localhost"] {
            for _ in 0..3 {
                let mut request = https(&server, host);
                request.timeout = LONG;
                let response = send(&client, &request).unwrap();
                assert_eq!(
                    (response.status, response.body.as_slice()),
                    (200, &b"ok"[..])
                );
            }
        }
        assert_eq!(server.connections(), 2, "one for each name");
    }
}

#[test]
fn bad_certificates_are_refused() {
    let stranger = new_issuer("somebody else");
    let good = ["127.0.0.1"];
    for (identity, expected) in [
        (
            identity(&["other.example"], Some(root()), |_| {}),
            "not valid for name",
        ),
        (
            identity(&good, Some(root()), |params| {
                params.not_after = date_time_ymd(2001, 1, 1);
            }),
            "expired",
        ),
        (
            identity(&good, Some(root()), |params| {
                params.not_before = date_time_ymd(4000, 1, 1);
            }),
            "not valid yet",
        ),
        (identity(&good, None, |_| {}), "UnknownIssuer"),
        (identity(&good, Some(&stranger), |_| {}), "UnknownIssuer"),
    ] {
        let server = server(&identity, BOTH);
        let message = assert_fails(
            send(&client(), &https(&server, "127.0.0.1")),
            FailureKind::Tls,
        );
        assert!(message.contains(expected), "{expected}: {message}");
        assert!(
            server.heads.lock().unwrap().is_empty(),
            "a request was sent"
        );
    }
}

#[test]
fn without_the_extra_root_it_is_unknown() {
    let server = server(&identity(&["127.0.0.1"], Some(root()), |_| {}), BOTH);
    let result = send(&transport(), &https(&server, "127.0.0.1"));
    let message = assert_fails(result, FailureKind::Tls);
    assert!(message.contains("UnknownIssuer"), "{message}");
}

#[test]
fn a_stalled_handshake_ends_at_the_deadline() {
    let server = Server::start(Peer::wait_for_close);
    let mut request = https(&server, "127.0.0.1");
    request.timeout = SHORT;
    assert_fails(send(&client(), &request), FailureKind::Timeout);
}

#[test]
fn no_tls_at_all() {
    for bytes in [&b"HTTP/1.1 400 Bad\r\n\r\n"[..], b""] {
        let server = Server::start(move |peer| {
            let _ = peer.stream.fill_buf();
            peer.write(bytes);
        });
        let result = send(&client(), &https(&server, "127.0.0.1"));
        assert_fails(result, FailureKind::Tls);
    }
}
