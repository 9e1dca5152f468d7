use super::*;

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
        ("M-SEARCH", Ok(())),
        ("get", Err(Reason::MethodNotAllowed)),
        ("Post", Err(Reason::MethodNotAllowed)),
        ("TRACE", Err(Reason::MethodNotAllowed)),
        ("CONNECT", Err(Reason::MethodNotAllowed)),
    ] {
        let header = RequestHeader::build(method, b"/", None).unwrap();
        assert_eq!(judge(&header), expected, "{method}");
    }
}

#[test]
fn what_came_by_http_2_is_one_request_in_http_1_too() {
    let judged = |fields: &[(&'static str, &str)]| {
        let mut header = RequestHeader::build("POST", b"/", None).unwrap();
        header.set_version(Version::HTTP_2);
        for (name, value) in fields {
            header.append_header(*name, *value).unwrap();
        }
        judge(&header)
    };
    assert_eq!(judged(&[]), Ok(()));
    assert_eq!(judged(&[("content-length", "5")]), Ok(()));
    for fields in [
        &[("content-length", "5"), ("content-length", "6")][..],
        &[("content-length", "5"), ("content-length", "5")],
        &[("content-length", "5,5")],
        &[("content-length", "+5")],
        &[("content-length", "")],
        &[("content_length", "5")],
        &[("transfer_encoding", "chunked")],
    ] {
        assert_eq!(judged(fields), Err(Reason::FramingInvalid), "{fields:?}");
    }
    assert_eq!(judged(&[("x", "y"); HEAD_FIELDS_MAX]), Ok(()));
    assert_eq!(judged(&[("x", "y"); HEAD_FIELDS_MAX + 1]), Err(Reason::HeaderTooLarge));
    let long = "y".repeat(HEAD_BYTES_MAX);
    assert_eq!(judged(&[("x", &long)]), Err(Reason::HeaderTooLarge));
}
