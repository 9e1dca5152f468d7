use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::stage::site;

fn text(body: &Bytes) -> &str {
    std::str::from_utf8(body).unwrap()
}

fn escaped(text: &str) -> String {
    text.replace('\'', "&#39;")
}

#[test]
fn the_policy_allows_this_style_and_nothing_else() {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    assert!(CSP.contains(&format!("style-src 'sha256-{hash}';")), "the style changed: its hash is sha256-{hash}");
    assert!(CSP.starts_with("default-src 'none';"));
    for page in [refusal(Some(&site()), Reason::PassportRequired, "01JD"), help(Some(&site()), Accepts::Html).body] {
        assert_eq!(text(&page).matches("<style>").count(), 1);
        assert!(text(&page).contains(&format!("<style>{STYLE}</style>")));
        for loaded in ["<script", "style=", "onclick", "onload", "src=", "<link", "@import", "url("] {
            assert!(!text(&page).contains(loaded), "{loaded}");
        }
    }
}

#[test]
fn a_page_names_the_request_the_contact_and_the_help() {
    let site = Site { contact: Some("agents@example.com".into()), ..site() };
    let page = refusal(Some(&site), Reason::PassportRequired, "01JD");
    for said in [
        "<h1>This path is for identified agents</h1>",
        "shop.example.com",
        "<code>01JD</code>",
        "<a href=\"mailto:agents@example.com\">agents@example.com</a>",
        "<a href=\"https://shop.example.com/.lime/help#passport_required\">",
    ] {
        assert!(text(&page).contains(said), "{said}");
    }
}

#[test]
fn every_reason_has_a_page() {
    for reason in Reason::ALL {
        for site in [Some(site()), None] {
            let page = refusal(site.as_ref(), *reason, "01JD");
            assert!(text(&page).contains(&escaped(reason.title())) && text(&page).ends_with("</html>"), "{reason:?}");
        }
    }
}

#[test]
fn what_others_wrote_is_shown_and_never_obeyed() {
    let hostile = "\"><script>alert('x')</script>&amp;";
    let site = Site { contact: Some(hostile.into()), ..site() };
    for page in [refusal(Some(&site), Reason::PassportRequired, hostile), help(Some(&site), Accepts::Html).body] {
        assert!(!text(&page).contains("<script"), "{}", text(&page));
        assert!(!text(&page).contains("\"><s"), "{}", text(&page));
    }
}

#[track_caller]
fn check_link(contact: &str, expected: Option<&str>) {
    assert_eq!(Contact::of(contact).link.as_deref(), expected, "{contact}");
}

#[test]
fn a_contact_is_a_link_only_where_it_is_safe() {
    check_link("agents@example.com", Some("mailto:agents@example.com"));
    check_link("https://example.com/help", Some("https://example.com/help"));
    check_link("Ask at the desk", None);
    check_link("javascript:alert(1)//@", None);
    check_link("data:text/html,@", None);
    check_link("a@b?bcc=c@d", None);
}

#[test]
fn every_reason_has_its_section_in_the_help() {
    let site = site();
    let (page, markdown) = (help(Some(&site), Accepts::Html).body, help(Some(&site), Accepts::Document).body);
    for reason in Reason::ALL {
        let word = reason.as_str();
        assert_eq!(text(&page).matches(&format!("<section id=\"{word}\">")).count(), 1, "{word}");
        assert_eq!(text(&markdown).matches(&format!("\n### {word}\n")).count(), 1, "{word}");
        assert!(text(&markdown).contains(reason.meaning()) && text(&markdown).contains(reason.remedy()), "{word}");
        let first_words = reason.remedy().split('`').next().unwrap();
        assert!(text(&page).contains(&escaped(first_words)), "{word}");
    }
    assert!(!text(&page).contains('`'));
}

#[test]
fn the_help_says_how_to_get_in_here() {
    let site = site();
    for accepts in [Accepts::Html, Accepts::Document] {
        let reply = help(Some(&site), accepts);
        assert_eq!(reply.status, 200);
        assert!(text(&reply.body).contains("https://id.example.net/api/v1/modules/oauth/token"));
        assert!(text(&reply.body).contains("POST https://shop.example.com/.lime/login"));
    }
    let kind = |reply: &Reply| reply.headers.iter().find(|(name, _)| name == CONTENT_TYPE).unwrap().1.clone();
    assert_eq!(kind(&help(Some(&site), Accepts::Document)), "text/markdown; charset=utf-8");
    assert_eq!(kind(&help(Some(&site), Accepts::Html)), "text/html; charset=utf-8");
    let open = Site { issuers: Vec::new(), login: config::Login::Off, ..site }.with_routes(Vec::new());
    assert!(text(&help(Some(&open), Accepts::Document).body).contains("asks agents for nothing"));
    assert!(text(&help(None, Accepts::Document).body).starts_with("# How agents get in\n"));
}
