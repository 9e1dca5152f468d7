//! The authorization endpoint: who is told of an error, and what an owner is asked (A3-A9, A16).

use lime_tests::http::Reply;
use serde_json::json;

use super::client::{Changes, Client, REDIRECT, STATE, challenge};
use super::owner::{Browser, End, Press, encoded};
use super::scene::Scene;

#[test]
fn a_client_is_told_what_is_wrong_with_its_request() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let (long, elsewhere) = (challenge("x") + "longer", format!("{}/other", scene.resource));
    let fragment = format!("{}#part", scene.resource);
    let table: &[(Changes<'_>, &str)] = &[
        (&[("code_challenge", None), ("code_challenge_method", None)], "invalid_request"),
        (&[("code_challenge_method", None)], "invalid_request"),
        (&[("code_challenge_method", Some("plain"))], "invalid_request"),
        (&[("code_challenge_method", Some("s256"))], "invalid_request"),
        (&[("code_challenge", Some("short"))], "invalid_request"),
        (&[("code_challenge", Some(&long))], "invalid_request"),
        (&[("response_type", None)], "invalid_request|unsupported_response_type"),
        (&[("response_type", Some("token"))], "unsupported_response_type"),
        (&[("response_type", Some("code token"))], "unsupported_response_type"),
        (&[("scope", Some("mcp:everything"))], "invalid_scope"),
        (&[("scope", Some("offline_access"))], "invalid_scope"),
        (&[("scope", Some("mcp:read mcp:everything"))], "invalid_scope"),
        (&[("resource", Some("https://elsewhere.example/mcp"))], "invalid_target"),
        (&[("resource", Some(&elsewhere))], "invalid_target"),
        (&[("resource", Some(&fragment))], "invalid_target"),
        (&[("resource", Some("nonsense"))], "invalid_target"),
        (&[("prompt", Some("none"))], "consent_required"),
        (&[("request", Some("eyJhbGciOiJub25lIn0.e30."))], "invalid_request"),
        (&[("request_uri", Some("https://app.example/request"))], "invalid_request"),
        (&[("response_mode", Some("fragment"))], "invalid_request"),
    ];
    for (changes, error) in table {
        // Whoever is not signed in is sent nowhere: anybody can register a place to be sent to.
        signs_in_first(&client.url(&scene, changes));
        match Browser::default().authorize(&client.url(&scene, changes), Press::Nothing) {
            End::Callback(place, query) => {
                assert_eq!(place, REDIRECT);
                let found = query.get("error").unwrap_or_else(|| panic!("{changes:?} {query:?}"));
                assert!(error.split('|').any(|error| error == found), "{changes:?} {query:?}");
                assert_eq!(query.get("iss"), Some(&scene.issuer.url), "{changes:?}");
                assert_eq!(query.get("state").map(String::as_str), Some(STATE), "{changes:?}");
                assert_eq!(query.get("code"), None);
            }
            End::Page(reply) => panic!("{changes:?} {} {}", reply.status, reply.text()),
        }
    }
}

/// The page on which a stranger signs in.
#[track_caller]
fn signs_in_first(url: &str) -> Reply {
    let page = Browser::default().get(url);
    assert_eq!((page.status, page.header("location")), (200, None), "{}", page.text());
    assert!(page.text().contains("type=\"password\""), "{}", page.text());
    page
}

#[test]
fn a_stranger_learns_whom_he_signs_in_for_and_which_links_lead_nowhere() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    assert!(signs_in_first(&client.url(&scene, &[])).text().contains("A test"));
    // As clients look before they open a browser: one that is forgotten has to register again.
    let gone = [("client_id", Some("nobody"))];
    assert_eq!(Browser::default().get(&client.url(&scene, &gone)).status, 400);
    let (machine, _) = scene.machine();
    for changes in [[("client_id", Some(machine.as_str()))], [("redirect_uri", Some("https://evil.example/cb"))]] {
        assert_eq!(Browser::default().get(&client.url(&scene, &changes)).status, 400, "{changes:?}");
        let mut owner = Browser::default();
        owner.asked(&client.url(&scene, &[]));
        assert_eq!(owner.get(&client.url(&scene, &changes)).status, 400, "{changes:?}");
    }
}

#[test]
fn nobody_is_asked_for_a_site_that_is_suspended() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let mut browser = Browser::default();
    let (_, form) = browser.asked(&client.url(&scene, &[]));
    scene.issuer.operate(&["site", "suspend", &scene.site.id]);
    match browser.authorize(&client.url(&scene, &[]), Press::Allow) {
        End::Callback(_, query) => assert_eq!(query["error"], "invalid_target"),
        End::Page(reply) => panic!("{} {}", reply.status, reply.text()),
    }
    // Nor does a page count that was made before.
    let url = format!("{}{}", scene.issuer.url, form.action);
    let answer = browser.post(&url, &form.filled(Some(("decision", "allow"))));
    assert!(answer.header("location").unwrap().contains("error=invalid_target"), "{answer:?}");
}

#[test]
fn a_parameter_that_comes_twice_is_no_parameter() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    for (name, value) in [("state", "other"), ("scope", "mcp:write"), ("code_challenge", "other")] {
        let url = format!("{}&{}", client.url(&scene, &[]), encoded(&[(name, value)]));
        match Browser::default().authorize(&url, Press::Nothing) {
            End::Callback(place, query) => {
                assert_eq!((place.as_str(), query["error"].as_str()), (REDIRECT, "invalid_request"), "{name}");
            }
            End::Page(reply) => panic!("{name} {} {}", reply.status, reply.text()),
        }
    }
    let url = format!("{}&{}", client.url(&scene, &[]), encoded(&[("resource", &scene.resource)]));
    match Browser::default().authorize(&url, Press::Nothing) {
        End::Callback(_, query) => assert_eq!(query["error"], "invalid_target", "one token is for one resource"),
        End::Page(reply) => panic!("{} {}", reply.status, reply.text()),
    }
    stays(&scene, &format!("{}{}", client.url(&scene, &[]), "&more=x".repeat(70)));
    for (name, value) in [("client_id", "other"), ("redirect_uri", "https://evil.example/")] {
        stays(&scene, &format!("{}&{}", client.url(&scene, &[]), encoded(&[(name, value)])));
    }
}

/// A page that goes nowhere, and names no place that one could be lured to.
#[track_caller]
fn stays(scene: &Scene, url: &str) -> Reply {
    match Browser::default().authorize(url, Press::Allow) {
        End::Page(reply) => {
            assert!((400..500).contains(&reply.status), "{} {}", reply.status, reply.text());
            assert_eq!(reply.header("location"), None);
            assert!(reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{reply:?}");
            assert!(!reply.text().contains("href=\"https://evil.example"), "{}", reply.text());
            reply
        }
        End::Callback(place, query) => panic!("{url} leads to {place} {query:?}, from {}", scene.issuer.url),
    }
}

#[test]
fn an_owner_is_sent_to_no_place_that_a_client_did_not_register() {
    let scene = Scene::new();
    let web = Client::at(&scene, "https://app.example/cb?one=1", "https://app.example/cb?one=1");
    let local = Client::register(&scene);
    let table: &[(&Client, Option<&str>)] = &[
        (&web, Some("https://evil.example/cb")),
        (&web, Some("https://app.example/cb")),
        (&web, Some("https://app.example/cb?one=1&two=2")),
        (&web, Some("https://app.example/cb/?one=1")),
        (&web, Some("https://app.example/CB?one=1")),
        (&web, Some("https://app.example:8443/cb?one=1")),
        (&web, Some("http://app.example/cb?one=1")),
        (&web, Some("https://app.example@evil.example/cb?one=1")),
        (&web, Some("https://app.example.evil.example/cb?one=1")),
        (&web, Some("https://app.example/x/../cb?one=1")),
        (&web, Some("https://app.example/cb?one=1#part")),
        (&web, Some("javascript:alert(1)")),
        (&local, Some("http://127.0.0.1:49200/other")),
        (&local, Some("http://localhost:49200/callback")),
        (&local, Some("http://127.0.0.2:49200/callback")),
        (&local, Some("http://127.0.0.1.evil.example:49200/callback")),
        (&local, Some("http://127.0.0.1:49200@evil.example/callback")),
        (&local, Some("https://127.0.0.1:49200/callback")),
        (&local, Some("//127.0.0.1:49200/callback")),
    ];
    for (client, redirect) in table {
        stays(&scene, &client.url(&scene, &[("redirect_uri", *redirect)]));
    }
    stays(&scene, &local.url(&scene, &[("client_id", Some("nobody"))]));
    stays(&scene, &local.url(&scene, &[("client_id", None)]));
}

#[test]
fn a_program_on_the_owners_computer_may_listen_on_any_port() {
    let scene = Scene::new();
    for (registered, used) in [
        ("http://127.0.0.1/callback", "http://127.0.0.1:50123/callback"),
        ("http://127.0.0.1:8000/callback", "http://127.0.0.1:50124/callback"),
        ("http://[::1]/callback", "http://[::1]:50125/callback"),
    ] {
        let client = Client::at(&scene, registered, used);
        let code = client.code(&scene, "mcp:read");
        assert_eq!(client.redeem(&scene, &code, &[]).status, 200, "{registered}");
    }
}

#[test]
fn a_resource_that_is_not_named_is_the_only_one_there_is() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let query = client.authorize(&scene, &[("resource", None)]);
    let reply = client.redeem(&scene, &query["code"], &[("resource", None)]);
    assert_eq!(reply.status, 200, "{}", reply.text());
    super::scene::added(&scene.add(reply.json()["access_token"].as_str().unwrap()));
}

#[test]
fn an_owner_reads_what_is_asked_of_him() {
    let scene = Scene::new();
    let reply = Client::try_register(&scene, &json!({ "client_name": "Reader <b>&\u{202e}" }));
    let id = reply.json()["client_id"].as_str().unwrap().to_owned();
    let client = Client { id, redirect: REDIRECT.to_owned() };
    let (page, _) = Browser::default().asked(&client.url(&scene, &[("scope", Some("mcp:read mcp:write"))]));
    let text = page.text();
    for words in ["Reader &", "Read your notes", "Delete your notes", "127.0.0.1", "computer"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("<b>&"), "a name is text");
    assert!(!text.contains('\u{202e}'), "and turns no other text around");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    // `no-referrer` would make browsers keep the form's `Origin` to themselves, too.
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));

    // Where the client is on the web, the host it is sent to is named and nothing is said of this computer.
    let web = Client::at(&scene, "https://app.example/cb", "https://app.example/cb");
    let text = Browser::default().asked(&web.url(&scene, &[])).0.text();
    assert!(text.contains("app.example") && !text.contains("on this computer"), "{text}");
}

#[test]
fn nothing_is_granted_by_looking() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let mut browser = Browser::default();
    for _ in 0..3 {
        browser.asked(&client.url(&scene, &[]));
    }
    let consents = browser.get(&format!("{}/console/consents", scene.issuer.url));
    assert_eq!(consents.status, 200);
    assert!(!consents.text().contains("A test"), "{}", consents.text());
}

#[test]
fn a_decision_counts_only_from_the_page_that_asked() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let mut browser = Browser::default();
    let (_, form) = browser.asked(&client.url(&scene, &[]));
    let url = format!("{}{}", scene.issuer.url, form.action);
    let allow = form.filled(Some(("decision", "allow")));
    let without: Vec<_> = allow.iter().filter(|(name, _)| name != "csrf").cloned().collect();
    let mut wrong = without.clone();
    wrong.push(("csrf".to_owned(), "nonsense".to_owned()));
    let (_, other) = Browser::default().asked(&client.url(&scene, &[]));
    // That of another client's page, in the same browser.
    let (_, others) = browser.asked(&Client::register(&scene).url(&scene, &[]));
    let of_another = others.filled(Some(("decision", "allow"))).into_iter().find(|(name, _)| name == "csrf").unwrap();
    let exchanged: Vec<_> = without.iter().cloned().chain([of_another]).collect();
    let own = scene.issuer.url.as_str();
    let attempts = [
        (own, "same-origin", &without),
        (own, "same-origin", &wrong),
        (own, "same-origin", &exchanged),
        ("https://evil.example", "cross-site", &allow),
        (own, "cross-site", &allow),
        ("null", "cross-site", &allow),
        // What another session's page carries.
        (own, "same-origin", &other.filled(Some(("decision", "allow")))),
    ];
    for (from, site, fields) in attempts {
        let reply = browser.post_from(from, site, &url, fields);
        assert_eq!(reply.header("location"), None, "{from} {site} {fields:?}");
        assert!((400..500).contains(&reply.status), "{from} {site}: {}", reply.status);
    }
    let reply = Browser::default().post(&url, &allow);
    assert!(!reply.header("location").unwrap_or_default().contains("code="), "nobody is signed in there");
    assert!(browser.post(&url, &allow).header("location").unwrap().contains("code="));
}

#[test]
fn an_owner_who_says_no_is_believed() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    match Browser::default().authorize(&client.url(&scene, &[]), Press::Deny) {
        End::Callback(place, query) => {
            assert_eq!((place.as_str(), query["error"].as_str()), (REDIRECT, "access_denied"));
            assert_eq!((query["iss"].as_str(), query.get("code")), (scene.issuer.url.as_str(), None));
        }
        End::Page(reply) => panic!("{} {}", reply.status, reply.text()),
    }
}
