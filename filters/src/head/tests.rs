use super::*;

#[track_caller]
fn check(raw: &str, expected: Result<(), Reason>) {
    assert_eq!(judge_head(raw.as_bytes()), expected, "{raw:?}");
}

#[test]
fn a_plain_request_passes() {
    check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Ok(()));
    check("GET / HTTP/1.0\r\nhost: a\r\n\r\n", Ok(()));
    check("PURGE /a?b HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n", Ok(()));
    check("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", Ok(()));
    check("POST / HTTP/1.1\r\nHOST: a\r\nContent-Length: 5\r\nX: a:b\t\u{e9}\r\n\r\n", Ok(()));
    check("POST / HTTP/1.1\r\nHost:a\r\nTransfer-Encoding:  Chunked \r\n\r\n", Ok(()));
    check("GET / HTTP/1.1\r\nHost: a\r\nAccept-Languages: x\r\nAccept-Charset: y\r\n\r\n", Ok(()));
    check("GET http://a:80/b HTTP/1.1\r\nHost: a:80\r\n\r\n", Ok(()));
    check("GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n", Ok(()));
}

#[test]
fn lines_end_in_one_way_and_fields_have_one_form() {
    for raw in [
        "",
        "\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{1}c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{7f}c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX(Y): b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\u{e9}: b\r\n\r\n",
    ] {
        check(raw, Err(Reason::FramingInvalid));
    }
}

#[test]
fn a_request_ends_in_one_place() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\ncontent-length: 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent_Length: 5",
        "Content_Length: 5",
        "Transfer_Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding:",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 5,5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 9999999999999999999",
    ] {
        check(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"), Err(Reason::FramingInvalid));
    }
    check("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Err(Reason::FramingInvalid));
}

#[test]
fn a_request_line_is_a_method_a_target_and_a_version() {
    for line in [
        "GET /",
        "GET / HTTP/0.9",
        "GET / HTTP/2.0",
        "GET / HTTP/1.2",
        "GET / http/1.1",
        "GET / HTTP/1.1 ",
        "GET /  HTTP/1.1x",
        "PRI * HTTP/2.0",
        " GET / HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET\t/ HTTP/1.1",
    ] {
        check(&format!("{line}\r\nHost: a\r\n\r\n"), Err(Reason::FramingInvalid));
    }
    for target in [
        "", " /", "/ ", "/a b", "/a\tb", "a", "a:80", "http:/a", "http:a", "ftp://a/", "//", "**", "/a#b", "/a?b#c",
        "#", "/<a>", "/a?<b>", "/a`", "/a?\"b\"",
    ] {
        let expected = if target == "//" { Ok(()) } else { Err(Reason::PathInvalid) };
        check(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"), expected);
    }
}

#[test]
fn a_target_is_text() {
    check("GET /caf\u{e9}?\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", Ok(()));
    for target in [&b"/\xe9"[..], b"/\xc0\xaf", b"/?\xff"] {
        let raw = [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        assert_eq!(judge_head(&raw), Err(Reason::PathInvalid), "{target:?}");
    }
}

#[test]
fn a_request_names_one_host() {
    for raw in [
        "GET / HTTP/1.1\r\nX: y\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nhOst: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost:\r\n\r\n",
        "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n",
        "GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a\\b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
        "GET http://a@b/ HTTP/1.1\r\nHost: a@b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
    ] {
        check(raw, Err(Reason::HostInvalid));
    }
}

#[test]
fn no_tunnel_is_opened() {
    check("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", Err(Reason::MethodNotAllowed));
}

#[test]
fn a_head_has_a_largest_size_and_number_of_fields() {
    let of = |bytes: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(bytes));
    check(&of(HEAD_BYTES_MAX - 32), Ok(()));
    check(&of(HEAD_BYTES_MAX), Err(Reason::HeaderTooLarge));
    let of = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count));
    check(&of(HEAD_FIELDS_MAX - 1), Ok(()));
    check(&of(HEAD_FIELDS_MAX), Err(Reason::HeaderTooLarge));
}
