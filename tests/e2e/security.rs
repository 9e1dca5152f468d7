//! The list of what gateways have let through elsewhere, row by row, against a real gateway: with a client that writes
//! any bytes, before an origin that keeps every byte that reached it.
//!
//! A module a group, a test a row or a part of one, and the row's id in its doc comment; `tests/house.rs` counts them.
//! [`identity_headers`] (H), [`forwarded`] (F), [`path`] and [`every_path`] (P), [`host`] (O), [`framing`] and [`framing_http_2`]
//! (S), [`load`] (L), [`token`] and [`key_set`] (T), [`operation`] and [`reload`] (X), and
//! [`policy`] for several. Some rows are elsewhere, where their story is told.

use std::net::SocketAddr;
use std::sync::OnceLock;

use lime_tests::forge::Forger;
use lime_tests::http::{Reply, Request};
use lime_tests::{Answer, Echo, Gateway, Reached, Stub, Wire, forge};
use serde_json::{Value, json};

use crate::scene::DOMAIN;

mod every_path;
mod forwarded;
mod framing;
mod framing_http_2;
mod host;
mod identity_headers;
mod key_set;
mod load;
mod operation;
mod path;
mod policy;
mod reload;
mod token;

/// An echo behind a gateway that protects `/agents/*`, and an issuer that is a key set and a forger.
struct Shop {
    echo: Echo,
    issuer: Stub,
    gateway: Gateway,
}

impl Shop {
    fn new() -> Self {
        Self::with("")
    }

    /// The same, with lines added to the site's configuration. A `[server]` table may follow them.
    fn with(settings: &str) -> Self {
        let echo = Echo::start();
        let issuer = issuer();
        let gateway = Gateway::start(|url, _| {
            let (origin, issuer) = (&echo.url, &issuer.url);
            let mode = if settings.contains("mode =") { "" } else { "mode = \"enforce\"\n" };
            format!(
                "[[site]]\nurl = \"{url}\"\norigin = \"{origin}\"\n{mode}protect = [\"/agents/*\"]\n\
                 issuer = \"{issuer}\"\n{settings}"
            )
        });
        Self { echo, issuer, gateway }
    }

    fn address(&self) -> SocketAddr {
        self.gateway.address()
    }

    fn wire(&self) -> Wire {
        Wire::to(self.address())
    }

    /// Sends a head of these lines, with a `Host`, and reads the answer.
    #[track_caller]
    fn say(&self, line: &str, fields: &str) -> Reply {
        self.wire().send(format!("{line} HTTP/1.1\r\nHost: {DOMAIN}\r\n{fields}\r\n")).reply()
    }

    fn claims(&self) -> Value {
        claims(&self.issuer.url)
    }

    /// A good token.
    fn token(&self) -> String {
        forger().token(&self.claims())
    }

    /// Asks for a protected page.
    fn protected(&self) -> Request {
        self.gateway.get("/agents/list.txt")
    }

    /// Asks with a token that a forger made.
    fn shows(&self, token: &str) -> Reply {
        self.protected().bearer(token).send()
    }

    /// What reached the origin of a request that was let through.
    #[track_caller]
    fn through(&self, request: &Request) -> Reached {
        let reply = request.send();
        assert_eq!(reply.status, 200, "{}", reply.text());
        self.echo.last()
    }
}

/// One key for all: making one takes a moment.
fn forger() -> &'static Forger {
    static FORGER: OnceLock<Forger> = OnceLock::new();
    FORGER.get_or_init(|| Forger::new("key-1"))
}

/// An issuer that publishes the forger's key.
fn issuer() -> Stub {
    let document = json!({ "keys": [forger().jwk()] });
    Stub::start(move |_| Answer::json(200, &document))
}

/// The claims of a good token, as what they are in JSON.
fn claims(issuer: &str) -> Value {
    let now = forge::now().as_secs();
    json!({
        "iss": issuer, "aud": "mcp", "sub": "agent-1", "iat": now, "exp": now + 300, "jti": "j1", "domain": DOMAIN,
        "owner": "owner-1", "owner_level": 2,
    })
}

/// `object` with one more member, or another value for one.
fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

/// `object` without a member.
fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

/// Status and reason of an answer of ours.
#[track_caller]
fn check(what: &str, reply: &Reply, status: u16, reason: &str) {
    assert_eq!((reply.status, reply.reason().as_str()), (status, reason), "{what}: {}", reply.text());
}
