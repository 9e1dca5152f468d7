//! A proxy with manners: what is forwarded is what was sent, in both directions, while it is being sent.

use std::fs;
use std::io::{BufReader, Read as _, Write as _};
use std::time::Duration;

use lime_tests::http::{self, connect};
use lime_tests::{Answer, Certificate, Gateway, Output, Stream, Stub};
use serde_json::json;
use tempfile::TempDir;

use crate::scene::Scene;

fn open_site(origin: &str, more: &str) -> Gateway {
    Gateway::start(|url, _| format!("[[site]]\nurl = \"{url}\"\norigin = \"{origin}\"\n{more}"))
}

#[test]
fn the_site_learns_who_asked_whom() {
    let origin = Stub::saying("x");
    let gateway = open_site(&origin.url, "");
    let asked = gateway
        .get("/a?b=%20c")
        .header("X-Forwarded-For", "203.0.113.7")
        .header("X-Forwarded-Proto", "https")
        .header("X_Forwarded_For", "203.0.113.8")
        .header("X-Real-IP", "203.0.113.9")
        .header("Forwarded", "for=203.0.113.10")
        .header("X-Request-Id", "mine");
    assert_eq!(asked.send().status, 200);
    let received = origin.last();
    assert_eq!(received.target, "/a?b=%20c");
    let host = gateway.url.strip_prefix("http://").unwrap();
    assert_eq!(received.header("host"), Some(host));
    assert_eq!(received.header("x-forwarded-for"), Some("127.0.0.1"), "what an untrusted client says is not passed on");
    assert_eq!(received.header("x-forwarded-proto"), Some("http"));
    assert_eq!(received.header("x-forwarded-host"), Some(host));
    for name in ["x_forwarded_for", "x-real-ip", "forwarded"] {
        assert_eq!(received.header(name), None);
    }
    let id = received.header("x-request-id").unwrap();
    assert_ne!(id, "mine");
    let line = gateway.access_line(id);
    assert_eq!((&line["path"], &line["status"], &line["client_ip"]), (&json!("/a"), &json!(200), &json!("127.0.0.1")));
}

#[test]
fn a_trusted_proxy_is_believed() {
    let origin = Stub::saying("x");
    let gateway = open_site(&origin.url, "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n");
    let asked = gateway
        .get("/")
        .header("X-Forwarded-For", "198.51.100.1, 203.0.113.7")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "shop.lime.test")
        .header("X-Request-Id", "from-the-front");
    assert_eq!(asked.send().status, 200);
    let received = origin.last();
    assert_eq!(received.header("x-forwarded-for"), Some("198.51.100.1, 203.0.113.7, 127.0.0.1"));
    assert_eq!(received.header("x-forwarded-proto"), Some("https"));
    assert_eq!(received.header("x-forwarded-host"), Some("shop.lime.test"));
    assert_eq!(received.header("x-request-id"), Some("from-the-front"));
    assert_eq!(gateway.access_line("from-the-front")["client_ip"], "203.0.113.7");
}

#[test]
fn cookies_of_others_are_left_alone_and_ours_stays_here() {
    let origin = Stub::start(|_| {
        Answer::text(200, "x").with("Set-Cookie", "theirs=1; Path=/").with("Set-Cookie", "lime=stolen; Path=/")
    });
    let scene = Scene::new(&origin.url);
    let session = scene.session();
    let cookies = format!("a=\"1; 2\";b=  ; lime={session}; c=ls1.x; limes=3");
    let reply = scene.protected().header("Cookie", cookies).send();
    assert_eq!(reply.status, 200);
    assert_eq!(origin.last().header("cookie"), Some("a=\"1; 2\";b=  ; c=ls1.x; limes=3"));
    assert_eq!(reply.header("set-cookie"), Some("theirs=1; Path=/"), "a site cannot set ours");
    let untouched = "a=1;b=\"x y\"; c=%20 ;d";
    assert_eq!(scene.gateway.get("/").header("Cookie", untouched).send().status, 200);
    assert_eq!(origin.last().header("cookie"), Some(untouched));
}

#[test]
fn a_protected_response_is_kept_by_no_shared_cache() {
    let origin = Stub::start(|_| Answer::text(200, "x").with("Cache-Control", "public, max-age=60"));
    let scene = Scene::new(&origin.url);
    let page = scene.protected().bearer(&scene.token()).send();
    let caching = page.header("cache-control").unwrap();
    assert!(caching.contains("private") && !caching.contains("public"), "{caching}");
    let open = scene.gateway.get("/").bearer(&scene.token()).send();
    assert_eq!(open.header("cache-control"), Some("public, max-age=60"));
}

#[test]
fn events_arrive_as_they_happen() {
    // One event, and then silence on an open connection.
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let begun = format!("{head}e\r\ndata: {{\"n\":1}}\n\r\n");
    let origin = Stub::start(move |_| Answer::Raw(begun.clone().into_bytes()));
    let gateway = open_site(&origin.url, "");
    let mut stream = Stream::open(&gateway.get("/events"));
    assert!(stream.next(Duration::from_secs(5), |event| event["n"] == 1).is_some());
    assert!(stream.is_open(Duration::from_millis(300)));
}

#[test]
fn an_upload_arrives_whole_while_it_is_sent() {
    let origin = Stub::start(|asked| {
        let sum: u64 = asked.body.iter().map(|byte| u64::from(*byte)).sum();
        Answer::text(200, &format!("{} {sum}", asked.body.len()))
    });
    let scene = Scene::new(&origin.url);
    let body: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
    let sent = http::request("POST", &format!("{}/agents/upload", scene.gateway.url)).bearer(&scene.token());
    assert_eq!(sent.body(body.clone()).send().text(), format!("{} {sum}", body.len()));
    // In chunks, with pauses of the client's own.
    let mut stream = connect(scene.gateway.address()).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    for _ in 0..3 {
        stream.write_all(b"3\r\nabc\r\n").unwrap();
        stream.flush().unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let reply = http::read_reply(&mut BufReader::new(stream), "POST").unwrap();
    assert_eq!(reply.text(), "9 882");
}

#[test]
fn a_websocket_is_a_connection_through() {
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello";
    let origin = Stub::start(move |_| Answer::Raw(answer.to_vec()));
    let gateway = open_site(&origin.url, "");
    let mut stream = connect(gateway.address()).unwrap();
    let upgrade = "GET /socket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).unwrap();
    let mut answered = Vec::new();
    while !answered.ends_with(b"hello") {
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&answered));
        answered.extend_from_slice(&buffer[..read]);
    }
    assert!(answered.starts_with(b"HTTP/1.1 101 "), "{:?}", String::from_utf8_lossy(&answered));
    assert_eq!(origin.last().header("upgrade"), Some("websocket"));
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let origin = Stub::saying("x");
    let scene = Scene::new(&origin.url);
    let stream = connect(scene.gateway.address()).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for path in ["/", "/agents/x", "/", "/.lime/help"] {
        (&stream).write_all(format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes()).unwrap();
        let reply = http::read_reply(&mut reader, "GET").unwrap();
        assert_eq!(reply.status, if path == "/agents/x" { 401 } else { 200 }, "{path}");
    }
}

#[test]
fn a_certificate_from_files_is_served() {
    let folder = TempDir::new().unwrap();
    let certificate = Certificate::make(folder.path(), &["shop.lime.test"]);
    let origin = Stub::saying("over tls");
    let port = lime_tests::free_port();
    let tls = certificate.settings(port);
    let gateway = Gateway::start(|_, _| {
        format!("[server]\n{tls}[[site]]\nurl = \"https://shop.lime.test\"\norigin = \"{}\"\n", origin.url)
    });
    let mut curl = std::process::Command::new("curl");
    curl.args(["-sS", "--noproxy", "*", "--cacert", certificate.chain.to_str().unwrap()]);
    curl.args(["--resolve", &format!("shop.lime.test:{port}:127.0.0.1"), &format!("https://shop.lime.test:{port}/")]);
    let fetched = Output::of(curl);
    assert_eq!((fetched.code, fetched.stdout.as_str()), (0, "over tls"), "{}", fetched.stderr);
    assert_eq!(origin.last().header("x-forwarded-proto"), Some("https"));
    // A key that is not the certificate's ends the start.
    fs::write(folder.path().join("tls.key"), "no key").unwrap();
    drop(gateway);
}
