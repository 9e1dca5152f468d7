use config::Site;

use super::*;
use crate::stage::{loopback_site, site};

fn document(site: Option<&Site>, reason: Reason, detail: Option<&str>) -> serde_json::Value {
    serde_json::from_slice(&refuse(site, reason, "01JD", Accepts::Document, detail).body).unwrap()
}

fn header(reply: &Reply, name: &str) -> Option<String> {
    let value = reply.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value);
    value.map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn every_refusal_is_a_problem_document_that_nobody_keeps() {
    for reason in Reason::ALL {
        let site = site();
        let reply = refuse(Some(&site), *reason, "01JD", Accepts::Document, None);
        assert_eq!(reply.status, reason.status());
        assert_eq!(header(&reply, "content-type").unwrap(), "application/problem+json");
        assert_eq!(header(&reply, "cache-control").unwrap(), "no-store");
        let document = document(Some(&site), *reason, None);
        assert_eq!(document["status"], reason.status().as_u16());
        assert_eq!(document["reason"], reason.as_str());
        assert_eq!(document["request_id"], "01JD");
        assert_eq!(document["detail"], reason.meaning());
        assert_eq!(document["type"], format!("https://shop.example.com/.lime/help#{}", reason.as_str()));
        let has_ways = reason.status() == 401 && *reason != Reason::LoginSecretInvalid;
        assert_eq!(document.get("ways_in").is_some(), has_ways || *reason == Reason::StrangerDenied);
        assert_eq!(header(&reply, "www-authenticate").is_some(), reason.status() == 401);
        assert_eq!(header(&reply, "retry-after").is_some(), reason.retry_after().is_some());
    }
}

#[test]
fn without_a_site_nothing_is_made_up() {
    let document = document(None, Reason::HostUnknown, None);
    assert_eq!(document["type"], "about:blank");
    assert!(document.get("issuer").is_none() && document.get("ways_in").is_none());
}

#[test]
fn what_is_said_is_said_as_json() {
    let text = "a \"quoted\" <b> \\ \u{7f} line\nbreak";
    assert_eq!(document(Some(&site()), Reason::Internal, Some(text))["detail"], text);
}

#[test]
fn ways_in_are_absolute_and_of_the_sites_own_url() {
    let site = loopback_site();
    let ways = &document(Some(&site), Reason::InvalidToken, None)["ways_in"];
    assert_eq!(ways[0]["body"]["domain"], "localhost");
    assert_eq!(ways[1]["at"], "http://localhost:8080/.lime/login");
    let closed = Site { issuers: Vec::new(), login: Login::Off, ..site };
    assert_eq!(document(Some(&closed), Reason::InvalidToken, None)["ways_in"], serde_json::json!([]));
}

#[test]
fn a_person_gets_a_page_with_the_same_status() {
    let site = site();
    let reply = refuse(Some(&site), Reason::PassportRequired, "01JD", Accepts::Html, None);
    assert_eq!(reply.status, 401);
    assert_eq!(header(&reply, "content-type").unwrap(), "text/html; charset=utf-8");
    assert_eq!(header(&reply, "cache-control").unwrap(), "no-store");
    assert!(header(&reply, "www-authenticate").unwrap().starts_with("Bearer realm="));
}
