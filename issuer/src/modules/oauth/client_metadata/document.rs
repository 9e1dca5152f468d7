//! What a client document says.

use std::sync::Arc;

use passport::{ClientKeys, strict_object};
use serde_json::{Map, Value};

use super::location::Location;
use super::refusal::DocumentRefusal;
use crate::modules::oauth::client_name::ClientName;
use crate::modules::oauth::members::present;
use crate::modules::oauth::redirect_uri::RedirectUri;

/// Redirect URIs of one client: the largest documents seen have a dozen.
const REDIRECT_URIS_MAX: usize = 32;

/// A client that is known by its document. Its logo is nothing we would show: it could be anybody's.
#[derive(Clone, Debug)]
pub(crate) struct ClientDocument {
    /// The URL of the document, byte for byte.
    pub(crate) client_id: String,
    pub(crate) name: ClientName,
    pub(crate) redirect_uris: Vec<RedirectUri>,
    pub(crate) auth: DocumentAuth,
}

/// How a client of a document says who it is at the token endpoint.
#[derive(Clone, Debug)]
pub(crate) enum DocumentAuth {
    /// It does not: a public client.
    None,
    /// With an assertion that it signs (RFC 7523 §2.2).
    PrivateKeyJwt(DocumentKeys),
}

/// Where the keys of a client are.
#[derive(Clone, Debug)]
pub(crate) enum DocumentKeys {
    Inline(Arc<ClientKeys>),
    At(Location),
}

impl ClientDocument {
    /// Reads the document of the client that is called after its place.
    pub(super) fn parse(location: &Location, text: &[u8]) -> Result<Self, DocumentRefusal> {
        let members: Map<String, Value> = strict_object(text).map_err(|_| DocumentRefusal::NotJson)?;
        if required(&members, "client_id")?.as_str() != Some(location.as_str()) {
            return Err(DocumentRefusal::OtherClient);
        }
        for secret in ["client_secret", "client_secret_expires_at"] {
            if members.contains_key(secret) {
                return Err(DocumentRefusal::Secret(secret));
            }
        }
        let name = required(&members, "client_name")?.as_str().and_then(ClientName::of);
        Ok(Self {
            client_id: location.as_str().to_owned(),
            name: name.ok_or(DocumentRefusal::Invalid("client_name"))?,
            redirect_uris: redirect_uris(required(&members, "redirect_uris")?)?,
            auth: auth(&members)?,
        })
    }
}

/// Reads a key set that a document names, or holds.
pub(super) fn keys(text: &[u8]) -> Result<ClientKeys, DocumentRefusal> {
    let members: Map<String, Value> = strict_object(text).map_err(|_| DocumentRefusal::NotJson)?;
    let keys = members.get("keys").and_then(Value::as_array).ok_or(DocumentRefusal::Keys)?;
    if keys.iter().filter_map(Value::as_object).any(passport::is_private_jwk) {
        return Err(DocumentRefusal::Secret("jwks"));
    }
    ClientKeys::from_jwks(text).map_err(|_| DocumentRefusal::Keys)
}

fn required<'m>(members: &'m Map<String, Value>, name: &'static str) -> Result<&'m Value, DocumentRefusal> {
    present(members, name).ok_or(DocumentRefusal::Missing(name))
}

fn redirect_uris(value: &Value) -> Result<Vec<RedirectUri>, DocumentRefusal> {
    const INVALID: DocumentRefusal = DocumentRefusal::Invalid("redirect_uris");
    let uris = value.as_array().filter(|uris| (1..=REDIRECT_URIS_MAX).contains(&uris.len())).ok_or(INVALID)?;
    let parsed = |uri: &Value| RedirectUri::parse(uri.as_str().ok_or(INVALID)?).map_err(DocumentRefusal::RedirectUri);
    uris.iter().map(parsed).collect()
}

fn auth(members: &Map<String, Value>) -> Result<DocumentAuth, DocumentRefusal> {
    let Some(method) = present(members, "token_endpoint_auth_method") else { return Ok(DocumentAuth::None) };
    match method.as_str() {
        Some("none") => Ok(DocumentAuth::None),
        Some("private_key_jwt") => match (present(members, "jwks"), present(members, "jwks_uri")) {
            (Some(jwks), None) => {
                let keys = keys(jwks.to_string().as_bytes())?;
                Ok(DocumentAuth::PrivateKeyJwt(DocumentKeys::Inline(Arc::new(keys))))
            }
            (None, Some(at)) => {
                let at = at.as_str().and_then(|at| Location::parse(at).ok());
                let at = at.ok_or(DocumentRefusal::Invalid("jwks_uri"))?;
                Ok(DocumentAuth::PrivateKeyJwt(DocumentKeys::At(at)))
            }
            (None, None) => Err(DocumentRefusal::Missing("jwks_uri")),
            // RFC 7591 §2: never both.
            (Some(_), Some(_)) => Err(DocumentRefusal::Invalid("jwks_uri")),
        },
        Some(_) | None => Err(DocumentRefusal::AuthMethod),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "https://app.example/client.json";

    fn document() -> Value {
        json!({ "client_id": ID, "client_name": "Notes", "redirect_uris": ["http://127.0.0.1/cb"] })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut document = document();
        document[name] = value;
        document
    }

    fn keyed(name: &str, value: Value) -> Value {
        let mut document = with("token_endpoint_auth_method", json!("private_key_jwt"));
        document[name] = value;
        document
    }

    fn jwks() -> Value {
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] })
    }

    fn parse(text: &str) -> Result<ClientDocument, DocumentRefusal> {
        ClientDocument::parse(&Location::parse(ID).unwrap(), text.as_bytes())
    }

    #[test]
    fn a_document_says_who_a_client_is() {
        let mut full = with("client_uri", json!("https://app.example/about"));
        full["logo_uri"] = json!("https://elsewhere.example/logo.png");
        full["token_endpoint_auth_method"] = json!("none");
        let found = parse(&full.to_string()).unwrap();
        assert_eq!((found.client_id.as_str(), found.name.as_str()), (ID, "Notes"));
        assert_eq!(found.redirect_uris, [RedirectUri::parse("http://127.0.0.1/cb").unwrap()]);
        assert!(matches!(found.auth, DocumentAuth::None));
    }

    #[test]
    fn a_client_with_keys_has_them_in_its_document_or_beside_it() {
        let inline = parse(&keyed("jwks", jwks()).to_string()).unwrap();
        assert!(matches!(inline.auth, DocumentAuth::PrivateKeyJwt(DocumentKeys::Inline(_))));
        let beside = parse(&keyed("jwks_uri", json!("https://keys.example/jwks.json")).to_string()).unwrap();
        let DocumentAuth::PrivateKeyJwt(DocumentKeys::At(at)) = beside.auth else { panic!("{beside:?}") };
        assert_eq!(at.as_str(), "https://keys.example/jwks.json");
    }

    #[test]
    fn every_other_document_has_its_refusal() {
        let mut both = keyed("jwks", jwks());
        both["jwks_uri"] = json!("https://keys.example/jwks.json");
        let private = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA" }] });
        let symmetric = json!({ "keys": [{ "kty": "oct", "k": "AA" }] });
        let factor = json!({ "keys": [{ "kty": "RSA", "n": "AA", "e": "AQAB", "p": "AA" }] });
        let http = DocumentRefusal::RedirectUri(crate::modules::oauth::redirect_uri::BadRedirectUri::Http);
        for (document, refusal) in [
            (json!([document()]), DocumentRefusal::NotJson),
            (json!({}), DocumentRefusal::Missing("client_id")),
            (with("client_id", json!("https://app.example/client.json/")), DocumentRefusal::OtherClient),
            (with("client_id", json!(7)), DocumentRefusal::OtherClient),
            (with("client_name", Value::Null), DocumentRefusal::Missing("client_name")),
            (with("client_name", json!("\u{200b}")), DocumentRefusal::Invalid("client_name")),
            (with("redirect_uris", Value::Null), DocumentRefusal::Missing("redirect_uris")),
            (with("redirect_uris", json!([])), DocumentRefusal::Invalid("redirect_uris")),
            (with("redirect_uris", json!([7])), DocumentRefusal::Invalid("redirect_uris")),
            (with("redirect_uris", json!(vec!["https://a.example/"; 33])), DocumentRefusal::Invalid("redirect_uris")),
            (with("redirect_uris", json!(["http://evil"])), http),
            (with("client_secret", json!("s")), DocumentRefusal::Secret("client_secret")),
            (with("client_secret", Value::Null), DocumentRefusal::Secret("client_secret")),
            (with("client_secret_expires_at", json!(0)), DocumentRefusal::Secret("client_secret_expires_at")),
            (with("token_endpoint_auth_method", json!("client_secret_basic")), DocumentRefusal::AuthMethod),
            (with("token_endpoint_auth_method", json!("client_secret_post")), DocumentRefusal::AuthMethod),
            (with("token_endpoint_auth_method", json!("client_secret_jwt")), DocumentRefusal::AuthMethod),
            (with("token_endpoint_auth_method", json!("private_key_jwt")), DocumentRefusal::Missing("jwks_uri")),
            (both, DocumentRefusal::Invalid("jwks_uri")),
            (keyed("jwks_uri", json!("http://keys.example/jwks.json")), DocumentRefusal::Invalid("jwks_uri")),
            (keyed("jwks", json!("x")), DocumentRefusal::NotJson),
            (keyed("jwks", json!({ "keys": [] })), DocumentRefusal::Keys),
            (keyed("jwks", private), DocumentRefusal::Secret("jwks")),
            (keyed("jwks", symmetric), DocumentRefusal::Secret("jwks")),
            (keyed("jwks", factor), DocumentRefusal::Secret("jwks")),
        ] {
            assert_eq!(parse(&document.to_string()).unwrap_err(), refusal, "{document}");
        }
        let twice = format!("{{\"client_id\":\"{ID}\",\"client_id\":\"{ID}\"}}");
        for text in [twice.as_str(), "", "<html>", "{\"client_id\":"] {
            assert_eq!(parse(text).unwrap_err(), DocumentRefusal::NotJson, "{text}");
        }
    }
}
