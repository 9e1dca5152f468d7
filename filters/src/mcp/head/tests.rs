use super::*;
use crate::stage::{headers, loopback_site, mcp_site, site};

const JSON: (&str, &str) = ("content-type", "application/json");

#[track_caller]
fn check_at(site: &Site, method: &str, lines: &[(&str, &str)], length: Option<u64>, expected: Result<(), Reason>) {
    let method = method.parse().unwrap();
    let judged = judge(site, &site.mcp[0], &method, &headers(lines), length);
    assert_eq!(judged.map_err(|refusal| refusal.reason), expected, "{method} {lines:?} {length:?}");
}

#[track_caller]
fn check(method: &str, lines: &[(&str, &str)], expected: Result<(), Reason>) {
    check_at(&mcp_site(site()), method, lines, Some(2), expected);
}

#[test]
fn a_message_is_json_in_utf_8() {
    for media in ["application/json", "Application/JSON ; charset=UTF-8", "application/json;charset=\"utf-8\"; x=y"] {
        check("POST", &[("content-type", media)], Ok(()));
    }
    for media in [
        "",
        "text/plain",
        "application/json-rpc",
        "application/problem+json",
        "application/json; charset=utf-16",
        "application/json; charset=utf-8; charset=utf-7",
        "application/json, text/plain",
    ] {
        check("POST", &[("content-type", media)], Err(Reason::MediaTypeUnsupported));
    }
    check("POST", &[], Err(Reason::MediaTypeUnsupported));
    check("POST", &[JSON, ("content-encoding", "gzip")], Err(Reason::MediaTypeUnsupported));
    check("POST", &[JSON, ("content-encoding", "identity")], Err(Reason::MediaTypeUnsupported));
    check("GET", &[], Ok(()));
}

#[test]
fn what_can_count_once_stands_once() {
    for name in ["mcp-name", "mcp-method", "mcp-param-region", "mcp-session-id", "mcp-protocol-version"] {
        check("POST", &[JSON, (name, "a"), (name, "a")], Err(Reason::HeaderRepeated));
        check("POST", &[JSON, (&name.replace('-', "_"), "a")], Err(Reason::HeaderRepeated));
    }
    check("POST", &[JSON, ("mcp-param-re_gion", "a")], Err(Reason::HeaderRepeated));
    for name in ["origin", "authorization", "lime-authorization", "content-type", "last-event-id"] {
        check("POST", &[JSON, (name, "a"), (name, "a")], Err(Reason::HeaderRepeated));
    }
    check("GET", &[("mcp-session-id", "a"), ("mcp-session-id", "b")], Err(Reason::HeaderRepeated));
    check("POST", &[JSON, ("accept", "a"), ("accept", "b"), ("mcp-param-x", "y"), ("x_mcp_y", "z")], Ok(()));
}

#[test]
fn pages_of_other_origins_may_not_ask() {
    let mut site = mcp_site(site());
    site.also = vec!["www.shop.example.com".parse().unwrap(), "*.shop.example.com".parse().unwrap()];
    site.cors = vec!["https://app.example.com".parse().unwrap()];
    for origin in [
        "https://shop.example.com",
        "https://www.shop.example.com",
        "https://a.shop.example.com",
        "https://app.example.com",
    ] {
        check_at(&site, "POST", &[JSON, ("origin", origin)], None, Ok(()));
        check_at(&site, "OPTIONS", &[("origin", origin)], None, Ok(()));
    }
    for origin in [
        "null",
        "",
        "https://evil.example",
        "http://shop.example.com",
        "https://shop.example.com:8443",
        "https://shop.example.com.evil.example",
        "https://app.example.com:444",
        "https://shop.example.com/",
        "shop.example.com",
    ] {
        for method in ["POST", "GET", "DELETE", "OPTIONS"] {
            check_at(&site, method, &[JSON, ("origin", origin)], None, Err(Reason::OriginDenied));
        }
    }
    let local = mcp_site(loopback_site());
    check_at(&local, "GET", &[("origin", "http://127.0.0.1:8080")], None, Ok(()));
    check_at(&local, "GET", &[("origin", "http://localhost:3000")], None, Err(Reason::OriginDenied));
}

#[test]
fn only_the_methods_of_the_protocol_are_served_and_no_long_message() {
    for method in ["PUT", "PATCH", "HEAD", "QUERY"] {
        check(method, &[JSON], Err(Reason::MethodNotAllowed));
    }
    for method in ["GET", "DELETE", "OPTIONS"] {
        check(method, &[], Ok(()));
    }
    check("GET", &[("upgrade", "WebSocket")], Err(Reason::MethodNotAllowed));
    check("GET", &[("upgrade", "h2c")], Ok(()));
    let site = mcp_site(site());
    check_at(&site, "POST", &[JSON], Some(1_048_576), Ok(()));
    check_at(&site, "POST", &[JSON], Some(1_048_577), Err(Reason::MessageTooLarge));
    check_at(&site, "POST", &[JSON], None, Ok(()));
}

#[test]
fn a_token_in_a_query_is_found_however_it_is_written() {
    for query in [
        "access_token=x",
        "a=b&access_token=x",
        "access_token",
        "access%5Ftoken=x",
        "%61ccess_token=",
        "a;access_token=b",
    ] {
        assert!(has_token_in_query(query.as_bytes()), "{query}");
    }
    for query in ["", "a=access_token", "access_tokens=x", "xaccess_token=x", "token=x", "%"] {
        assert!(!has_token_in_query(query.as_bytes()), "{query}");
    }
}
