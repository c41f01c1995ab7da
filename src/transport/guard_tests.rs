//! The guard against every address and name of reliability.md 3.2 and 3.5, rows 1 to 7 and 14.

use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

fn url(text: &str) -> WebhookUrl {
    WebhookUrl::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn allowing(nets: &[&str]) -> AddressPolicy {
    AddressPolicy {
        allow: nets.iter().map(|net| net.parse().unwrap()).collect(),
        ..AddressPolicy::default()
    }
}

#[rustfmt::skip]
const DENIED: &[&str] = &[
    "0.0.0.0", "0.1.2.3", "0.255.255.255",
    "127.0.0.1", "127.0.0.2", "127.255.255.254", "127.255.255.255",
    "10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255",
    "100.64.0.0", "100.127.255.255", "100.100.100.200",
    "169.254.0.0", "169.254.169.254", "169.254.170.2", "169.254.255.255", "168.63.129.16",
    "192.0.0.0", "192.0.0.192", "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.31.196.1",
    "192.52.193.1", "192.88.99.1", "192.175.48.1", "198.18.0.0", "198.19.255.255",
    "198.51.100.1", "203.0.113.1", "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255",
    "::", "::1", "::2", "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:7f00:0001",
    "::FFFF:169.254.169.254", "::ffff:10.0.0.1", "::ffff:0.0.0.0",
    "::127.0.0.1", "::10.0.0.1", "::8.8.8.8", "::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8",
    "64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "64:ff9b:1:ffff::10.0.0.1",
    "100::1", "100:0:0:1::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fdff::1",
    "fe80::1", "fe80::a9fe:a9fe", "febf::1", "fec0::1", "feff::1", "ff00::1", "ff02::1", "ffff::1",
    "2001::1", "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff:ffff::1",
    "2001:db8::1", "2001:db8:ffff::1", "2002::1", "2002:7f00:1::1", "2002:a00:1::1",
    "2620:4f:8000::1", "3fff::1", "3fff:fff::1",
    "2600::5efe:10.0.0.1", "2600::200:5efe:7f00:1", "2600::100:5efe:1.2.3.4", "2600::300:5efe:8.8.8.8",
    "1fff:ffff::1", "4000::1", "8000::1",
];

#[rustfmt::skip]
const PUBLIC: &[&str] = &[
    "1.0.0.0", "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
    "126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0",
    "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.31.195.255",
    "192.52.194.0", "192.88.98.255", "192.167.255.255", "192.169.0.0", "192.175.49.0", "198.17.255.255",
    "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255",
    "::ffff:8.8.8.8", "2000::1", "2001:200::1", "2001:4860:4860::8888", "2001:db7::1", "2001:db9::1",
    "2003::1", "2606:4700::1111", "2620:4f:7fff::1", "2620:4f:8001::1", "2a00::1", "3ffe::1",
    "3fff:1000::1", "2600::5eff:1.2.3.4", "2600::400:5efe:1.2.3.4", "2600::1:5efe:1.2.3.4",
];

#[test]
fn denied_addresses() {
    for text in DENIED {
        assert!(
            AddressPolicy::default().check_ip(ip(text)).is_err(),
            "{text}"
        );
        let literal = if text.contains(':') {
            format!("https://[{text}]/")
        } else {
            format!("https://{text}/")
        };
        let refused = AddressPolicy::default()
            .check_url(&url(&literal))
            .unwrap_err();
        assert_eq!(refused.code(), "webhook_invalid_url", "{text}");
    }
}

#[test]
fn public_addresses() {
    for text in PUBLIC {
        assert_eq!(
            AddressPolicy::default().check_ip(ip(text)),
            Ok(()),
            "{text}"
        );
    }
}

#[test]
fn the_allow_list_comes_first_and_is_exact() {
    let policy = allowing(&["10.1.0.0/16", "fd12::/64"]);
    for text in ["10.1.2.3", "::ffff:10.1.2.3", "fd12::5", "8.8.8.8"] {
        assert_eq!(policy.check_ip(ip(text)), Ok(()), "{text}");
    }
    for text in [
        "10.2.0.0",
        "::10.1.2.3",
        "64:ff9b::10.1.2.3",
        "fd13::5",
        "::1",
    ] {
        assert!(policy.check_ip(ip(text)).is_err(), "{text}");
    }
    let everything = allowing(&["0.0.0.0/0", "::/0"]);
    for text in DENIED {
        assert_eq!(everything.check_ip(ip(text)), Ok(()), "{text}");
    }
}

#[test]
fn one_denied_address_condemns_the_answer() {
    let public: SocketAddr = "8.8.8.8:443".parse().unwrap();
    let private: SocketAddr = "[::1]:443".parse().unwrap();
    let policy = AddressPolicy::default();
    assert_eq!(policy.check_answer(&[public; 17]), Ok(()));
    let mut answer = [public; 17];
    answer[16] = private;
    let refused = policy.check_answer(&answer).unwrap_err();
    assert!(
        refused.contains("::1") && refused.contains("loopback"),
        "{refused}"
    );
}

#[test]
fn names() {
    let strict = AddressPolicy::default();
    for name in [
        "localhost",
        "LOCALHOST",
        "a.localhost",
        "localhost.localdomain",
        "printer.local",
        "metadata.google.internal",
        "db.internal",
        "intranet",
        "kubernetes",
    ] {
        let url = url(&format!("https://{name}/"));
        assert!(strict.check_url(&url).is_err(), "{name}");
        assert!(allowing(&["10.0.0.0/8"]).check_url(&url).is_ok(), "{name}");
    }
    for name in [
        "example.com",
        "local.example.com",
        "notlocal.dev",
        "10.0.0.1.nip.io",
    ] {
        assert!(
            strict.check_url(&url(&format!("https://{name}/"))).is_ok(),
            "{name}"
        );
    }
}

#[test]
fn schemes_and_ports() {
    let strict = AddressPolicy::default();
    let with_http = AddressPolicy {
        allow_http: true,
        ..AddressPolicy::default()
    };
    let only = AddressPolicy {
        ports: PortRule::Only(vec![81]),
        ..AddressPolicy::default()
    };
    for (text, in_strict, in_http, in_only) in [
        ("https://example.com/", true, true, false),
        ("https://example.com:81/", false, false, true),
        ("https://example.com:80/", false, true, false),
        ("https://example.com:22/", false, false, false),
        ("https://example.com:1023/", false, false, false),
        ("https://example.com:1024/", true, true, false),
        ("https://example.com:65535/", true, true, false),
        ("http://example.com/", false, true, false),
        ("http://example.com:8080/", false, true, false),
    ] {
        let url = url(text);
        assert_eq!(strict.check_url(&url).is_ok(), in_strict, "{text}");
        assert_eq!(with_http.check_url(&url).is_ok(), in_http, "{text}");
        assert_eq!(only.check_url(&url).is_ok(), in_only, "{text}");
    }
}

/// The registries, as data that does not come from our tables (`tests/vectors/special_addresses.txt`).
fn registry() -> Vec<IpNet> {
    include_str!("../../tests/vectors/special_addresses.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
        .collect()
}

/// Whether the registries call an address special, or it is ISATAP's (RFC 5214 §6.1).
fn oracle_denies(registry: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    let is_isatap = match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => {
            let id = &v6.octets()[8..12];
            matches!(id[0], 0..=3) && id[1..] == [0, 0x5e, 0xfe]
        }
    };
    is_isatap || registry.iter().any(|net| net.contains(&address))
}

/// The first and the last address of every registered network, and what lies around it.
#[test]
fn agrees_with_the_registries_at_every_border() {
    let registry = registry();
    let mut looked_at = 0;
    for net in &registry {
        let (first, last) = (net.network(), net.broadcast());
        for (border, is_inside) in [(first, true), (last, true)]
            .into_iter()
            .chain(before(first).map(|ip| (ip, false)))
            .chain(after(last).map(|ip| (ip, false)))
        {
            let refused = AddressPolicy::default().check_ip(border).is_err();
            assert_eq!(refused, oracle_denies(&registry, border), "{border}");
            assert!(refused || !is_inside, "{border} in {net}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 250, "{looked_at}");
}

fn before(address: IpAddr) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(v4) => Ipv4Addr::from(u32::from(v4).checked_sub(1)?).into(),
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6).checked_sub(1)?).into(),
    })
}

fn after(address: IpAddr) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(v4) => Ipv4Addr::from(u32::from(v4).checked_add(1)?).into(),
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6).checked_add(1)?).into(),
    })
}

/// Addresses close to the borders of the listed networks, where mistakes would be.
fn near_v4() -> impl Strategy<Value = u32> {
    (0..DENIED_V4.len(), -3i64..=3, any::<bool>()).prop_map(|(index, offset, end)| {
        let (net, length, _) = DENIED_V4[index];
        let size = 1i64 << (32 - length);
        let border = i64::from(u32::from(net)) + if end { size } else { 0 };
        u32::try_from((border + offset).rem_euclid(1 << 32)).unwrap()
    })
}

fn near_v6() -> impl Strategy<Value = u128> {
    let nets: Vec<(u128, u8)> = DENIED_V6
        .iter()
        .map(|(net, length, _)| (u128::from(*net), *length))
        .chain([(u128::from(GLOBAL_V6.0), GLOBAL_V6.1), (0xffff << 32, 96)])
        .collect();
    (
        0..nets.len(),
        any::<bool>(),
        0u128..6,
        any::<u128>(),
        any::<bool>(),
    )
        .prop_map(move |(index, end, offset, random, isatap)| {
            let (net, length) = nets[index];
            let size = 1u128 << (128 - length);
            let border = net.wrapping_add(if end { size } else { 0 });
            let near = border.wrapping_add(offset).wrapping_sub(3);
            if isatap {
                (random >> 3 | 0x2000 << 112) & !(0xffff_ffff << 32) | 0x5efe << 32
            } else if random % 2 == 0 {
                near
            } else {
                net | (random % size)
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn agrees_with_the_oracle_v4(address in prop_oneof![any::<u32>(), near_v4()]) {
        let address = Ipv4Addr::from(address);
        let denied = oracle_denies(&registry(), address.into());
        let policy = AddressPolicy::default();
        prop_assert_eq!(policy.check_ip(address.into()).is_err(), denied);
        prop_assert_eq!(policy.check_ip(address.to_ipv6_mapped().into()).is_err(), denied);
        // However an IPv4 address is embedded elsewise, it never gets through.
        let bits = u128::from(u32::from(address));
        for prefix in [0, 0x64_ff9b << 96, 0xffff << 48, 0x2002 << 112, 0x2001 << 112] {
            prop_assert!(policy.check_ip(Ipv6Addr::from(prefix | bits).into()).is_err());
        }
    }

    #[test]
    fn agrees_with_the_oracle_v6(address in prop_oneof![any::<u128>(), near_v6()]) {
        let address = Ipv6Addr::from(address);
        let refused = AddressPolicy::default().check_ip(address.into()).is_err();
        prop_assert_eq!(refused, oracle_denies(&registry(), address.into()), "{}", address);
    }
}
