use super::*;
use crate::stage::{applied, headers, lines, site};

#[test]
fn new_edits_already_strip_what_only_the_gateway_may_say() {
    let sent = headers(&[("lime-agent-id", "admin"), ("x_lime_owner", "x"), ("accept", "*/*"), ("lime", "1")]);
    let after = applied(&sent, Edits::new().request(&sent));
    assert_eq!(after, headers(&[("accept", "*/*"), ("lime", "1"), ("lime-agent-trust", "unknown")]));
}

#[track_caller]
fn check_reserved(name: &str, expected: bool) {
    assert_eq!(is_reserved(&HeaderName::try_from(name).unwrap()), expected, "{name}");
}

#[test]
fn a_name_is_reserved_by_rule_in_every_mixture() {
    for name in
        ["lime-agent-id", "Lime_Agent_Id", "LIME-x", "lime-", "lime_", "x-lime-a", "X_Lime-a", "x-lime_", "x_lime-"]
    {
        check_reserved(name, true);
    }
    for name in ["lime", "limes-a", "x-lime", "x-limelight", "xlime-a", "x--lime-a", "y-lime-a", "my-lime-agent-id"] {
        check_reserved(name, false);
    }
}

#[track_caller]
fn check_private(origin: &[&str], expected: &str) {
    let sent: Vec<_> = origin.iter().map(|line| ("cache-control", *line)).collect();
    assert_eq!(kept_private(&headers(&sent)), expected, "{origin:?}");
}

#[test]
fn a_private_response_keeps_what_else_the_origin_asked() {
    check_private(&[], "private");
    check_private(&["private"], "private");
    check_private(&["public, max-age=60"], "private, max-age=60");
    check_private(&["Public,MAX-AGE=60,", " s-maxage=9"], "private, MAX-AGE=60, s-maxage=9");
    check_private(&["no-store", "must-revalidate"], "private, no-store, must-revalidate");
    check_private(&["private=\"set-cookie, x-a\", max-age=5"], "private");
    check_private(&["no-cache=\"x-a\", public, s-maxage=9", "max-age=5"], "private, max-age=5");
    check_private(&["max-age=5\u{e9}"], "private");
}

#[test]
fn cookies_of_the_origin_are_left_alone_unless_one_is_ours() {
    let mut edits = Edits::new();
    edits.keep_ours(&site(), &mut Shown::default());
    let harmless = headers(&[("set-cookie", "a=1"), ("set-cookie", "lime=theirs")]);
    assert_eq!(edits.response(&harmless).count(), 0);
    let ours =
        headers(&[("set-cookie", "__Host-lime=x"), ("set-cookie", "b=2; Path=/"), ("set-cookie", "=__Host-lime=y")]);
    assert_eq!(lines(&applied(&ours, edits.response(&ours)), "set-cookie"), ["b=2; Path=/"]);
}
