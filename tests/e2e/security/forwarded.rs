//! Group F: what a client says about where it comes from and what it asked for decides nothing.

use lime_tests::Output;
use serde_json::json;

use super::{Shop, check};

/// Names by which proxies speak for others, and by which frameworks take another path or method than the real one.
const SPEAKING_FOR_OTHERS: [&str; 20] = [
    "X-Forwarded-For",
    "X_Forwarded_For",
    "X-Forwarded-Proto",
    "X_Forwarded_Proto",
    "x-forwarded_host",
    "X-Forwarded-Host",
    "X-Forwarded-Prefix",
    "X-Forwarded-Port",
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
    "X_Forwarded-Anything",
    "Forwarded",
    "X-Real-IP",
    "X_Real_IP",
    "X-Original-URL",
    "X_Original_URL",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "X_HTTP_Method",
    "X-Method-Override",
];

/// F1: the real path decides, whatever header names another.
#[test]
fn the_path_in_the_request_line_decides() {
    let trusting = Shop::with("[server]\ntrusted_proxies = [\"127.0.0.1\"]\n");
    for shop in [Shop::new(), trusting] {
        for name in ["X-Forwarded-Uri", "X-Original-URI", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix"] {
            let asked = shop.gateway.get("/agents/x").header(name, "/public/x");
            check(name, &asked.send(), 401, "passport_required");
            let reached = shop.through(&shop.gateway.get("/public/x").header(name, "/agents/x"));
            assert_eq!(reached.target(), b"/public/x");
        }
        assert!(shop.echo.reached().iter().all(|reached| reached.target() == b"/public/x"));
    }
}

/// F2: from a peer that is not trusted, nothing of it reaches the site.
#[test]
fn what_a_stranger_says_for_others_does_not_reach_the_site() {
    let shop = Shop::new();
    let mut asked = shop.gateway.get("/public");
    for name in SPEAKING_FOR_OTHERS {
        asked = asked.header(name, "spoofed");
    }
    let reached = shop.through(&asked);
    assert!(!shop.echo.saw("spoofed"), "{reached:?}");
    let told = reached.folded(|name| name.starts_with("x-forwarded") || name == "forwarded");
    let host = shop.gateway.address().to_string();
    let mut told: Vec<_> = told.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    told.sort_unstable();
    let expected = [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-host", &host), ("x-forwarded-proto", "http")];
    assert_eq!(told, expected);
    let line = shop.gateway.access_line(&reached.value("x-request-id").unwrap());
    assert_eq!(line["client_ip"], "127.0.0.1", "{line}");
}

/// F3: of twenty hops that a trusted proxy tells of, the client is the right-most one that is not trusted.
#[test]
fn the_client_is_the_last_hop_that_is_not_trusted() {
    let shop = Shop::with("[server]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\n");
    let strangers: Vec<String> = (1..=15).map(|last| format!("203.0.113.{last}")).collect();
    let ours: Vec<String> = (1..=5).map(|last| format!("10.0.0.{last}")).collect();
    let hops = [strangers, ours].concat().join(", ");
    let split = hops.replacen(", 10.0.0.2", "\r\nX-Forwarded-For: 10.0.0.2", 1);
    for (chain, client) in [
        (hops.as_str(), "203.0.113.15"),
        (&split, "203.0.113.15"),
        ("198.51.100.1, 203.0.113.9:4711, 10.0.0.1", "203.0.113.9"),
        ("198.51.100.1, [2001:db8::1]:443, 10.0.0.1", "2001:db8::1"),
        ("198.51.100.1, nonsense, 10.0.0.1", "10.0.0.1"),
        ("198.51.100.1, , 10.0.0.1", "10.0.0.1"),
        ("10.0.0.9", "10.0.0.9"),
    ] {
        let reply = shop.say("GET /", &format!("X-Forwarded-For: {chain}\r\n"));
        assert_eq!(reply.status, 200);
        let line = shop.gateway.access_line(&shop.echo.last().value("x-request-id").unwrap());
        assert_eq!(line["client_ip"], json!(client), "{chain}");
    }
}

/// F4: the listener that the world reaches answers no forward-auth question, whatever its headers say.
#[test]
fn forward_auth_is_not_to_be_had_where_the_world_comes_in() {
    let shop = Shop::new();
    for path in ["/.lime/auth", "/.lime/verify"] {
        let asked = shop.gateway.get(path).header("X-Forwarded-Method", "GET").header("X-Forwarded-Proto", "http");
        let asked = asked.header("X-Forwarded-Host", "127.0.0.1").header("X-Forwarded-Uri", "/public");
        let asked = asked.header("X-Original-URI", "/public").header("Lime-Agent-Id", "admin");
        let reply = asked.send();
        check(path, &reply, 404, "not_found");
        assert!(reply.headers.iter().all(|(name, _)| !name.starts_with("lime-")), "{:?}", reply.headers);
    }
    assert_eq!(shop.echo.count(), 0);
}

/// F5: a health checker's name opens nothing, and health is not to be had where the world comes in.
#[test]
fn a_health_checkers_name_opens_nothing() {
    let shop = Shop::new();
    for agent in ["kube-probe/1.31", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "Envoy/HC", "lime-healthcheck"] {
        check(agent, &shop.protected().header("User-Agent", agent).send(), 401, "passport_required");
    }
    assert_eq!(shop.echo.count(), 0);
    for path in ["/livez", "/readyz", "/healthz", "/metrics", "/ping"] {
        let reached = shop.through(&shop.gateway.get(path).header("User-Agent", "kube-probe/1.31"));
        assert_eq!(reached.target(), path.as_bytes(), "it is the site's");
    }
    // A site that protects everything protects these too.
    let all = lime_tests::Gateway::start(|url, _| {
        format!(
            "[[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\nprotect = [\"/*\"]\nissuer = \"{}\"\n",
            shop.echo.url, shop.issuer.url
        )
    });
    for path in ["/livez", "/metrics"] {
        check(path, &all.get(path).send(), 401, "passport_required");
    }
    // And the operator's own listener is asked as anybody asks it.
    let mut command = std::process::Command::new("curl");
    command.args(["-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}", &format!("{}/livez", all.ops)]);
    assert_eq!(Output::of(command).stdout, "200");
}
