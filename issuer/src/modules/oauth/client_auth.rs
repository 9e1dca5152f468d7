//! How a client says who it is at the token and revocation endpoints (RFC 6749 §2.3, RFC 7521 §4.2).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use passport::ClientAssertion;
use secrecy::SecretString;
use url::form_urlencoded;

/// RFC 7523 §2.2: the only type of assertion there is.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Longest `client_id`, in bytes: that of a client document.
const CLIENT_ID_BYTES_MAX: usize = 2048;

/// What a request holds of it: the `Authorization` header, and members of the form, each of which came once.
#[derive(Clone, Copy, Default)]
pub(crate) struct Presented<'r> {
    pub(crate) authorization: Option<&'r str>,
    pub(crate) client_id: Option<&'r str>,
    pub(crate) client_secret: Option<&'r str>,
    pub(crate) client_assertion_type: Option<&'r str>,
    pub(crate) client_assertion: Option<&'r str>,
}

/// Who a client says it is, and what there is to check of that. Nothing is checked yet.
#[derive(Clone, Debug)]
pub(crate) enum ClientCredentials {
    /// A public client, by its name alone.
    None { client_id: String },
    /// `client_secret_basic`
    Secret { client_id: String, secret: SecretString },
    /// `private_key_jwt`
    Assertion { client_id: String, assertion: String },
}

/// Why a request does not say who its client is (RFC 6749 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadClientAuth {
    /// 400 `invalid_request`
    #[error("{0}")]
    Request(&'static str),
    /// 401 `invalid_client`
    #[error("{0}")]
    Client(&'static str),
}

impl ClientCredentials {
    /// Reads what a request presents. One way at a time (RFC 6749 §2.3).
    pub(crate) fn of(presented: &Presented<'_>) -> Result<Self, BadClientAuth> {
        // An empty secret is none (RFC 6749 §2.3.1).
        let secret = presented.client_secret.filter(|secret| !secret.is_empty());
        let has_assertion = presented.client_assertion.is_some() || presented.client_assertion_type.is_some();
        let ways = [presented.authorization.is_some(), secret.is_some(), has_assertion];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            return Err(BadClientAuth::Request("the client says in more than one way who it is"));
        }
        if secret.is_some() {
            return Err(BadClientAuth::Client("client_secret is taken in `Authorization: Basic` alone"));
        }
        let named = presented.client_id.map(client_id).transpose()?;
        let credentials = match (presented.authorization, has_assertion) {
            (Some(authorization), _) => basic(authorization)?,
            (None, true) => assertion(presented)?,
            (None, false) => {
                let client_id = named.ok_or(BadClientAuth::Request("client_id is missing"))?;
                return Ok(Self::None { client_id });
            }
        };
        if named.is_some_and(|named| named != credentials.client_id()) {
            return Err(BadClientAuth::Client("client_id is not the client that says who it is"));
        }
        Ok(credentials)
    }

    /// Whom to look up.
    pub(crate) fn client_id(&self) -> &str {
        match self {
            Self::None { client_id } | Self::Secret { client_id, .. } | Self::Assertion { client_id, .. } => client_id,
        }
    }
}

/// Nothing of what is presented.
impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// RFC 6749 appendix A.1.
fn client_id(text: &str) -> Result<String, BadClientAuth> {
    let is_id = (1..=CLIENT_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, 0x20..=0x7E));
    if is_id { Ok(text.to_owned()) } else { Err(BadClientAuth::Client("client_id is none that there could be")) }
}

/// RFC 6749 §2.3.1: both halves are form-encoded, so that a colon in the name is none between them.
fn basic(authorization: &str) -> Result<ClientCredentials, BadClientAuth> {
    const PROBLEM: BadClientAuth = BadClientAuth::Client("Authorization is not Basic with a client and its secret");
    let (scheme, encoded) = authorization.split_once(' ').ok_or(PROBLEM)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(PROBLEM);
    }
    let pair = STANDARD.decode(encoded.trim_matches(' ')).ok().and_then(|pair| String::from_utf8(pair).ok());
    let pair = pair.ok_or(PROBLEM)?;
    let (id, secret) = pair.split_once(':').ok_or(PROBLEM)?;
    let (id, secret) = (decoded(id).ok_or(PROBLEM)?, decoded(secret).ok_or(PROBLEM)?);
    if secret.is_empty() {
        return Err(PROBLEM);
    }
    Ok(ClientCredentials::Secret { client_id: client_id(&id)?, secret: secret.into() })
}

/// One half of a pair. `form_urlencoded` alone would also part it at `&` and `=`, and mend what is no UTF-8.
fn decoded(half: &str) -> Option<String> {
    let escaped = half.replace('&', "%26").replace('=', "%3D");
    let (text, _) = form_urlencoded::parse(escaped.as_bytes()).next().unwrap_or_default();
    (!text.contains('\u{fffd}')).then(|| text.into_owned())
}

fn assertion(presented: &Presented<'_>) -> Result<ClientCredentials, BadClientAuth> {
    let (Some(kind), Some(assertion)) = (presented.client_assertion_type, presented.client_assertion) else {
        return Err(BadClientAuth::Request("client_assertion and client_assertion_type come together"));
    };
    if kind != ASSERTION_TYPE {
        return Err(BadClientAuth::Client("client_assertion_type is not the one of a JWT"));
    }
    let subject = ClientAssertion::unverified_subject(assertion);
    let subject = subject.ok_or(BadClientAuth::Client("client_assertion is not a JWT with a sub"))?;
    Ok(ClientCredentials::Assertion { client_id: client_id(&subject)?, assertion: assertion.to_owned() })
}

#[cfg(test)]
mod tests;
