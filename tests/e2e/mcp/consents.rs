//! What an owner allowed: signing in, being asked again, taking it back.

use std::time::Duration;

use lime_tests::http::Reply;
use lime_tests::{until, within};
use serde_json::json;

use super::client::{Client, Tokens, refused};
use super::owner::{Browser, forms, origin};
use super::scene::{PASSWORD, Scene, USER, added};

/// Signs in with a password.
fn sign_in(browser: &mut Browser, scene: &Scene, password: &str) -> Reply {
    sign_in_as(USER, browser, scene, password)
}

fn sign_in_as(user: &str, browser: &mut Browser, scene: &Scene, password: &str) -> Reply {
    let url = format!("{}/console/sign-in", scene.issuer.url);
    let page = browser.get(&url);
    let form = forms(&page.text()).into_iter().find(|form| !form.fields.is_empty()).expect("a form to sign in with");
    let fields = form.filled(None).into_iter().map(|(name, value)| match name.as_str() {
        "password" => (name, password.to_owned()),
        "user" => (name, user.to_owned()),
        _ => (name, value),
    });
    browser.post(&format!("{}{}", origin(&url), form.action), &fields.collect::<Vec<_>>())
}

fn is_signed_in(browser: &mut Browser, scene: &Scene) -> bool {
    let page = browser.get(&format!("{}/console/consents", scene.issuer.url));
    forms(&page.text()).iter().any(|form| form.action.contains("sign-out"))
}

#[test]
fn an_owner_signs_in_and_out() {
    let scene = Scene::new();
    let mut browser = Browser::default();
    assert!(!is_signed_in(&mut browser, &scene));
    sign_in(&mut browser, &scene, "a wrong password");
    assert!(!is_signed_in(&mut browser, &scene));
    sign_in(&mut browser, &scene, PASSWORD);
    assert!(is_signed_in(&mut browser, &scene));
    // What a copy of the cookies is worth afterwards.
    let mut copy = browser.clone();
    let page = browser.get(&format!("{}/console/consents", scene.issuer.url));
    let out = forms(&page.text()).into_iter().find(|form| form.action.contains("sign-out")).expect("a way out");
    browser.post(&format!("{}{}", scene.issuer.url, out.action), &out.filled(None));
    assert!(!is_signed_in(&mut browser, &scene));
    assert!(!is_signed_in(&mut copy, &scene));
}

#[test]
fn an_owner_is_answered_with_pages_whatever_he_sends() {
    let scene = Scene::new();
    let mut browser = Browser::default();
    sign_in(&mut browser, &scene, PASSWORD);
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let (long, twice) = ([field("csrf", &"x".repeat(20_000))], [field("csrf", "a"), field("csrf", "b")]);
    let consent = scene.oauth("consent");
    let console = |path: &str| format!("{}/console/{path}", scene.issuer.url);
    for url in [consent, console("sign-in"), console("sign-out"), console("consents/withdraw")] {
        for (fields, status) in [(&long[..], 413), (&twice[..], 400)] {
            let reply = browser.post(&url, fields);
            let kind = reply.header("content-type").unwrap_or_default().to_owned();
            assert_eq!((reply.status, kind.starts_with("text/html")), (status, true), "{url} {}", reply.text());
        }
    }
}

#[test]
fn no_form_counts_that_another_page_sends() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let mut browser = Browser::default();
    client.authorize_with(&mut browser, &scene, &[]);
    let page = browser.get(&format!("{}/console/consents", scene.issuer.url));
    let own = scene.issuer.url.as_str();
    for form in forms(&page.text()) {
        let (url, filled) = (format!("{own}{}", form.action), form.filled(None));
        let without: Vec<_> = filled.iter().filter(|(name, _)| name != "csrf").cloned().collect();
        for (from, site, fields) in [(own, "same-origin", &without), ("https://evil.example", "cross-site", &filled)] {
            assert_eq!(browser.post_from(from, site, &url, fields).status, 403, "{url} {from}");
        }
    }
    let page = browser.get(&format!("{own}/console/consents"));
    assert!(page.text().contains("A test") && forms(&page.text()).len() == 2, "{}", page.text());

    // Nobody is signed in by somebody else's page, as whoever made that page would have it.
    let mut other = Browser::default();
    let url = format!("{own}/console/sign-in");
    let form = forms(&other.get(&url).text()).remove(0);
    let filled = form.filled(None);
    let without: Vec<_> = filled.iter().filter(|(name, _)| name != "csrf").cloned().collect();
    for (from, site, fields) in [(own, "same-origin", &without), ("https://evil.example", "cross-site", &filled)] {
        assert_eq!(other.post_from(from, site, &url, fields).status, 403, "{from}");
        assert!(!is_signed_in(&mut other, &scene));
    }
    assert_eq!(Browser::default().post(&url, &filled).status, 403, "the form of another browser");
}

#[test]
fn guessing_a_password_locks_the_owner_out_for_a_while() {
    let scene = Scene::new();
    let mut guesser = Browser::default();
    for guess in 0..6 {
        sign_in(&mut guesser, &scene, &format!("guess {guess}"));
    }
    let mut browser = Browser::default();
    sign_in(&mut browser, &scene, PASSWORD);
    assert!(!is_signed_in(&mut browser, &scene), "not even he himself");
}

#[test]
fn a_lock_does_not_tell_who_signs_in_here() {
    let scene = Scene::new();
    let answers = |user: &str| {
        let mut browser = Browser::default();
        let answer = |n: i32| sign_in_as(user, &mut browser, &scene, &format!("guess {n}"));
        let answers = (0..7).map(answer).map(|page| (page.status, page.text().contains("too many tries")));
        answers.collect::<Vec<_>>()
    };
    let known = answers(USER);
    assert_eq!(known[3..6], [(403, false), (429, true), (429, true)], "{known:?}");
    assert_eq!(answers("nobody-of-this-name"), known);
}

#[test]
fn an_owner_is_asked_again_where_any_program_may_listen() {
    let scene = Scene::new();
    let app = "com.example.app:/callback";
    for local in [Client::register(&scene), Client::at(&scene, app, app)] {
        let mut browser = Browser::default();
        for _ in 0..2 {
            let (page, form) = browser.asked(&local.url(&scene, &[]));
            assert!(form.fields.iter().all(|(name, _, _)| name != "remember"), "{}", page.text());
            // Somebody who writes the field himself is not remembered for it.
            let mut fields = form.filled(Some(("decision", "allow")));
            fields.push(("remember".to_owned(), "yes".to_owned()));
            let allowed = browser.post(&format!("{}{}", scene.issuer.url, form.action), &fields);
            assert!(allowed.header("location").unwrap().starts_with(&local.redirect), "{allowed:?}");
        }
        browser.asked(&local.url(&scene, &[]));
    }
}

#[test]
fn a_client_on_the_web_is_remembered_where_the_owner_wants_it() {
    let scene = Scene::new();
    let web = Client::at(&scene, "https://app.example/cb", "https://app.example/cb");
    let mut browser = Browser::default();
    let (_, form) = browser.asked(&web.url(&scene, &[]));
    assert!(form.fields.iter().any(|(name, _, _)| name == "remember"));
    let mut fields = form.filled(Some(("decision", "allow")));
    fields.push(("remember".to_owned(), "yes".to_owned()));
    let allowed = browser.post(&format!("{}{}", scene.issuer.url, form.action), &fields);
    assert!(allowed.header("location").unwrap().starts_with("https://app.example/cb?"));
    let again = browser.get(&web.url(&scene, &[]));
    assert!(again.header("location").unwrap().contains("code="), "{again:?}");
    browser.asked(&web.url(&scene, &[("scope", Some("mcp:read mcp:write"))]));
    browser.asked(&web.url(&scene, &[("prompt", Some("consent"))]));
}

/// Allows what is asked, and not to be asked again.
fn allow_for_good(browser: &mut Browser, scene: &Scene, url: &str) {
    let (_, form) = browser.asked(url);
    let mut fields = form.filled(Some(("decision", "allow")));
    fields.push(("remember".to_owned(), "yes".to_owned()));
    let allowed = browser.post(&format!("{}{}", scene.issuer.url, form.action), &fields);
    assert!(allowed.header("location").unwrap().contains("code="), "{allowed:?}");
}

#[test]
fn a_client_is_remembered_at_the_place_where_it_was_allowed() {
    let scene = Scene::new();
    let places = ["https://app.example/cb", "https://app.example/other"];
    let id = Client::try_register(&scene, &json!({ "redirect_uris": places })).json()["client_id"].clone();
    let at = |place: &str| Client { id: id.as_str().unwrap().to_owned(), redirect: place.to_owned() };
    let mut browser = Browser::default();
    allow_for_good(&mut browser, &scene, &at(places[0]).url(&scene, &[]));
    browser.asked(&at(places[1]).url(&scene, &[]));
    assert!(browser.get(&at(places[0]).url(&scene, &[])).header("location").unwrap().contains("code="));
}

#[test]
fn what_an_owner_allowed_is_what_he_allowed_in_all() {
    let scene = Scene::new();
    let web = Client::at(&scene, "https://app.example/cb", "https://app.example/cb");
    let mut browser = Browser::default();
    let list = |browser: &mut Browser| browser.get(&format!("{}/console/consents", scene.issuer.url)).text();
    allow_for_good(&mut browser, &scene, &web.url(&scene, &[("scope", Some("mcp:read mcp:write"))]));
    let before = list(&mut browser);
    // Looking at less, and allowing less, takes nothing of it back.
    let less = web.url(&scene, &[("scope", Some("mcp:read"))]);
    assert!(browser.get(&less).header("location").unwrap().contains("code="));
    assert_eq!(list(&mut browser), before);
    allow_for_good(&mut browser, &scene, &format!("{less}&prompt=consent"));
    assert!(list(&mut browser).contains("Delete your notes"), "{}", list(&mut browser));
    assert!(browser.get(&web.url(&scene, &[("scope", Some("mcp:write"))])).header("location").is_some());
}

#[test]
fn what_an_owner_takes_back_is_over_within_a_second() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let mut browser = Browser::default();
    let query = client.authorize_with(&mut browser, &scene, &[]);
    let tokens = Tokens::of(&client.redeem(&scene, &query["code"], &[]));
    added(&scene.add(&tokens.access));
    let page = browser.get(&format!("{}/console/consents", scene.issuer.url));
    assert!(page.text().contains("A test") && page.text().contains("Read your notes"), "{}", page.text());
    let withdraw = forms(&page.text()).into_iter().find(|form| !form.action.contains("sign-out")).expect("a way back");
    let button = withdraw.buttons.first().map(|(name, value)| (name.as_str(), value.as_str()));
    let button = button.filter(|(name, _)| !name.is_empty());
    let action = if withdraw.action.is_empty() { "/console/consents" } else { &withdraw.action };
    browser.post(&format!("{}{action}", scene.issuer.url), &withdraw.filled(button));
    within(Duration::from_secs(2), "the token is refused", || (scene.add(&tokens.access).status == 401).then_some(()));
    refused(&client.refresh(&scene, &tokens.refresh, &[]), 400, "invalid_grant");
    let page = browser.get(&format!("{}/console/consents", scene.issuer.url)).text();
    assert!(!page.contains("A test"), "{page}");
}

#[test]
fn the_same_owner_client_and_organisation_are_one_agent_that_can_be_suspended() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let (first, second) = (client.tokens(&scene, "mcp:read"), client.tokens(&scene, "mcp:read"));
    let agent = lime_tests::forge::claims_of(&first.access)["sub"].as_str().unwrap().to_owned();
    assert_eq!(lime_tests::forge::claims_of(&second.access)["sub"], agent.as_str());
    let other = Client::register(&scene).tokens(&scene, "mcp:read");
    assert_ne!(lime_tests::forge::claims_of(&other.access)["sub"], agent.as_str());

    scene.issuer.operate(&["agent", "suspend", &agent]);
    until("the token is refused", || scene.add(&first.access).status == 401);
    refused(&client.refresh(&scene, &first.refresh, &[]), 400, "invalid_grant");
    added(&scene.add(&other.access));
    scene.issuer.operate(&["agent", "resume", &agent]);
    for old in [&first, &second] {
        refused(&client.refresh(&scene, &old.refresh, &[]), 400, "invalid_grant");
    }
    until("the agent acts again, by what is granted anew", || {
        scene.add(&client.tokens(&scene, "mcp:read").access).status == 200
    });
}

#[test]
fn an_owner_who_was_suspended_signs_in_again() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let mut browser = Browser::default();
    sign_in(&mut browser, &scene, PASSWORD);
    let tokens = client.tokens(&scene, "mcp:read");
    for (action, signs_in) in [("suspend", false), ("resume", true)] {
        scene.issuer.operate(&["owner", action, &scene.owner]);
        assert!(!is_signed_in(&mut browser, &scene), "{action}");
        refused(&client.refresh(&scene, &tokens.refresh, &[]), 400, "invalid_grant");
        let mut again = Browser::default();
        sign_in(&mut again, &scene, PASSWORD);
        assert_eq!(is_signed_in(&mut again, &scene), signs_in, "{action}");
    }
}
