//! Group S: where a request ends is told in one way only, and nothing behind it is another.

use std::time::Duration;

use lime_tests::{Answer, Gateway, Stub, forge};
use serde_json::json;

use super::{Shop, check, forger, with};

const HOST: &str = "Host: 127.0.0.1\r\n";
const SMUGGLED: &str = "GET /agents/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/// Sends bytes that are no request, and another request behind them: one refusal, a closed end, and nothing forwarded.
#[track_caller]
fn refused(shop: &Shop, what: &str, request: &str, status: u16, reason: &str) {
    let mut wire = shop.wire();
    wire.send(format!("{request}{SMUGGLED}"));
    let reply = wire.reply();
    check(what, &reply, status, reason);
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{what}");
    assert!(wire.is_closed(), "{what}: the connection goes on");
    assert_eq!(shop.echo.count(), 0, "{what}: {:?}", shop.echo.reached());
}

/// S1: an upgrade that the origin does not take up leaves no tunnel behind it.
#[test]
fn behind_an_upgrade_that_is_not_taken_up_there_is_no_tunnel() {
    let shop = Shop::new();
    for upgrade in ["foo", "h2c", "TLS/1.0", "websocket"] {
        for body in ["", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n"] {
            let end = if body.starts_with('T') { "0\r\n\r\n" } else { "" };
            let before = shop.echo.count();
            let mut wire = shop.wire();
            let fields = format!("Connection: Upgrade\r\nUpgrade: {upgrade}\r\n{body}");
            wire.send(format!("GET /public HTTP/1.1\r\n{HOST}{fields}\r\n{end}{SMUGGLED}"));
            assert_eq!(wire.reply().status, 200, "{upgrade} {body}");
            // Whatever follows is read as a request of its own, with its own policy, or not at all.
            if let Ok(reply) = wire.try_reply("GET") {
                check(upgrade, &reply, 401, "passport_required");
            }
            assert_eq!(shop.echo.count(), before + 1, "{upgrade} {body}");
        }
    }
    assert!(!shop.echo.saw("smuggled"));
    // In the body, it is body.
    let mut wire = shop.wire();
    let fields = format!("Connection: Upgrade\r\nUpgrade: foo\r\nContent-Length: {}\r\n", SMUGGLED.len());
    wire.send(format!("POST /public HTTP/1.1\r\n{HOST}{fields}\r\n{SMUGGLED}"));
    let status = wire.reply().status;
    let reached = shop.echo.last();
    assert!(status == 200 && reached.body == SMUGGLED.as_bytes() && reached.after.is_empty(), "{status} {reached:?}");
}

/// S2: lengths and encodings that two servers could read in two ways.
#[test]
fn a_body_with_two_ends_is_refused() {
    let shop = Shop::new();
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (what, version, fields) in [
        ("length and chunks", "1.1", format!("Content-Length: 5\r\n{chunked}")),
        ("chunks and length", "1.1", format!("{chunked}Content-Length: 5\r\n")),
        ("twice chunked", "1.1", format!("{chunked}{chunked}")),
        ("chunked in a list", "1.1", "Transfer-Encoding: chunked, chunked\r\n".to_owned()),
        ("not at the end", "1.1", "Transfer-Encoding: chunked, identity\r\n".to_owned()),
        ("behind another", "1.1", "Transfer-Encoding: gzip, chunked\r\n".to_owned()),
        ("another word", "1.1", "Transfer-Encoding:  xchunked\r\n".to_owned()),
        ("identity", "1.1", "Transfer-Encoding: identity\r\n".to_owned()),
        ("empty", "1.1", "Transfer-Encoding:\r\n".to_owned()),
        ("in quotes", "1.1", "Transfer-Encoding: \"chunked\"\r\n".to_owned()),
        ("with a parameter", "1.1", "Transfer-Encoding: chunked;q=1\r\n".to_owned()),
        ("a control character", "1.1", "Transfer-Encoding: \u{b}chunked\r\n".to_owned()),
        ("in disguise", "1.1", "Transfer_Encoding: chunked\r\n".to_owned()),
        ("in disguise beside a length", "1.1", "Content-Length: 5\r\nTransfer_Encoding: chunked\r\n".to_owned()),
        ("an old version", "1.0", chunked.to_owned()),
    ] {
        let request = format!("POST /public HTTP/{version}\r\n{HOST}{fields}\r\n0\r\n\r\n");
        refused(&shop, what, &request, 400, "framing_invalid");
    }
    // What is left is chunked as everybody writes it.
    let fine = format!("POST /public HTTP/1.1\r\n{HOST}transfer-encoding:\tChunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    assert_eq!(shop.wire().send(fine).reply().status, 200);
    assert_eq!(shop.echo.last().body, b"ok");
}

/// S2, S3: chunks that are none end the connection, whatever the origin was told before.
#[test]
fn a_body_with_broken_chunks_goes_no_further() {
    let shop = Shop::new();
    for chunks in [
        "2;\nok\r\n0\r\n\r\n",
        "2\nok\r\n0\r\n\r\n",
        "2\r\nok\n0\r\n\r\n",
        "2\r\nok\r\n0\r\n\n",
        "x\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    ] {
        let head = format!("POST /public HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n");
        let mut wire = shop.wire();
        wire.send(format!("{head}{chunks}{SMUGGLED}"));
        if let Ok(reply) = wire.try_reply("POST") {
            check(chunks, &reply, 400, "framing_invalid");
        }
        assert!(wire.is_closed(), "{chunks}");
    }
    assert!(!shop.echo.saw("smuggled"), "{:?}", shop.echo.reached());
}

/// S2, S3: what a client calls hop by hop changes nothing about where its request ends.
#[test]
fn a_connection_header_does_not_unframe_a_body() {
    let shop = Shop::new();
    let chunked = format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
    for (named, fields, body) in [
        ("Content-Length", format!("Content-Length: {}", SMUGGLED.len()), SMUGGLED),
        ("Transfer-Encoding", "Transfer-Encoding: chunked".to_owned(), &chunked),
    ] {
        let head = format!("POST /public HTTP/1.1\r\n{HOST}Connection: {named}\r\n{fields}\r\n\r\n");
        assert_eq!(shop.wire().send(format!("{head}{body}")).reply().status, 200, "{named}");
        let reached = shop.echo.last();
        assert_eq!((reached.body.as_slice(), reached.after.len()), (SMUGGLED.as_bytes(), 0), "{named}");
    }
    assert_eq!(shop.echo.count(), 2);
}

/// S3: lines that are none, and lengths that are no numbers.
#[test]
fn a_line_that_is_none_is_refused() {
    let shop = Shop::new();
    for (what, fields) in [
        ("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n"),
        ("twice one length", "Content-Length: 5\r\nContent-Length: 5\r\n"),
        ("an empty length", "Content-Length:\r\n"),
        ("a sign", "Content-Length: +5\r\n"),
        ("a list", "Content-Length: 5,5\r\n"),
        ("a list with a space", "Content-Length: 5, 5\r\n"),
        ("less than nothing", "Content-Length: -5\r\n"),
        ("hexadecimal", "Content-Length: 0x5\r\n"),
        ("a fraction", "Content-Length: 5.0\r\n"),
        ("a space inside", "Content-Length: 5 5\r\n"),
        ("more than there is", "Content-Length: 99999999999999999999\r\n"),
        ("in disguise", "Content_Length: 5\r\n"),
        ("no name", ": x\r\n"),
        ("no name but a space", " : x\r\n"),
        ("no colon", "Nonsense\r\n"),
        ("a space before the colon", "X : y\r\n"),
        ("a tab before the colon", "X\t: y\r\n"),
        ("a space before the length's colon", "Content-Length : 5\r\n"),
        ("a space in a name", "X Y: z\r\n"),
        ("a folded line", "X: y\r\n z\r\n"),
        ("a line folded by a tab", "X: y\r\n\tz\r\n"),
        ("a folded encoding", "Transfer-Encoding:\r\n chunked\r\n"),
        ("a NUL in a value", "X: y\0z\r\n"),
        ("a NUL in a name", "X\0: y\r\n"),
        ("a carriage return in a value", "X: y\rz\r\n"),
        ("a carriage return in disguise", "X: y\rContent-Length: 5\r\n"),
        ("a bare line feed", "X: y\nContent-Length: 5\r\n"),
        ("a bare line feed at the end", "X: y\n\r\n"),
        ("a bell", "X: \u{7}\r\n"),
        ("brackets in a name", "X[]: y\r\n"),
        ("a name past ASCII", "X\u{e4}: y\r\n"),
    ] {
        let request = format!("POST /public HTTP/1.1\r\n{HOST}{fields}\r\nhello");
        refused(&shop, what, &request, 400, "framing_invalid");
    }
    for (what, request, reason) in [
        ("no version", format!("GET /public\r\n{HOST}\r\n"), "framing_invalid"),
        ("an unknown version", format!("GET /public HTTP/1.2\r\n{HOST}\r\n"), "framing_invalid"),
        ("a version to come", format!("GET /public HTTP/2.0\r\n{HOST}\r\n"), "framing_invalid"),
        ("a version in small letters", format!("GET /public http/1.1\r\n{HOST}\r\n"), "framing_invalid"),
        ("a tab", format!("GET\t/public HTTP/1.1\r\n{HOST}\r\n"), "framing_invalid"),
        ("two spaces", format!("GET  /public HTTP/1.1\r\n{HOST}\r\n"), "path_invalid"),
        ("no method", format!(" /public HTTP/1.1\r\n{HOST}\r\n"), "framing_invalid"),
        ("no target", format!("GET  HTTP/1.1\r\n{HOST}\r\n"), "path_invalid"),
        ("bare line feeds", "GET /public HTTP/1.1\nHost: 127.0.0.1\n\n".to_owned(), "framing_invalid"),
        ("a TLS hello", "\u{16}\u{3}\u{1}\r\n\r\n".to_owned(), "framing_invalid"),
    ] {
        refused(&shop, what, &request, 400, reason);
    }
}

/// S4: a request that we answer ourselves leaves nothing of its body to be read as the next request.
#[test]
fn the_body_behind_a_refusal_is_never_a_request() {
    let shop = Shop::new();
    let chunked = format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
    let length = format!("Content-Length: {}\r\n\r\n{SMUGGLED}", SMUGGLED.len());
    let long = "x".repeat(200_000);
    let too_long = format!("Content-Length: {}\r\n\r\n{SMUGGLED}{long}", SMUGGLED.len() + long.len());
    let cut_off = format!("Content-Length: {}\r\n\r\n{SMUGGLED}", SMUGGLED.len() + 5);
    for (path, status, reason) in [
        ("/agents/x", 401, "passport_required"),
        ("/.lime/x", 404, "not_found"),
        ("/.lime/help", 405, "method_not_allowed"),
        ("/x/../agents/x", 400, "path_ambiguous"),
    ] {
        for (what, body) in
            [("chunks", &chunked), ("a length", &length), ("too long", &too_long), ("cut off", &cut_off)]
        {
            let mut wire = shop.wire();
            wire.send(format!("POST {path} HTTP/1.1\r\n{HOST}{body}"));
            wire.send(format!("GET /public?next HTTP/1.1\r\n{HOST}\r\n"));
            // A client that uploads without end may lose our answer with the connection.
            match wire.try_reply("POST") {
                Ok(reply) => check(what, &reply, status, reason),
                Err(_) => assert_eq!(what, "too long"),
            }
            if let Ok(reply) = wire.try_reply("GET") {
                // The first bytes of what follows a body that was cut off are its rest.
                let expected = if what == "cut off" { 400 } else { 200 };
                assert_eq!(reply.status, expected, "{what}: {}", reply.text());
                if expected == 200 {
                    assert_eq!(shop.echo.last().line, b"GET /public?next HTTP/1.1");
                }
            }
        }
    }
    assert!(!shop.echo.saw("smuggled"));
}

/// S4: nor does one that was told not to send its body.
#[test]
fn a_client_that_waits_for_permission_and_gets_none_says_no_more() {
    let shop = Shop::new();
    for framing in [format!("Content-Length: {}", SMUGGLED.len()), "Transfer-Encoding: chunked".to_owned()] {
        let mut wire = shop.wire();
        wire.send(format!("POST /agents/x HTTP/1.1\r\n{HOST}Expect: 100-continue\r\n{framing}\r\n\r\n"));
        check(&framing, &wire.reply(), 401, "passport_required");
        wire.send(SMUGGLED);
        assert!(wire.is_closed(), "{framing}");
    }
    assert_eq!(shop.echo.count(), 0);
}

/// S4: nor does one that the origin answers before it has read it.
#[test]
fn the_body_behind_an_early_answer_is_never_a_request() {
    let early = Stub::start(|_| Answer::text(200, "early").with("Connection", "close"));
    let gateway = Gateway::start(|url, _| format!("[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n", early.url));
    let mut wire = lime_tests::Wire::to(gateway.address());
    wire.send(format!("POST /a HTTP/1.1\r\n{HOST}Content-Length: {}\r\n\r\n{SMUGGLED}", SMUGGLED.len()));
    assert_eq!(wire.reply().status, 200);
    drop(wire.send(format!("GET /b HTTP/1.1\r\n{HOST}\r\n")).try_reply("GET"));
    let asked: Vec<_> = early.received().into_iter().map(|received| received.target).collect();
    assert!(asked == ["/a"] || asked == ["/a", "/b"], "{asked:?}");
}

/// S5: a websocket asks for what its path asks for. A token that ends while it is open does not cut it: what ends it is
/// a suspension (`standing.rs`), or either side.
#[test]
fn a_websocket_asks_for_a_passport_where_its_path_does() {
    let shop = Shop::new();
    let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                  Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    check("without", &shop.say("GET /agents/socket", fields), 401, "passport_required");
    check(
        "bad",
        &shop.say("GET /agents/socket", &format!("{fields}Authorization: Bearer {}x\r\n", shop.token())),
        401,
        "invalid_token",
    );
    assert_eq!(shop.echo.count(), 0);
    // It ends two seconds from now: 120 s of leeway are left to it.
    let now = forge::now().as_secs();
    let ending = forger().token(&with(with(shop.claims(), "iat", json!(now - 200)), "exp", json!(now - 118)));
    let mut wire = shop.wire();
    wire.send(format!("GET /agents/socket HTTP/1.1\r\n{HOST}{fields}Authorization: Bearer {ending}\r\n\r\n"));
    wire.expect(b"HTTP/1.1 101");
    lime_tests::until("the token has ended", || shop.shows(&ending).status == 401);
    wire.send("still here");
    lime_tests::until("it came through", || shop.echo.saw("still here"));
    assert!(!shop.echo.saw(&ending));
    check(
        "ended",
        &shop.say("GET /agents/socket", &format!("{fields}Authorization: Bearer {ending}\r\n")),
        401,
        "invalid_token",
    );
}

/// S6: `CONNECT` and `TRACE` are refused; a method nobody knows is an ordinary request under the policy of its path.
#[test]
fn no_method_opens_a_tunnel() {
    let shop = Shop::new();
    for (line, status, reason) in [
        ("CONNECT 127.0.0.1:80", 405, "method_not_allowed"),
        ("CONNECT /public", 405, "method_not_allowed"),
        ("TRACE /public", 405, "method_not_allowed"),
        ("TRACE /agents/x", 405, "method_not_allowed"),
        ("BREW /agents/x", 401, "passport_required"),
        ("get /agents/x", 405, "method_not_allowed"),
        ("get /public", 405, "method_not_allowed"),
        ("PRI *", 400, "path_invalid"),
    ] {
        let reply = shop.say(line, "");
        check(line, &reply, status, reason);
        assert_eq!(reply.header("allow").is_some(), status == 405, "{line}");
    }
    assert_eq!(shop.echo.count(), 0);
    for method in ["BREW", "PROPFIND", "M-SEARCH", "CONNECTED"] {
        assert_eq!(shop.say(&format!("{method} /public"), "").status, 200, "{method}");
        assert_eq!(shop.echo.last().line, format!("{method} /public HTTP/1.1").as_bytes());
    }
    let mut wire = shop.wire();
    wire.send(format!("CONNECT 127.0.0.1:80 HTTP/1.1\r\n{HOST}\r\n"));
    check("tunnel", &wire.reply(), 405, "method_not_allowed");
    wire.send(SMUGGLED);
    assert!(wire.is_closed());
}

/// S7: no answer of a site is kept: each request is asked anew, each host its own site, and no refusal is cacheable.
#[test]
fn no_answer_is_kept_for_another() {
    let origins = ["a", "b"].map(|name| {
        Stub::start(move |asked| {
            let body = format!("{name} for {}", asked.header("lime-agent-id").unwrap_or("a stranger"));
            Answer::text(200, &body).with("Cache-Control", "public, max-age=600").with("ETag", "\"1\"")
        })
    });
    let issuer = super::issuer();
    let gateway = Gateway::start(|_, _| {
        let site = |name: &str, origin: &Stub| {
            let (origin, issuer) = (&origin.url, &issuer.url);
            format!(
                "[[site]]\nurl = \"https://{name}.lime.test\"\norigin = \"{origin}\"\nmode = \"enforce\"\n\
                 protect = [\"/agents/*\"]\nissuer = \"{issuer}\"\n"
            )
        };
        format!("{}{}", site("a", &origins[0]), site("b", &origins[1]))
    });
    let token = |sub: &str| {
        let claims = with(super::claims(&issuer.url), "domain", json!("a.lime.test"));
        forger().token(&with(claims, "sub", json!(sub)))
    };
    let ask = |host: &str, path: &str| gateway.get(path).header("Host", host);
    for _ in 0..2 {
        assert_eq!(ask("a.lime.test", "/x").send().text(), "a for a stranger");
        assert_eq!(ask("b.lime.test", "/x").send().text(), "b for a stranger");
        assert_eq!(ask("a.lime.test", "/agents/x").bearer(&token("agent-1")).send().text(), "a for agent-1");
        assert_eq!(ask("a.lime.test", "/agents/x").bearer(&token("agent-2")).send().text(), "a for agent-2");
        let refusal = ask("a.lime.test", "/agents/x").header("If-None-Match", "\"1\"").send();
        check("refusal", &refusal, 401, "passport_required");
        assert_eq!(refusal.header("cache-control"), Some("no-store"));
    }
    assert_eq!(origins.map(|origin| origin.received().len()), [6, 2]);
}

/// S4, S6: what is half a request when its client goes is none.
#[test]
fn half_a_request_is_none() {
    let shop = Shop::new();
    let mut wire = shop.wire();
    wire.send("GET /public HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ");
    assert!(wire.is_silent(Duration::from_millis(50)));
    drop(wire);
    assert_eq!(shop.say("GET /public", "").status, 200);
    assert_eq!(shop.echo.count(), 1);
}
