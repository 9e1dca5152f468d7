//! Several nodes, other secrets, and passports beside work.

use std::fs;

use lime_tests::{Gateway, Stub, lime, until};

use super::{BITS, asked, post, refused};
use crate::scene::Scene;

/// A gateway of a fleet that shares a secret.
fn node(origin: &Stub, secret: &str) -> Gateway {
    Gateway::start(|url, folder| {
        fs::write(folder.join("secret"), secret).unwrap();
        format!(
            "[server]\nreplicas = 2\nsecret = {{ file = \"secret\" }}\n[policy.people]\nrequire = \"cleared\"\n\
             challenge = {{ bits = {BITS} }}\n[[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\n\
             policy = \"people\"\n",
            origin.url
        )
    })
}

#[test]
fn nodes_that_share_a_secret_take_what_the_other_set_and_gave() {
    let origin = Stub::saying("x");
    let secret = "0123456789abcdef0123456789abcdef";
    let (one, two) = (node(&origin, secret), node(&origin, secret));
    let reply = post(&one, &asked(&one.get("/a").send()).solved()).send();
    let clearance = format!("PoW clearance=\"{}\"", reply.header("lime-clearance").unwrap());
    assert_eq!(two.get("/a").header("Authorization", &clearance).send().status, 200);
    // What was set before the other began, as clocks go, may have been spent.
    let mut solved = String::new();
    until("what is set now counts at the other", || {
        solved = asked(&one.get("/a").send()).solved();
        post(&two, &solved).send().status == 200
    });
    refused(&post(&two, &solved).send(), "solution_refused");
    // A fleet without a store of its own spends once a process, and says so.
    assert_eq!(post(&one, &solved).send().status, 200);
}

#[test]
fn a_secret_is_replaced_and_what_was_earned_is_kept() {
    let origin = Stub::saying("x");
    let (old, new) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210");
    let mut gateway = node(&origin, old);
    let reply = post(&gateway, &asked(&gateway.get("/a").send()).solved()).send();
    let clearance = format!("PoW clearance=\"{}\"", reply.header("lime-clearance").unwrap());
    let file = gateway.file().parent().unwrap().join("secret");
    fs::write(&file, format!("{new}\n{old}\n")).unwrap();
    gateway.restart();
    assert_eq!(gateway.get("/a").header("Authorization", &clearance).send().status, 200);
    fs::write(&file, format!("{new}\n")).unwrap();
    gateway.restart();
    refused(&gateway.get("/a").header("Authorization", &clearance).send(), "clearance_required");
}

#[test]
fn an_agent_with_a_passport_is_asked_for_nothing() {
    let origin = Stub::saying("x");
    let scene = Scene::new(&origin.url);
    let file = scene.gateway.file();
    let text = fs::read_to_string(file).unwrap().replace("protect = [\"/agents/*\"]", "policy = \"cleared\"");
    fs::write(file, text).unwrap();
    assert!(lime(["reload", "-c", file.to_str().unwrap()]).output().unwrap().status.success());
    let token = scene.token();
    assert_eq!(scene.gateway.get("/a").bearer(&token).send().status, 200);
    assert_eq!(origin.last().header("lime-agent-trust"), Some("passport"));
    refused(&scene.gateway.get("/a").send(), "clearance_required");
    // A passport that does not count is refused as one, whatever was worked for beside it.
    let clearance = post(&scene.gateway, &asked(&scene.gateway.get("/a").send()).solved()).send();
    let cookie = clearance.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let reply = scene.gateway.get("/a").header("Cookie", &cookie).bearer(&format!("{token}x")).send();
    assert_eq!((reply.status, reply.reason().as_str()), (401, "invalid_token"));
    let reply = scene.gateway.get("/a").header("Cookie", &cookie).bearer(&token).send();
    assert_eq!((reply.status, origin.last().header("lime-agent-trust")), (200, Some("passport")));
}
