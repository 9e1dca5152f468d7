//! What the issuer takes and what it turns away, byte by byte.

use std::time::Duration;

use lime_tests::http::{self, Reply, raw};
use lime_tests::{Agent, Issuer, IssuerSetup, Registered, forge, rounds};
use serde_json::{Value, json};

struct Case {
    issuer: Issuer,
    site: Registered,
    agent: Agent,
}

fn case() -> Case {
    let issuer = Issuer::start();
    let owner = issuer.owner();
    let site = issuer.site(&owner, "https://shop.lime.test");
    let agent = issuer.agent(&owner, &[&site.id]);
    Case { issuer, site, agent }
}

/// Every answer of the issuer that is not a standard's own is in the envelope.
#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", reply.text());
    assert_eq!(reply.json()["ok"], false);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(!reply.json()["error"]["message"].as_str().unwrap().is_empty());
}

#[test]
fn a_body_that_is_not_the_object_asked_for_is_refused_and_nothing_is_lost() {
    let Case { issuer, site, agent } = case();
    let id = issuer.open_login(&site);
    let approve = |body: &[u8]| {
        let path = format!("{}/modules/agent-login/requests/{id}/approve", issuer.api_base);
        http::request("POST", &path).header("X-Agent-Token", &agent.token).body(body).send()
    };
    for body in [
        &b"{"[..],
        b"",
        b"null",
        b"[]",
        b"\"36\"",
        b"{\"pow_nonce\":36}",
        b"{\"pow_nonce\":\"36\"} x",
        b"{\"pow_nonce\":\"36\",\"pow_nonce\":\"37\"}",
        b"\xff\xfe{}",
        b"{\"pow_nonce\":\"\xff\"}",
        b"pow_nonce=36",
    ] {
        refused(&approve(body), 400, "VALIDATION_ERROR");
    }
    let nested = [b"{\"a\":".repeat(4000), b"1".to_vec(), b"}".repeat(4000)].concat();
    assert!([400, 413].contains(&approve(&nested).status));
    refused(
        &approve(&[b"{\"a\":\"".to_vec(), vec![b'x'; 17 * 1024], b"\"}".to_vec()].concat()),
        413,
        "VALIDATION_ERROR",
    );
    assert_eq!(issuer.challenge(&id).data["status"], "PENDING");
    assert_eq!(issuer.log_in(&id, &agent).status, 200);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let Case { issuer, site, .. } = case();
    let address = issuer.url.strip_prefix("http://").unwrap().parse().unwrap();
    let head = format!(
        "POST /api/v1/modules/agent-login/requests HTTP/1.1\r\nHost: x\r\nX-Site-Token: {}\r\nContent-Length: 20\r\n\r\n{{",
        site.token
    );
    refused(&raw(address, head.as_bytes()).unwrap(), 408, "VALIDATION_ERROR");
}

#[test]
fn a_path_leads_to_one_place_or_to_none() {
    let Case { issuer, site, agent } = case();
    let id = issuer.open_login(&site);
    for path in [
        format!("/auth/requests/{id}/../{id}"),
        format!("/auth/requests/..%2frequests%2f{id}"),
        format!("/auth//requests/{id}"),
        format!("/auth/requests/{id}/"),
        "/auth/requests/../../core/agents/me/profile".to_owned(),
        "/auth/requests/%2e%2e".to_owned(),
        "/auth/requests/%00".to_owned(),
        "/auth/requests/%ff".to_owned(),
        "/auth/requests/".to_owned(),
        format!("/auth/requests/{}", "a".repeat(500)),
        format!("/auth/requests/{}", id.to_uppercase() + "x"),
        "/nothing".to_owned(),
    ] {
        let reply = issuer.get(&path).header("X-Agent-Token", &agent.token).send();
        assert_eq!(reply.status, 404, "{path}: {}", reply.text());
        assert!(["SITE_LOGIN_REQUEST_NOT_FOUND", "NOT_FOUND"].contains(&reply.code().as_str()), "{path}");
    }
    for (method, path) in [("DELETE", format!("/auth/requests/{id}")), ("GET", "/modules/oauth/token".to_owned())] {
        refused(&http::request(method, &format!("{}{path}", issuer.api_base)).send(), 405, "METHOD_NOT_ALLOWED");
    }
}

#[test]
fn a_credential_that_comes_twice_counts_not_at_all() {
    let Case { issuer, site, agent } = case();
    let profile = issuer.get("/core/agents/me/profile").header("X-Agent-Token", &agent.token);
    assert_eq!(profile.send().status, 200);
    refused(&profile.header("X-Agent-Token", &agent.token).send(), 401, "INVALID_AGENT_TOKEN");
    let sites = issuer.get("/modules/gateway/sites").header("X-Site-Token", &site.token);
    assert_eq!(sites.send().status, 200);
    refused(&sites.header("X-Site-Token", &site.token).send(), 401, "SITE_TOKEN_INVALID");
}

#[test]
fn a_head_that_is_no_http_or_has_no_end_is_refused() {
    let Case { issuer, .. } = case();
    let address = issuer.url.strip_prefix("http://").unwrap().parse().unwrap();
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    for bytes in [b"nonsense\r\n\r\n".as_slice(), b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00", long.as_bytes()] {
        // Or it is closed without a word.
        if let Ok(reply) = raw(address, bytes) {
            assert!((400..500).contains(&reply.status), "{}", reply.status);
        }
    }
    assert_eq!(issuer.get("/core/.well-known/jwks.json").send().status, 200);
}

#[test]
fn an_id_cannot_be_guessed() {
    let Case { issuer, site, .. } = case();
    let id = issuer.open_login(&site);
    let parts: Vec<&str> = id.split('-').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{id} is no UUIDv4");
}

#[test]
fn the_key_set_is_cacheable_and_says_when_it_has_not_changed() {
    let issuer = Issuer::start();
    let request = issuer.get("/core/.well-known/jwks.json");
    let reply = request.send();
    let keys = reply.json()["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 2, "active and next");
    for key in &keys {
        let members: Vec<&String> = key.as_object().unwrap().keys().collect();
        assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"], "no private member is published");
        assert_eq!((&key["kty"], &key["alg"], &key["use"]), (&json!("RSA"), &json!("RS256"), &json!("sig")));
    }
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    let etag = reply.header("etag").unwrap();
    let again = request.header("If-None-Match", etag).send();
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[test]
fn a_gateway_serves_the_sites_of_its_credential_and_no_other() {
    let Case { issuer, site, agent } = case();
    let owner = issuer.owner();
    let other = issuer.site(&owner, "https://blog.lime.test");
    let foreign = issuer.site(&owner, "https://foreign.lime.test");
    let gateway = issuer.gateway(&owner, &[&site.id, &other.id]);
    let asked = |request: http::Request| request.header("X-Site-Token", &gateway.token).send();
    let mut sites = asked(issuer.get("/modules/gateway/sites")).json()["data"]["sites"].as_array().unwrap().clone();
    sites.sort_by_key(|site| site["origin"].to_string());
    let origins: Vec<&Value> = sites.iter().map(|site| &site["origin"]).collect();
    assert_eq!(origins, ["https://blog.lime.test", "https://shop.lime.test"]);

    let open = |body: Value| asked(issuer.post("/modules/agent-login/requests", &body));
    let opened = open(json!({ "site_id": site.id }));
    assert_eq!(opened.status, 201, "{}", opened.text());
    let id = opened.json()["data"]["login_request_id"].as_str().unwrap().to_owned();
    assert_eq!(issuer.challenge(&id).data["site"]["id"], site.id.as_str());
    for body in [json!({}), json!({ "site_id": foreign.id }), json!({ "site_id": "nonsense" }), json!({ "site_id": 7 })]
    {
        let reply = open(body.clone());
        assert!((400..500).contains(&reply.status), "{body}: {}", reply.text());
    }

    let stream = issuer.get("/modules/gateway/events").header("X-Site-Token", &gateway.token);
    let mut stream = lime_tests::Stream::open(&stream);
    assert_eq!(issuer.log_in(&id, &agent).status, 200);
    let event = stream.next(Duration::from_secs(10), |event| event["type"] == "approved").unwrap();
    assert_eq!((&event["site_id"], &event["login_request_id"]), (&json!(site.id), &json!(id)));
    let claims = forge::claims_of(event["agent_passport_jwt"].as_str().unwrap());
    assert_eq!((&claims["site_id"], &claims["request_id"]), (&json!(site.id), &json!(id)));
}

#[test]
fn a_suspension_is_on_every_gateways_stream_at_once_and_in_the_log_for_good() {
    let Case { mut issuer, site, agent } = case();
    let owner = issuer.owner();
    let gateway = issuer.gateway(&owner, &[&site.id]);
    let ask = |issuer: &Issuer, path: &str| issuer.get(path).header("X-Site-Token", &gateway.token);
    let mut stream = lime_tests::Stream::open(&ask(&issuer, "/modules/gateway/events"));
    let position = stream.next(Duration::from_secs(5), |_| true).unwrap();
    assert_eq!(position["type"], "position");
    issuer.operate(&["agent", "suspend", &agent.id]);
    let row = stream.next(Duration::from_millis(500), |event| event["type"] == "revocation").expect("within 500 ms");
    assert_eq!((&row["kind"], &row["id"], &row["suspended"]), (&json!("agent"), &json!(agent.id), &json!(true)));

    issuer.process.kill();
    issuer.restart();
    let seq = position["seq"].as_u64().unwrap();
    let log = ask(&issuer, &format!("/modules/gateway/revocations?after={seq}")).send().json()["data"].clone();
    assert_eq!(log["revocations"].as_array().unwrap().len(), 1);
    assert_eq!(log["revocations"][0]["id"], agent.id.as_str());
    let all = ask(&issuer, "/modules/gateway/revocations").send().json()["data"].clone();
    assert_eq!(all["seq"], log["seq"]);
    refused(&ask(&issuer, "/modules/gateway/revocations?after=999999").send(), 410, "REVOCATIONS_GONE");
    refused(&ask(&issuer, "/modules/gateway/revocations?after=x").send(), 400, "VALIDATION_ERROR");
}

#[test]
fn the_suspension_that_ends_a_stream_is_told_on_it_first() {
    let Case { issuer, site, .. } = case();
    let ask = issuer.get("/modules/gateway/events").header("X-Site-Token", &site.token);
    let mut streams: Vec<_> = std::iter::repeat_with(|| lime_tests::Stream::open(&ask)).take(32).collect();
    for stream in &mut streams {
        assert!(stream.next(Duration::from_secs(5), |event| event["type"] == "position").is_some());
    }
    issuer.operate(&["site", "suspend", &site.id]);
    for stream in &mut streams {
        let row = stream.next(Duration::from_secs(5), |event| event["type"] == "revocation").expect("the row");
        assert_eq!((&row["kind"], &row["id"]), (&json!("site"), &json!(site.id)));
        assert!(stream.next(Duration::from_secs(5), |_| true).is_none(), "its credential is no longer good");
    }
}

#[test]
fn a_site_cannot_open_logins_without_end() {
    // Ten thousand are too many for every day; what a stranger can open is bounded by the gateway.
    if rounds(1) == 1 {
        return;
    }
    let Case { issuer, site, .. } = case();
    let open = || issuer.post("/modules/agent-login/requests", &json!({})).header("X-Site-Token", &site.token).send();
    let refusal = std::iter::repeat_with(open).take(10_001).find(|reply| reply.status != 201).expect("a refusal");
    refused(&refusal, 429, "RATE_LIMIT_EXCEEDED");
    assert!(refusal.header("retry-after").is_some());
}

#[test]
fn on_postgresql_two_issuers_are_one() {
    let Some(setup) = IssuerSetup::default().on_postgres() else { return };
    let one = setup.start();
    let owner = one.owner();
    let site = one.site(&owner, "https://shop.lime.test");
    let agent = one.agent(&owner, &[&site.id]);
    let other = one.twin();
    let mut streams = [one.events(&site), other.events(&site)];
    let id = one.open_login(&site);
    let nonce = other.challenge(&id).solve();
    assert_eq!(other.approve(&id, &agent, &nonce).send().status, 200);
    assert_eq!(one.approve(&id, &agent, &nonce).send().status, 200, "the same again, at the other");
    let jtis = streams.each_mut().map(|stream| forge::claims_of(&stream.passport(&id))["jti"].clone());
    assert_eq!(jtis[0], jtis[1]);
}
