//! Owners who are signed in: a random text in a cookie, of which the store keeps the hash.

use std::time::Duration;

use axum::http::HeaderMap;
use passport::OwnerId;

use crate::credentials::{Holder, TokenHash};
use crate::foundation::{cookies, same_origin};
use crate::reply::{Refusal, unavailable};
use crate::service::Service;
use crate::time::UnixMillis;

/// A working day, so that nobody is asked in the middle of it.
pub(crate) const SESSION_TTL: Duration = Duration::from_secs(12 * 3600);

/// An owner before a browser.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) owner: OwnerId,
    pub(crate) name: String,
    /// What the cookie holds. Forms are bound to it.
    pub(crate) session: String,
}

/// Whose answer a form of ours is.
#[derive(Clone, Debug)]
pub(crate) enum Answered {
    By(SignedIn),
    /// Of one who was signed in when it was made.
    NoLonger,
    /// Of somebody else's page, or of another session.
    Forged,
}

/// Whose answer a form is that holds `csrf`. `about`: see [`Csrf::token`](super::csrf::Csrf::token).
pub(crate) async fn answered(
    service: &Service,
    headers: &HeaderMap,
    (csrf, about): (&str, &str),
    now: UnixMillis,
) -> Result<Answered, Refusal> {
    let Some(owner) = signed_in(service, headers, now).await? else { return Ok(Answered::NoLonger) };
    let is_ours = same_origin(headers, &service.issuer) && service.csrf.check(&owner.session, about, csrf);
    Ok(if is_ours { Answered::By(owner) } else { Answered::Forged })
}

/// The owner who asks, if one is signed in. Whoever is suspended is not.
pub(crate) async fn signed_in(
    service: &Service,
    headers: &HeaderMap,
    now: UnixMillis,
) -> Result<Option<SignedIn>, Refusal> {
    let Some(session) = cookies::session(headers, &service.issuer) else { return Ok(None) };
    let Some(hash) = TokenHash::presented(session, Holder::OwnerSession) else { return Ok(None) };
    let found = service.store.owner_session(&hash, now).await.map_err(unavailable(Refusal::OwnerAuthUnavailable))?;
    Ok(found.map(|found| SignedIn { owner: found.owner, name: found.owner_name, session: session.to_owned() }))
}
