//! Get an access token for one domain.

use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;

use crate::{Agent, Error};

/// A token for one domain; whoever holds it is the agent there until it ends.
#[derive(Debug)]
pub struct DomainToken {
    /// To be sent as `Authorization: Bearer`.
    pub access_token: SecretString,
    /// Seconds it is good for, from now.
    pub expires_in_secs: u64,
}

/// RFC 6749 §5.1 and §5.2 in one: which members are there decides.
#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    expires_in: Option<u64>,
    error: Option<Refused>,
    error_description: Option<String>,
}

/// A code of RFC 6749, or the issuer's own envelope: that says it of a suspended agent.
#[derive(Deserialize)]
#[serde(untagged)]
enum Refused {
    Code(String),
    Envelope { code: String, message: String },
}

impl Agent {
    /// Asks the issuer for a token for `domain`, a host name.
    ///
    /// # Errors
    /// [`Error::Refused`] with the RFC 6749 error code, or another [`Error`].
    pub async fn token(&self, domain: &str) -> Result<DomainToken, Error> {
        let body = serde_json::json!({ "domain": domain }).to_string();
        let request = self.signed_in(Method::POST, "/modules/oauth/token").header("Content-Type", "application/json");
        let (status, answer) = self.answer(request.body(body)).await?;
        let unreadable = || Error::Unreadable(self.api_base().origin());
        match serde_json::from_slice(&answer).map_err(|_| unreadable())? {
            Answer { access_token: Some(token), expires_in: Some(expires_in_secs), .. } if status.is_success() => {
                Ok(DomainToken { access_token: token.into(), expires_in_secs })
            }
            Answer { error: Some(refused), error_description, .. } => {
                let (code, message) = match refused {
                    Refused::Code(code) => (code, error_description.unwrap_or_else(|| "no reason given".to_owned())),
                    Refused::Envelope { code, message } => (code, message),
                };
                Err(Error::Refused { status: status.as_u16(), code, message })
            }
            Answer { .. } => Err(unreadable()),
        }
    }
}
