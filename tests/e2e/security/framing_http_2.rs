//! Group S once more, for what comes by HTTP/2 and is written down for a site that speaks HTTP/1.

use std::time::Duration;

use lime_tests::{Certificate, Frames, Http2, header_block};
use tempfile::TempDir;

use super::{Shop, check};

const SMUGGLED: &str = "GET /agents/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/// S2, S3: HTTP/2 has one framing; what is written down from it for a site that speaks HTTP/1 has one as well.
#[test]
fn what_came_by_http_2_is_one_request_for_the_site() {
    let (folder, port) = (TempDir::new().unwrap(), lime_tests::free_port());
    let certificate = Certificate::make(folder.path(), &["localhost"]);
    let shop = Shop::with(&format!("[server]\n{}", certificate.settings(port)));
    let address = ([127, 0, 0, 1], port).into();
    let client = Http2::to(address, "localhost", &certificate);
    for (what, fields, status, reason) in [
        ("twice one length", vec![("content-length", "0"); 2], 400, "framing_invalid"),
        ("a length in disguise", vec![("content_length", "50")], 400, "framing_invalid"),
        ("chunks in disguise", vec![("transfer_encoding", "chunked")], 400, "framing_invalid"),
        ("many fields", vec![("a", ""); 257], 431, "header_too_large"),
    ] {
        check(what, &client.get("https://localhost/public", &fields), status, reason);
    }
    // CONNECT is refused by Pingora, before we hear of it and without a body.
    for (method, target, reason) in
        [("TRACE", "https://localhost/", "method_not_allowed"), ("CONNECT", "localhost:80", "")]
    {
        let request = ::http::Request::builder().method(method).uri(target).body(()).unwrap();
        check(method, &client.send(request, None), 405, reason);
    }
    assert_eq!(shop.echo.count(), 0);
    // What no library would send. Each is refused, or its stream or connection ended, before we hear of it.
    let post = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", "/public")];
    let get = |path| [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", path)].to_vec();
    let with = |name, value| [&post[..], &[(name, value)]].concat();
    for (what, fields) in [
        ("chunks", with("transfer-encoding", "chunked")),
        ("two lengths", [&post[..], &[("content-length", "50"), ("content-length", "5")]].concat()),
        ("a sign", with("content-length", "+50")),
        ("less than the body", with("content-length", "5")),
        ("more than the body", with("content-length", "500")),
        ("a hop", with("connection", "close")),
        ("an upgrade", with("upgrade", "websocket")),
        ("a capital", with("X-Capital", "y")),
        ("a line end in a value", with("x", "y\r\nTransfer-Encoding: chunked")),
        ("a line end in a name", with("x: y\r\nz", "y")),
        ("another host", with("host", "other.test")),
        ("a line end in a path", get("/public HTTP/1.1\r\nX: y\r\n\r\n")),
        ("a space in a path", get("/public x")),
        ("no slash", get("public")),
        ("a whole URL", get("https://localhost/agents/x")),
        ("no path", get("")),
        ("a user", vec![(":method", "GET"), (":scheme", "https"), (":authority", "x@localhost"), (":path", "/")]),
        ("no authority", vec![(":method", "GET"), (":scheme", "https"), (":path", "/")]),
        ("a line for a method", [&[(":method", "GET / HTTP/1.1\r\n")], &post[1..]].concat()),
    ] {
        let mut frames = Frames::to(address, "localhost", &certificate);
        frames.send(Frames::HEADERS, Frames::END_HEADERS, 1, &header_block(&fields)).unwrap();
        drop(frames.send(Frames::DATA, Frames::END_STREAM, 1, SMUGGLED.as_bytes()));
        frames.wait_at_most(Duration::from_secs(10));
        let ended = loop {
            match frames.read() {
                // 200 and 400 are fields of the static table (RFC 7541, appendix A).
                Ok((Frames::HEADERS, _, _, block)) => break block.first() == Some(&0x8c),
                Ok((Frames::RST_STREAM | Frames::GOAWAY, ..)) => break true,
                Ok(_) => {}
                Err(error) => break error.kind() != std::io::ErrorKind::WouldBlock,
            }
        };
        assert!(ended, "{what} is answered: {:?}", shop.echo.reached());
    }
    // The head of a body that then turns out too short may have been forwarded; the body never is another request.
    assert!(shop.echo.reached().iter().all(|reached| reached.target() == b"/public"), "{:?}", shop.echo.reached());
    // A fragment is cut off before we see it: what is judged is what is forwarded.
    check("fragment", &client.get("https://localhost/agents/x", &[]), 401, "passport_required");
    let mut frames = Frames::to(address, "localhost", &certificate);
    frames.send(Frames::HEADERS, 5, 1, &header_block(&get("/public?end#/../agents/x"))).unwrap();
    lime_tests::until("it came", || {
        shop.echo.reached().last().is_some_and(|reached| reached.target() == b"/public?end")
    });
}
