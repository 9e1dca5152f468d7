use super::*;

fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    headers
}

fn trusted() -> Vec<IpNet> {
    ["10.0.0.0/8", "fd00::/8"].iter().map(|network| network.parse().unwrap()).collect()
}

#[track_caller]
fn check_client(peer: &str, lines: &[&str], expected: &str) {
    let source = Source::of(peer.parse().unwrap(), &headers(lines), &trusted());
    assert_eq!(source.client, expected.parse::<IpAddr>().unwrap(), "{peer} {lines:?}");
}

#[test]
fn a_stranger_speaks_for_itself_alone() {
    check_client("192.0.2.1", &["198.51.100.7"], "192.0.2.1");
    check_client("::ffff:192.0.2.1", &["198.51.100.7"], "192.0.2.1");
    check_client("127.0.0.1", &["198.51.100.7"], "127.0.0.1");
}

#[test]
fn behind_trusted_proxies_the_last_stranger_in_the_chain_asks() {
    check_client("10.0.0.1", &[], "10.0.0.1");
    check_client("10.0.0.1", &["198.51.100.7"], "198.51.100.7");
    check_client("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.0.0.2"], "198.51.100.7");
    check_client("10.0.0.1", &["203.0.113.9", "198.51.100.7,10.0.0.2 "], "198.51.100.7");
    check_client("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7");
    check_client("10.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7");
    check_client("10.0.0.1", &["198.51.100.7, unknown"], "10.0.0.1");
    check_client("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
    check_client("10.0.0.1", &["\u{e9}, 198.51.100.7"], "198.51.100.7");
    check_client("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7");
}

#[track_caller]
fn check_apply(peer: &str, inbound: &[(&'static str, &str)], expected: &[(&str, &str)]) {
    let mut received = RequestHeader::build("GET", b"/", None).unwrap();
    received.insert_header("Host", "shop.example").unwrap();
    for (name, value) in inbound {
        received.append_header(*name, *value).unwrap();
    }
    let mut upstream = received.clone();
    let source = Source::of(peer.parse().unwrap(), &received.headers, &trusted());
    apply(&mut upstream, &received, &source, "http", &RequestId::inbound(b"id-1").unwrap()).unwrap();
    let mut found: Vec<_> =
        upstream.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    found.sort_unstable();
    assert_eq!(found, expected, "{peer} {inbound:?}");
}

#[test]
fn what_a_stranger_says_of_others_does_not_reach_the_origin() {
    let expected = [
        ("host", "shop.example"),
        ("x-custom", "stays"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "id-1"),
    ];
    check_apply(
        "192.0.2.1",
        &[
            ("X-Forwarded-For", "198.51.100.7"),
            ("X_Forwarded_For", "198.51.100.7"),
            ("X-Forwarded_Proto", "https"),
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Prefix", "/admin"),
            ("X-Forwarded-Port", "1"),
            ("X-Forwarded", "for=1"),
            ("Forwarded", "for=198.51.100.7"),
            ("X-Real-IP", "198.51.100.7"),
            ("X_Real_IP", "198.51.100.7"),
            ("X-Original-URL", "/admin"),
            ("X-Rewrite-URL", "/admin"),
            ("X-Request-Id", "forged"),
            ("X-Custom", "stays"),
        ],
        &expected,
    );
}

#[test]
fn what_a_trusted_proxy_says_is_passed_on() {
    check_apply(
        "10.0.0.1",
        &[
            ("X-Forwarded-For", "198.51.100.7"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "www.shop.example"),
            ("X-Rewrite-URL", "/admin"),
        ],
        &[
            ("host", "shop.example"),
            ("x-forwarded-for", "198.51.100.7, 10.0.0.1"),
            ("x-forwarded-host", "www.shop.example"),
            ("x-forwarded-proto", "https"),
            ("x-request-id", "id-1"),
        ],
    );
}

#[test]
fn a_near_peer_that_speaks_for_others_looks_like_a_forgotten_proxy() {
    for (peer, expected) in
        [("127.0.0.1", true), ("192.168.1.1", true), ("fe80::1", true), ("10.0.0.1", false), ("192.0.2.1", false)]
    {
        let headers = headers(&["198.51.100.7"]);
        let source = Source::of(peer.parse().unwrap(), &headers, &trusted());
        assert_eq!(source.looks_like_a_forgotten_proxy(&headers), expected, "{peer}");
        assert!(!source.looks_like_a_forgotten_proxy(&HeaderMap::new()), "{peer}");
    }
}

#[test]
fn a_crowd_stands_behind_loopback_and_near_strangers() {
    for (peer, expected) in
        [("127.0.0.1", true), ("172.16.0.1", true), ("::1", true), ("192.0.2.1", false), ("2001:db8::1", false)]
    {
        let source = Source::of(peer.parse().unwrap(), &HeaderMap::new(), &trusted());
        assert_eq!(source.may_be_a_crowd(), expected, "{peer}");
    }
    let behind = Source::of("10.0.0.1".parse().unwrap(), &headers(&["192.168.7.7"]), &trusted());
    assert!(!behind.may_be_a_crowd(), "a trusted proxy tells its clients apart");
}
