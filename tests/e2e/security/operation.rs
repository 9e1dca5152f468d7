//! Group X: what goes wrong in operation opens nothing. X7, the search of every log for secrets, is the last step of
//! `tests/run e2e`.
//!
//! X6 asks what a panic in a filter, a full store and a jump of the clock do. A panic cannot be planted in a real binary:
//! the lints of the workspace deny every `unwrap`, `expect`, index and `panic!` on the way of a request, and
//! `tests/house.rs` holds that no crate leaves them out. The clock is an argument of everything that decides
//! (`filters/clippy.toml` forbids asking for it), so its jumps are unit tests there; the key-set file counts on across a
//! restart (`outage.rs`). Stores that are full are here.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use lime_tests::http::{get, request};
use lime_tests::{Gateway, Stub, until};
use serde_json::json;

use super::{Shop, check, claims, forger, with};

/// X3: an issuer that was never there: what is protected stays shut with a 503, what is open stays open, and the gateway
/// is ready, since a site behind it is.
#[test]
fn without_an_issuer_what_is_protected_stays_shut() {
    let nobody = format!("http://127.0.0.1:{}", lime_tests::free_port());
    for (mode, status) in [("enforce", 503), ("observe", 200)] {
        let origin = Stub::saying("x");
        let gateway = Gateway::start(|url, _| {
            format!(
                "[[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"{mode}\"\nprotect = [\"/agents/*\"]\n\
                 issuer = \"{nobody}\"\n",
                origin.url
            )
        });
        let token = forger().token(&claims(&nobody));
        for asked in [gateway.get("/agents/x"), gateway.get("/agents/x").bearer(&token)] {
            let reply = asked.send();
            assert_eq!(reply.status, status, "{mode}: {}", reply.text());
            if status == 503 {
                check(mode, &reply, 503, "issuer_unavailable");
                assert!(reply.header("retry-after").is_some());
            } else {
                assert_eq!(origin.last().all("lime-agent-id"), Vec::<&str>::new());
                let line = gateway.access_line(origin.last().header("x-request-id").unwrap());
                assert_eq!(line["decision"], "would_deny", "{line}");
                assert_eq!(line["reason"], "issuer_unavailable", "{line}");
            }
        }
        assert_eq!(gateway.get("/").send().status, 200, "an open path");
        let ready = get(&format!("{}/readyz", gateway.ops)).send();
        assert_eq!((ready.status, &ready.json()["status"]), (200, &json!("degraded")));
        until("it is counted", || gateway.counted("lime_gateway_jwks_refresh_total") > 0);
    }
}

/// X4: the operator's listener is this machine's, and no page in a browser can use it.
#[test]
fn the_operators_listener_is_this_machines_alone() {
    let shop = Shop::new();
    let ops: SocketAddr = shop.gateway.ops.strip_prefix("http://").unwrap().parse().unwrap();
    assert!(ops.ip().is_loopback());
    // On exactly the address it was given: not even another of this machine's own reaches it.
    let elsewhere = SocketAddr::from(([127, 0, 0, 2], ops.port()));
    assert!(TcpStream::connect_timeout(&elsewhere, Duration::from_secs(5)).is_err());
    for path in ["/livez", "/readyz", "/metrics", "/nothing"] {
        let url = format!("{}{path}", shop.gateway.ops);
        for host in ["evil.test", "127.0.0.1.evil.test", "localhost.evil.test", "evil.test:80"] {
            assert_eq!(get(&url).header("Host", host).send().status, 421, "{path} as {host}");
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let reply = request(method, &url).header("Origin", "https://evil.test").send();
            assert_eq!(reply.status, 405, "{method} {path}");
        }
        let reply = get(&url).header("Origin", "https://evil.test").send();
        let names: Vec<_> = reply.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.iter().all(|name| !name.starts_with("access-control-")), "{path}: {names:?}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
}

/// X5: in observe a bad token is let through and told of, and nobody is introduced by it.
#[test]
fn in_observe_an_unverified_token_introduces_nobody() {
    let shop = Shop::with("mode = \"observe\"\n");
    let stranger = lime_tests::forge::Forger::new("key-1");
    for (what, token) in [
        ("forged", stranger.token(&shop.claims())),
        ("alg none", lime_tests::forge::with_alg_none(&shop.token())),
        ("ended", forger().token(&with(shop.claims(), "exp", json!(1_000_000_000)))),
        ("for another site", forger().token(&with(shop.claims(), "domain", json!("other.test")))),
    ] {
        for path in ["/agents/x", "/"] {
            let reached = shop.through(&shop.gateway.get(path).bearer(&token).header("Lime-Agent-Id", "admin"));
            assert_eq!(reached.said_by_the_gateway(), ["lime-agent-trust: unknown"], "{what} at {path}");
            assert_eq!(reached.value("authorization"), None, "{what}");
            let line = shop.gateway.access_line(&reached.value("x-request-id").unwrap());
            assert_eq!((&line["decision"], &line["reason"]), (&json!("would_deny"), &json!("invalid_token")), "{line}");
            assert_eq!(line["agent_id"], json!(null), "{line}");
        }
    }
    let good = shop.through(&shop.protected().bearer(&shop.token()));
    assert_eq!(good.value("lime-agent-id").as_deref(), Some("agent-1"), "who is known is introduced, in observe too");
}

/// X6: more credentials than are remembered: what is protected stays shut for those that do not count, open for those
/// that do, and the process lives.
#[test]
fn a_flood_of_credentials_opens_nothing() {
    let shop = Shop::new();
    let (good, memory) = (shop.token(), shop.gateway.process.resident_bytes());
    assert_eq!(shop.shows(&good).status, 200);
    let mut wire = shop.wire();
    for number in 0..3_000 {
        let bad = lime_tests::forge::with_claim(&good, "jti", json!(format!("flood-{number}")));
        wire.send(format!("GET /agents/x HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {bad}\r\n\r\n"));
        check("flood", &wire.reply(), 401, "invalid_token");
    }
    assert_eq!(shop.shows(&good).status, 200);
    assert_eq!(shop.echo.count(), 2);
    let grown = shop.gateway.process.resident_bytes().saturating_sub(memory);
    assert!(grown < 32 << 20, "{grown} bytes more");
}
