//! What a request may look like.

use super::client::Client;
use super::origin::Origin;
use super::rig::{Rig, shop, site};

#[track_caller]
fn is_closed(head: &str) -> bool {
    head.to_ascii_lowercase().contains("connection: close")
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_can_be_read_in_two_ways_never_reach_the_origin() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let rig = Rig::start(folder.path(), vec![shop(origin.address)]).await;
    let long = format!("GET / HTTP/1.1\r\nHost: shop.example\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    for (raw, status, reason) in [
        ("GET / HTTP/1.1\nHost: shop.example\n\n", 400, Some("framing_invalid")),
        ("GET / HTTP/1.1\r\nHost: shop.example\nX: y\r\n\r\n", 400, Some("framing_invalid")),
        ("GET / HTTP/1.1\r\nX: y\r\n\r\n", 400, Some("host_invalid")),
        ("GET / HTTP/1.0\r\n\r\n", 400, Some("host_invalid")),
        ("GET / HTTP/1.1\r\nHost: shop.example\r\nHost: shop.example\r\n\r\n", 400, None),
        ("GET / HTTP/1.1\r\nHost: shop.example\r\nHost: other.example\r\n\r\n", 400, None),
        ("GET / HTTP/1.1\r\nHost: shop.example/x\r\n\r\n", 400, Some("host_invalid")),
        ("GET / HTTP/1.1\r\nHost: shop.example,b\r\n\r\n", 400, Some("host_invalid")),
        ("GET / HTTP/1.1\r\nHost: user@shop.example\r\n\r\n", 400, None),
        ("GET / HTTP/1.1\r\nHost: other.example\r\n\r\n", 421, Some("host_unknown")),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 421, Some("host_unknown")),
        ("GET http://other.example/ HTTP/1.1\r\nHost: shop.example\r\n\r\n", 400, None),
        (
            "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            Some("framing_invalid"),
        ),
        (
            "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
            400,
            Some("framing_invalid"),
        ),
        (
            "POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            400,
            Some("framing_invalid"),
        ),
        ("POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400, None),
        ("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: +4\r\n\r\nabcd", 400, None),
        ("GET / HTTP/1.1\r\nHost : shop.example\r\n\r\n", 400, None),
        ("GET / HTTP/1.1\r\nHost: shop.example\r\nX: a\r\n b\r\n\r\n", 400, None),
        ("CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example\r\n\r\n", 405, None),
        ("TRACE / HTTP/1.1\r\nHost: shop.example\r\n\r\n", 405, Some("method_not_allowed")),
        ("GET /a\\b HTTP/1.1\r\nHost: shop.example\r\n\r\n", 400, Some("path_invalid")),
        (long.as_str(), 431, Some("header_too_large")),
    ] {
        let mut client = rig.client().await;
        client.write(raw.as_bytes()).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, status, "{raw:?}: {}", answer.head);
        // Where Pingora refuses first, there is no body of ours.
        if let Some(reason) = reason {
            assert_eq!(answer.reason(), reason, "{raw:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{raw:?}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{raw:?}");
        }
        if reason.is_none_or(|reason| reason == "framing_invalid") {
            assert!(is_closed(&answer.head) || answer.body.is_empty(), "{raw:?}: {}", answer.head);
        }
    }
    assert_eq!(origin.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_found_in_every_spelling() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let sites = vec![shop(origin.address), site("http://localhost:8080", origin.address)];
    let rig = Rig::start(folder.path(), sites).await;
    for (target, host, status) in [
        ("/", "shop.example", 200),
        ("/", "SHOP.Example:8080", 200),
        ("/", "shop.example.", 200),
        ("/", "localhost:1", 200),
        ("/", "127.0.0.1:8080", 200),
        ("/", "[::1]:8080", 200),
        ("http://shop.example/a?b", "shop.example", 200),
        ("/", "www.shop.example", 421),
        ("/", "192.0.2.1", 421),
    ] {
        let mut client = Client::connect(rig.address).await;
        client.write(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, status, "{host}");
        if status == 200 {
            let seen = if target == "/" { "GET / HTTP/1.1\r\n" } else { "GET /a?b HTTP/1.1\r\n" };
            assert!(answer.body.starts_with(seen), "{}", answer.body);
            assert!(answer.body.contains(&format!("Host: {host}\r\n")), "the host is preserved: {}", answer.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_shown_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let rig = Rig::start(folder.path(), vec![shop(origin.address)]).await;
    let answer = rig.get("/a\\b", &["Accept: text/html"]).await;
    assert_eq!(answer.status, 400);
    assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{}", answer.head);
}
