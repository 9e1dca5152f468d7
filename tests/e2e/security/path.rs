//! Group P: one policy for all readings of a path, judged on the bytes that are forwarded.

use lime_tests::{Gateway, Wire};

use super::{Shop, check};
use crate::scene::DOMAIN;

/// Sends targets that must not get through without a passport; each is refused as `expected` says.
#[track_caller]
fn refused(shop: &Shop, targets: &[&str], status: u16, reason: &str) {
    for target in targets {
        check(target, &shop.say(&format!("GET {target}"), ""), status, reason);
    }
    assert_eq!(shop.echo.count(), 0, "{:?}", shop.echo.reached());
}

/// Sends targets that are open in every reading; each reaches the origin byte for byte.
#[track_caller]
fn forwarded(shop: &Shop, targets: &[&[u8]]) {
    for target in targets {
        let shown = String::from_utf8_lossy(target);
        let bytes = [b"GET ", *target, b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"].concat();
        let reply = shop.wire().send(&bytes).reply();
        assert_eq!(reply.status, 200, "{shown}: {}", reply.text());
        assert_eq!(String::from_utf8_lossy(shop.echo.last().target()), shown);
    }
}

/// P1: steps out of an open folder into a protected one.
#[test]
fn a_way_round_into_a_protected_folder_is_refused() {
    let around = [
        "/public/../agents/x",
        "/public/%2e%2e/agents/x",
        "/public/.%2e/agents/x",
        "/public/%252e%252e/agents/x",
        "/public/..;/agents/x",
        "/public/..;a=b/agents/x",
        "/public/..%2fagents/x",
        "/public..%2fagents/x",
        "/api../agents/x",
        "/public/..%5cagents/x",
        "/public/x/../../agents/x",
        "/agents/../public/x",
        "/public/%2e%2e%2fagents%2fx",
        "/public;/../agents/x",
        "/./public/../agents",
    ];
    let shop = Shop::new();
    refused(&shop, &around, 400, "path_ambiguous");
    // In observe the site sees what it would have seen without us: its own servers resolve the path.
    let observed = Shop::with("mode = \"observe\"\n");
    refused(&observed, &around, 400, "path_ambiguous");
}

/// P2: encoded separators: refused where they could lead to a protected place, the site's own business elsewhere.
#[test]
fn an_encoded_separator_is_refused_where_it_could_lead_astray() {
    let shop = Shop::new();
    let astray = [
        "/%2fagents/x",
        "/agents%2fx",
        "/agents%5cx",
        "/x%5c..%5cagents%5cx",
        "/agents%3bx",
        "/agents%3b/x",
        "/agents%3fx",
        "/agents%23x",
        "/%25%32%66agents/x",
        "/agents%25%32%66x",
        "/agents%252fx",
        "/%61gents/x",
    ];
    refused(&shop, &astray, 400, "path_ambiguous");
    refused(&shop, &["/a%00b", "/agents/%00", "/a%2500b", "/public/x%00/../agents", "/a\\b"], 400, "path_invalid");
    forwarded(
        &shop,
        &[b"/a%2fb", b"/a%5cb", b"/a%3bb", b"/a%25%32%66b", b"/a%3fb", b"/a%23b", b"/a%2Fb%2fc", b"/a%zzb%2"],
    );
}

/// P3: doubled slashes and dots lead to the same place, and are no authority.
#[test]
fn doubled_slashes_and_dots_hide_nothing() {
    let shop = Shop::new();
    let hidden = [
        "//agents/x",
        "///agents/x",
        "/./agents/x",
        "/././agents/x",
        "/.//agents/x",
        "//evil.test/agents/x",
        "//agents",
        "/agents/..",
    ];
    refused(&shop, &hidden, 400, "path_ambiguous");
    refused(
        &shop,
        &["/agents//x", "/agents/./x", "/agents/.", "/agents//../agents/x/../../agents"],
        401,
        "passport_required",
    );
    forwarded(&shop, &[b"//public//x", b"/./public", b"/public/../x", b"/..", b"//evil.test/public"]);
}

/// P4: query and fragment take no part.
#[test]
fn query_and_fragment_take_no_part() {
    let shop = Shop::new();
    let asked = ["/agents/x?x=/public/", "/agents/x?/../../public", "/agents?", "/agents/x??"];
    refused(&shop, &asked, 401, "passport_required");
    // A client keeps its fragment to itself: whoever sends one hopes for somebody who cuts it off.
    let fragments =
        ["/agents/x#/public", "/agents#/public", "/public#/../agents/x", "/agents/x?#/public", "/#", "/?x#"];
    refused(&shop, &fragments, 400, "path_invalid");
    refused(&shop, &["/agents%23/public"], 400, "path_ambiguous");
    forwarded(&shop, &[b"/public?x=/agents/x", b"/public?/../agents/x", b"/?//agents%2fx", b"/public?x=%00"]);
}

/// P5: other spellings: paths are compared byte for byte, with case, and those bytes are forwarded.
#[test]
fn a_path_is_compared_and_forwarded_byte_for_byte() {
    let shop = Shop::new();
    refused(
        &shop,
        &["/%61gents/x", "/%41gents/../agents/x", "/agent%73/x", "/agents/../AGENTS"],
        400,
        "path_ambiguous",
    );
    forwarded(
        &shop,
        &[
            b"/AGENTS/x",
            b"/Agents",
            // An overlong slash is none: who decodes it as one decodes what no standard has (RFC 3629 §3).
            b"/public%c0%afx",
            b"/caf%c3%a9",
            b"/caf%C3%A9",
            b"/%7euser",
            b"/agentsx",
            b"/x/agents/y",
            b"/a|b\"^{}[]~'()*!$&+,:=@",
        ],
    );
}

/// P5: raw bytes past ASCII are forwarded as they are, or refused; never as others.
#[test]
fn raw_bytes_past_ascii_are_not_rewritten() {
    let shop = Shop::new();
    for path in [&b"/caf\xc3\xa9"[..], b"/caf\xe9", b"/\xc0\xafagents/x", b"/\xff\xfe"] {
        let bytes = [b"GET ", path, b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"].concat();
        let before = shop.echo.count();
        let reply = shop.wire().send(&bytes).reply();
        match reply.status {
            200 => assert_eq!(shop.echo.last().target(), path),
            400 => assert_eq!(shop.echo.count(), before),
            status => panic!("{status} for {path:?}: {}", reply.text()),
        }
    }
}

/// P7: a whole URL as target names the host of `Host` and the path that is judged; no other form is a request.
#[test]
fn a_whole_url_is_judged_as_what_it_names() {
    let shop = Shop::new();
    for (target, status, reason) in [
        ("http://other.test/public", 400, "host_invalid"),
        ("http://other.test/agents/x", 400, "host_invalid"),
        ("http://127.0.0.1@other.test/", 400, "host_invalid"),
        ("http://127.0.0.1/agents/x", 401, "passport_required"),
        ("HTTP://127.0.0.1/agents/x?y", 401, "passport_required"),
        ("http://127.0.0.1/public/../agents/x", 400, "path_ambiguous"),
        ("http://127.0.0.1//agents/x", 400, "path_ambiguous"),
        ("ftp://127.0.0.1/public", 400, "path_invalid"),
        ("127.0.0.1:80", 400, "path_invalid"),
        ("127.0.0.1", 400, "path_invalid"),
        ("public", 400, "path_invalid"),
        ("?x", 400, "path_invalid"),
        ("*", 400, "path_invalid"),
    ] {
        for method in ["GET", "OPTIONS"] {
            check(&format!("{method} {target}"), &shop.say(&format!("{method} {target}"), ""), status, reason);
        }
    }
    assert_eq!(shop.echo.count(), 0);
    for (target, forwarded) in [
        ("http://127.0.0.1/public?q=%2f", "/public?q=%2f"),
        ("http://127.0.0.1/", "/"),
        ("http://127.0.0.1/a%2Fb", "/a%2Fb"),
    ] {
        assert_eq!(shop.say(&format!("GET {target}"), "").status, 200, "{target}");
        assert_eq!(String::from_utf8_lossy(shop.echo.last().target()), forwarded);
        assert_eq!(shop.echo.last().value("host").as_deref(), Some(DOMAIN));
    }
}

/// P1, P3: and with the whole site protected, nothing is open that a path could be dressed up as.
#[test]
fn with_everything_protected_no_path_is_open() {
    let shop = Shop::new();
    let all = Gateway::start(|url, _| {
        format!(
            "[[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\nprotect = [\"/*\"]\nissuer = \"{}\"\n",
            shop.echo.url, shop.issuer.url
        )
    });
    for path in [
        "/",
        "/x",
        "//x",
        "/../x",
        "/%2e%2e/.lime/help",
        "/.lime/../x",
        "/.lime%2fhelp",
        "/.limex",
        "/x;/..;/",
        "/.LIME/help",
    ] {
        let reply = Wire::to(all.address()).send(format!("GET {path} HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n")).reply();
        assert!([400, 401, 404].contains(&reply.status), "{path}: {}", reply.status);
    }
    assert_eq!(shop.echo.count(), 0);
}
