//! Rows of groups F, H, S, T and X for sites that tell methods, agents and issuers apart by policies.

use lime_tests::forge::Forger;
use lime_tests::{Answer, Echo, Gateway, Stub, Wire};
use serde_json::{Value, json};

use super::{Shop, check, claims, forger, with};
use crate::scene::DOMAIN;

/// Two issuers that publish keys of one name, and routes that ask for different things.
struct Office {
    echo: Echo,
    ours: Stub,
    theirs: Stub,
    their_key: Forger,
    gateway: Gateway,
}

impl Office {
    fn new() -> Self {
        let (echo, their_key) = (Echo::start(), Forger::new("key-1"));
        let document = json!({ "keys": [their_key.jwk()] });
        let (ours, theirs) = (super::issuer(), Stub::start(move |_| Answer::json(200, &document)));
        let gateway = Gateway::start(|url, _| configuration(url, &echo.url, [&ours.url, &theirs.url]));
        Self { echo, ours, theirs, their_key, gateway }
    }

    fn ask(&self, method: &str, path: &str, fields: &str) -> lime_tests::http::Reply {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {DOMAIN}\r\n{fields}\r\n");
        Wire::to(self.gateway.address()).send(head).reply()
    }

    fn shows(&self, method: &str, path: &str, token: &str) -> lime_tests::http::Reply {
        self.ask(method, path, &format!("Authorization: Bearer {token}\r\n"))
    }

    /// A token of ours with this scope.
    fn scoped(&self, scope: Value) -> String {
        forger().token(&with(claims(&self.ours.url), "scope", scope))
    }
}

fn configuration(url: &str, origin: &str, [ours, theirs]: [&str; 2]) -> String {
    let route = |path: &str, methods: &str, policy: &str| {
        format!("[[site.route]]\npath = \"{path}\"\npolicy = \"{policy}\"\n{methods}")
    };
    let routes = [
        route("/read/*", "", "readers"),
        route("/write/*", "", "writers"),
        route("/orders/*", "methods = [\"POST\"]\n", "writers"),
        route("/known/*", "", "known"),
        route("/few/*", "", "few"),
    ];
    format!(
        "[issuer.ours]\nurl = \"{ours}\"\n[issuer.theirs]\nurl = \"{theirs}\"\n\
         [policy.readers]\nrequire = \"passport\"\n\
         [policy.writers]\nrequire = \"passport\"\nscopes = [\"orders:write\"]\n\
         [policy.known]\nrequire = \"passport\"\nagents = {{ allow = [\"agent-1\"] }}\n\
         [policy.few]\nrequire = \"none\"\nlimit = {{ per = \"site\", rate = \"3/h\" }}\n\
         [[site]]\nurl = \"{url}\"\norigin = \"{origin}\"\nmode = \"enforce\"\npolicy = \"open\"\n\
         issuer = [\"ours\", \"theirs\"]\n{}",
        routes.concat()
    )
}

/// F1, S6: a policy on a method is passed neither by another spelling of it nor by a header that names another.
#[test]
fn the_method_in_the_request_line_decides() {
    let office = Office::new();
    check("POST", &office.ask("POST", "/orders/1", ""), 401, "passport_required");
    for method in ["post", "Post", "pOST"] {
        check(method, &office.ask(method, "/orders/1", ""), 405, "method_not_allowed");
    }
    assert_eq!(office.echo.count(), 0);
    for name in ["X-HTTP-Method-Override", "X_HTTP_Method_Override", "X-HTTP-Method", "X-Method-Override"] {
        assert_eq!(office.ask("GET", "/orders/1", &format!("{name}: POST\r\n")).status, 200, "{name}");
        let reached = office.echo.last();
        assert!(reached.method() == "GET" && reached.values(&name.to_ascii_lowercase().replace('_', "-")).is_empty());
    }
}

/// T8: a token of one issuer is none under the key of another, though both keys have one name.
#[test]
fn an_issuer_vouches_only_for_its_own() {
    let office = Office::new();
    let (ours, theirs) = (claims(&office.ours.url), claims(&office.theirs.url));
    for _ in 0..2 {
        for (what, token, status) in [
            ("ours", forger().token(&ours), 200),
            ("theirs", office.their_key.token(&theirs), 200),
            ("ours under their key", office.their_key.token(&ours), 401),
            ("theirs under our key", forger().token(&theirs), 401),
        ] {
            let reply = office.shows("GET", "/read/x", &token);
            assert_eq!(reply.status, status, "{what}: {}", reply.text());
        }
    }
    let foreign = with(claims("https://id.elsewhere.test"), "sub", json!("agent-1"));
    check("of nobody here", &office.shows("GET", "/read/x", &forger().token(&foreign)), 401, "passport_required");
}

/// T8: a verdict that is remembered says who asks, never what may be asked: each route asks anew.
#[test]
fn a_remembered_verdict_opens_no_other_route() {
    let office = Office::new();
    let (reader, writer) = (office.scoped(json!("orders:read")), office.scoped(json!("orders:read orders:write")));
    let other = forger().token(&with(claims(&office.ours.url), "sub", json!("agent-2")));
    for _ in 0..2 {
        for token in [&reader, &writer, &other] {
            assert_eq!(office.shows("GET", "/read/x", token).status, 200);
        }
        check("write", &office.shows("GET", "/write/x", &reader), 403, "insufficient_scope");
        check("post", &office.shows("POST", "/orders/1", &reader), 403, "insufficient_scope");
        assert_eq!(office.shows("GET", "/write/x", &writer).status, 200);
        assert_eq!(office.shows("POST", "/orders/1", &writer).status, 200);
        assert_eq!(office.shows("GET", "/known/x", &reader).status, 200);
        check("known", &office.shows("GET", "/known/x", &other), 403, "agent_denied");
    }
}

/// H8: what a policy asks for is one whole value: not a part of one, not the first of two, not a list that looks like one.
#[test]
fn what_a_policy_compares_is_compared_whole() {
    let office = Office::new();
    for scope in [
        "orders:write2",
        "xorders:write",
        "orders:read,orders:write",
        "ORDERS:WRITE",
        "",
        "orders",
        "orders:write\u{a0}",
    ] {
        check(scope, &office.shows("GET", "/write/x", &office.scoped(json!(scope))), 403, "insufficient_scope");
    }
    for scope in [json!(["orders:write"]), json!({ "orders:write": true }), json!(1)] {
        let reply = office.shows("GET", "/write/x", &office.scoped(scope.clone()));
        assert!([401, 403].contains(&reply.status), "{scope}: {}", reply.text());
    }
    for scope in ["orders:write", "a orders:write b"] {
        assert_eq!(office.shows("GET", "/write/x", &office.scoped(json!(scope))).status, 200, "{scope}");
    }
    for agent in ["agent-10", "agent-", "AGENT-1", "agent-1,agent-2"] {
        let token = forger().token(&with(claims(&office.ours.url), "sub", json!(agent)));
        let reply = office.shows("GET", "/known/x", &token);
        assert!([401, 403].contains(&reply.status), "{agent}: {}", reply.text());
    }
}

/// S4: the body behind a 429 is never a request either.
#[test]
fn the_body_behind_a_429_is_never_a_request() {
    let office = Office::new();
    for _ in 0..3 {
        assert_eq!(office.ask("GET", "/few/x", "").status, 200);
    }
    let smuggled = "GET /read/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let mut wire = Wire::to(office.gateway.address());
    let length = smuggled.len();
    wire.send(format!("POST /few/x HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: {length}\r\n\r\n{smuggled}"));
    wire.send(format!("GET /next HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    let reply = wire.reply();
    check("limited", &reply, 429, "rate_limited");
    assert!(reply.header("retry-after").is_some());
    if let Ok(reply) = wire.try_reply("GET") {
        assert_eq!((reply.status, office.echo.last().target()), (200, &b"/next"[..]));
    }
    assert!(!office.echo.saw("smuggled"));
}

/// X6: a limiter that has seen more keys than it has places forgets no debt and opens nothing.
#[test]
fn a_limiter_that_is_full_forgets_no_debt() {
    let limit = "limit = { per = \"client\", rate = \"2/h\" }\n[server]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let shop = Shop::with(limit);
    let mut wire = shop.wire();
    let mut ask = |client: &str| {
        let reply = wire.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\nX-Forwarded-For: {client}\r\n\r\n")).reply();
        (reply.status, reply.reason())
    };
    let limited = (429, "rate_limited".to_owned());
    for _ in 0..2 {
        assert_eq!(ask("203.0.113.1").0, 200);
    }
    assert_eq!(ask("203.0.113.1"), limited);
    let before = shop.gateway.process.resident_bytes();
    for number in 0..5_000 {
        // As many others, each of a network of its own.
        assert!([200, 429].contains(&ask(&format!("2001:db8:{:x}::1", number)).0));
    }
    assert_eq!(ask("203.0.113.1"), limited, "what was used stays used");
    assert!(shop.gateway.process.resident_bytes().saturating_sub(before) < 32 << 20);
}
