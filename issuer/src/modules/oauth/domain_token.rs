//! `POST /modules/oauth/token` with JSON: an agent asks for an access token for one domain.
//!
//! Not an OAuth grant on the wire: the agent token comes in `X-Agent-Token`, the domain in a JSON body. Success is exactly
//! RFC 6749 §5.1 with three members, refusals are §5.2, so that the published SDK maps them. A suspended agent is told so
//! in the envelope, which that SDK also understands here: `access_denied` would tell it something else.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use super::domain::Domain;
use super::token_error::TokenError;
use crate::core::agents::Agent;
use crate::reply::{Refusal, unavailable};
use crate::request::object;
use crate::service::Service;
use crate::store::{CallerRecord, SiteAt, Standing};
use crate::time::UnixMillis;

#[derive(Deserialize)]
struct Ask {
    domain: Option<String>,
}

/// The answer to an agent's request.
pub(super) async fn token(service: &Service, parts: &Parts, body: Body) -> Result<Response, TokenError> {
    let Agent(agent) = Agent::authenticate(parts, service).await?;
    let ask: Ask = object(body).await?;
    let domain = ask.domain.ok_or(TokenError::Request("domain is missing"))?;
    let domain = Domain::parse(&domain).ok_or(TokenError::Request("domain is not a host name"))?;
    let sites = service.store.sites_at(domain.as_str(), &agent.id).await;
    let sites = sites.map_err(unavailable(Refusal::TokenNotIssued))?;
    let not_before = permitted(&agent, &domain, &sites)?.max(agent.not_before);
    let key = Arc::clone(&service.keys.load().active);
    let token = service.signer.access(key, &agent, domain.into(), not_before, UnixMillis::now()).await;
    let token = token.map_err(|_| TokenError::Refused(Refusal::TokenNotIssued))?;
    let body = json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": service.signer.access_ttl().as_secs(),
    });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Whether `agent` may have a token for `domain`, and what time its site does not look behind.
///
/// A registered site is for the agents that have it on their list. Any other public name is nobody's here, and any agent
/// may ask for it: whoever verifies there pins the domain.
fn permitted(agent: &CallerRecord, domain: &Domain, sites: &[SiteAt]) -> Result<UnixMillis, TokenError> {
    if sites.is_empty() {
        let public = domain.is_public().then_some(UnixMillis::new(0));
        return public.ok_or(TokenError::Target("no token for a host that is not public"));
    }
    // Several sites may share a host, on different ports, and a token names the host: one on the list is enough.
    let mut active = sites.iter().filter(|site| site.standing == Standing::Active).peekable();
    if active.peek().is_none() {
        return Err(TokenError::Target("the site of this domain is suspended"));
    }
    let listed = active.filter(|site| agent.any_site || site.listed).map(|site| site.not_before).max();
    listed.ok_or(TokenError::Denied("this site is not on the agent's list"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(any_site: bool) -> CallerRecord {
        CallerRecord {
            id: "a1".parse().unwrap(),
            name: "Agent".to_owned(),
            owner: "o1".parse().unwrap(),
            owner_level: passport::OwnerLevel::new(0),
            any_site,
            standing: Standing::Active,
            not_before: UnixMillis::new(0),
        }
    }

    const fn site(standing: Standing, listed: bool, not_before: i64) -> SiteAt {
        SiteAt { standing, listed, not_before: UnixMillis::new(not_before) }
    }

    #[track_caller]
    fn check(domain: &str, sites: &[SiteAt], any_site: bool, expected: Result<i64, &str>) {
        let domain = Domain::parse(domain).unwrap();
        let permitted = permitted(&agent(any_site), &domain, sites).map(UnixMillis::get);
        let permitted = permitted.map_err(|refused| match refused {
            TokenError::Target(_) => "target",
            TokenError::Denied(_) => "denied",
            TokenError::Client { .. }
            | TokenError::Request(_)
            | TokenError::Grant(_)
            | TokenError::Unauthorized(_)
            | TokenError::GrantType
            | TokenError::Scope(_)
            | TokenError::Unavailable(_)
            | TokenError::Refused(_) => "other",
        });
        assert_eq!(permitted, expected);
    }

    #[test]
    fn a_token_is_for_a_public_name_or_a_site_on_the_list() {
        check("mcp.test", &[], false, Ok(0));
        check("127.0.0.1", &[], true, Err("target"));
        check("127.0.0.1", &[site(Standing::Active, true, 7)], false, Ok(7));
        check("shop.test", &[site(Standing::Active, false, 7)], false, Err("denied"));
        check("shop.test", &[site(Standing::Active, false, 7)], true, Ok(7));
        check("shop.test", &[site(Standing::Suspended, true, 7)], true, Err("target"));
        check("shop.test", &[site(Standing::OwnerSuspended, true, 7)], true, Err("target"));
        let two = [site(Standing::Active, true, 7), site(Standing::Active, true, 9)];
        check("shop.test", &two, false, Ok(9));
    }
}
