//! Which client asks at the token endpoint, once it has shown that it is itself (RFC 6749 §3.2.1).

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use passport::ClientKeys;
use secrecy::ExposeSecret as _;

use super::client::{self, Client, Proof, UnknownClient};
use super::client_assertion::{AssertionRefusal, Assertions};
use super::client_auth::{BadClientAuth, ClientCredentials, Presented};
use super::metadata::BASE;
use super::token_error::TokenError;
use crate::credentials::{Holder, TokenHash};
use crate::request::one_header;
use crate::request::parameters::Parameters;
use crate::service::Service;
use crate::time::UnixMillis;

/// The endpoints that ask clients who they are; each may be the audience of an assertion (RFC 7523 §3).
const ENDPOINTS: [&str; 2] = ["token", "revoke"];

pub(super) async fn client(service: &Service, headers: &HeaderMap, said: &Parameters) -> Result<Client, TokenError> {
    let authorization =
        one_header(headers, AUTHORIZATION.as_str()).map_err(|_| TokenError::Request("Authorization is repeated"))?;
    let presented = Presented {
        authorization,
        client_id: said.one("client_id")?,
        client_secret: said.one("client_secret")?,
        client_assertion_type: said.one("client_assertion_type")?,
        client_assertion: said.one("client_assertion")?,
    };
    let basic = authorization.is_some();
    let shown = ClientCredentials::of(&presented).map_err(|bad| match bad {
        BadClientAuth::Request(why) => TokenError::Request(why),
        BadClientAuth::Client(why) => TokenError::Client { why, basic },
    })?;
    let wrong = |why| TokenError::Client { why, basic };
    let found = client::find(service, shown.client_id(), UnixMillis::now()).await.map_err(|unknown| match unknown {
        UnknownClient::Unregistered => wrong("no such client: register again"),
        UnknownClient::Document(refusal) if refusal.is_outage() => {
            TokenError::Unavailable("the document of this client cannot be fetched now")
        }
        UnknownClient::Document(_) => wrong("the document of this client cannot be used"),
        UnknownClient::Store(error) => TokenError::store(error),
    })?;
    match (&found.proof, &shown) {
        (Proof::Nothing, ClientCredentials::None { .. }) => {}
        (Proof::Secret(stored), ClientCredentials::Secret { secret, .. }) => {
            // Hashes are compared: how long that takes tells nothing of the secret.
            let secret = TokenHash::presented(secret.expose_secret(), Holder::Client);
            if secret.as_ref() != Some(stored) {
                return Err(wrong("the secret is not valid"));
            }
        }
        (Proof::Keys(keys), ClientCredentials::Assertion { assertion, .. }) => {
            believe(service, &service.assertions, &found.id, keys, assertion)?;
        }
        (Proof::KeysOfDocument(keys), ClientCredentials::Assertion { assertion, .. }) => {
            let keys = service.documents.keys(keys).await;
            let keys = keys.map_err(|refusal| {
                if refusal.is_outage() {
                    TokenError::Unavailable("the keys of this client cannot be fetched now")
                } else {
                    wrong("the keys of this client cannot be used")
                }
            })?;
            believe(service, &service.document_assertions, &found.id, &keys, assertion)?;
        }
        (Proof::Nothing, ClientCredentials::Secret { .. } | ClientCredentials::Assertion { .. }) => {
            return Err(wrong("this client has no secret: send client_id alone"));
        }
        (Proof::Secret(_), ClientCredentials::None { .. } | ClientCredentials::Assertion { .. }) => {
            return Err(wrong("this client authenticates with HTTP Basic"));
        }
        (
            Proof::Keys(_) | Proof::KeysOfDocument(_),
            ClientCredentials::None { .. } | ClientCredentials::Secret { .. },
        ) => {
            return Err(wrong("this client authenticates with private_key_jwt"));
        }
    }
    Ok(found)
}

/// What a client signed counts once.
fn believe(
    service: &Service,
    assertions: &Assertions,
    client_id: &str,
    keys: &ClientKeys,
    assertion: &str,
) -> Result<(), TokenError> {
    let endpoints = ENDPOINTS.map(|name| format!("{}{BASE}/{name}", service.issuer));
    let audiences: Vec<&str> = endpoints.iter().map(String::as_str).chain([service.issuer.as_str()]).collect();
    assertions.take(assertion, keys, client_id, &audiences, UnixMillis::now().secs()).map_err(|refusal| {
        tracing::info!(client_id, %refusal, "a client's assertion was not taken");
        match refusal {
            AssertionRefusal::Full => TokenError::Unavailable("too many assertions are shown at once"),
            AssertionRefusal::Refused(_) | AssertionRefusal::Again => {
                TokenError::Client { why: "the assertion is not valid", basic: false }
            }
        }
    })
}
