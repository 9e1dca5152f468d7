//! Which credentials are ours. What is not ours is the site's: it is not judged and goes on byte for byte.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::{IssuerKind, McpEndpoint, Site, TrustedIssuer};
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use passport::{Refusal, TOKEN_BYTES_MAX, Unverified};
use serde::Deserialize;

use crate::Fault;
use crate::challenge::{self, Proof};
use crate::cookie::{Kept, Names};
use crate::session::SESSION_PREFIX;
use crate::verified_cache::{CredentialDigest, Entry, JudgedFor, VerifiedCache};

/// Where an agent puts its credential when the site needs `Authorization` for itself.
pub const LIME_AUTHORIZATION: HeaderName = HeaderName::from_static("lime-authorization");

/// A credential of ours, not yet judged.
#[derive(Debug)]
pub(crate) enum Credential<'a> {
    /// A token of one of the site's issuers.
    AccessToken(Text<'a>, Claimed),
    /// A session of ours.
    Session(Text<'a>),
    /// Ours by its place or scheme, and nothing that could count.
    Unusable(Fault),
}

/// What is shown of work, not yet judged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work<'a> {
    /// A solution, which is spent when it counts.
    Proof(Proof<'a>),
    /// What a solution bought before.
    Clearance(&'a str),
    /// Neither.
    Malformed,
}

/// What is ours in a header.
enum Ours<'a> {
    Credential(Credential<'a>),
    Work(Work<'a>),
}

/// What an access token says of itself, unverified: it chooses whom to ask.
#[derive(Debug)]
pub(crate) struct Claimed {
    /// Which of the site's issuers.
    pub(crate) issuer: usize,
}

/// The text of a credential, and what was found out about it before.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    pub(crate) digest: CredentialDigest,
    pub(crate) known: Option<Arc<Entry>>,
}

/// Everything of ours in a request, and what of its headers is left without it.
#[derive(Debug, Default)]
pub(crate) struct Shown<'a> {
    /// In `Authorization` or `Lime-Authorization`.
    pub(crate) header: Option<Credential<'a>>,
    /// In the session cookie.
    pub(crate) cookie: Option<Credential<'a>>,
    /// Work, in the place of a credential.
    pub(crate) work: Option<Work<'a>>,
    /// The clearance in a cookie.
    pub(crate) clearance: Option<&'a str>,
    /// The challenge of one who waits, in a cookie.
    pub(crate) ticket: Option<&'a str>,
    /// More in one place, or ours beside another, so that it cannot be told which is meant.
    pub(crate) is_ambiguous: bool,
    /// The site's own `Authorization` lines, where ours was among them.
    pub(crate) authorization_left: Option<Vec<HeaderValue>>,
    /// The `Cookie` lines without our cookie, where it was in them.
    pub(crate) cookies_left: Option<Vec<HeaderValue>>,
}

/// Tells ours from the site's.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) site: &'a Site,
    pub(crate) cache: &'a VerifiedCache,
    pub(crate) judged_for: &'a JudgedFor,
    /// The MCP endpoint that is asked, if it is one: its origin has no credentials of its own there.
    pub(crate) endpoint: Option<&'a McpEndpoint>,
}

impl Reader<'_> {
    /// Finds what is ours in the headers of a request.
    pub(crate) fn read<'h>(&self, headers: &'h HeaderMap) -> Shown<'h> {
        let mut shown = Shown::default();
        self.read_authorization(headers, &mut shown);
        for line in headers.get_all(LIME_AUTHORIZATION) {
            shown.take(self.ours(line).unwrap_or(Ours::Credential(Credential::Unusable(Fault::Scheme))));
        }
        self.read_cookies(headers, &mut shown);
        shown
    }

    fn read_authorization<'h>(&self, headers: &'h HeaderMap, shown: &mut Shown<'h>) {
        let mut theirs = 0;
        for line in headers.get_all(AUTHORIZATION) {
            match self.ours(line) {
                Some(ours) => shown.take(ours),
                None => theirs += 1,
            }
        }
        if shown.header.is_some() || shown.work.is_some() {
            shown.is_ambiguous |= theirs > 0;
            let is_theirs = |line: &&HeaderValue| theirs > 0 && self.ours(line).is_none();
            let left = headers.get_all(AUTHORIZATION).iter().filter(is_theirs).cloned().collect();
            shown.authorization_left = Some(left);
        }
    }

    fn read_cookies<'h>(&self, headers: &'h HeaderMap, shown: &mut Shown<'h>) {
        let names = Names::at(self.site);
        let mut has_ours = false;
        for line in headers.get_all(COOKIE) {
            let line = line.as_bytes();
            has_ours |= names.are_in(line);
            // At an endpoint a token stands in its header alone (OAuth 2.1 §5.1): a browser would send a cookie unasked.
            let sessions = names.values(Kept::Session, line).take_while(|_| self.endpoint.is_none());
            for value in sessions {
                let credential = if value.starts_with(SESSION_PREFIX.as_bytes()) {
                    self.session(value)
                } else {
                    Credential::Unusable(Fault::Seal)
                };
                shown.is_ambiguous |= shown.cookie.replace(credential).is_some();
            }
            // Of several, which only a stranger to the browser could have set, the first is judged.
            let first = |kept| names.values(kept, line).find_map(|value| std::str::from_utf8(value).ok());
            shown.clearance = shown.clearance.or_else(|| first(Kept::Clearance));
            shown.ticket = shown.ticket.or_else(|| first(Kept::Ticket));
        }
        if has_ours {
            let left = headers.get_all(COOKIE).iter().filter_map(|line| cookies_left(line, names)).collect();
            shown.cookies_left = Some(left);
        }
    }

    /// `None` for what is the site's.
    fn ours<'h>(&self, line: &'h HeaderValue) -> Option<Ours<'h>> {
        let ours = self.ours_by_its_form(line);
        if self.endpoint.is_none() {
            return ours;
        }
        let unusable = |fault| Some(Ours::Credential(Credential::Unusable(fault)));
        match ours {
            Some(Ours::Credential(credential)) => Some(Ours::Credential(credential)),
            Some(Ours::Work(_)) => unusable(Fault::Scheme),
            None => unusable(Fault::Foreign),
        }
    }

    fn ours_by_its_form<'h>(&self, line: &'h HeaderValue) -> Option<Ours<'h>> {
        let line = line.as_bytes().trim_ascii();
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let (scheme, rest) = line.split_at_checked(end)?;
        let value = rest.trim_ascii_start();
        if scheme.eq_ignore_ascii_case(b"Bearer") {
            let is_session = value.starts_with(SESSION_PREFIX.as_bytes());
            let credential = if is_session { Some(self.session(value)) } else { self.access_token(value) };
            credential.map(Ours::Credential)
        } else if scheme.eq_ignore_ascii_case(b"DPoP") {
            // A token bound to a key counts only with a proof of that key, which nothing here can check.
            self.access_token(value).map(|_| Ours::Credential(Credential::Unusable(Fault::Scheme)))
        } else if scheme.eq_ignore_ascii_case(b"PoW") {
            Some(Ours::Work(work(value)))
        } else {
            None
        }
    }

    fn session<'h>(&self, value: &'h [u8]) -> Credential<'h> {
        match std::str::from_utf8(value) {
            Ok(text) if text.len() <= TOKEN_BYTES_MAX => Credential::Session(self.look_up(text)),
            Ok(_) | Err(_) => Credential::Unusable(Fault::Seal),
        }
    }

    fn access_token<'h>(&self, value: &'h [u8]) -> Option<Credential<'h>> {
        let text = std::str::from_utf8(value).ok().filter(|text| looks_like_a_jwt(text))?;
        if text.len() > TOKEN_BYTES_MAX {
            let iss = issuer_of_oversized(text)?;
            let is_ours = self.site.issuers.iter().any(|issuer| *issuer.url.as_str() == *iss);
            return is_ours.then_some(Credential::Unusable(Fault::AccessToken(Refusal::TooLong)));
        }
        let text = self.look_up(text);
        if let Some(issuer) = text.known.as_deref().and_then(Entry::issuer) {
            return Some(Credential::AccessToken(text, Claimed { issuer }));
        }
        let token = passport::unverified(text.text)?;
        let issuer = self.site.issuers.iter().position(|issuer| is_of(issuer, self.site, &token))?;
        Some(Credential::AccessToken(text, Claimed { issuer }))
    }

    fn look_up<'h>(&self, text: &'h str) -> Text<'h> {
        let digest = CredentialDigest::of(text);
        Text { text, digest, known: self.cache.find(&digest, self.judged_for) }
    }
}

impl<'a> Shown<'a> {
    fn take(&mut self, ours: Ours<'a>) {
        self.is_ambiguous |= self.header.is_some() || self.work.is_some();
        match ours {
            Ours::Credential(credential) => self.header = Some(credential),
            Ours::Work(work) => self.work = Some(work),
        }
    }
}

fn work(parameters: &[u8]) -> Work<'_> {
    match std::str::from_utf8(parameters).ok().and_then(challenge::read) {
        Some(challenge::Shown::Proof(proof)) => Work::Proof(proof),
        Some(challenge::Shown::Clearance(text)) => Work::Clearance(text),
        None => Work::Malformed,
    }
}

/// Whether a token is for us to judge. An issuer of others signs tokens for many; those for somebody else are the site's.
fn is_of(issuer: &TrustedIssuer, site: &Site, token: &Unverified) -> bool {
    let is_for_us = match &issuer.kind {
        IssuerKind::Lime => true,
        IssuerKind::OAuth { audience } => {
            let audience = audience.as_deref().unwrap_or(site.url.as_str());
            let is_resource = |one: &str| site.mcp.iter().any(|endpoint| *endpoint.resource == *one);
            token.audiences.iter().any(|one| one == audience || is_resource(one))
        }
    };
    is_for_us && token.iss == issuer.url.as_str()
}

/// Byte for byte what it was, where nothing of ours is in it.
fn cookies_left(line: &HeaderValue, names: Names) -> Option<HeaderValue> {
    if names.are_in(line.as_bytes()) {
        HeaderValue::from_bytes(&names.without_ours(line.as_bytes())?).ok()
    } else {
        Some(line.clone())
    }
}

/// Saves a hash on most of what sites use themselves.
fn looks_like_a_jwt(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// `iss` of a token that is too long to be verified: a site's own tokens may be so long, ours are not.
fn issuer_of_oversized(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Issuer>(&payload).ok().map(|claims| claims.iss)
}

#[cfg(test)]
mod tests;
