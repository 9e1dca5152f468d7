//! How a request is turned away: a problem document for programs (RFC 9457), a page for people.

use std::sync::Arc;

use bytes::Bytes;
use config::{IssuerKind, Login, McpEndpoint, Require, Site, TrustedIssuer};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue};
use serde::Serialize;

use crate::challenge::Made;
use crate::resource_metadata::OFFLINE_ACCESS;
use crate::{Accepts, Reason, Reply, mcp, page, stranger};

/// Where the issuer gives out access tokens.
const TOKEN_ENDPOINT: &str = "/api/v1/modules/oauth/token";

/// The hash that work is measured by, with sixteen puzzles or one.
const ALGORITHM: &str = "lime-pow-v1";

/// The answer to a program that is asked for work.
pub(crate) fn challenge(site: &Site, reason: Reason, request_id: &str, detail: &str, made: &Made) -> Reply {
    let mut reply = refuse(Some(site), reason, request_id, Accepts::Document, Some(detail));
    // The work first; what else is a way in stands behind it (RFC 9110 §11.6.1).
    reply.headers.retain(|(name, _)| *name != WWW_AUTHENTICATE);
    reply.headers.extend(stranger::authenticate(made));
    if !site.issuers.is_empty() {
        reply.headers.extend(authenticate(Some(site), Reason::PassportRequired));
    }
    let mut problem = Problem::of(Some(site), reason, request_id, detail);
    let with_challenge = |way| match way {
        WayIn::ProofOfWork { algorithm, .. } => {
            WayIn::ProofOfWork { challenge: Some(ChallengeDocument::of(made)), algorithm }
        }
        other @ (WayIn::Token { .. } | WayIn::OAuth { .. } | WayIn::Login { .. }) => other,
    };
    problem.ways_in = problem.ways_in.map(|ways| ways.into_iter().map(with_challenge).collect());
    reply.body = problem.into_body();
    reply
}

/// The answer to a request that is turned away. `detail` says more than [`Reason::meaning`], where there is more to say.
///
/// Absolute URLs are made from the site's configuration, never from what the client sent. `site` is `None` where none is
/// known, as for a foreign host.
#[must_use]
pub fn refuse(site: Option<&Site>, reason: Reason, request_id: &str, accepts: Accepts, detail: Option<&str>) -> Reply {
    let detail = detail.unwrap_or(reason.meaning());
    let mut headers = match accepts {
        Accepts::Html => page::headers().to_vec(),
        Accepts::Document => vec![(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))],
    };
    headers.push((CACHE_CONTROL, HeaderValue::from_static("no-store")));
    headers.push((VARY, HeaderValue::from_static("accept")));
    headers.extend(authenticate(site, reason));
    if let Some(wait) = reason.retry_after() {
        headers.push((RETRY_AFTER, HeaderValue::from(wait.as_secs())));
    }
    let body = match accepts {
        Accepts::Html => page::refusal(site, reason, request_id),
        Accepts::Document => Problem::of(site, reason, request_id, detail).into_body(),
    };
    Reply { status: reason.status(), headers, body }
}

/// A 401 must say how to authenticate (RFC 9110 §11.6.1), and names an error only where a credential was sent
/// (RFC 6750 §3.1).
fn authenticate(site: Option<&Site>, reason: Reason) -> Option<(HeaderName, HeaderValue)> {
    if reason.status() != http::StatusCode::UNAUTHORIZED {
        return None;
    }
    let value = match site {
        Some(site) if reason == Reason::PassportRequired => {
            let realm = format!("Bearer realm=\"{}\"", site.url);
            HeaderValue::from_str(&realm).unwrap_or(HeaderValue::from_static("Bearer"))
        }
        None if reason == Reason::PassportRequired => HeaderValue::from_static("Bearer"),
        Some(_) | None => HeaderValue::from_static("Bearer error=\"invalid_token\""),
    };
    Some((WWW_AUTHENTICATE, value))
}

/// Says at an MCP endpoint where to learn how to get in (RFC 9728 §5.1), and which scopes to ask for first.
pub(crate) fn challenge_at(site: &Site, endpoint: &McpEndpoint, reason: Reason, reply: &mut Reply) {
    if reason.status() != http::StatusCode::UNAUTHORIZED {
        return;
    }
    reply.headers.retain(|(name, _)| *name != WWW_AUTHENTICATE);
    let error = if reason == Reason::PassportRequired { "" } else { "error=\"invalid_token\", " };
    let mut value = format!("Bearer {error}resource_metadata=\"{}\"", mcp::metadata_url(site, endpoint));
    let scopes = endpoint.first_scopes().iter().map(AsRef::as_ref).filter(|scope| *scope != OFFLINE_ACCESS);
    let scopes = scopes.collect::<Vec<&str>>().join(" ");
    if !scopes.is_empty() {
        value += &format!(", scope=\"{scopes}\"");
    }
    reply.headers.extend(HeaderValue::from_str(&value).ok().map(|value| (WWW_AUTHENTICATE, value)));
}

/// The problem document.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    reason: &'a str,
    request_id: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ways_in: Option<Vec<WayIn<'a>>>,
}

/// One way to get a credential that counts here.
#[derive(Serialize)]
#[serde(tag = "way", rename_all = "lowercase")]
pub(crate) enum WayIn<'a> {
    /// Ask the issuer for an access token.
    Token {
        /// Where.
        at: String,
        /// What to ask for.
        body: TokenRequest<'a>,
    },
    /// Ask an authorization server for an access token (RFC 8707).
    OAuth {
        /// Its `iss`: where its metadata is found (RFC 8414).
        issuer: String,
        /// What the token has to be for.
        resource: String,
    },
    /// Log in at the gateway.
    Login {
        /// Where.
        at: String,
        /// How.
        method: &'static str,
    },
    /// Do some work: see `docs/proof-of-work.md`.
    #[serde(rename = "proof_of_work")]
    ProofOfWork {
        /// The challenge; without one, where nobody asked for a page yet.
        #[serde(flatten, skip_serializing_if = "Option::is_none")]
        challenge: Option<ChallengeDocument>,
        /// What the work is.
        algorithm: &'static str,
    },
}

/// A challenge, as a program reads it.
#[derive(Serialize)]
pub(crate) struct ChallengeDocument {
    challenge: String,
    bits: u8,
    puzzles: u8,
    expires_in: u64,
    /// Tries that it takes on average.
    expected_hashes: u64,
}

impl ChallengeDocument {
    fn of(made: &Made) -> Self {
        Self {
            challenge: made.text.clone(),
            bits: made.bits,
            puzzles: made.puzzles.count(),
            expires_in: made.lifetime.as_secs(),
            expected_hashes: 1 << made.bits.min(63),
        }
    }
}

/// The body of a request for an access token.
#[derive(Serialize)]
pub(crate) struct TokenRequest<'a> {
    pub(crate) domain: &'a str,
}

/// The ways that are open at a site.
pub(crate) fn ways_in(site: &Site) -> Vec<WayIn<'_>> {
    let of_issuer = |issuer: &'_ Arc<TrustedIssuer>| match &issuer.kind {
        IssuerKind::Lime => WayIn::Token {
            at: format!("{}{TOKEN_ENDPOINT}", issuer.url),
            body: TokenRequest { domain: site.url.host() },
        },
        IssuerKind::OAuth { audience } => WayIn::OAuth {
            issuer: issuer.url.as_str().to_owned(),
            resource: audience.as_deref().unwrap_or(site.url.as_str()).to_owned(),
        },
    };
    let tokens: Vec<_> = site.issuers.iter().map(of_issuer).collect();
    let login = match site.login {
        Login::Edge => Some(WayIn::Login { at: format!("{}/.lime/login", site.url), method: "POST" }),
        Login::Off => None,
    };
    let asks_for_work = site.policies().any(|policy| policy.require == Require::Cleared);
    let work = asks_for_work.then_some(WayIn::ProofOfWork { challenge: None, algorithm: ALGORITHM });
    tokens.into_iter().chain(login).chain(work).collect()
}

/// Where a reason is explained.
pub(crate) fn explanation(site: &Site, reason: Reason) -> String {
    format!("{}/.lime/help#{}", site.url, reason.as_str())
}

impl<'a> Problem<'a> {
    fn of(site: Option<&'a Site>, reason: Reason, request_id: &'a str, detail: &'a str) -> Self {
        let site_says = |about: fn(&'a Site) -> Option<&'a str>| site.and_then(about);
        Self {
            kind: site.map_or_else(|| "about:blank".to_owned(), |site| explanation(site, reason)),
            title: reason.title(),
            status: reason.status().as_u16(),
            reason: reason.as_str(),
            request_id,
            detail,
            issuer: site_says(|site| site.issuers.first().map(|issuer| issuer.url.as_str())),
            ways_in: site.filter(|_| reason.asks_for_credential()).map(|site| {
                let is_way = |way: &WayIn<'_>| reason.asks_for_work() || !matches!(way, WayIn::ProofOfWork { .. });
                ways_in(site).into_iter().filter(is_way).collect()
            }),
        }
    }

    fn into_body(self) -> Bytes {
        let refused = || br#"{"type":"about:blank","title":"Refused"}"#.to_vec();
        serde_json::to_vec(&self).unwrap_or_else(|_| refused()).into()
    }
}

#[cfg(test)]
mod tests;
