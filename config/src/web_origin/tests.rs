use super::*;
use crate::Upstream;

#[track_caller]
fn check(written: &str, origin: &str, host: &str, port: u16) {
    let parsed: WebOrigin = written.parse().unwrap_or_else(|error| panic!("{written}: {error}"));
    assert_eq!((parsed.as_str(), parsed.host(), parsed.port()), (origin, host, port), "{written}");
    assert_eq!(parsed, origin.parse().unwrap(), "the canonical text means the same");
}

#[test]
fn an_origin_has_one_spelling() {
    check("https://shop.example.com", "https://shop.example.com", "shop.example.com", 443);
    check("HTTPS://Shop.Example.COM", "https://shop.example.com", "shop.example.com", 443);
    check("https://shop.example.com:443", "https://shop.example.com", "shop.example.com", 443);
    check("http://shop.example.com:80", "http://shop.example.com", "shop.example.com", 80);
    check("https://shop.example.com:80", "https://shop.example.com:80", "shop.example.com", 80);
    check("http://localhost:3000", "http://localhost:3000", "localhost", 3000);
    check("http://127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1", 8080);
    check("http://0x7f.1:8080", "http://127.0.0.1:8080", "127.0.0.1", 8080);
    check("http://a_b.internal:1", "http://a_b.internal:1", "a_b.internal", 1);
}

#[test]
fn an_international_name_is_written_as_dns_has_it() {
    check("https://bücher.example", "https://xn--bcher-kva.example", "xn--bcher-kva.example", 443);
    check("https://BÜCHER.example", "https://xn--bcher-kva.example", "xn--bcher-kva.example", 443);
    check("https://xn--bcher-kva.example", "https://xn--bcher-kva.example", "xn--bcher-kva.example", 443);
    check("https://例え。テスト", "https://xn--r8jz45g.xn--zckzah", "xn--r8jz45g.xn--zckzah", 443);
}

#[test]
fn an_ipv6_host_stays_in_brackets() {
    check("https://[2001:DB8::1]", "https://[2001:db8::1]", "[2001:db8::1]", 443);
    check("http://[0:0:0:0:0:0:0:1]:8080", "http://[::1]:8080", "[::1]", 8080);
}

#[test]
fn this_machine_has_many_names() {
    let is_loopback = |text: &str| text.parse::<WebOrigin>().unwrap().is_loopback();
    for text in ["http://localhost", "http://LOCALHOST:1", "http://127.0.0.1", "http://127.9.9.9", "http://[::1]:1"] {
        assert!(is_loopback(text), "{text}");
    }
    for text in ["http://0.0.0.0", "http://localhost.example.com", "http://10.0.0.1", "http://[::2]", "http://[::]"] {
        assert!(!is_loopback(text), "{text}");
    }
    assert!(is_loopback("http://[::ffff:127.0.0.1]"));
}

#[track_caller]
fn refuse(written: &str, message: &str) {
    assert_eq!(written.parse::<WebOrigin>().unwrap_err().to_string(), message, "{written}");
    assert_eq!(written.parse::<Upstream>().unwrap_err().to_string(), message, "{written}");
}

#[test]
fn what_is_more_or_less_than_an_origin_is_refused_with_what_to_write() {
    refuse("shop.example.com", "no scheme in front: write http://shop.example.com or https://shop.example.com");
    refuse("ftp://shop.example.com", "scheme `ftp` is not served: write http:// or https://");
    let path = "nothing may follow the host and port, not even a slash: write https://shop.example.com";
    for text in ["/", "/a", "?a", "#a", "\\a", ":443/a@b"] {
        refuse(&format!("https://shop.example.com{text}"), path);
    }
    let credentials = "a user name or password has no place here: write the host alone after ://";
    refuse("https://me:hunter2@shop.example.com", credentials);
    refuse("https://me@shop.example.com/a", credentials);
    refuse("https://*.example.com", "`*` stands for no host: write the full name, and one [[site]] for each");
    refuse("https://shop.example.com:0", "port 0 cannot be reached: write the port that is listened on");
}

#[test]
fn what_is_no_host_is_refused() {
    let long_label = format!("https://{}.example", "a".repeat(64));
    let long_name = format!("https://{}example", "a.".repeat(124));
    let bad = [
        "https://",
        "https://:443",
        "https://a..b",
        "https://.a",
        "https://shop.example.com.",
        "https://a b",
        "https://a\tb",
        "https:// a",
        "https://a ",
        "https://%73hop.example.com",
        "https://a:b",
        "https://a:65536",
        "https://a:1:2",
        "https://::1",
        "https://[::1",
        "https://[shop.example.com]",
        "https://1.2.3.256",
        "https://a!b",
        "https://a,b",
        "https://a|b",
        &long_label,
        &long_name,
    ];
    for text in bad {
        let host = text.strip_prefix("https://").unwrap();
        assert_eq!(text.parse::<WebOrigin>(), Err(BadUrl::Host(host.into())), "{text}");
    }
}

#[test]
fn an_upstream_always_shows_its_port() {
    let check = |written: &str, shown: &str, address: &str| {
        let upstream: Upstream = written.parse().unwrap();
        assert_eq!((upstream.to_string().as_str(), upstream.address().as_str()), (shown, address));
        assert_eq!(format!("{}:{}", upstream.host(), upstream.port()), address);
    };
    check("http://127.0.0.1:3000", "http://127.0.0.1:3000", "127.0.0.1:3000");
    check("https://Ledger.internal", "https://ledger.internal:443", "ledger.internal:443");
    check("http://[::1]", "http://[::1]:80", "[::1]:80");
}
