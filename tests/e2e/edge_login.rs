//! Login at the edge: the gateway is the site, for a site that knows nothing of logins.

use std::time::Duration;

use lime_tests::http;
use lime_tests::{Gateway, Issuer, IssuerSetup, Output, Stub, forge, lime, until};
use serde_json::json;

use crate::scene::{Scene, refused};

#[test]
fn a_login_ends_in_a_session_that_its_secret_alone_gives_out() {
    let origin = Stub::saying("for agents");
    let scene = Scene::new(&origin.url);
    let login = scene.open_login();
    assert_eq!(login.opened["api_base"], scene.issuer.api_base.as_str());
    assert!(login.poll.starts_with("/.lime/login/"));
    let pending = scene.poll(&login);
    assert_eq!((pending.status, &pending.json()), (202, &json!({ "status": "pending" })));
    assert!(pending.header("retry-after").is_some());
    for secret in ["", "1.x", &format!("1{}", login.secret), &format!("{}x", login.secret), &scene.open_login().secret]
    {
        refused(&scene.gateway.get(&login.poll).bearer(secret).send(), 401, "login_secret_invalid");
    }
    refused(&scene.gateway.get(&login.poll).send(), 401, "login_secret_invalid");

    assert_eq!(scene.issuer.log_in(&login.id, &scene.agent).status, 200);
    let outcome = scene.outcome(&login);
    assert_eq!(outcome.status, 200, "{}", outcome.text());
    let session = outcome.json()["session"].as_str().unwrap().to_owned();
    assert!(session.starts_with("ls1."));
    let cookie = outcome.header("set-cookie").unwrap();
    assert!(cookie.starts_with(&format!("lime={session}; ")), "{cookie}");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert_eq!(scene.poll(&login).json()["session"], session.as_str(), "an answer that was lost can be had again");
    refused(&scene.gateway.get(&login.poll).bearer("x").send(), 401, "login_secret_invalid");
    assert_eq!(scene.protected().bearer(&session).send().status, 200);
    assert_eq!(origin.last().header("lime-agent-id"), Some(scene.agent.id.as_str()));
    assert!(!format!("{:?}", origin.received()).contains(&session));
    let said = scene.gateway.process.said();
    assert!(!said.contains(&session) && !said.contains(&login.secret), "no log line holds a credential");
}

#[test]
fn a_session_survives_restarts_of_either_side() {
    let origin = Stub::saying("for agents");
    let mut scene = Scene::new(&origin.url);
    let session = scene.session();
    scene.gateway.restart();
    assert_eq!(scene.protected().bearer(&session).send().status, 200);
    scene.issuer.restart();
    scene.gateway.restart();
    assert_eq!(scene.protected().bearer(&session).send().status, 200);
}

#[test]
fn a_login_survives_restarts_of_either_side() {
    let origin = Stub::saying("for agents");
    let mut scene = Scene::new(&origin.url);
    let login = scene.open_login();
    scene.gateway.restart();
    scene.issuer.restart();
    assert_eq!(scene.issuer.log_in(&login.id, &scene.agent).status, 200);
    let outcome = scene.outcome(&login);
    assert_eq!(outcome.status, 200, "{}", outcome.text());
}

#[test]
fn a_session_counts_at_its_site_and_nowhere_else() {
    let (shop, blog) = (Stub::saying("shop"), Stub::saying("blog"));
    let issuer = Issuer::start();
    let owner = issuer.owner();
    let sites = ["shop.lime.test", "blog.lime.test"].map(|host| issuer.site(&owner, &format!("http://{host}")));
    let credential = issuer.gateway(&owner, &[&sites[0].id, &sites[1].id]);
    let agent = issuer.agent(&owner, &[&sites[0].id, &sites[1].id]);
    let gateway = Gateway::start(|_, folder| {
        std::fs::write(folder.join("gateway.token"), &credential.token).unwrap();
        let site = |host: &str, origin: &str| {
            format!(
                "[[site]]\nurl = \"http://{host}\"\norigin = \"{origin}\"\nmode = \"enforce\"\nprotect = [\"/*\"]\n\
                 issuer = \"{}\"\ncredential = {{ file = \"gateway.token\" }}\nlogin = \"edge\"\n",
                issuer.url
            )
        };
        site("shop.lime.test", &shop.url) + &site("blog.lime.test", &blog.url)
    });
    let at = |host: &str, path: &str| gateway.get(path).header("Host", host);
    let opened = http::request("POST", &format!("{}/.lime/login", gateway.url)).header("Host", "shop.lime.test").send();
    assert_eq!(opened.status, 201, "{}", opened.text());
    let (opened, text) = (opened.json(), |value: &serde_json::Value| value.as_str().unwrap().to_owned());
    let (id, poll, secret) = (text(&opened["request_id"]), text(&opened["poll"]), text(&opened["secret"]));
    assert_eq!(issuer.challenge(&id).data["site"]["origin"], "http://shop.lime.test");
    assert_eq!(issuer.log_in(&id, &agent).status, 200);
    refused(&at("blog.lime.test", &poll).bearer(&secret).send(), 401, "login_secret_invalid");
    let session = lime_tests::within(Duration::from_secs(10), "a session", || {
        let reply = at("shop.lime.test", &poll).bearer(&secret).send();
        (reply.status == 200).then(|| text(&reply.json()["session"]))
    });
    assert_eq!(at("shop.lime.test", "/").bearer(&session).send().text(), "shop");
    refused(&at("blog.lime.test", "/").bearer(&session).send(), 401, "invalid_token");
    let token = issuer.token(&agent, "shop.lime.test");
    assert_eq!(at("shop.lime.test", "/").bearer(&token).send().status, 200);
    refused(&at("blog.lime.test", "/").bearer(&token).send(), 401, "invalid_token");
}

#[test]
fn a_session_that_was_altered_or_has_ended_is_refused_everywhere() {
    let origin = Stub::saying("for agents");
    let scene = Scene::with(Issuer::start(), &origin.url, "session_ttl = \"3s\"\n");
    let session = scene.session();
    let mut altered = session.clone().into_bytes();
    let middle = altered.len() / 2;
    altered[middle] = if altered[middle] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).unwrap();
    for bad in [altered.as_str(), "ls1.", "ls1.x.y", &format!("{session}x")] {
        refused(&scene.protected().bearer(bad).send(), 401, "invalid_token");
        refused(&scene.gateway.get("/").bearer(bad).send(), 401, "invalid_token");
        let by_cookie = scene.protected().header("Cookie", format!("a=b; lime={bad}")).send();
        refused(&by_cookie, 401, "invalid_token");
        assert!(by_cookie.header("set-cookie").unwrap().contains("Max-Age=0"), "a bad cookie is taken away");
    }
    until("the session ends", || scene.protected().bearer(&session).send().status == 401);
}

#[test]
fn a_login_nobody_approves_is_over() {
    let origin = Stub::saying("x");
    let issuer = IssuerSetup::default().setting("login_request_ttl = \"2s\"").start();
    let scene = Scene::with(issuer, &origin.url, "");
    let login = scene.open_login();
    refused(&scene.outcome(&login), 410, "login_expired");
}

#[test]
fn nobody_opens_logins_without_end() {
    let origin = Stub::saying("x");
    let scene = Scene::with(Issuer::start(), &origin.url, "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n");
    let from = |client: &str| {
        let request = http::request("POST", &format!("{}/.lime/login", scene.gateway.url));
        request.header("X-Forwarded-For", client).send()
    };
    for number in 0..8 {
        assert_eq!(from(&format!("203.0.113.{number}")).status, 201, "the {number}th");
    }
    let limited = from("203.0.113.99");
    refused(&limited, 429, "login_limited");
    assert!(limited.header("retry-after").is_some());
    assert_eq!(from("198.51.100.1").status, 201, "another network has room");
    for number in 0..8 {
        assert_eq!(from(&format!("2001:db8:0:{number}::1")).status, 201);
    }
    refused(&from("2001:db8:0:ff::1"), 429, "login_limited");
}

#[test]
fn a_site_has_room_for_a_thousand_logins_and_no_more() {
    let origin = Stub::saying("x");
    let scene = Scene::new(&origin.url);
    let refusal = (0..1001).map(|_| scene.post_login()).find(|reply| reply.status != 201).expect("a refusal");
    refused(&refusal, 429, "login_limited");
    assert_eq!(scene.gateway.get("/").send().status, 200);
    assert_eq!(scene.protected().bearer(&scene.token()).send().status, 200);
}

#[test]
fn a_login_that_was_relayed_to_an_agent_of_another_site_is_not_approved() {
    let origin = Stub::saying("x");
    let scene = Scene::new(&origin.url);
    // Whoever visits the shop opens a login there and hands its id to an agent of another site.
    let elsewhere = scene.issuer.site(&scene.owner, "https://blog.lime.test");
    let agent = scene.issuer.agent(&scene.owner, &[&elsewhere.id]);
    let login = scene.open_login();
    let reply = scene.issuer.log_in(&login.id, &agent);
    assert_eq!((reply.status, reply.code().as_str()), (403, "SITE_NOT_ALLOWED"));
    assert_eq!(scene.poll(&login).status, 202, "nobody was logged in");
}

#[test]
fn lime_agent_fetch_goes_every_way_in() {
    let origin = Stub::saying("for agents");
    let scene = Scene::new(&origin.url);
    let fetch = |path: &str| {
        let mut command = lime(["agent", "fetch", &format!("{}{path}", scene.gateway.url)]);
        command.env("LIME_API_BASE", &scene.issuer.api_base).env("LIME_AGENT_TOKEN", &scene.agent.token);
        Output::of(command)
    };
    let fetched = fetch("/agents/list.txt");
    assert_eq!((fetched.code, fetched.stdout.as_str()), (0, "for agents"), "{}", fetched.stderr);
    assert_eq!(origin.last().header("lime-agent-id"), Some(scene.agent.id.as_str()));
    assert_eq!(fetch("/").stdout, "for agents");
}

#[test]
fn where_no_login_is_offered_there_is_none() {
    let origin = Stub::saying("x");
    let gateway = Gateway::start(|url, _| format!("[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n", origin.url));
    refused(&http::request("POST", &format!("{}/.lime/login", gateway.url)).send(), 404, "login_off");
    refused(&gateway.get("/.lime/login/5f1b6e0e-0000-4000-8000-000000000000").send(), 404, "login_off");
    refused(&gateway.get("/.lime/nothing").send(), 404, "not_found");
    refused(&http::request("DELETE", &format!("{}/.lime/help", gateway.url)).send(), 405, "method_not_allowed");
    assert!(origin.received().is_empty(), "what is below /.lime/ goes to no site");
}

#[test]
fn a_passport_for_a_login_that_was_not_opened_here_makes_no_session() {
    let origin = Stub::saying("x");
    let scene = Scene::new(&origin.url);
    // The site opens one itself, with its own token: the passport comes on the gateway's stream too.
    let id = scene.issuer.open_login(&scene.site);
    let mut stream = scene.issuer.events(&scene.site);
    assert_eq!(scene.issuer.log_in(&id, &scene.agent).status, 200);
    let passport = stream.passport(&id);
    let poll = format!("/.lime/login/{id}");
    for secret in [&scene.open_login().secret, &passport, &scene.site.token] {
        refused(&scene.gateway.get(&poll).bearer(secret).send(), 401, "login_secret_invalid");
    }
    // A login passport is no credential at the gateway either.
    refused(&scene.protected().bearer(&passport).send(), 401, "invalid_token");
    assert_eq!(forge::claims_of(&passport)["aud"], "lime-site-login");
}
