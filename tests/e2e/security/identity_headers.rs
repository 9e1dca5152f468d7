//! Group H: what only the gateway may say to a site, nobody else says.

use ::http::{HeaderMap, HeaderValue, Method};
use lime_tests::http::Request;
use lime_tests::{Certificate, Http2};
use serde_json::json;
use tempfile::TempDir;

use super::{Shop, check, forger, with, without};

/// Nobody is known: all that is said of a stranger.
const STRANGER: [&str; 1] = ["lime-agent-trust: unknown"];
const KNOWN: [&str; 3] = ["lime-agent-id: agent-1", "lime-agent-trust: passport", "lime-owner-level: 2"];

/// One identity in many spellings, which CGI, WSGI and others fold into one name.
const SPELLINGS: [&str; 14] = [
    "Lime-Agent-Id",
    "Lime_Agent_Id",
    "lime-agent_id",
    "LIME-AGENT-ID",
    "lime_agent-trust",
    "Lime-Agent-Trust",
    "Lime-Owner-Id",
    "Lime_Owner-Level",
    "Lime-Authorization-Result",
    "X-Lime-Agent-Id",
    "X_Lime_Agent_Id",
    "x-lime_agent-id",
    "X_LIME-OWNER-ID",
    "Lime-Whatever-Comes-Next",
];

fn spoofed(mut request: Request) -> Request {
    for name in SPELLINGS {
        request = request.header(name, "admin").header(name, "root");
    }
    request
}

/// H1: an identity that a stranger claims on an open path is taken away.
#[test]
fn an_identity_that_a_stranger_claims_is_taken_away() {
    let shop = Shop::new();
    let reached = shop.through(&shop.gateway.get("/").header("Lime-Agent-Id", "admin"));
    assert_eq!(reached.said_by_the_gateway(), STRANGER);
}

/// H2: in every mixture of `-`, `_` and case, twice, on open and protected paths, in every mode.
#[test]
fn no_spelling_of_an_identity_reaches_the_site() {
    let shop = Shop::new();
    assert_eq!(shop.through(&spoofed(shop.gateway.get("/"))).said_by_the_gateway(), STRANGER);
    assert_eq!(shop.through(&spoofed(shop.protected().bearer(&shop.token()))).said_by_the_gateway(), KNOWN);
    for mode in ["observe", "off"] {
        let shop = Shop::with(&format!("mode = \"{mode}\"\n"));
        assert_eq!(shop.through(&spoofed(shop.protected())).said_by_the_gateway(), STRANGER, "{mode}");
    }
}

/// H3: what a good token does not say is not taken from the client instead.
#[test]
fn what_a_token_leaves_open_is_not_filled_in_by_its_bearer() {
    let shop = Shop::with("owner_headers = true\n");
    let bare = forger().token(&without(without(shop.claims(), "owner"), "owner_level"));
    let reached = shop.through(&spoofed(shop.protected().bearer(&bare)));
    let bare = ["lime-agent-id: agent-1", "lime-agent-trust: passport", "lime-owner-level: 0"];
    assert_eq!(reached.said_by_the_gateway(), bare, "no owner, and a level of nothing");
    let whole = shop.through(&spoofed(shop.protected().bearer(&shop.token())));
    assert_eq!(whole.value("lime-owner-id").as_deref(), Some("owner-1"));
}

/// H4: a claim that could not stand in a header makes no header, no second line, and no second line in the log.
#[test]
fn a_claim_that_is_no_header_value_is_refused() {
    let shop = Shop::with("owner_headers = true\n");
    for text in ["a\r\nX-Injected: 1", "a\nX-Injected: 1", "a\0b", "\u{7f}", "n\u{e4}me", "a b", "", "..", "a/../b"] {
        for claim in ["sub", "owner", "jti"] {
            let token = forger().token(&with(shop.claims(), claim, json!(text)));
            check(&format!("{claim} {text:?}"), &shop.shows(&token), 401, "invalid_token");
        }
        let header = with(forger().header(), "kid", json!(text));
        check(&format!("kid {text:?}"), &shop.shows(&forger().sign(&header, &shop.claims())), 401, "invalid_token");
    }
    for length in [129, 20 * 1024] {
        let token = forger().token(&with(shop.claims(), "sub", json!("a".repeat(length))));
        check(&format!("{length} bytes"), &shop.shows(&token), 401, "invalid_token");
    }
    assert_eq!(shop.shows(&shop.token()).status, 200);
    assert_eq!(shop.echo.count(), 1);
    let said = shop.gateway.process.said();
    assert!(said.lines().all(|line| !line.starts_with("X-Injected")), "{said}");
}

/// H5: a client that names our header hop by hop does not have it taken out again.
#[test]
fn a_connection_header_takes_nothing_of_ours_away() {
    let shop = Shop::new();
    let named = "Lime-Agent-Id, Lime-Agent-Trust, Lime-Owner-Level, X-Request-Id, Authorization, Lime-Authorization";
    for ours in ["Authorization", "Lime-Authorization"] {
        let bearer = format!("Bearer {}", shop.token());
        let reply = shop.say("GET /agents/x", &format!("{ours}: {bearer}\r\nConnection: {named}\r\n"));
        assert_eq!(reply.status, 200, "{ours}: {}", reply.text());
        let reached = shop.echo.last();
        assert_eq!(reached.said_by_the_gateway(), KNOWN, "{ours}");
        assert_eq!(reached.value("x-forwarded-for").as_deref(), Some("127.0.0.1"));
        assert_eq!(reached.value("x-forwarded-proto").as_deref(), Some("http"));
        assert!(reached.value("x-request-id").is_some());
        assert_eq!(reached.value("authorization"), None);
    }
    // These, Pingora refuses to have named at all.
    for name in ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Host"] {
        check(name, &shop.say("GET /", &format!("Connection: close, {name}\r\n")), 400, "framing_invalid");
    }
    // And a client does not make its own credential uncounted by naming it so.
    let bad = format!("Authorization: Bearer {}x\r\nConnection: Authorization\r\n", shop.token());
    check("bad", &shop.say("GET /", &bad), 401, "invalid_token");
}

/// H6: in trailers.
#[test]
fn an_identity_in_trailers_does_not_reach_the_site() {
    let shop = Shop::new();
    let head = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nTrailer: Lime-Agent-Id\r\n\r\n";
    let body = "5\r\nhello\r\n0\r\nLime-Agent-Id: admin\r\nX_Lime_Agent_Id: admin\r\n\r\n";
    let reply = shop.wire().send(format!("{head}{body}")).reply();
    let reached = shop.echo.reached();
    for reached in &reached {
        assert_eq!((reached.said_by_the_gateway(), reached.trailers.len()), (STRANGER.map(str::to_owned).to_vec(), 0));
    }
    assert!(!shop.echo.saw("admin"));
    // A body with trailers is one request, or none.
    assert!(reply.status == 200 && reached.len() == 1 || reply.status == 400, "{} {reached:?}", reply.status);
}

/// H6: in HTTP/2, as a header and as a trailer.
#[test]
fn an_identity_in_http_2_does_not_reach_the_site() {
    let (folder, port) = (TempDir::new().unwrap(), lime_tests::free_port());
    let certificate = Certificate::make(folder.path(), &["localhost"]);
    let shop = Shop::with(&format!("[server]\n{}", certificate.settings(port)));
    let client = Http2::to(([127, 0, 0, 1], port).into(), "localhost", &certificate);
    let headers = SPELLINGS.map(str::to_ascii_lowercase);
    let headers: Vec<_> = headers.iter().map(|name| (name.as_str(), "admin")).collect();
    let reply = client.get("https://localhost/", &headers);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(shop.echo.last().said_by_the_gateway(), STRANGER);
    let token = format!("Bearer {}", shop.token());
    let known: Vec<_> = headers.iter().copied().chain([("authorization", token.as_str())]).collect();
    let reply = client.get("https://localhost/agents/x", &known);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(shop.echo.last().said_by_the_gateway(), KNOWN);
    let request = ::http::Request::builder().method(Method::POST).uri("https://localhost/").body(()).unwrap();
    let trailers = HeaderMap::from_iter([("lime-agent-id".parse().unwrap(), HeaderValue::from_static("admin"))]);
    let reply = client.send(request, Some(trailers));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reached = shop.echo.last();
    assert_eq!((reached.said_by_the_gateway(), reached.trailers), (STRANGER.map(str::to_owned).to_vec(), Vec::new()));
    assert!(!shop.echo.saw("admin"));
}

/// H6: on the upgrade to a websocket.
#[test]
fn an_identity_on_an_upgrade_does_not_reach_the_site() {
    let shop = Shop::new();
    let fields = "Connection: Upgrade, Lime-Agent-Trust\r\nUpgrade: websocket\r\nLime-Agent-Id: admin\r\n\
                  X_Lime_Agent_Id: admin\r\n";
    let mut wire = shop.wire();
    wire.send(format!("GET /socket HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}\r\n"));
    wire.expect(b"HTTP/1.1 101");
    assert_eq!(shop.echo.last().said_by_the_gateway(), STRANGER);
}

/// H7: a claim of another type is no claim; a list is never joined into one value.
#[test]
fn a_claim_of_another_type_is_refused() {
    let shop = Shop::with("owner_headers = true\n");
    for value in [json!(["agent-1", "admin"]), json!(["agent-1"]), json!({ "id": "agent-1" }), json!(7), json!(true)] {
        for claim in ["sub", "owner", "jti", "domain", "iss"] {
            let token = forger().token(&with(shop.claims(), claim, value.clone()));
            let reply = shop.shows(&token);
            // Without an issuer in it, it is none of ours: then nothing was shown.
            let reason = if claim == "iss" { "passport_required" } else { "invalid_token" };
            check(&format!("{claim} {value}"), &reply, 401, reason);
        }
    }
    for level in [json!("2"), json!([2]), json!(-1), json!(1.5), json!(300), json!(true), json!({})] {
        let token = forger().token(&with(shop.claims(), "owner_level", level.clone()));
        check(&format!("owner_level {level}"), &shop.shows(&token), 401, "invalid_token");
    }
    assert_eq!(shop.echo.count(), 0);
}

/// H8: what decides is read the same on one line and on two, and never is the first value the only one.
#[test]
fn a_credential_is_read_alike_on_one_line_and_on_two() {
    let shop = Shop::new();
    let (one, other) = (shop.token(), forger().token(&with(shop.claims(), "sub", json!("agent-2"))));
    for (what, fields, status, reason) in [
        (
            "two lines",
            format!("Authorization: Bearer {one}\r\nAuthorization: Bearer {other}"),
            400,
            "credential_ambiguous",
        ),
        ("one line", format!("Authorization: Bearer {one}, Bearer {other}"), 401, "passport_required"),
        ("one line, another scheme", format!("Authorization: Bearer {one}, Basic eDp4"), 401, "invalid_token"),
        ("one line of ours", format!("Lime-Authorization: Bearer {one}, Bearer {other}"), 401, "invalid_token"),
        (
            "two lines of ours",
            format!("Lime-Authorization: Bearer {one}\r\nLime-Authorization: Bearer {other}"),
            400,
            "credential_ambiguous",
        ),
        ("in two spellings", format!("Lime_Authorization: Bearer {one}"), 401, "passport_required"),
    ] {
        check(what, &shop.say("GET /agents/x", &format!("{fields}\r\n")), status, reason);
    }
    assert_eq!(shop.echo.count(), 0);
}
