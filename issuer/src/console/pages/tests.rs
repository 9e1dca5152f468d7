use std::time::Duration;

use aws_lc_rs::digest;
use axum::body::to_bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::page::STYLE;
use super::*;
use crate::time::UnixMillis;

const ISSUER: &str = "https://id.example.net";

/// Markup, and marks that turn text round, as a stranger would send them.
const HOSTILE: &str = "\"'><script>alert(1)</script><!--\u{202e}\u{2066}&amp;";

/// What turns the text around it.
const TURNS: [char; 2] = ['\u{202e}', '\u{2066}'];

fn sign_in(notice: Option<SignInNotice>) -> SignIn {
    SignIn {
        issuer: ISSUER.to_owned(),
        next: "/api/v1/modules/oauth/authorize?client_id=a&state=b".to_owned(),
        csrf: "token-1".to_owned(),
        user: String::new(),
        client_name: Some("Notes Helper".to_owned()),
        notice,
    }
}

fn scope(name: &str, description: &str) -> ScopeLine {
    ScopeLine { name: name.to_owned(), description: description.to_owned() }
}

fn consent() -> Consent {
    Consent {
        issuer: ISSUER.to_owned(),
        owner: "Ann Example".to_owned(),
        client_name: "Notes Helper".to_owned(),
        client_id: "https://app.example/client.json".to_owned(),
        naming: Naming::Document { host: "app.example".to_owned() },
        destination: Destination::Web { host: "callback.example".to_owned() },
        organisation: "Acme Ltd".to_owned(),
        site: "Acme Tools".to_owned(),
        resource: "https://tools.example.com/mcp".to_owned(),
        scopes: vec![
            AskedScope { scope: scope("mcp:read", "Read your notes"), is_new: false },
            AskedScope { scope: scope("mcp:write", "Change your notes"), is_new: false },
        ],
        agent: None,
        remember: Remember::Offered,
        carried: vec![("client_id".to_owned(), "a".to_owned()), ("state".to_owned(), "x&y \"z\"".to_owned())],
        csrf: "token-1".to_owned(),
    }
}

fn consents() -> Consents {
    let line = ConsentLine {
        id: "01JD".to_owned(),
        client_name: "Notes Helper".to_owned(),
        client_id: "c_7".to_owned(),
        redirect_host: "app.example".to_owned(),
        resource: "https://tools.example.com/mcp".to_owned(),
        organisation: Some("Acme Ltd".to_owned()),
        scopes: vec![scope("mcp:read", "Read your notes")],
        given_at: UnixMillis::new(1_795_532_400_001),
        is_remembered: true,
    };
    let other = ConsentLine { id: "01JE".to_owned(), is_remembered: false, organisation: None, ..line.clone() };
    Consents {
        issuer: ISSUER.to_owned(),
        owner: "Ann Example".to_owned(),
        consents: vec![line, other],
        csrf: "token-1".to_owned(),
    }
}

fn problem() -> Problem {
    Problem {
        issuer: ISSUER.to_owned(),
        status: StatusCode::BAD_REQUEST,
        title: "This app is not known here".into(),
        text: "Its client_id is not registered.".into(),
        advice: Advice::TellTheApp,
        details: vec![("client_id", "c_7".to_owned())],
    }
}

/// Every page with a stranger's text in every field.
fn hostile() -> Vec<Response> {
    let text = || HOSTILE.to_owned();
    let line = ConsentLine {
        id: text(),
        client_name: text(),
        client_id: text(),
        redirect_host: text(),
        resource: text(),
        organisation: Some(text()),
        scopes: vec![scope(HOSTILE, HOSTILE), scope(HOSTILE, "")],
        given_at: UnixMillis::new(0),
        is_remembered: true,
    };
    let asked = |destination, naming| Consent {
        issuer: text(),
        owner: text(),
        client_name: text(),
        client_id: text(),
        naming,
        destination,
        organisation: text(),
        site: text(),
        resource: text(),
        scopes: vec![AskedScope { scope: scope(HOSTILE, HOSTILE), is_new: true }],
        agent: Some(text()),
        remember: Remember::Offered,
        carried: vec![(text(), text())],
        csrf: text(),
    };
    vec![
        SignIn { issuer: text(), next: text(), csrf: text(), user: text(), client_name: Some(text()), notice: None }
            .into_response(),
        asked(Destination::Web { host: text() }, Naming::Document { host: text() }).into_response(),
        asked(Destination::Loopback { host: text() }, Naming::Declared).into_response(),
        asked(Destination::App { scheme: text() }, Naming::Declared).into_response(),
        Consents { issuer: text(), owner: text(), consents: vec![line], csrf: text() }.into_response(),
        Problem {
            issuer: text(),
            title: text().into(),
            text: text().into(),
            details: vec![("client_id", text())],
            ..problem()
        }
        .into_response(),
    ]
}

fn every_page() -> Vec<Response> {
    let notices = [
        SignInNotice::Wrong,
        SignInNotice::Locked(Duration::from_secs(60)),
        SignInNotice::Stale,
        SignInNotice::Ended,
        SignInNotice::SignedOut,
    ];
    let mut pages: Vec<_> = notices.into_iter().map(|notice| sign_in(Some(notice)).into_response()).collect();
    pages.push(sign_in(None).into_response());
    pages.push(consent().into_response());
    pages.push(consents().into_response());
    pages.push(Consents { consents: Vec::new(), ..consents() }.into_response());
    for advice in [Advice::TellTheApp, Advice::StartAgain, Advice::ComeBack] {
        pages.push(Problem { advice, ..problem() }.into_response());
    }
    pages.push(Problem::forged(ISSUER.to_owned()).into_response());
    pages.push(Problem::session_ended(ISSUER.to_owned()).into_response());
    pages
}

async fn read(page: impl IntoResponse) -> (StatusCode, HeaderMap, String) {
    let (head, body) = page.into_response().into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    (head.status, head.headers, String::from_utf8(bytes.to_vec()).unwrap())
}

async fn text(page: impl IntoResponse) -> String {
    read(page).await.2
}

/// The page without its style.
fn written(page: &str) -> &str {
    page.split_once("</style>").unwrap().1
}

#[track_caller]
fn says(page: &str, words: &[&str]) {
    for words in words {
        assert!(page.contains(words), "{words:?} is not in {page}");
    }
}

#[track_caller]
fn says_nothing_of(page: &str, words: &[&str]) {
    for words in words {
        assert!(!written(page).contains(words), "{words:?} is in {page}");
    }
}

#[tokio::test]
async fn every_page_is_locked_down() {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    let style = format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; frame-ancestors 'none'");
    for page in every_page() {
        let (_, headers, text) = read(page).await;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with(&style), "the style changed: its hash is sha256-{hash}");
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
        assert_eq!(text.matches("<style>").count(), 1);
        assert!(text.contains(&format!("<style>{STYLE}</style>")));
        assert!(text.starts_with("<!doctype html>\n<html lang=\"en\">") && text.ends_with("</html>"), "{text}");
        assert_eq!(text.matches("<h1>").count(), 1);
        for loaded in ["<script", "style=", "onclick", "onload", "src=", "<link", "@import", "url(", "http-equiv"] {
            assert!(!text.contains(loaded), "{loaded}");
        }
    }
}

#[tokio::test]
async fn only_what_leads_to_an_app_leaves_the_way_to_it_open() {
    let here = || SignIn { next: "/console/consents".to_owned(), ..sign_in(None) };
    let far = |next: &str| SignIn { next: next.to_owned(), ..sign_in(None) };
    for (page, forms, opener) in [
        (sign_in(None).into_response(), None, None),
        (far("/console").into_response(), None, None),
        (consent().into_response(), None, None),
        (here().into_response(), Some("'self'"), Some("same-origin")),
        (consents().into_response(), Some("'self'"), Some("same-origin")),
        (problem().into_response(), Some("'none'"), Some("same-origin")),
    ] {
        let headers = read(page).await.1;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert_eq!(policy.split_once("; form-action ").map(|(_, sources)| sources), forms);
        assert_eq!(headers.get("cross-origin-opener-policy").map(|value| value.to_str().unwrap()), opener);
    }
}

#[tokio::test]
async fn what_others_wrote_is_shown_and_never_obeyed() {
    for page in hostile() {
        let page = text(page).await;
        says_nothing_of(&page, &["<script", "\"'", "'>", "<!--"]);
        says(&page, &["&#60;script&#62;alert(1)", "&#38;amp;"]);
        // What a field holds goes back as it came.
        let turned = written(&page).lines().find(|line| line.contains(TURNS) && !line.starts_with("<input "));
        assert_eq!(turned, None);
    }
}

#[tokio::test]
async fn the_form_to_sign_in_has_its_fields() {
    let page = text(sign_in(None)).await;
    says(
        &page,
        &[
            "<title>Sign in &middot; id.example.net</title>",
            "<form method=\"post\" action=\"/console/sign-in\">",
            "name=\"next\" value=\"/api/v1/modules/oauth/authorize?client_id=a&#38;state=b\"",
            "name=\"csrf\" value=\"token-1\"",
            "<label for=\"user\">",
            "id=\"user\" name=\"user\" value=\"\" autocomplete=\"username\"",
            "<label for=\"password\">",
            "name=\"password\" type=\"password\" autocomplete=\"current-password\"",
            "<bdi>Notes Helper</bdi>",
        ],
    );
    says_nothing_of(&page, &["aria-invalid", "role="]);
    let page = text(SignIn { user: "ann".to_owned(), client_name: None, ..sign_in(None) }).await;
    says(&page, &["name=\"user\" value=\"ann\"", "autocomplete=\"current-password\" required autofocus"]);
    says_nothing_of(&page, &["you go on to"]);
}

#[tokio::test]
async fn a_failed_sign_in_says_so_beside_its_fields() {
    let (status, _, page) = read(sign_in(Some(SignInNotice::Wrong))).await;
    assert_eq!(status, 403);
    says(&page, &["<title>Error: Sign in", "id=\"problem\" role=\"alert\""]);
    assert_eq!(page.matches("aria-invalid=\"true\" aria-describedby=\"problem\"").count(), 2);
    let (status, headers, page) = read(sign_in(Some(SignInNotice::Locked(Duration::from_secs(90))))).await;
    assert_eq!((status, &headers["retry-after"]), (StatusCode::TOO_MANY_REQUESTS, &"90".parse().unwrap()));
    says(&page, &["Try again in 2 minutes."]);
    for (notice, expected) in [(SignInNotice::Stale, 403), (SignInNotice::Ended, 200), (SignInNotice::SignedOut, 200)] {
        assert_eq!(read(sign_in(Some(notice))).await.0, expected, "{notice:?}");
    }
}

#[tokio::test]
async fn a_consent_names_all_that_matters() {
    says(
        &text(consent()).await,
        &[
            "<title>Allow Notes Helper? &middot; id.example.net</title>",
            "<h1>Allow <bdi>Notes Helper</bdi> to act for you at <bdi>Acme Tools</bdi>?</h1>",
            "Identified by <b><bdi>app.example</bdi></b>",
            "<p class=\"place\"><bdi>callback.example</bdi></p>",
            "<bdi>Read your notes</bdi> <code><bdi>mcp:read</bdi></code>",
            "<bdi>Change your notes</bdi> <code><bdi>mcp:write</bdi></code>",
            "<bdi>Acme Ltd</bdi>",
            "<bdi>https://tools.example.com/mcp</bdi>",
            "<bdi>https://app.example/client.json</bdi>",
            "<bdi>Ann Example</bdi>",
            "a new agent of yours",
            "<a href=\"/console/consents\">",
        ],
    );
}

#[tokio::test]
async fn the_form_of_a_consent_carries_everything_and_refuses_by_default() {
    let page = text(consent()).await;
    says(
        &page,
        &[
            "<form method=\"post\" action=\"/api/v1/modules/oauth/consent\">",
            "<input type=\"hidden\" name=\"client_id\" value=\"a\">",
            "<input type=\"hidden\" name=\"state\" value=\"x&#38;y &#34;z&#34;\">",
            "<input type=\"hidden\" name=\"csrf\" value=\"token-1\">",
            "<input type=\"checkbox\" name=\"remember\" value=\"yes\">",
        ],
    );
    let button = |decision| page.find(&format!("name=\"decision\" value=\"{decision}\"")).unwrap();
    assert!(button("deny") < button("allow"), "what Enter presses");
    // A page that leads here with `#name` must not find a button to lay the focus on.
    assert!(!written(&page).replace("id=\"w\"", "").contains(" id="), "{page}");
    says_nothing_of(&text(Consent { remember: Remember::Never, ..consent() }).await, &["remember", "checkbox"]);
}

#[tokio::test]
async fn a_name_that_nobody_checked_is_called_that() {
    let page = text(Consent { naming: Naming::Declared, ..consent() }).await;
    says(&page, &["Nobody has checked who made it."]);
    says_nothing_of(&page, &["Identified by"]);
}

#[tokio::test]
async fn whoever_waits_on_the_own_device_is_warned_of() {
    let page = text(Consent { destination: Destination::Loopback { host: "127.0.0.1:1234".to_owned() }, ..consent() });
    says(&page.await, &["an app on this computer", "<bdi>127.0.0.1:1234</bdi>", "Only go on if you have just started"]);
    let page = text(Consent { destination: Destination::App { scheme: "com.example.app".to_owned() }, ..consent() });
    says(&page.await, &["an app on this device", "<bdi>com.example.app:</bdi>", "Only go on if you have just started"]);
    says_nothing_of(&text(consent()).await, &["Only go on"]);
}

#[tokio::test]
async fn what_is_new_is_marked_among_what_was_allowed_before() {
    says_nothing_of(&text(consent()).await, &["class=\"new\"", "before"]);
    let mut more = Consent { agent: Some("01JDAGENT".to_owned()), ..consent() };
    more.scopes[1].is_new = true;
    let page = text(more).await;
    says(&page, &["<bdi>mcp:write</bdi></code> <strong class=\"new\">new</strong>", "<bdi>01JDAGENT</bdi>"]);
    assert_eq!(page.matches("<strong class=\"new\">").count(), 1);
}

#[tokio::test]
async fn a_permission_without_words_is_named() {
    let scopes = vec![AskedScope { scope: scope("mcp:all", ""), is_new: false }];
    says(&text(Consent { scopes, ..consent() }).await, &["<li><code><bdi>mcp:all</bdi></code></li>"]);
    says(&text(Consent { scopes: Vec::new(), ..consent() }).await, &["and nothing more"]);
}

#[tokio::test]
async fn each_consent_can_be_withdrawn() {
    let page = text(consents()).await;
    says(
        &page,
        &[
            "<h2><bdi>Notes Helper</bdi> at <bdi>Acme Ltd</bdi></h2>",
            "<h2><bdi>Notes Helper</bdi></h2>",
            "<time datetime=\"2026-11-24T15:00:00.001Z\">2026-11-24</time>",
            "<dd>no, unless it wants more</dd>",
            "<dd>yes, each time</dd>",
            "<input type=\"hidden\" name=\"id\" value=\"01JD\">",
            "<input type=\"hidden\" name=\"id\" value=\"01JE\">",
            "<form class=\"out\" method=\"post\" action=\"/console/sign-out\">",
        ],
    );
    assert_eq!(page.matches("<form method=\"post\" action=\"/console/consents/withdraw\">").count(), 2);
    assert_eq!(page.matches("name=\"csrf\" value=\"token-1\"").count(), 3);
}

#[tokio::test]
async fn an_owner_without_consents_can_still_sign_out() {
    let page = text(Consents { consents: Vec::new(), ..consents() }).await;
    says(&page, &["No app acts for you.", "action=\"/console/sign-out\""]);
    says_nothing_of(&page, &["withdraw"]);
}

#[tokio::test]
async fn a_problem_says_what_to_do() {
    let (status, _, page) = read(problem()).await;
    assert_eq!(status, 400);
    says(&page, &["<h1>This app is not known here</h1>", "Nothing was given to the app.", "<dd><bdi>c_7</bdi></dd>"]);
    for problem in [Problem::forged(ISSUER.to_owned()), Problem::session_ended(ISSUER.to_owned())] {
        let (status, _, page) = read(problem).await;
        assert_eq!(status, 403);
        says(&page, &["Nothing was done.", "start again"]);
        says_nothing_of(&page, &["<dl>"]);
    }
}
