//! `/console/sign-in`: an owner shows his password and is known by a cookie from then on.
//!
//! Who tries too often waits, whatever he shows meanwhile; an unknown name is answered as a wrong password is, and takes as
//! long.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::pages::{Problem, SignIn, SignInNotice};
use crate::credentials::{Holder, Token, TokenHash};
use crate::foundation::owner_sessions::SESSION_TTL;
use crate::foundation::{cookies, csrf, same_origin};
use crate::reply::{Refusal, see_other, unavailable};
use crate::request::parameters::Parameters;
use crate::service::Service;
use crate::store::AccessRecord;
use crate::time::UnixMillis;

/// Where an owner goes who came for nothing else.
const HOME: &str = "/console/consents";

/// Where one may go after signing in: only to pages of ours that ask who is signed in.
const NEXT: [&str; 2] = ["/console/", "/api/v1/modules/oauth/authorize?"];

/// Longest place to go: a request of a client, with its `state`.
const NEXT_BYTES_MAX: usize = 8 * 1024;

/// `GET /console/sign-in`.
pub(crate) async fn show(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let asked = Parameters::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let is_leaving = asked.one("signed_out").is_ok_and(|said| said.is_some());
    let notice = is_leaving.then_some(SignInNotice::SignedOut);
    page(&service, &headers, asked.one("next").ok().flatten().unwrap_or(HOME), None, notice)
}

/// The page on which an owner signs in, to go on to `next` then.
pub(crate) fn page(
    service: &Service,
    headers: &HeaderMap,
    next: &str,
    client: Option<&str>,
    notice: Option<SignInNotice>,
) -> Response {
    let page = SignIn {
        issuer: service.issuer.clone(),
        next: safe(next).to_owned(),
        csrf: String::new(),
        user: String::new(),
        client_name: client.map(str::to_owned),
        notice,
    };
    respond(service, headers, page)
}

/// `POST /console/sign-in`.
pub(crate) async fn sign_in(State(service): State<Arc<Service>>, headers: HeaderMap, body: Body) -> Response {
    Problem::unless(tried(&service, &headers, body).await, &service.issuer)
}

async fn tried(service: &Service, headers: &HeaderMap, body: Body) -> Result<Response, Refusal> {
    let said = Parameters::of_form(body).await?;
    let now = UnixMillis::now();
    let (user, password, next) = (said.field("user")?, said.field("password")?, safe(said.field("next")?));
    let form = cookies::form(headers, &service.issuer).unwrap_or_default();
    if !same_origin(headers, &service.issuer) || !service.csrf.check(form, "", said.field("csrf")?) {
        return Ok(again(service, headers, next, user, SignInNotice::Stale));
    }
    let (found, locked_until) = known(service, user).await?;
    if locked_until > now {
        return Ok(again(service, headers, next, user, SignInNotice::Locked(locked_until.since(now))));
    }
    let fits = service.passwords.verify(found.as_ref().map(|access| access.phc.as_str()), password.to_owned()).await;
    // Of many tries at once, those that were looked at after the last one that counts are none.
    let now = UnixMillis::now();
    let (found, locked_until) = known(service, user).await?;
    let locked_until = match found {
        _ if locked_until > now => locked_until,
        Some(access) if fits && !access.suspended => return open(service, &access, next, now).await,
        Some(_) if fits => now,
        found => failed(service, user, found.as_ref(), now).await?,
    };
    let is_locked = locked_until > now;
    let notice = if is_locked { SignInNotice::Locked(locked_until.since(now)) } else { SignInNotice::Wrong };
    Ok(again(service, headers, next, user, notice))
}

/// Who signs in by a name, if anybody does, and before when no password is looked at under it.
async fn known(service: &Service, user: &str) -> Result<(Option<AccessRecord>, UnixMillis), Refusal> {
    let found = service.store.access(user).await.map_err(unavailable(Refusal::OwnerAuthUnavailable))?;
    let unknown = service.unknown_names.locked_until(user);
    let locked_until = found.as_ref().map_or(unknown, |access| access.failures.locked_until);
    Ok((found, locked_until))
}

/// Counts a wrong password; until when no other is looked at.
async fn failed(
    service: &Service,
    user: &str,
    found: Option<&AccessRecord>,
    now: UnixMillis,
) -> Result<UnixMillis, Refusal> {
    let noted = match found {
        Some(access) => service.store.note_failed_sign_in(&access.owner, now).await,
        None => service.store.note_unknown_sign_in().await.map(|()| service.unknown_names.note(user, now)),
    };
    noted.map_err(unavailable(Refusal::OwnerAuthUnavailable))
}

/// `POST /console/sign-out`.
pub(crate) async fn sign_out(State(service): State<Arc<Service>>, headers: HeaderMap, body: Body) -> Response {
    Problem::unless(signed_out(&service, &headers, body).await, &service.issuer)
}

async fn signed_out(service: &Service, headers: &HeaderMap, body: Body) -> Result<Response, Refusal> {
    let said = Parameters::of_form(body).await?;
    let session = cookies::session(headers, &service.issuer).unwrap_or_default();
    if !same_origin(headers, &service.issuer) || !service.csrf.check(session, "", said.field("csrf")?) {
        return Ok(Problem::forged(service.issuer.clone()).into_response());
    }
    if let Some(hash) = TokenHash::presented(session, Holder::OwnerSession) {
        service.store.close_owner_session(&hash).await.map_err(unavailable(Refusal::OwnerAuthUnavailable))?;
    }
    Ok(sent("/console/sign-in?signed_out=1", cookies::clear_session(&service.issuer)))
}

async fn open(service: &Service, access: &AccessRecord, next: &str, now: UnixMillis) -> Result<Response, Refusal> {
    let session = Token::generate(Holder::OwnerSession).ok_or(Refusal::OwnerAuthUnavailable)?;
    let opened = service.store.open_owner_session(session.hash(), &access.owner, now.plus(SESSION_TTL), now).await;
    opened.map_err(unavailable(Refusal::OwnerAuthUnavailable))?;
    Ok(sent(next, cookies::set_session(&service.issuer, session.expose(), SESSION_TTL)))
}

fn again(service: &Service, headers: &HeaderMap, next: &str, user: &str, notice: SignInNotice) -> Response {
    let page = SignIn {
        issuer: service.issuer.clone(),
        next: next.to_owned(),
        csrf: String::new(),
        user: user.to_owned(),
        client_name: None,
        notice: Some(notice),
    };
    respond(service, headers, page)
}

/// With a cookie that the form is bound to: nobody else's page can send it.
fn respond(service: &Service, headers: &HeaderMap, page: SignIn) -> Response {
    let known = cookies::form(headers, &service.issuer).map(str::to_owned);
    let Some(form) = known.or_else(csrf::fresh) else {
        return Refusal::OwnerAuthUnavailable.into_response();
    };
    let mut response = SignIn { csrf: service.csrf.token(&form, ""), ..page }.into_response();
    response.headers_mut().append(header::SET_COOKIE, cookies::set_form(&service.issuer, &form));
    response
}

fn safe(next: &str) -> &str {
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_ours = NEXT.iter().any(|start| next.starts_with(start));
    if is_plain && is_ours && next.len() <= NEXT_BYTES_MAX { next } else { HOME }
}

fn sent(location: &str, cookie: HeaderValue) -> Response {
    let location = HeaderValue::from_str(location).unwrap_or(HeaderValue::from_static(HOME));
    let mut response = see_other(location);
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_on_to_pages_of_ours_alone() {
        let authorize = "/api/v1/modules/oauth/authorize?client_id=a&redirect_uri=https%3A%2F%2Fapp.example";
        for (next, expected) in [
            (authorize, authorize),
            ("/console/consents", "/console/consents"),
            ("https://evil.example/console/", HOME),
            ("//evil.example/console/", HOME),
            ("/\\evil.example", HOME),
            ("/console/\\x", HOME),
            ("/console/\r\nSet-Cookie: a=b", HOME),
            ("", HOME),
        ] {
            assert_eq!(safe(next), expected, "{next}");
        }
    }
}
