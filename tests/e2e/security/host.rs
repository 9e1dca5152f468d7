//! Group O: one host, one site, whatever it is dressed up as.

use lime_tests::{Certificate, Echo, Gateway, Http2, Wire};
use serde_json::json;
use tempfile::TempDir;

use super::{Shop, check, claims, forger, issuer, with};

const SITES: usize = 150;

/// A gateway of 150 open sites, of which one is protected.
fn many(echo: &Echo, issuer: &str) -> Gateway {
    Gateway::start(|_, _| {
        let site = |number: usize| {
            let protect = if number == 77 {
                format!("mode = \"enforce\"\nprotect = [\"/*\"]\nissuer = \"{issuer}\"\n")
            } else {
                String::new()
            };
            format!("[[site]]\nurl = \"https://site-{number}.lime.test\"\norigin = \"{}\"\n{protect}", echo.url)
        };
        (0..SITES).map(site).collect()
    })
}

#[track_caller]
fn ask(gateway: &Gateway, host: &str) -> lime_tests::http::Reply {
    Wire::to(gateway.address()).send(format!("GET / HTTP/1.1\r\n{host}\r\n")).reply()
}

/// O1: among 150 sites, a host in every dress finds exactly its site, or none.
#[test]
fn a_host_in_every_dress_finds_its_site_or_none() {
    let (echo, issuer) = (Echo::start(), issuer());
    let gateway = many(&echo, &issuer.url);
    for number in (0..SITES).filter(|number| *number != 77) {
        let host = format!("site-{number}.lime.test");
        let reply = ask(&gateway, &format!("Host: {host}\r\n"));
        assert_eq!(reply.status, 200, "{host}: {}", reply.text());
        assert_eq!(echo.last().value("host").as_deref(), Some(host.as_str()), "preserved");
    }
    let line = gateway.access_line(&echo.last().value("x-request-id").unwrap());
    assert_eq!(line["site"], format!("https://site-{}.lime.test", SITES - 1));
    let before = echo.count();
    for host in [
        "site-77.lime.test",
        "SITE-77.lime.TEST",
        "site-77.lime.test:80",
        "site-77.lime.test:8443",
        "site-77.lime.test:",
        "site-77.lime.test.",
        "Site-77.Lime.Test.:443",
    ] {
        check(host, &ask(&gateway, &format!("Host: {host}\r\n")), 401, "passport_required");
    }
    for host in [
        "site-150.lime.test",
        "site-7",
        "xsite-77.lime.test",
        "site-77.lime.test.evil.test",
        "lime.test",
        "127.0.0.1",
        "site-77.lime.test..",
    ] {
        check(host, &ask(&gateway, &format!("Host: {host}\r\n")), 421, "host_unknown");
    }
    for (what, hosts) in [
        ("none", ""),
        ("an empty one", "Host:\r\n"),
        ("two", "Host: site-1.lime.test\r\nHost: site-77.lime.test\r\n"),
        ("twice one", "Host: site-1.lime.test\r\nHost: site-1.lime.test\r\n"),
        ("in two cases", "Host: site-1.lime.test\r\nhOST: site-77.lime.test\r\n"),
        ("two ports", "Host: site-1.lime.test:80:80\r\n"),
        ("no port", "Host: site-1.lime.test:x\r\n"),
        ("a long port", "Host: site-1.lime.test:000080\r\n"),
    ] {
        check(what, &ask(&gateway, hosts), 400, "host_invalid");
    }
    assert_eq!(echo.count(), before);
}

/// O1: HTTP/1.0 knows requests without a host; we do not.
#[test]
fn no_version_of_http_may_leave_the_host_out() {
    let shop = Shop::new();
    check("1.0", &shop.wire().send("GET / HTTP/1.0\r\n\r\n").reply(), 400, "host_invalid");
    let named = shop.wire().send("GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").reply();
    assert_eq!(named.status, 200);
}

/// O2: what is no host name is refused before anything reads it as something else.
#[test]
fn what_is_no_host_name_is_refused() {
    let shop = Shop::new();
    for host in [
        "127.0.0.1/agents",
        "127.0.0.1/abc?x=",
        "127.0.0.1?x",
        "127.0.0.1#x",
        "user@127.0.0.1",
        "127.0.0.1@evil.test",
        "127.0.0.1 evil.test",
        "127.0.0.1\tevil.test",
        "127.0.0.1,evil.test",
        "127.0.0.1, evil.test",
        "127.0.0.1;evil.test",
        "127.0.0.1\\evil.test",
        "http://127.0.0.1",
        "127.0.0.1%2f",
        "127.0.0.1:80@evil.test",
        "[127.0.0.1]",
        "[::1",
        "[::1]evil.test",
        "::1",
        "<127.0.0.1>",
        "127.0.0.1\"",
        "w\u{f6}rld.test",
        ".",
        ":80",
        "-",
    ] {
        let reply = shop.wire().send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).reply();
        let expected = if host == "-" { (421, "host_unknown") } else { (400, "host_invalid") };
        check(host, &reply, expected.0, expected.1);
        assert_eq!(reply.header("location"), None);
    }
    let long = format!("{}.test", "a".repeat(300));
    check("long", &shop.wire().send(format!("GET / HTTP/1.1\r\nHost: {long}\r\n\r\n")).reply(), 400, "host_invalid");
    assert_eq!(shop.echo.count(), 0);
    // And no refusal repeats a host that we do not have.
    let reply = shop.wire().send("GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n").reply();
    check("unknown", &reply, 421, "host_unknown");
    assert!(!reply.text().contains("evil.test"), "{}", reply.text());
}

/// O3: the name in the handshake decides nothing, and one connection may ask several hosts: each has its own policy.
#[test]
fn the_host_of_each_request_decides_whatever_the_handshake_said() {
    let (folder, port) = (TempDir::new().unwrap(), lime_tests::free_port());
    let certificate = Certificate::make(folder.path(), &["open.lime.test", "closed.lime.test"]);
    let (echo, issuer) = (Echo::start(), issuer());
    let gateway = Gateway::start(|_, _| {
        let (origin, issuer) = (&echo.url, &issuer.url);
        let closed = format!("mode = \"enforce\"\nprotect = [\"/*\"]\nissuer = \"{issuer}\"\n");
        format!(
            "[server]\n{}[[site]]\nurl = \"https://open.lime.test\"\norigin = \"{origin}\"\n\
             [[site]]\nurl = \"https://closed.lime.test\"\norigin = \"{origin}\"\n{closed}",
            certificate.settings(port)
        )
    });
    for name in ["open.lime.test", "closed.lime.test"] {
        let client = Http2::to(([127, 0, 0, 1], port).into(), name, &certificate);
        for _ in 0..2 {
            let reply = client.get("https://open.lime.test/x", &[]);
            assert_eq!((reply.status, echo.last().value("host").as_deref()), (200, Some("open.lime.test")));
            check("closed", &client.get("https://closed.lime.test/x", &[]), 401, "passport_required");
            check("unknown", &client.get("https://other.lime.test/x", &[]), 421, "host_unknown");
        }
        let token = forger().token(&with(claims(&issuer.url), "domain", json!("closed.lime.test")));
        let bearer = format!("Bearer {token}");
        let reply = client.get("https://closed.lime.test/x", &[("authorization", &bearer)]);
        assert_eq!((reply.status, echo.last().value("host").as_deref()), (200, Some("closed.lime.test")));
        let before = echo.count();
        // A second host beside `:authority` is refused; we never choose between the two.
        let two = client.get("https://open.lime.test/x", &[("host", "closed.lime.test")]);
        assert!([400, 421].contains(&two.status), "{} {}", two.status, two.text());
        assert_eq!(echo.count(), before);
    }
    drop(gateway);
}

/// O4: a token for one site is none at another, though both have one issuer.
#[test]
fn a_token_for_one_site_is_refused_at_another() {
    let (echo, issuer) = (Echo::start(), issuer());
    let gateway = Gateway::start(|_, _| {
        let site = |name: &str| {
            format!(
                "[[site]]\nurl = \"https://{name}\"\norigin = \"{}\"\nmode = \"enforce\"\nprotect = [\"/*\"]\n\
                 issuer = \"{}\"\n",
                echo.url, issuer.url
            )
        };
        ["a.lime.test", "b.lime.test", "a.lime.test.b.lime.test"].map(site).concat()
    });
    let ask = |host: &str, token: &str| gateway.get("/").header("Host", host).bearer(token).send();
    let token = forger().token(&with(claims(&issuer.url), "domain", json!("a.lime.test")));
    // Known as good at one of them, and then shown to the others, and the other way round.
    for _ in 0..2 {
        check("b", &ask("b.lime.test", &token), 401, "invalid_token");
        check("longer", &ask("a.lime.test.b.lime.test", &token), 401, "invalid_token");
        assert_eq!(ask("a.lime.test", &token).status, 200);
    }
    for domain in ["*", "*.lime.test", "lime.test", "", "https://a.lime.test", "A.lime.test", "a.lime.test."] {
        let token = forger().token(&with(claims(&issuer.url), "domain", json!(domain)));
        check(domain, &ask("a.lime.test", &token), 401, "invalid_token");
    }
    assert_eq!(echo.count(), 2);
}
