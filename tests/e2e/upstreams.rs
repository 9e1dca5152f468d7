//! Where a site really is: several targets, one of them down, slow or unwell; TLS and HTTP/2 to them.

use std::collections::HashSet;

use lime_tests::{Answer, Certificate, Gateway, Nginx, Stub, free_port, until};
use tempfile::TempDir;

fn gateway(origin: &str) -> Gateway {
    Gateway::start(|url, _| format!("[[site]]\nurl = \"{url}\"\n{origin}\n"))
}

#[test]
fn targets_take_turns_and_one_that_is_down_costs_no_request() {
    let (one, two) = (Stub::saying("one"), Stub::saying("two"));
    let nobody = free_port();
    let gateway = gateway(&format!(
        "origin = {{ targets = [\"{}\", \"http://127.0.0.1:{nobody}\", \"{}\"], eject = {{ after = 2, period = \"1m\" }} }}",
        one.url, two.url
    ));
    let answers: Vec<String> = (0..12)
        .map(|_| gateway.get("/").send())
        .inspect(|reply| assert_eq!(reply.status, 200))
        .map(|reply| reply.text())
        .collect();
    assert_eq!(answers.iter().collect::<HashSet<_>>().len(), 2, "{answers:?}");
    // The third is left out by now, and said to be.
    assert_eq!(gateway.counted("lime_gateway_upstream_healthy"), 2);
}

#[test]
fn a_target_that_says_it_is_not_well_is_left_out_until_it_is() {
    let well = Stub::saying("well");
    let sick = Stub::start(|request| match request.target.as_str() {
        "/healthz" => Answer::Reply(503, Vec::new(), Vec::new()),
        _ => Answer::Reply(200, Vec::new(), b"sick".to_vec()),
    });
    let gateway = gateway(&format!(
        "origin = {{ targets = [\"{}\", \"{}\"], health = {{ path = \"/healthz\", every = \"100ms\", unhealthy_after = 2 }} }}",
        well.url, sick.url
    ));
    until("it is left out", || gateway.counted("lime_gateway_upstream_healthy") == 1);
    for _ in 0..8 {
        assert_eq!(gateway.get("/").send().text(), "well");
    }
    let asked = sick.received().into_iter().find(|request| request.target == "/healthz").unwrap();
    assert_eq!(asked.header("host"), gateway.url.strip_prefix("http://"));
}

#[test]
fn with_every_target_down_the_answer_is_a_502_with_a_reason() {
    let (one, two) = (free_port(), free_port());
    let gateway = gateway(&format!("origin = [\"http://127.0.0.1:{one}\", \"http://127.0.0.1:{two}\"]"));
    for _ in 0..20 {
        let reply = gateway.get("/").send();
        assert_eq!((reply.status, reply.reason().as_str()), (502, "upstream_refused"));
    }
}

#[test]
fn what_may_have_been_done_is_not_done_twice() {
    let origin = Stub::start(|_| Answer::Raw(Vec::new()));
    let gateway = gateway(&format!("origin = {{ targets = \"{}\", read_timeout = \"300ms\" }}", origin.url));
    let reply = lime_tests::http::request("POST", &format!("{}/", gateway.url)).body("pay").send();
    assert_eq!((reply.status, reply.reason().as_str()), (504, "upstream_timeout"));
    assert_eq!(origin.received().len(), 1);
}

#[test]
fn tls_and_http_2_are_spoken_to_an_origin_that_is_who_it_says() {
    let folder = TempDir::new().unwrap();
    let certificate = Certificate::make(folder.path(), &["shop.internal"]);
    let nginx = Nginx::with_tls(&certificate.chain, &certificate.key);
    let ca = certificate.chain.display();
    for (tls, http2, expected) in [
        (format!("{{ ca = \"{ca}\", server_name = \"shop.internal\" }}"), false, Some("HTTP/1.1")),
        (format!("{{ ca = \"{ca}\", server_name = \"shop.internal\" }}"), true, Some("HTTP/2.0")),
        ("{ verify = false }".to_owned(), false, Some("HTTP/1.1")),
        (format!("{{ ca = \"{ca}\", server_name = \"other.internal\" }}"), false, None),
        (format!("{{ ca = \"{ca}\" }}"), false, None),
        ("{ server_name = \"shop.internal\" }".to_owned(), false, None),
    ] {
        let gateway = gateway(&format!("origin = {{ targets = \"{}\", tls = {tls}, http2 = {http2} }}", nginx.url));
        let reply = gateway.get("/protocol").send();
        match expected {
            Some(protocol) => assert_eq!((reply.status, reply.text().trim()), (200, protocol), "{tls}"),
            None => assert_eq!(reply.status, 502, "{tls}"),
        }
    }
}

#[test]
fn a_target_is_asked_itself_how_it_is_whatever_name_its_certificate_has() {
    let folder = TempDir::new().unwrap();
    let certificate = Certificate::make(folder.path(), &["shop.internal"]);
    let nginx = Nginx::with_tls(&certificate.chain, &certificate.key);
    let (tls, url) =
        (format!("{{ ca = \"{}\", server_name = \"shop.internal\" }}", certificate.chain.display()), &nginx.url);
    let health = "{ path = \"/protocol\", every = \"100ms\", unhealthy_after = 1, healthy_after = 1 }";
    let gateway = gateway(&format!("origin = {{ targets = \"{url}\", tls = {tls}, health = {health} }}"));
    nginx.has_seen("/protocol", 3);
    assert_eq!(gateway.counted("lime_gateway_upstream_healthy"), 1, "{}", gateway.process.said());
}
