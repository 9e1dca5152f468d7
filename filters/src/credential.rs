//! Which credentials are ours. What is not ours is the site's: it is not judged and goes on byte for byte.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::{IssuerKind, Site, TrustedIssuer};
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use passport::{Refusal, TOKEN_BYTES_MAX, Unverified};
use serde::Deserialize;

use crate::Fault;
use crate::cookie::{self, cookie_name};
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
}

impl Reader<'_> {
    /// Finds what is ours in the headers of a request.
    pub(crate) fn read<'h>(&self, headers: &'h HeaderMap) -> Shown<'h> {
        let mut shown = Shown::default();
        self.read_authorization(headers, &mut shown);
        for line in headers.get_all(LIME_AUTHORIZATION) {
            let credential = self.credential(line).unwrap_or(Credential::Unusable(Fault::Scheme));
            shown.is_ambiguous |= shown.header.replace(credential).is_some();
        }
        self.read_cookies(headers, &mut shown);
        shown
    }

    fn read_authorization<'h>(&self, headers: &'h HeaderMap, shown: &mut Shown<'h>) {
        let mut theirs = 0;
        for line in headers.get_all(AUTHORIZATION) {
            match self.credential(line) {
                Some(credential) => shown.is_ambiguous |= shown.header.replace(credential).is_some(),
                None => theirs += 1,
            }
        }
        if shown.header.is_some() {
            shown.is_ambiguous |= theirs > 0;
            let is_theirs = |line: &&HeaderValue| theirs > 0 && self.credential(line).is_none();
            let left = headers.get_all(AUTHORIZATION).iter().filter(is_theirs).cloned().collect();
            shown.authorization_left = Some(left);
        }
    }

    fn read_cookies<'h>(&self, headers: &'h HeaderMap, shown: &mut Shown<'h>) {
        let name = cookie_name(self.site);
        for line in headers.get_all(COOKIE) {
            for value in cookie::values(line.as_bytes(), name) {
                let credential = if value.starts_with(SESSION_PREFIX.as_bytes()) {
                    self.session(value)
                } else {
                    Credential::Unusable(Fault::Seal)
                };
                shown.is_ambiguous |= shown.cookie.replace(credential).is_some();
            }
        }
        if shown.cookie.is_some() {
            shown.cookies_left =
                Some(headers.get_all(COOKIE).iter().filter_map(|line| cookies_left(line, name)).collect());
        }
    }

    /// `None` for what is the site's.
    fn credential<'h>(&self, line: &'h HeaderValue) -> Option<Credential<'h>> {
        let line = line.as_bytes().trim_ascii();
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let (scheme, rest) = line.split_at_checked(end)?;
        let value = rest.trim_ascii_start();
        if scheme.eq_ignore_ascii_case(b"Bearer") {
            if value.starts_with(SESSION_PREFIX.as_bytes()) {
                Some(self.session(value))
            } else {
                self.access_token(value)
            }
        } else if scheme.eq_ignore_ascii_case(b"DPoP") {
            // A token bound to a key counts only with a proof of that key, which nothing here can check.
            self.access_token(value).map(|_| Credential::Unusable(Fault::Scheme))
        } else if scheme.eq_ignore_ascii_case(b"PoW") {
            Some(Credential::Unusable(Fault::Scheme))
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

/// Whether a token is for us to judge. An issuer of others signs tokens for many; those for somebody else are the site's.
fn is_of(issuer: &TrustedIssuer, site: &Site, token: &Unverified) -> bool {
    let is_for_us = match &issuer.kind {
        IssuerKind::Lime => true,
        IssuerKind::OAuth { audience } => {
            let audience = audience.as_deref().unwrap_or(site.url.as_str());
            token.audiences.iter().any(|one| one == audience)
        }
    };
    is_for_us && token.iss == issuer.url.as_str()
}

fn cookies_left(line: &HeaderValue, name: &str) -> Option<HeaderValue> {
    if cookie::values(line.as_bytes(), name).next().is_none() {
        return Some(line.clone());
    }
    HeaderValue::from_bytes(&cookie::without(line.as_bytes(), name)?).ok()
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
