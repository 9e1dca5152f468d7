use super::*;

#[track_caller]
fn check_wire(raw: &str, expected: Result<(), Reason>) {
    assert_eq!(judge_wire(raw.as_bytes()), expected, "{raw:?}");
}

#[test]
fn a_plain_request_passes() {
    check_wire("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Ok(()));
    check_wire("GET / HTTP/1.0\r\nhost: a\r\n\r\n", Ok(()));
    check_wire("POST / HTTP/1.1\r\nHOST: a\r\nContent-Length: 5\r\nX: a:b\r\n\r\n", Ok(()));
    check_wire("POST / HTTP/1.1\r\nHost:a\r\nTransfer-Encoding:  Chunked \r\n\r\n", Ok(()));
    check_wire("GET / HTTP/1.1\r\nHost: a\r\nAccept-Languages: x\r\nAccept-Charset: y\r\n\r\n", Ok(()));
}

#[test]
fn framing_that_can_be_read_in_two_ways_is_refused() {
    let bad = Err(Reason::FramingInvalid);
    check_wire("GET / HTTP/1.1\nHost: a\n\n", bad);
    check_wire("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", bad);
    check_wire("GET / HTTP/1.1\nHost: a\r\n\r\n", bad);
    check_wire("GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n", bad);
    check_wire("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", bad);
    check_wire("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", bad);
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
        "Content-Length:",
        "Content-Length: 9999999999999999999",
    ] {
        check_wire(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"), bad);
    }
}

#[test]
fn a_request_names_one_host() {
    check_wire("GET / HTTP/1.1\r\nX: y\r\n\r\n", Err(Reason::HostInvalid));
    check_wire("GET / HTTP/1.0\r\n\r\n", Err(Reason::HostInvalid));
    check_wire("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Err(Reason::HostInvalid));
    check_wire("GET / HTTP/1.1\r\nHost: a\r\nhOst: b\r\n\r\n", Err(Reason::HostInvalid));
}

#[test]
fn headers_have_a_largest_size() {
    let of = |bytes: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(bytes));
    check_wire(&of(HEADER_BYTES_MAX - 32), Ok(()));
    check_wire(&of(HEADER_BYTES_MAX), Err(Reason::HeaderTooLarge));
}

#[track_caller]
fn check_host(text: &str, expected: Option<&str>) {
    assert_eq!(host_of(text.as_bytes()).as_deref(), expected, "{text:?}");
}

#[test]
fn a_host_is_found_without_case_port_and_final_dot() {
    check_host("shop.example", Some("shop.example"));
    check_host("Shop.EXAMPLE:8080", Some("shop.example"));
    check_host("shop.example.:443", Some("shop.example"));
    check_host("shop.example:", Some("shop.example"));
    check_host("127.0.0.1:80", Some("127.0.0.1"));
    check_host("[::1]:80", Some("[::1]"));
    check_host("[0:0::0:1]", Some("[::1]"));
    check_host("my_shop.example", Some("my_shop.example"));
}

#[test]
fn what_is_no_host_is_refused() {
    let long = "a".repeat(254);
    for bad in [
        "",
        ".",
        ":80",
        "a b",
        "a,b",
        "a/b",
        "a@b",
        "a?b",
        "a#b",
        "a\\b",
        "a:80:80",
        "a:x",
        "a:123456",
        "[::1",
        "::1",
        "[::1]x",
        "[shop]",
        "[::1%25eth0]",
        "é.example",
        "a%2eb",
        long.as_str(),
    ] {
        check_host(bad, None);
    }
}

#[test]
fn methods_that_tunnel_or_echo_are_refused() {
    for (method, expected) in [
        ("GET", Ok(())),
        ("OPTIONS", Ok(())),
        ("PURGE", Ok(())),
        ("TRACE", Err(Reason::MethodNotAllowed)),
        ("CONNECT", Err(Reason::MethodNotAllowed)),
    ] {
        let header = RequestHeader::build(method, b"/", None).unwrap();
        assert_eq!(judge(&header), expected, "{method}");
    }
}
