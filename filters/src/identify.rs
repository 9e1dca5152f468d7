//! From a credential to an identity: the only place where one begins to count.

use std::sync::Arc;
use std::time::Duration;

use config::{Site, WebOrigin};
use passport::{AccessToken, Expected, KeySet, Refusal, Verified};

use crate::credential::{Credential, Text};
use crate::identity::{Identity, ShownAs, Validity};
use crate::session::{SessionKeys, tag_of};
use crate::verified_cache::{Entry, JudgedFor, VerifiedCache, VouchedBy};
use crate::{Fault, Moment, Revocations};

/// How far the issuer's clock and ours may differ. As long as the SDKs', so that a token they take for fresh is never
/// refused here.
pub(crate) const LEEWAY: Duration = Duration::from_secs(120);

/// Loopback names are one site, and an agent asks for a token of the name that it fetches.
const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Judges the credentials of one request.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    pub(crate) site: &'a Site,
    pub(crate) sessions: &'a SessionKeys,
    pub(crate) cache: &'a VerifiedCache,
    pub(crate) judged_for: &'a JudgedFor,
    pub(crate) moment: &'a Moment<'a>,
}

impl Judge<'_> {
    /// Whom a credential identifies, at this moment.
    pub(crate) fn identify(&self, credential: &Credential<'_>) -> Result<Arc<Identity>, Fault> {
        let Some(issuer) = &self.site.issuer else { return Err(Fault::NoIssuer) };
        let identity = match credential {
            Credential::AccessToken(text) => self.access_token(text, issuer)?,
            Credential::Session(text) => self.session(text)?,
            Credential::Unusable(fault) => return Err(*fault),
        };
        let is_allowed = |revocations: &Revocations| revocations.allows(&identity, self.moment.site_id);
        if self.moment.issuer.is_none_or(|issuer| is_allowed(&issuer.revocations)) {
            Ok(identity)
        } else {
            Err(Fault::Revoked)
        }
    }

    fn access_token(&self, token: &Text<'_>, issuer: &WebOrigin) -> Result<Arc<Identity>, Fault> {
        if let Some(entry) = token.known.as_deref().filter(|entry| self.stands(entry)) {
            return if entry.identity.expires_at.plus(LEEWAY) > self.moment.now {
                Ok(Arc::clone(&entry.identity))
            } else {
                Err(Fault::AccessToken(Refusal::Expired))
            };
        }
        let verified = self.verify(token.text, issuer).map_err(|refusal| self.fault(token.text, refusal))?;
        let kid = verified.kid().clone();
        let passport = verified.into_inner();
        let validity = Validity { issued_at: passport.iat, expires_at: passport.exp };
        let (owner, level) = (passport.owner, passport.owner_level);
        let identity = Identity::new(passport.sub, owner, level, validity, kid, ShownAs::AccessToken);
        let identity = Arc::new(identity.ok_or(Fault::AccessToken(Refusal::Claims))?);
        if let Some(issuer) = self.moment.issuer {
            let vouched_by = VouchedBy::KeySet { generation: issuer.generation };
            self.keep(token, vouched_by, &identity, validity.expires_at.plus(LEEWAY).since(self.moment.now));
        }
        Ok(identity)
    }

    /// Whether what vouched for a verdict is there still.
    fn stands(&self, entry: &Entry) -> bool {
        match entry.vouched_by {
            VouchedBy::KeySet { generation } => self.moment.issuer.is_some_and(|issuer| {
                let has_key = entry.identity.kid.as_ref().is_some_and(|kid| issuer.keys.contains(kid));
                issuer.generation == generation && has_key
            }),
            VouchedBy::Seal(tag) => self.sessions.has(tag),
        }
    }

    fn verify(&self, token: &str, issuer: &WebOrigin) -> Result<Verified<AccessToken>, Refusal> {
        let no_keys = KeySet::default();
        let keys = self.moment.issuer.map_or(&no_keys, |issuer| &issuer.keys);
        let made_out_to = |recipient| {
            let expected = Expected { issuer: issuer.as_str(), recipient, leeway: LEEWAY };
            passport::verify::<AccessToken>(token, keys, &expected, self.moment.now)
        };
        let mut verdict = made_out_to(self.site.url.host());
        for name in LOOPBACK_NAMES.into_iter().filter(|_| self.site.url.is_loopback()) {
            if matches!(verdict, Err(Refusal::Recipient)) {
                verdict = made_out_to(name);
            }
        }
        verdict
    }

    /// A fresher key set is no help against a token of a revoked key.
    fn fault(&self, token: &str, refusal: Refusal) -> Fault {
        let kid = || passport::unverified(token).and_then(|token| token.kid);
        if refusal == Refusal::UnknownKey && kid().is_some_and(|kid| self.has_revoked_key(kid.as_str())) {
            Fault::Revoked
        } else {
            Fault::AccessToken(refusal)
        }
    }

    fn has_revoked_key(&self, kid: &str) -> bool {
        self.moment.issuer.is_some_and(|issuer| issuer.revocations.has_revoked_key(kid))
    }

    fn session(&self, session: &Text<'_>) -> Result<Arc<Identity>, Fault> {
        if let Some(entry) = session.known.as_deref().filter(|entry| self.stands(entry)) {
            return if entry.identity.expires_at > self.moment.now {
                Ok(Arc::clone(&entry.identity))
            } else {
                Err(Fault::SessionEnded)
            };
        }
        let opened = self.sessions.open(self.site, session.text, self.moment.now)?;
        let validity = Validity { issued_at: opened.login_at, expires_at: opened.ends_at(self.site) };
        let (owner, level) = (Some(opened.owner), opened.owner_level);
        let identity = Identity::new(opened.agent, owner, level, validity, opened.kid, ShownAs::Session);
        let identity = Arc::new(identity.ok_or(Fault::Seal)?);
        if let Some(tag) = tag_of(session.text) {
            self.keep(session, VouchedBy::Seal(tag), &identity, validity.expires_at.since(self.moment.now));
        }
        Ok(identity)
    }

    fn keep(&self, text: &Text<'_>, vouched_by: VouchedBy, identity: &Arc<Identity>, counts_for: Duration) {
        let (judged_for, identity) = (self.judged_for.clone(), Arc::clone(identity));
        self.cache.keep(text.digest, Entry { judged_for, vouched_by, identity, counts_for });
    }
}
