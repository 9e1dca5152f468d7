use super::*;

fn uri(text: &str) -> RedirectUri {
    RedirectUri::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

#[test]
fn the_web_this_machine_and_an_application_are_places_to_send_a_response_to() {
    for (text, host, is_loopback, is_custom_scheme) in [
        ("https://app.example/cb", "app.example", false, false),
        ("https://app.example", "app.example", false, false),
        ("https://app.example?x=1", "app.example", false, false),
        ("https://App.Example:8443/cb", "app.example:8443", false, false),
        ("https://xn--bcher-kva.example/cb", "xn--bcher-kva.example", false, false),
        ("https://192.0.2.1/cb", "192.0.2.1", false, false),
        ("https://0x7f.1/cb", "127.0.0.1", true, false),
        ("https://localhost/cb", "localhost", true, false),
        ("https://a.localhost./cb", "a.localhost.", true, false),
        ("https://[::ffff:127.0.0.1]/cb", "[::ffff:7f00:1]", true, false),
        ("http://127.0.0.1/cb", "127.0.0.1", true, false),
        ("http://127.0.0.1:5000/cb", "127.0.0.1:5000", true, false),
        ("http://[::1]:5000/cb", "[::1]:5000", true, false),
        ("http://localhost:5000", "localhost:5000", true, false),
        ("com.example.app:/cb", "com.example.app", false, true),
        ("com.example.app://host/cb?x=1", "com.example.app", false, true),
    ] {
        let uri = uri(text);
        let found = (uri.host_shown(), uri.is_loopback(), uri.is_custom_scheme());
        assert_eq!(found, (host, is_loopback, is_custom_scheme), "{text}");
        assert_eq!(uri.as_str(), text);
    }
}

#[test]
fn every_other_place_has_its_refusal() {
    for (text, refusal) in [
        ("", BadRedirectUri::Length),
        ("/cb", BadRedirectUri::NotAbsolute),
        ("//app.example/cb", BadRedirectUri::NotAbsolute),
        ("https://app.example/cb#", BadRedirectUri::Fragment),
        ("https://app.example/cb#x", BadRedirectUri::Fragment),
        ("https://user@app.example/cb", BadRedirectUri::Userinfo),
        ("https://@app.example/cb", BadRedirectUri::Userinfo),
        ("https://app.example:x@evil.example/cb", BadRedirectUri::Userinfo),
        ("http://127.0.0.1@evil.example/cb", BadRedirectUri::Userinfo),
        ("https:app.example/cb", BadRedirectUri::Host),
        ("https:/app.example/cb", BadRedirectUri::Host),
        ("https:///app.example/cb", BadRedirectUri::Host),
        ("https://*.example/cb", BadRedirectUri::Host),
        ("https://.example/cb", BadRedirectUri::Host),
        ("https:///", BadRedirectUri::NotAbsolute),
        ("https://app.example\\@evil.example/cb", BadRedirectUri::Characters),
        ("https://app.example/\r\nSet-Cookie:x", BadRedirectUri::Characters),
        ("https://app.example/a b", BadRedirectUri::Characters),
        ("https://app.example/\u{7f}", BadRedirectUri::Characters),
        ("https://b\u{fc}cher.example/cb", BadRedirectUri::Characters),
        ("http://evil", BadRedirectUri::Http),
        ("http://app.example/cb", BadRedirectUri::Http),
        ("http://localhost.evil.example/cb", BadRedirectUri::Http),
        ("http://127.0.0.1.evil.example/cb", BadRedirectUri::Http),
        ("http://127.1/cb", BadRedirectUri::Http),
        ("http://127.0.0.2/cb", BadRedirectUri::Http),
        ("http://LOCALHOST/cb", BadRedirectUri::Http),
        ("http://0.0.0.0/cb", BadRedirectUri::Http),
        ("http://[::ffff:127.0.0.1]/cb", BadRedirectUri::Http),
        ("javascript:alert(1)", BadRedirectUri::Scheme),
        ("JavaScript:alert(1)", BadRedirectUri::Scheme),
        ("data:text/html,x", BadRedirectUri::Scheme),
        ("file:///etc/passwd", BadRedirectUri::Scheme),
        ("about:blank", BadRedirectUri::Scheme),
        ("blob:https://app.example/1", BadRedirectUri::Scheme),
        ("vbscript:x", BadRedirectUri::Scheme),
        ("ftp://app.example/", BadRedirectUri::Scheme),
        ("wss://app.example/", BadRedirectUri::Scheme),
        ("mailto:a@b.example", BadRedirectUri::Scheme),
        ("app:/cb", BadRedirectUri::Scheme),
        ("urn:ietf:wg:oauth:2.0:oob", BadRedirectUri::Scheme),
        ("com.example.app:", BadRedirectUri::Scheme),
        ("com..app:/cb", BadRedirectUri::Scheme),
        ("com.:/cb", BadRedirectUri::Scheme),
    ] {
        assert_eq!(RedirectUri::parse(text).unwrap_err(), refusal, "{text}");
    }
    let longest = format!("https://app.example/{}", "x".repeat(BYTES_MAX - 20));
    assert!(RedirectUri::parse(&longest).is_ok());
    assert_eq!(RedirectUri::parse(&(longest + "x")).unwrap_err(), BadRedirectUri::Length);
}

#[test]
fn a_place_is_the_registered_one_byte_for_byte_but_for_a_port_on_this_machine() {
    for (registered, asked, expected) in [
        ("https://app.example/cb", "https://app.example/cb", true),
        ("https://app.example/cb", "https://app.example/cb/", false),
        ("https://app.example/cb", "https://app.example/cb?", false),
        ("https://app.example/cb", "https://APP.example/cb", false),
        ("https://app.example/cb", "https://app.example:443/cb", false),
        ("https://app.example:1/cb", "https://app.example:2/cb", false),
        ("http://127.0.0.1/cb", "http://127.0.0.1:5000/cb", true),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:2/cb", true),
        ("http://127.0.0.1:1/cb?a=1", "http://127.0.0.1:2/cb?a=1", true),
        ("http://127.0.0.1:1/cb?a=1", "http://127.0.0.1:2/cb?a=2", false),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:2/other", false),
        ("http://127.0.0.1:1", "http://127.0.0.1:2", true),
        ("http://127.0.0.1:1", "http://127.0.0.1:2/", false),
        ("http://[::1]/cb", "http://[::1]:5000/cb", true),
        ("http://[::1]/cb", "http://127.0.0.1:5000/cb", false),
        ("http://localhost:1/cb", "http://localhost:2/cb", true),
        ("http://localhost:1/cb", "http://127.0.0.1:1/cb", false),
        ("https://localhost:1/cb", "https://localhost:2/cb", false),
        ("http://localhost:1/cb", "https://localhost:1/cb", false),
        ("com.example.app:/cb", "com.example.app:/cb", true),
        ("com.example.app:/cb", "com.example.app:/other", false),
    ] {
        assert_eq!(uri(registered).matches(&uri(asked)), expected, "{asked} for {registered}");
    }
}

#[test]
fn a_response_keeps_the_query_that_was_registered() {
    for (text, expected) in [
        ("https://app.example/cb", "https://app.example/cb?code=a%26b&state=c+d"),
        ("https://app.example/cb?", "https://app.example/cb?code=a%26b&state=c+d"),
        ("https://app.example/cb?x=1", "https://app.example/cb?x=1&code=a%26b&state=c+d"),
        ("https://app.example/cb?x=1&", "https://app.example/cb?x=1&code=a%26b&state=c+d"),
        ("https://app.example?x=?", "https://app.example?x=?&code=a%26b&state=c+d"),
        ("com.example.app:/cb", "com.example.app:/cb?code=a%26b&state=c+d"),
    ] {
        assert_eq!(uri(text).with_query([("code", "a&b"), ("state", "c d")]), expected);
    }
}
