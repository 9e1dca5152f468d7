//! Several issuers at one site, and those that are not ours.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::{IssuerKind, Limit, LimitPer, TrustedIssuer};
use passport::Algorithm;
use serde_json::{Value, json};

use super::*;

const OTHER: &str = "https://kc.example/realms/shop";

/// An OAuth issuer that signs with Ed25519.
struct Foreign(Ed25519KeyPair);

impl Foreign {
    fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    fn view(&self, kid: &str) -> IssuerView {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref());
        let jwks = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x, "use": "sig" }] });
        let keys = KeySet::from_jwks_of(jwks.to_string().as_bytes(), &[Algorithm::EdDsa]).unwrap();
        IssuerView { keys, ..Stage::new(site()).view.unwrap() }
    }

    fn sign(&self, kid: &str, typ: &str, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({ "alg": "EdDSA", "kid": kid, "typ": typ })), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes()));
        format!("Bearer {signed}.{signature}")
    }
}

fn oauth_claims() -> Value {
    json!({ "iss": OTHER, "aud": ["https://shop.example.com"], "sub": "client-7", "scope": "read",
            "iat": ago(10).as_secs(), "exp": NOW.plus(seconds(300)).as_secs() })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = oauth_claims();
    claims[name] = value;
    claims
}

fn oauth(audience: Option<&str>) -> Arc<TrustedIssuer> {
    Arc::new(TrustedIssuer {
        kind: IssuerKind::OAuth { audience: audience.map(Box::from) },
        algorithms: vec![Algorithm::EdDsa],
        typ: vec!["at+jwt".into(), "jwt".into()],
        leeway: TrustedIssuer::OAUTH_LEEWAY,
        ..TrustedIssuer::clone(&lime(OTHER))
    })
}

/// A site of two issuers, ours first.
fn stage_of_two(foreign: &Foreign, kid: &str, audience: Option<&str>) -> Stage {
    let mut stage = Stage::new(Site { issuers: vec![lime(ISSUER), oauth(audience)], ..site() });
    stage.others = vec![foreign.view(kid)];
    stage
}

#[test]
fn a_token_of_either_issuer_opens_and_tells_whose_it_is() {
    let foreign = Foreign::new();
    let stage = stage_of_two(&foreign, "ed", None);
    for typ in ["at+jwt", "application/at+jwt", "JWT"] {
        let token = foreign.sign("ed", typ, &oauth_claims());
        let played = stage.check("/agents/", &[("authorization", &token)], "allow passport");
        assert_eq!(lines(&played.at_origin, "lime-agent-id"), ["client-7"]);
        assert_eq!(lines(&played.at_origin, "lime-owner-level"), ["0"]);
        assert_eq!(played.outcome.decision.identity.as_ref().unwrap().issuer, 1);
        assert!(!played.at_origin.contains_key("authorization"));
    }
    let played = stage.check("/agents/", &[("authorization", &bearer(&token()))], "allow passport");
    assert_eq!(played.outcome.decision.identity.as_ref().unwrap().issuer, 0);
}

#[test]
fn a_key_of_one_issuer_signs_nothing_for_the_other() {
    let foreign = Foreign::new();
    let refused = |fault: &str| format!("deny 401 invalid_token ({fault}) unknown");
    // Under a name of its own, and under that of our issuer's key.
    let theirs = stage_of_two(&foreign, "ed", None);
    let as_ours = with("iss", json!(ISSUER));
    theirs.check("/", &[("authorization", &foreign.sign("ed", "at+jwt", &as_ours))], &refused("unknown_key"));
    let ours = KEY.kid().as_str();
    let same_name = stage_of_two(&foreign, ours, None);
    same_name.check("/", &[("authorization", &foreign.sign(ours, "at+jwt", &as_ours))], &refused("algorithm"));
    let token = AccessToken { iss: OTHER.into(), ..claims() };
    let token = bearer(&KEY.sign(&token).unwrap());
    // For another audience it would be the site's own; so it is.
    let played = same_name.check("/", &[("authorization", &token)], "allow unknown");
    assert_eq!(lines(&played.at_origin, "authorization"), [token]);
}

#[test]
fn a_token_of_an_oauth_issuer_for_somebody_else_is_the_sites() {
    let foreign = Foreign::new();
    for (audience, aud) in [
        (None, json!("https://other.example.com")),
        (None, json!("https://shop.example.com/")),
        (None, json!(["HTTPS://shop.example.com"])),
        (None, json!([])),
        (Some("shop-api"), json!("https://shop.example.com")),
    ] {
        let stage = stage_of_two(&foreign, "ed", audience);
        let token = foreign.sign("ed", "at+jwt", &with("aud", aud));
        let played = stage.check("/", &[("authorization", &token)], "allow unknown");
        assert_eq!(lines(&played.at_origin, "authorization"), [&*token]);
        stage.check("/agents/", &[("authorization", &token)], "deny 401 passport_required unknown");
    }
    let stage = stage_of_two(&foreign, "ed", Some("shop-api"));
    let token = foreign.sign("ed", "at+jwt", &with("aud", json!(["x", "shop-api"])));
    stage.check("/agents/", &[("authorization", &token)], "allow passport");
}

#[test]
fn each_issuer_has_its_own_leeway_and_types() {
    let foreign = Foreign::new();
    let stage = stage_of_two(&foreign, "ed", None);
    let ended = |count| foreign.sign("ed", "at+jwt", &with("exp", json!(ago(count).as_secs())));
    let expired = "deny 401 invalid_token (expired) unknown";
    let mut late = with("iat", json!(ago(600).as_secs()));
    late["exp"] = json!(ago(29).as_secs());
    stage.check("/agents/", &[("authorization", &foreign.sign("ed", "at+jwt", &late))], "allow passport");
    late["exp"] = json!(ago(30).as_secs());
    stage.check("/agents/", &[("authorization", &foreign.sign("ed", "at+jwt", &late))], expired);
    let inverted = "deny 401 invalid_token (lifetime) unknown";
    stage.check("/agents/", &[("authorization", &ended(11))], inverted);
    let id_token = foreign.sign("ed", "id+jwt", &oauth_claims());
    stage.check("/agents/", &[("authorization", &id_token)], "deny 401 invalid_token (type) unknown");
}

#[test]
fn a_host_that_the_site_also_has_is_as_good_in_a_token() {
    let also = vec!["www.shop.example.com".parse().unwrap(), "*.shop.example.net".parse().unwrap()];
    let stage = Stage::new(Site { also, ..site() });
    let token = |domain: &str| bearer(&KEY.sign(&AccessToken { domain: domain.into(), ..claims() }).unwrap());
    for domain in ["shop.example.com", "www.shop.example.com", "a.shop.example.net", "a.b.shop.example.net"] {
        stage.check("/agents/", &[("authorization", &token(domain))], "allow passport");
    }
    for domain in ["shop.example.net", "evilshop.example.net", "a.shop.example.com", "shop.example.com."] {
        let refused = "deny 401 invalid_token (recipient) unknown";
        stage.check("/agents/", &[("authorization", &token(domain))], refused);
    }
}

#[test]
fn a_refusal_offers_each_issuer_in_its_own_way() {
    let stage = stage_of_two(&Foreign::new(), "ed", Some("shop-api"));
    let played = stage.check("/agents/", &[], "deny 401 passport_required unknown");
    let document: Value = serde_json::from_slice(&reply(&played.outcome).body).unwrap();
    let ways = document["ways_in"].as_array().unwrap();
    assert_eq!(ways[0]["way"], "token");
    assert_eq!(ways[1], json!({ "way": "oauth", "issuer": OTHER, "resource": "shop-api" }));
    assert_eq!(ways[2]["way"], "login");
}

#[test]
fn agents_of_two_issuers_are_two_agents_whatever_they_are_called() {
    let foreign = Foreign::new();
    let stage = stage_of_two(&foreign, "ed", None);
    let token = foreign.sign("ed", "at+jwt", &with("sub", json!("agent-1")));
    let session = stage.seal(&session());
    let sent = [("authorization", &*token), ("cookie", &format!("__Host-lime={session}"))];
    stage.check("/agents/", &sent, "deny 400 credential_ambiguous unknown");
}

#[test]
fn agents_of_two_issuers_that_are_called_the_same_do_not_share_a_limit() {
    let foreign = Foreign::new();
    let mut stage = stage_of_two(&foreign, "ed", None);
    stage.site.limits = vec![Limit { per: LimitPer::Agent, rate: "1/h".parse().unwrap(), burst: 1 }];
    let namesake = foreign.sign("ed", "at+jwt", &with("sub", json!("agent-1")));
    for sent in [namesake, bearer(&token())] {
        stage.check("/agents/", &[("authorization", &sent)], "allow passport");
        stage.check("/agents/", &[("authorization", &sent)], "deny 429 rate_limited passport");
    }
}

#[test]
fn while_one_issuer_is_heard_a_stranger_may_still_get_in() {
    let mut stage = stage_of_two(&Foreign::new(), "ed", None);
    stage.lose_contact();
    stage.check("/agents/", &[], "deny 401 passport_required unknown");
    stage.others[0].contact = Contact::Lost;
    stage.check("/agents/", &[], "error 503 issuer_unavailable unknown");
}
