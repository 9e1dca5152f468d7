//! `grant_type=authorization_code` with PKCE (RFC 6749 §4.1.3, RFC 7636 §4.5).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::client::{self, Client, Origin};
use super::refresh_grant::REFRESH_TTL;
use super::resource;
use super::token::{Issued, Minting, admit, mint};
use super::token_error::TokenError;
use crate::credentials::{Holder, Token, TokenHash};
use crate::reply::Refusal;
use crate::request::parameters::Parameters;
use crate::service::Service;
use crate::store::{NewRefresh, Redeemed, RefreshTokens};
use crate::time::UnixMillis;

/// Of a `code_verifier` (RFC 7636 §4.1).
const VERIFIER_BYTES: std::ops::RangeInclusive<usize> = 43..=128;

const NO_CODE: TokenError = TokenError::Grant("the code is unknown, used or expired");

pub(super) async fn redeem(service: &Service, client: &Client, said: &Parameters) -> Result<Issued, TokenError> {
    if matches!(client.origin, Origin::Operator(_)) {
        return Err(TokenError::Unauthorized("this client acts in its own name: write client_credentials"));
    }
    let code = said.one("code")?.ok_or(TokenError::Request("code is missing"))?;
    let verifier = said.one("code_verifier")?.ok_or(TokenError::Request("code_verifier is missing"))?;
    let hash = TokenHash::presented(code, Holder::Code).ok_or(NO_CODE)?;
    let found = service.store.code(&hash).await.map_err(TokenError::store)?.ok_or(NO_CODE)?;
    if found.grant.client != client.id {
        return Err(NO_CODE);
    }
    // It may be left out (OAuth 2.1 §10.2): what binds the code to who asked for it is the verifier.
    if said.one("redirect_uri")?.is_some_and(|uri| uri != found.redirect_uri) {
        return Err(TokenError::Grant("redirect_uri is not the one the code was sent to"));
    }
    if !solves(&found.challenge, verifier) {
        return Err(TokenError::Grant("code_verifier does not fit code_challenge"));
    }
    if let Some(asked) = resource::asked(said)?
        && resource::find(service, Some(asked)).await?.url != found.grant.resource
    {
        return Err(TokenError::Target("the code is for another resource"));
    }
    let admitted = admit(service, &found.grant.agent, &found.grant.resource).await?;
    let refresh = match client.refresh_tokens {
        RefreshTokens::Given => {
            Some(Token::generate(Holder::Refresh).ok_or(TokenError::Refused(Refusal::TokenNotIssued))?)
        }
        RefreshTokens::Unwanted => None,
    };
    // What was shown before may end by this, so it is the time of now and not of when the form began to come.
    let now = UnixMillis::now();
    let expires_at = now.plus(REFRESH_TTL);
    let new = refresh.as_ref().map(|refresh| NewRefresh { hash: refresh.hash(), expires_at });
    let grant = match service.store.redeem_code(hash, new, now).await.map_err(TokenError::store)? {
        Redeemed::Done(grant) => grant,
        Redeemed::Replayed => {
            tracing::warn!(client = client.id, "a code was shown again: what came of it counts no more");
            return Err(NO_CODE);
        }
        Redeemed::Unknown => return Err(NO_CODE),
    };
    client::was_used(service, client, now).await;
    let minting = Minting { client: &grant.client, scope: &grant.scope, grant: Some(&grant.id) };
    let issued = mint(service, &admitted, minting, now).await?;
    // Signing takes a while, in which somebody may have shown the code again, or the agent been suspended.
    if !service.store.family_stands(&grant.id).await.map_err(TokenError::store)? {
        return Err(NO_CODE);
    }
    Ok(Issued { refresh_token: refresh.map(|refresh| refresh.expose().to_owned()), ..issued })
}

/// Whether the challenge was made from this verifier.
fn solves(challenge: &str, verifier: &str) -> bool {
    let is_verifier = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !VERIFIER_BYTES.contains(&verifier.len()) || !verifier.bytes().all(is_verifier) {
        return false;
    }
    let made = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
    verify_slices_are_equal(made.as_bytes(), challenge.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_solves_its_own_challenge() {
        // RFC 7636 appendix B.
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(solves(challenge, verifier));
        for wrong in ["", challenge, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK", &"a".repeat(129)] {
            assert!(!solves(challenge, wrong), "{wrong}");
        }
    }
}
