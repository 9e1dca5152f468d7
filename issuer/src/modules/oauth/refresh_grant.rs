//! `grant_type=refresh_token` (RFC 6749 §6), each token once (OAuth 2.1 §4.3.1): a second showing is either a client whose
//! answer was lost, which gets the same successor for a minute unless that was used, or a thief, who ends the whole family.

use std::time::Duration;

use super::client::{self, Client};
use super::resource;
use super::scope;
use super::token::{Issued, Minting, admit, mint};
use super::token_error::TokenError;
use crate::credentials::{Holder, Token, TokenHash};
use crate::reply::Refusal;
use crate::request::parameters::Parameters;
use crate::service::Service;
use crate::store::{NewRefresh, Rotated};
use crate::time::UnixMillis;

/// An app that is not opened for so long asks its owner again.
pub(super) const REFRESH_TTL: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long an answer that was lost can be had again.
const GRACE: Duration = Duration::from_secs(60);

/// What a successor is sealed for, beside its predecessor's hash.
const SEALED_FOR: &str = "refresh:";

const NO_TOKEN: TokenError = TokenError::Grant("the refresh token is unknown, used or expired");

pub(super) async fn refresh(service: &Service, client: &Client, said: &Parameters) -> Result<Issued, TokenError> {
    let shown = said.one("refresh_token")?.ok_or(TokenError::Request("refresh_token is missing"))?;
    let hash = TokenHash::presented(shown, Holder::Refresh).ok_or(NO_TOKEN)?;
    let known = service.store.grant_by_refresh(&hash).await.map_err(TokenError::store)?.ok_or(NO_TOKEN)?;
    if known.client != client.id {
        return Err(NO_TOKEN);
    }
    if let Some(asked) = resource::asked(said)?
        && resource::find(service, Some(asked)).await?.url != known.resource
    {
        return Err(TokenError::Target("the refresh token is for another resource"));
    }
    let scope = scope::narrowed(&known.scope, said.one("scope")?)
        .map_err(|_| TokenError::Scope("more is asked for than was granted"))?;
    let admitted = admit(service, &known.agent, &known.resource).await?;
    let failed = || TokenError::Refused(Refusal::TokenNotIssued);
    let fresh = Token::generate(Holder::Refresh).ok_or_else(failed)?;
    let name = format!("{SEALED_FOR}{}", hash.as_str());
    let sealed = service.sealer.seal(&name, fresh.expose().as_bytes()).map_err(|_| failed())?;
    // As with a code: what a reuse ends, it ends as of now.
    let now = UnixMillis::now();
    let new = NewRefresh { hash: fresh.hash(), expires_at: now.plus(REFRESH_TTL) };
    let rotated = service.store.rotate_refresh(hash, client.id.clone(), new, sealed, GRACE, now).await;
    let (grant, successor) = match rotated.map_err(TokenError::store)? {
        Rotated::Done(grant) => (grant, fresh.expose().to_owned()),
        Rotated::Again { grant, sealed } => {
            let opened = service.sealer.open_sealed(&name, &sealed).map_err(|_| failed())?;
            (grant, String::from_utf8(opened).map_err(|_| failed())?)
        }
        Rotated::Reused => {
            tracing::warn!(client = client.id, "a used refresh token was shown: its whole family counts no more");
            return Err(NO_TOKEN);
        }
        Rotated::Unknown => return Err(NO_TOKEN),
    };
    client::was_used(service, client, now).await;
    let minting = Minting { client: &grant.client, scope: &scope, grant: Some(&grant.id) };
    let issued = mint(service, &admitted, minting, now).await?;
    // Signing takes a while, in which the family may have ended.
    if !service.store.family_stands(&grant.id).await.map_err(TokenError::store)? {
        return Err(NO_TOKEN);
    }
    Ok(Issued { refresh_token: Some(successor), ..issued })
}
