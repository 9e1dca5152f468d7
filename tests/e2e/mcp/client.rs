//! A client that does by hand what the protocol has clients do, or something else.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lime_tests::http::{self, Reply};
use lime_tests::records;
use serde_json::{Value, json};

use super::owner::{Browser, End, FORM, Press, encoded, origin};
use super::scene::Scene;

pub(super) const REDIRECT: &str = "http://127.0.0.1:49200/callback";
pub(super) const STATE: &str = "a state with spaces & signs=";

/// Long enough, and of the alphabet of RFC 7636 §4.1.
pub(super) const VERIFIER: &str = "a-verifier_of.this~test-0123456789-0123456789";

/// Parameters that differ from the usual: another value, or none.
pub(super) type Changes<'a> = &'a [(&'a str, Option<&'a str>)];

/// A client of the issuer's.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) redirect: String,
}

/// What a token request gave.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) refresh: String,
}

pub(super) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

impl Client {
    /// A client's wish to be registered (RFC 7591), usual but for what is said.
    pub(super) fn try_register(scene: &Scene, more: &Value) -> Reply {
        let mut metadata = json!({
            "client_name": "A test",
            "redirect_uris": [REDIRECT],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        });
        for (name, value) in more.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        http::post(&scene.oauth("register"), &metadata).send()
    }

    /// Registers a client.
    #[track_caller]
    pub(super) fn register(scene: &Scene) -> Self {
        Self::at(scene, REDIRECT, REDIRECT)
    }

    /// Registers a client that names one place and goes to another.
    #[track_caller]
    pub(super) fn at(scene: &Scene, registered: &str, redirect: &str) -> Self {
        let reply = Self::try_register(scene, &json!({ "redirect_uris": [registered] }));
        assert_eq!(reply.status, 201, "{}", reply.text());
        Self { id: text(&reply.json(), "client_id"), redirect: redirect.to_owned() }
    }

    /// The authorization URL, usual but for some changes.
    pub(super) fn url(&self, scene: &Scene, changes: Changes<'_>) -> String {
        let challenge = challenge(VERIFIER);
        let usual = [
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", &self.redirect),
            ("scope", "mcp:read"),
            ("resource", &scene.resource),
            ("state", STATE),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        format!("{}?{}", scene.oauth("authorize"), encoded(&changed(&usual, changes)))
    }

    /// Lets the owner allow it; the parameters that the client is called back with.
    #[track_caller]
    pub(super) fn authorize(&self, scene: &Scene, changes: Changes<'_>) -> BTreeMap<String, String> {
        self.authorize_with(&mut Browser::default(), scene, changes)
    }

    #[track_caller]
    pub(super) fn authorize_with(
        &self,
        browser: &mut Browser,
        scene: &Scene,
        changes: Changes<'_>,
    ) -> BTreeMap<String, String> {
        match browser.authorize(&self.url(scene, changes), Press::Allow) {
            End::Callback(place, query) => {
                assert_eq!(place, self.redirect);
                assert_eq!(query.get("iss"), Some(&scene.issuer.url), "{query:?}");
                assert_eq!(query.get("state").map(String::as_str), Some(STATE), "{query:?}");
                query
            }
            End::Page(reply) => panic!("{} {}", reply.status, reply.text()),
        }
    }

    /// A code, as the owner allowed it.
    #[track_caller]
    pub(super) fn code(&self, scene: &Scene, scope: &str) -> String {
        let query = self.authorize(scene, &[("scope", Some(scope))]);
        query.get("code").unwrap_or_else(|| panic!("{query:?}")).clone()
    }

    /// Redeems a code, as usual but for some changes.
    pub(super) fn redeem(&self, scene: &Scene, code: &str, changes: Changes<'_>) -> Reply {
        let usual = [
            ("grant_type", "authorization_code"),
            ("client_id", &self.id),
            ("code", code),
            ("redirect_uri", &self.redirect),
            ("code_verifier", VERIFIER),
            ("resource", &scene.resource),
        ];
        self.ask("token", scene, &changed(&usual, changes))
    }

    /// Uses a refresh token, as usual but for some changes.
    pub(super) fn refresh(&self, scene: &Scene, token: &str, changes: Changes<'_>) -> Reply {
        let usual = [
            ("grant_type", "refresh_token"),
            ("client_id", &self.id),
            ("refresh_token", token),
            ("resource", &scene.resource),
        ];
        self.ask("token", scene, &changed(&usual, changes))
    }

    /// Revokes a token (RFC 7009).
    pub(super) fn revoke(&self, scene: &Scene, token: &str) -> Reply {
        self.ask("revoke", scene, &[("client_id", &self.id), ("token", token)])
    }

    /// When it is forgotten unless it is used.
    #[track_caller]
    pub(super) fn expires_at(&self, scene: &Scene) -> String {
        let all = scene.issuer.list(&["client", "list"]);
        text(all.iter().find(|line| line["id"] == *self.id).expect("it is listed"), "expires_at")
    }

    fn ask(&self, path: &str, scene: &Scene, fields: &[(&str, &str)]) -> Reply {
        let request = http::request("POST", &scene.oauth(path)).header("Content-Type", FORM);
        let reply = request.header("Origin", origin(&self.redirect)).body(encoded(fields)).send();
        if let Ok(body) = serde_json::from_slice::<Value>(&reply.body)
            && let Some(token) = body["refresh_token"].as_str()
        {
            records::secret(token);
        }
        reply
    }

    /// Tokens of a scope, from the first page to the last.
    #[track_caller]
    pub(super) fn tokens(&self, scene: &Scene, scope: &str) -> Tokens {
        Tokens::of(&self.redeem(scene, &self.code(scene, scope), &[]))
    }
}

impl Tokens {
    #[track_caller]
    pub(super) fn of(reply: &Reply) -> Self {
        assert_eq!(reply.status, 200, "{}", reply.text());
        let body = reply.json();
        assert_eq!(body["token_type"].as_str().map(str::to_ascii_lowercase).as_deref(), Some("bearer"));
        Self { access: text(&body, "access_token"), refresh: text(&body, "refresh_token") }
    }
}

/// Status and error of a token response that is none.
#[track_caller]
pub(super) fn refused(reply: &Reply, status: u16, error: &str) {
    assert_eq!((reply.status, reply.json()["error"].as_str()), (status, Some(error)), "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.header("content-type").is_some_and(|kind| kind.starts_with("application/json")));
}

fn changed<'a>(usual: &[(&'a str, &'a str)], changes: Changes<'a>) -> Vec<(&'a str, &'a str)> {
    let kept = usual.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name)).copied();
    kept.chain(changes.iter().filter_map(|(name, value)| Some((*name, (*value)?)))).collect()
}

#[track_caller]
fn text(object: &Value, member: &str) -> String {
    object[member].as_str().unwrap_or_else(|| panic!("no {member} in {object}")).to_owned()
}
