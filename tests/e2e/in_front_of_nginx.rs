//! A gateway in front of a site that was not changed: people notice nothing, agents are let in, and the site is told.

use lime_tests::http::{self, Reply};
use lime_tests::{Gateway, Nginx};

use crate::scene::{Scene, refused};

/// Every header the site sent, and its answer, arrived.
#[track_caller]
fn same(direct: &Reply, through: &Reply) {
    assert_eq!((direct.status, &direct.body), (through.status, &through.body));
    for (name, value) in &direct.headers {
        if !["date", "connection", "keep-alive", "transfer-encoding"].contains(&name.as_str()) {
            assert_eq!(through.header(name), Some(value.as_str()), "{name}");
        }
    }
}

#[test]
fn people_see_the_site_as_it_is() {
    let nginx = Nginx::start();
    let scene = Scene::new(&nginx.url);
    let etag = http::get(&nginx.url).send().header("etag").unwrap().to_owned();
    let none = [("X-Nothing", "")];
    for (method, path, header) in [
        ("GET", "/", none[0]),
        ("HEAD", "/", none[0]),
        ("GET", "/index.html?a=1&b=%20", none[0]),
        ("GET", "/", ("If-None-Match", etag.as_str())),
        ("GET", "/", ("Range", "bytes=4-8")),
        ("GET", "/", ("Accept", "text/html")),
        ("GET", "/", ("Authorization", "Bearer something-of-the-sites-own")),
        ("GET", "/nothing", none[0]),
        ("GET", "//index.html", none[0]),
        ("DELETE", "/", none[0]),
        ("GET", "/private/note.txt", none[0]),
        ("GET", "/private/note.txt", ("Authorization", Nginx::BASIC)),
        ("GET", "/private/note.txt", ("Authorization", "Basic d3Jvbmc6d3Jvbmc=")),
    ] {
        let ask = |base: &str| http::request(method, &format!("{base}{path}")).header(header.0, header.1).send();
        same(&ask(&nginx.url), &ask(&scene.gateway.url));
    }
    // Once from us, once through the gateway.
    nginx.has_seen("\"Bearer something-of-the-sites-own\"", 2);
}

#[test]
fn an_agent_is_let_in_and_the_site_is_told_who_it_is() {
    let nginx = Nginx::start();
    let scene = Scene::new(&nginx.url);
    refused(&scene.protected().send(), 401, "passport_required");
    assert!(!nginx.access_log().contains("/agents/"), "the site was not asked");
    for request in [
        scene.protected().bearer(&scene.token()),
        scene.protected().bearer(&scene.session()),
        scene.protected().header("Cookie", format!("lime={}", scene.session())),
        scene.protected().header("Lime-Authorization", format!("Bearer {}", scene.token())),
    ] {
        let page = request.send();
        assert_eq!((page.status, page.text().as_str()), (200, "for agents\n"), "{request:?}");
        assert_eq!(page.header("cache-control"), Some("private"));
    }
    nginx.has_seen(&format!("\"-\" \"{}\" \"passport\"", scene.agent.id), 4);
}

#[test]
fn the_sites_own_basic_auth_and_a_passport_stand_side_by_side() {
    let nginx = Nginx::start();
    let scene = Scene::new(&nginx.url);
    let page = scene
        .gateway
        .get("/private/note.txt")
        .header("Authorization", Nginx::BASIC)
        .header("Lime-Authorization", format!("Bearer {}", scene.token()))
        .send();
    assert_eq!((page.status, page.text().as_str()), (200, "for alice\n"));
    let told = format!("\"{}\" \"{}\" \"passport\"", Nginx::BASIC, scene.agent.id);
    nginx.has_seen(&told, 1);
    // A token where the site wants its own: ours is taken away, and the site says what it says to everybody.
    let page = scene.gateway.get("/private/note.txt").bearer(&scene.token()).send();
    assert_eq!(page.status, 401);
    assert!(page.header("www-authenticate").unwrap().starts_with("Basic"), "the site's own 401 passes through");
}

#[test]
fn a_gateway_that_only_observes_refuses_nobody_and_says_whom_it_would() {
    let nginx = Nginx::start();
    let issuer = lime_tests::Issuer::start();
    let owner = issuer.owner();
    let mut site = None;
    let gateway = Gateway::start(|url, _| {
        site = Some(issuer.site(&owner, url));
        let (issuer, origin) = (&issuer.url, &nginx.url);
        format!("[[site]]\nurl = \"{url}\"\norigin = \"{origin}\"\nissuer = \"{issuer}\"\nprotect = [\"/agents/*\"]\n")
    });
    let agent = issuer.agent(&owner, &[&site.unwrap().id]);
    let token = issuer.token(&agent, "127.0.0.1");
    let bad = lime_tests::forge::with_claim(&token, "sub", serde_json::json!("somebody else"));
    for (credential, decision, reason) in
        [("", "would_deny", "passport_required"), (&bad, "would_deny", "invalid_token"), (&token, "allow", "")]
    {
        let mut request = gateway.get("/agents/list.txt");
        if !credential.is_empty() {
            request = request.bearer(credential);
        }
        let page = request.send();
        assert_eq!((page.status, page.text().as_str()), (200, "for agents\n"));
        let line = gateway.process.json(std::time::Duration::from_secs(10), |line| line["msg"] == "request").unwrap();
        assert_eq!(line["decision"], decision, "{line}");
        assert_eq!(line["reason"].as_str().unwrap_or_default(), reason, "{line}");
        assert_eq!(line["agent_id"].as_str(), (decision == "allow").then_some(agent.id.as_str()), "{line}");
    }
    nginx.has_seen("\"unknown\"", 2);
    let seen = nginx.access_log();
    assert!(!seen.contains("Bearer"), "ours goes to no site, good or bad: {seen}");
}

#[test]
fn a_site_that_is_down_is_named_to_its_operator_and_not_to_the_world() {
    let port = lime_tests::free_port();
    let scene = Scene::new(&format!("http://127.0.0.1:{port}"));
    let page = scene.gateway.get("/").send();
    refused(&page, 502, "upstream_refused");
    assert!(!page.text().contains(&port.to_string()), "{}", page.text());
    let words = format!("origin refused at 127.0.0.1:{port}: is the site running? (");
    lime_tests::until("the log says what to do", || scene.gateway.process.said().contains(&words));
}
