//! The page that strangers work at, in a real browser.

use lime_tests::{Answer, Gateway, Output, Stub};
use std::path::PathBuf;
use std::process::Command;

#[test]
fn a_browser_gets_through_whatever_it_lacks() {
    let origin = Stub::start(|request| {
        let target = request.target.replace('&', "&amp;").replace('<', "&lt;");
        let page = format!("<!doctype html><h1>from the site</h1><p>{target}</p>");
        Answer::Reply(200, vec![("Content-Type".into(), "text/html".into())], page.into())
    });
    let gateway = Gateway::start(|url, _| {
        format!(
            "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n\
             [policy.work]\nrequire = \"cleared\"\nchallenge = {{ wait = \"1s\" }}\n\
             [policy.few]\nrequire = \"cleared\"\nchallenge = {{ requests = 2 }}\n\
             [policy.scripts]\nrequire = \"cleared\"\nchallenge = {{ wait = \"off\" }}\n\
             [[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\npolicy = \"work\"\nopen = [\"/open/*\"]\n\
             contact = \"help@site.example\"\n\
             [[site.route]]\npath = \"/few/*\"\npolicy = \"few\"\n\
             [[site.route]]\npath = \"/scripts/*\"\npolicy = \"scripts\"\n",
            origin.url
        )
    });
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/node/browser.mjs");
    let mut node = Command::new("node");
    node.arg(script).env("LIME_URL", &gateway.url);
    let output = Output::of(node);
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
}
