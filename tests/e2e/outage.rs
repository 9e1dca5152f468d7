//! The issuer is down: known agents keep working, strangers are told so honestly, open paths are untouched.

use lime_tests::{Stub, forge, until};
use serde_json::json;

use crate::scene::{DOMAIN, Scene, refused};

#[track_caller]
fn as_in_an_outage(scene: &Scene, known: &[&str], bad: &str, strange: &str) {
    for credential in known {
        assert_eq!(scene.protected().bearer(credential).send().status, 200, "a known agent");
    }
    let stranger = scene.protected().send();
    refused(&stranger, 503, "issuer_unavailable");
    assert!(stranger.header("retry-after").is_some());
    refused(&scene.protected().bearer(strange).send(), 503, "issuer_unavailable");
    refused(&scene.protected().bearer(bad).send(), 401, "invalid_token");
    assert_eq!(scene.gateway.get("/").send().status, 200, "an open path");
    assert_eq!(scene.gateway.get("/").bearer(strange).send().status, 200, "an open path");
    assert_eq!(scene.post_login().status, 503);
    assert_eq!(scene.gateway.get("/.lime/help").send().status, 200);
    let health = scene.gateway.health();
    assert_eq!(health["status"], "degraded", "{health}");
}

#[test]
fn an_outage_never_takes_a_shop_down() {
    let origin = Stub::saying("for agents");
    let mut scene = Scene::new(&origin.url);
    let (token, fresh, session) = (scene.token(), scene.token(), scene.session());
    assert_eq!(scene.protected().bearer(&token).send().status, 200);
    let bad = forge::with_claim(&token, "sub", json!("0193a000-0000-7000-8000-000000000001"));
    let strange = forge::with_kid(&token, "strange");
    let known = [token.as_str(), fresh.as_str(), session.as_str()];
    scene.issuer.process.kill();
    until("the loss is noticed", || scene.gateway.health()["status"] == "degraded");
    as_in_an_outage(&scene, &known, &bad, &strange);
    // A restart forgets nothing: keys and revocations lie in the state folder.
    scene.gateway.restart();
    as_in_an_outage(&scene, &known, &bad, &strange);
    scene.issuer.restart();
    until("contact again", || scene.gateway.health()["status"] == "ok");
    refused(&scene.protected().send(), 401, "passport_required");
    refused(&scene.protected().bearer(&strange).send(), 401, "invalid_token");
    assert_eq!(scene.protected().bearer(&scene.token()).send().status, 200);
    assert_eq!(scene.protected().bearer(&session).send().status, 200);
}

#[test]
fn a_gateway_that_never_reached_its_issuer_serves_what_is_open() {
    let origin = Stub::saying("x");
    let nobody = format!("http://127.0.0.1:{}", lime_tests::free_port());
    let gateway = lime_tests::Gateway::start(|url, _| {
        format!(
            "[[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\nprotect = [\"/agents/*\"]\n\
             issuer = \"{nobody}\"\n",
            origin.url
        )
    });
    assert_eq!(gateway.get("/").send().status, 200);
    refused(&gateway.get("/agents/x").send(), 503, "issuer_unavailable");
    let key = forge::key();
    let token = key.sign(&forge::claims(&nobody, DOMAIN)).unwrap();
    refused(&gateway.get("/agents/x").bearer(&token).send(), 503, "issuer_unavailable");
}
