//! What strangers send: refused with a clear body, and never seen by the site.

use std::io::{BufReader, Write as _};
use std::time::{Duration, Instant};

use lime_tests::http::{self, connect, raw, read_reply};
use lime_tests::{Gateway, Stub, forge};
use serde_json::json;

use crate::scene::{DOMAIN, Scene, refused};

#[test]
fn a_token_that_is_not_good_here_is_refused_on_every_path() {
    let origin = Stub::saying("x");
    let scene = Scene::new(&origin.url);
    let good = scene.token();
    let strange = forge::key();
    let of = |claims: &passport::AccessToken| strange.sign(claims).unwrap();
    let claims = forge::claims(&scene.issuer.url, DOMAIN);
    let ours = scene.issuer.jwks();
    for (what, token) in [
        ("another domain", scene.issuer.token(&scene.agent, "tools.lime.test")),
        ("alg none", forge::with_alg_none(&good)),
        ("HS256 with the published keys", forge::with_hs256(&good, &ours)),
        ("a key nobody published", of(&claims)),
        ("a strange key under a published name", forge::with_kid(&of(&claims), good_kid(&good).as_str())),
        ("another agent under the old signature", forge::with_claim(&good, "sub", json!("somebody"))),
        ("a longer life under the old signature", forge::with_claim(&good, "exp", json!(4_000_000_000_u64))),
        ("half a signature", format!("{}.AAAA", good.rsplit_once('.').unwrap().0)),
        ("too long", forge::with_claim(&good, "padding", json!("x".repeat(9000)))),
    ] {
        for path in ["/agents/list.txt", "/"] {
            let reply = scene.gateway.get(path).bearer(&token).send();
            assert_eq!((reply.status, reply.reason().as_str()), (401, "invalid_token"), "{what} at {path}");
            let challenge = reply.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer") && challenge.contains("invalid_token"), "{challenge}");
            assert!(!reply.text().contains(&token), "a refusal repeats no credential");
        }
    }
    assert!(origin.received().is_empty());
    // Somebody else's tokens are the site's affair.
    let foreign = strange.sign(&forge::claims("https://id.lime.test", DOMAIN)).unwrap();
    refused(&scene.protected().bearer(&foreign).send(), 401, "passport_required");
    assert_eq!(scene.gateway.get("/").bearer(&foreign).send().status, 200);
    assert_eq!(origin.last().header("authorization"), Some(format!("Bearer {foreign}").as_str()));
}

fn good_kid(token: &str) -> String {
    forge::header_of(token)["kid"].as_str().unwrap().to_owned()
}

#[test]
fn an_expired_token_is_refused_after_the_leeway_of_the_sdks() {
    let origin = Stub::saying("x");
    let key = forge::key();
    let document = forge::jwks(&[&key]);
    let issuer = Stub::start(move |_| lime_tests::Answer::text(200, &document));
    let gateway = Gateway::start(|url, _| {
        format!(
            "[[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\nprotect = [\"/*\"]\nissuer = \"{}\"\n",
            origin.url, issuer.url
        )
    });
    let now = forge::now().as_secs();
    let at = |iat: u64, exp: u64| {
        let mut claims = forge::claims(&issuer.url, DOMAIN);
        (claims.iat, claims.exp) = (passport::UnixTime::from_secs(iat), passport::UnixTime::from_secs(exp));
        gateway.get("/").bearer(&key.sign(&claims).unwrap()).send()
    };
    assert_eq!(at(now, now + 300).status, 200);
    assert_eq!(at(now - 300, now - 60).status, 200, "within 120 s: the SDK thinks it fresh");
    refused(&at(now - 600, now - 130), 401, "invalid_token");
    assert_eq!(at(now + 60, now + 300).status, 200);
    refused(&at(now + 200, now + 400), 401, "invalid_token");
    // A login passport is for a site, not for its gateway.
    let login = forge::login_claims(&issuer.url, "s1", "5f1b6e0e-0000-4000-8000-000000000000");
    refused(&gateway.get("/").bearer(&key.sign(&login).unwrap()).send(), 401, "invalid_token");
}

#[test]
fn two_credentials_are_none() {
    let origin = Stub::saying("x");
    let scene = Scene::new(&origin.url);
    let other = scene.issuer.agent(&scene.owner, &[&scene.site.id]);
    let (token, fresh, session) = (scene.token(), scene.token(), scene.session());
    let theirs = scene.issuer.token(&other, DOMAIN);
    let bearer = |token: &str| format!("Bearer {token}");
    for (what, request) in [
        ("twice in Authorization", scene.protected().bearer(&token).bearer(&fresh)),
        ("twice the same", scene.protected().bearer(&token).bearer(&token)),
        ("beside the site's own", scene.protected().bearer(&token).header("Authorization", "Basic eDp4")),
        ("in both places", scene.protected().bearer(&token).header("Lime-Authorization", bearer(&fresh))),
        ("a cookie of another agent", scene.protected().bearer(&theirs).header("Cookie", format!("lime={session}"))),
        ("two cookies", scene.protected().header("Cookie", format!("lime={session}; lime={session}"))),
    ] {
        let reply = request.send();
        assert_eq!((reply.status, reply.reason().as_str()), (400, "credential_ambiguous"), "{what}");
    }
    assert!(origin.received().is_empty());
    let both = scene.protected().bearer(&token).header("Cookie", format!("lime={session}")).send();
    assert_eq!(both.status, 200, "two credentials of one agent name one agent");
}

#[test]
fn what_only_the_gateway_may_say_is_taken_away_and_then_said() {
    let origin = Stub::saying("x");
    let scene = Scene::new(&origin.url);
    let spoofs = [
        "Lime-Agent-Id",
        "lime-agent-trust",
        "LIME_AGENT_ID",
        "Lime_Agent-Id",
        "X-Lime-Agent-Id",
        "X_Lime_Agent_Id",
        "x-lime_anything",
        "Lime-Owner-Id",
        "Lime-Owner-Level",
        "Lime-Something-New",
    ];
    let spoofed = |mut request: http::Request| {
        for name in spoofs {
            request = request.header(name, "spoofed");
        }
        assert_eq!(request.send().status, 200);
        let received = origin.last();
        let lime = received.headers.iter().filter(|(name, _)| name.replace('_', "-").contains("lime-"));
        let mut lime: Vec<_> = lime.map(|(name, value)| (name.clone(), value.clone())).collect();
        lime.sort();
        lime
    };
    let said =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
    assert_eq!(spoofed(scene.gateway.get("/")), said(&[("lime-agent-trust", "unknown")]));
    assert_eq!(
        spoofed(scene.protected().bearer(&scene.token())),
        said(&[("lime-agent-id", &scene.agent.id), ("lime-agent-trust", "passport"), ("lime-owner-level", "0"),])
    );
}

#[test]
fn a_request_that_can_be_read_in_two_ways_is_refused_with_a_reason() {
    let origin = Stub::saying("x");
    let gateway = Gateway::start(|url, _| format!("[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n", origin.url));
    let host = "Host: 127.0.0.1";
    for (what, request, status, reason) in [
        ("no host", "GET / HTTP/1.1\r\n\r\n".to_owned(), 400, "host_invalid"),
        ("no host name", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(), 400, "host_invalid"),
        ("another's host", "GET / HTTP/1.1\r\nHost: bank.test\r\n\r\n".to_owned(), 421, "host_unknown"),
        ("bare line feeds", format!("GET / HTTP/1.1\n{host}\n\n"), 400, "framing_invalid"),
        ("one bare line feed", format!("GET / HTTP/1.1\r\n{host}\nX: y\r\n\r\n"), 400, "framing_invalid"),
        (
            "two lengths",
            format!("POST / HTTP/1.1\r\n{host}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            400,
            "framing_invalid",
        ),
        (
            "a length in disguise",
            format!("POST / HTTP/1.1\r\n{host}\r\nContent_Length: 3\r\n\r\nabc"),
            400,
            "framing_invalid",
        ),
        (
            "a large header",
            format!("GET / HTTP/1.1\r\n{host}\r\nX: {}\r\n\r\n", "x".repeat(33_000)),
            431,
            "header_too_large",
        ),
        ("a method for proxies", format!("TRACE / HTTP/1.1\r\n{host}\r\n\r\n"), 405, "method_not_allowed"),
        ("a tunnel", format!("CONNECT 127.0.0.1:80 HTTP/1.1\r\n{host}\r\n\r\n"), 405, "method_not_allowed"),
        ("one host twice", format!("GET / HTTP/1.1\r\n{host}\r\n{host}\r\n\r\n"), 400, "host_invalid"),
        ("two hosts", format!("GET / HTTP/1.1\r\n{host}\r\nhost: bank.test\r\n\r\n"), 400, "host_invalid"),
        ("another host in the URL", format!("GET http://bank.test/ HTTP/1.1\r\n{host}\r\n\r\n"), 400, "host_invalid"),
        ("a folded line", format!("GET / HTTP/1.1\r\n{host}\r\nX: y\r\n z\r\n\r\n"), 400, "framing_invalid"),
        ("a space before a colon", format!("GET / HTTP/1.1\r\n{host}\r\nX : y\r\n\r\n"), 400, "framing_invalid"),
        ("no name", format!("GET / HTTP/1.1\r\n{host}\r\n: y\r\n\r\n"), 400, "framing_invalid"),
        ("a NUL in a name", format!("GET / HTTP/1.1\r\n{host}\r\nX\0: y\r\n\r\n"), 400, "framing_invalid"),
        ("no HTTP", "nonsense\r\n\r\n".to_owned(), 400, "framing_invalid"),
        ("another protocol", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 400, "framing_invalid"),
        ("a space in a path", format!("GET /a b HTTP/1.1\r\n{host}\r\n\r\n"), 400, "path_invalid"),
        ("a raw backslash", format!("GET /a\\b HTTP/1.1\r\n{host}\r\n\r\n"), 400, "path_invalid"),
    ] {
        let reply = raw(gateway.address(), request.as_bytes()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((reply.status, reply.reason().as_str()), (status, reason), "{what}: {}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{what}");
    }
    assert!(origin.received().is_empty());
    assert_eq!(gateway.get("/").send().status, 200);
}

#[test]
fn a_request_that_is_none_has_an_access_line() {
    let origin = Stub::saying("x");
    let gateway = Gateway::start(|url, _| format!("[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n", origin.url));
    let two_hosts = b"GET /secret?token=x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    let reply = raw(gateway.address(), two_hosts).unwrap();
    let line = gateway.access_line(reply.json()["request_id"].as_str().unwrap());
    for (member, expected) in [
        ("method", json!("GET")),
        ("path", json!("/secret")),
        ("status", json!(400)),
        ("decision", json!("deny")),
        ("reason", json!("host_invalid")),
        ("client_ip", json!("127.0.0.1")),
    ] {
        assert_eq!(line[member], expected, "{member} in {line}");
    }
}

#[test]
fn headers_that_trickle_in_are_cut_off_with_a_word() {
    let origin = Stub::saying("x");
    let gateway = Gateway::start(|url, _| format!("[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n", origin.url));
    let mut stream = connect(gateway.address()).unwrap();
    let started = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ").unwrap();
    // A byte now and then, until the answer is there.
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    while stream.peek(&mut [0]).is_err() {
        stream.write_all(b"x").unwrap();
        assert!(started.elapsed() < Duration::from_secs(20), "a header without end is read");
    }
    let reply = read_reply(&mut BufReader::new(stream), "GET").unwrap();
    assert_eq!((reply.status, reply.reason().as_str()), (408, "header_timeout"), "{}", reply.text());
    let took = started.elapsed();
    assert!((9..15).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn what_follows_a_refused_request_on_its_connection_is_no_request() {
    let origin = Stub::saying("x");
    let gateway = Gateway::start(|url, _| format!("[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n", origin.url));
    let mut stream = connect(gateway.address()).unwrap();
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let first = format!(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        smuggled.len()
    );
    stream.write_all(format!("{first}{smuggled}").as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    assert_eq!(read_reply(&mut reader, "POST").unwrap().status, 400);
    assert!(read_reply(&mut reader, "GET").is_err(), "the connection is closed");
    assert!(origin.received().is_empty());
}

#[test]
fn a_path_with_two_readings_is_refused_where_they_differ() {
    let origin = Stub::saying("x");
    let scene = Scene::new(&origin.url);
    for path in [
        "/x/../agents/list.txt",
        "/%61gents/list.txt",
        "/%2561gents/list.txt",
        "//agents/list.txt",
        "/./agents/list.txt",
        "/open/..%2fagents/list.txt",
        "/open;x/../agents/list.txt",
        "/agents/%2e%2e/open",
        "/agents;x/list.txt",
    ] {
        for request in [scene.gateway.get(path), scene.gateway.get(path).bearer(&scene.token())] {
            refused(&request.send(), 400, "path_ambiguous");
        }
    }
    assert!(origin.received().is_empty());
    // Where every reading is treated alike, the bytes go on as they are.
    for path in ["/a%2fb", "/a//b", "/%41", "/caf%C3%A9?q=%2e%2e/agents/", "/a;v=1/b"] {
        assert_eq!(scene.gateway.get(path).send().status, 200, "{path}");
        assert_eq!(origin.last().target, path);
    }
    for path in ["/agents/a%20b", "/agents/%2561"] {
        assert_eq!(scene.gateway.get(path).bearer(&scene.token()).send().status, 200);
        assert_eq!(origin.last().target, path);
    }
    for path in ["/.lime/../agents/x", "/.lime%2fhelp", "/%2elime/help"] {
        let reply = scene.gateway.get(path).send();
        assert!([400, 404].contains(&reply.status), "{path}: {}", reply.status);
    }
}

#[test]
fn an_upload_behind_a_401_is_not_taken() {
    let origin = Stub::saying("x");
    let scene = Scene::new(&origin.url);
    let upload = |length: u64, expect: &str| {
        format!("POST /agents/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n{expect}\r\n").into_bytes()
    };
    // Waiting for permission: told no at once.
    let reply = raw(scene.gateway.address(), &upload(1 << 40, "Expect: 100-continue\r\n")).unwrap();
    refused(&reply, 401, "passport_required");
    // A short one is read, and the client reads the answer.
    let short = [upload(5, ""), b"hello".to_vec()].concat();
    refused(&raw(scene.gateway.address(), &short).unwrap(), 401, "passport_required");
    // One without end is answered and cut off: little of it is taken.
    let mut stream = connect(scene.gateway.address()).unwrap();
    stream.write_all(&upload(1 << 40, "")).unwrap();
    let started = Instant::now();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut taken = 0;
    while stream.write_all(&[0; 16 * 1024]).is_ok() {
        taken += 16 * 1024;
        assert!(taken < 64 << 20, "an upload without end is taken");
        assert!(started.elapsed() < Duration::from_secs(10), "an upload without end is not cut off");
    }
    // The client's system may have thrown the answer away with the connection.
    if let Ok(reply) = read_reply(&mut reader, "POST") {
        refused(&reply, 401, "passport_required");
    }
    assert!(origin.received().is_empty());
    assert_eq!(scene.gateway.get("/").send().status, 200);
}

#[test]
fn a_client_that_says_nothing_holds_nobody_up() {
    let origin = Stub::saying("x");
    let gateway = Gateway::start(|url, _| format!("[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n", origin.url));
    let silent: Vec<_> = (0..200).map(|_| connect(gateway.address()).unwrap()).collect();
    for mut stream in silent.iter().take(100) {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: 127").unwrap();
    }
    assert_eq!(gateway.get("/").send().status, 200);
    drop(silent);
}
