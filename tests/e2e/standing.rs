//! Suspension: seen at the gateway within a second, by whatever was issued before, over restarts of either side.

use std::time::{Duration, Instant};

use lime_tests::{Answer, Issuer, Stub, holds_for, until};

use crate::scene::{DOMAIN, Scene, refused};

/// From the operator's command to the refusal.
const SEEN_WITHIN: Duration = Duration::from_secs(1);

#[track_caller]
fn refused_within_a_second(scene: &Scene, credentials: &[&str]) {
    let started = Instant::now();
    for credential in credentials {
        lime_tests::within(SEEN_WITHIN, "the suspension is seen", || {
            (scene.protected().bearer(credential).send().status != 200).then_some(())
        });
        refused(&scene.protected().bearer(credential).send(), 401, "invalid_token");
    }
    assert!(started.elapsed() < SEEN_WITHIN, "{:?}", started.elapsed());
}

/// `kind` with this id is suspended and resumed; credentials from before never count again, new ones do.
#[track_caller]
fn check(scene: &Scene, kind: &str, id: &str) {
    let (token, session) = (scene.token(), scene.session());
    for credential in [&token, &session] {
        assert_eq!(scene.protected().bearer(credential).send().status, 200, "cached now");
    }
    scene.issuer.operate(&[kind, "suspend", id]);
    refused_within_a_second(scene, &[&token, &session]);
    assert_eq!(scene.gateway.get("/").send().status, 200, "open paths are open");

    scene.issuer.operate(&[kind, "resume", id]);
    until("a new token counts", || {
        let reply = scene.issuer.try_token(&scene.agent, DOMAIN);
        reply.status == 200
            && scene.protected().bearer(reply.json()["access_token"].as_str().unwrap()).send().status == 200
    });
    for credential in [&token, &session] {
        refused(&scene.protected().bearer(credential).send(), 401, "invalid_token");
    }
    assert_eq!(scene.protected().bearer(&scene.session()).send().status, 200);
}

#[test]
fn a_suspended_agent_is_refused_within_a_second() {
    let origin = Stub::saying("for agents");
    let scene = Scene::new(&origin.url);
    check(&scene, "agent", &scene.agent.id);
}

#[test]
fn an_agent_of_a_suspended_owner_is_refused_within_a_second() {
    let origin = Stub::saying("for agents");
    let mut scene = Scene::new(&origin.url);
    // Another owner than the site's, whose suspension would take the gateway's own credential away too.
    let owner = scene.issuer.owner();
    scene.agent = scene.issuer.agent(&owner, &[&scene.site.id]);
    check(&scene, "owner", &owner);
}

#[test]
fn an_agent_at_a_suspended_site_is_refused_within_a_second() {
    let origin = Stub::saying("for agents");
    let scene = Scene::new(&origin.url);
    let (token, session) = (scene.token(), scene.session());
    for credential in [&token, &session] {
        assert_eq!(scene.protected().bearer(credential).send().status, 200, "cached now");
    }
    scene.issuer.operate(&["site", "suspend", &scene.site.id]);
    refused_within_a_second(&scene, &[&token, &session]);
}

#[test]
fn what_a_revoked_key_has_signed_is_refused_within_a_second() {
    let origin = Stub::saying("for agents");
    let scene = Scene::new(&origin.url);
    let token = scene.token();
    let kid = lime_tests::forge::header_of(&token)["kid"].as_str().unwrap().to_owned();
    assert_eq!(scene.protected().bearer(&token).send().status, 200);
    scene.issuer.operate(&["keys", "rotate", "--now"]);
    until("another key signs", || lime_tests::forge::header_of(&scene.token())["kid"] != kid.as_str());
    scene.issuer.operate(&["keys", "revoke", &kid]);
    refused_within_a_second(&scene, &[&token]);
    until("the new key counts", || scene.protected().bearer(&scene.token()).send().status == 200);
}

#[test]
fn a_suspension_survives_restarts_of_either_side() {
    let origin = Stub::saying("for agents");
    let mut scene = Scene::new(&origin.url);
    let (token, session) = (scene.token(), scene.session());
    scene.issuer.operate(&["agent", "suspend", &scene.agent.id]);
    refused_within_a_second(&scene, &[&token, &session]);
    let still = |scene: &Scene| {
        for credential in [&token, &session] {
            refused(&scene.protected().bearer(credential).send(), 401, "invalid_token");
        }
    };
    scene.issuer.restart();
    still(&scene);
    scene.gateway.restart();
    still(&scene);
    // With nobody to ask: what was known last lies in the state folder.
    scene.issuer.process.kill();
    scene.gateway.restart();
    still(&scene);
}

#[test]
fn a_suspension_while_the_gateway_was_away_is_known_before_it_admits_anyone() {
    let origin = Stub::saying("for agents");
    let mut scene = Scene::new(&origin.url);
    let (token, session) = (scene.token(), scene.session());
    scene.gateway.process.kill();
    scene.issuer.operate(&["agent", "suspend", &scene.agent.id]);
    scene.gateway.restart();
    for credential in [&token, &session] {
        refused(&scene.protected().bearer(credential).send(), 401, "invalid_token");
    }
}

#[test]
fn a_suspension_made_while_the_issuer_was_down_is_seen_when_it_is_back() {
    let origin = Stub::saying("for agents");
    let mut scene = Scene::new(&origin.url);
    let (token, session) = (scene.token(), scene.session());
    scene.issuer.process.kill();
    scene.issuer.operate(&["agent", "suspend", &scene.agent.id]);
    assert_eq!(scene.protected().bearer(&token).send().status, 200, "nobody could tell yet");
    scene.issuer.restart();
    for credential in [&token, &session] {
        until("the suspension is seen", || scene.protected().bearer(credential).send().status == 401);
    }
}

#[test]
fn an_open_stream_of_a_suspended_agent_is_closed() {
    // An event stream that begins and does not end.
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let begun = format!("{head}e\r\ndata: {{\"n\":1}}\n\r\n");
    let origin = Stub::start(move |_| Answer::Raw(begun.clone().into_bytes()));
    let scene = Scene::new(&origin.url);
    let other = scene.issuer.agent(&scene.owner, &[&scene.site.id]);
    let open = |credential: &str| lime_tests::Stream::open(&scene.protected().bearer(credential));
    let mut streams = [open(&scene.token()), open(&scene.session())];
    let mut bystander = open(&scene.issuer.token(&other, DOMAIN));
    for stream in streams.iter_mut().chain([&mut bystander]) {
        assert!(stream.next(Duration::from_secs(5), |event| event["n"] == 1).is_some());
    }
    scene.issuer.operate(&["agent", "suspend", &scene.agent.id]);
    let started = Instant::now();
    for stream in &mut streams {
        assert!(stream.next(Duration::from_secs(30), |_| true).is_none());
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(bystander.is_open(Duration::from_millis(300)), "of another agent");
}

#[test]
fn an_operator_who_prefers_certainty_gets_it() {
    let origin = Stub::saying("for agents");
    let mut scene = Scene::with(Issuer::start(), &origin.url, "revocation_max_stale = \"20s\"\n");
    let (token, session) = (scene.token(), scene.session());
    holds_for(Duration::from_secs(3), "known while the issuer is there", || {
        scene.protected().bearer(&token).send().status == 200
    });
    scene.issuer.process.kill();
    for credential in [&token, &session] {
        until("too long without a word", || scene.protected().bearer(credential).send().status == 503);
        refused(&scene.protected().bearer(credential).send(), 503, "issuer_unavailable");
    }
    assert_eq!(scene.gateway.get("/").send().status, 200);
    scene.issuer.restart();
    until("word again", || scene.protected().bearer(&token).send().status == 200);
}
