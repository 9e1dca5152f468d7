//! From a credential to an identity: the only place where one begins to count.

use std::sync::Arc;
use std::time::Duration;

use config::{IssuerKind, McpEndpoint, Site, TrustedIssuer};
use passport::{AccessToken, Expected, KeyId, KeySet, OAuthExpected, OwnerLevel, Refusal, ResourceToken};

use crate::credential::{Claimed, Credential, Text};
use crate::identity::{Identity, Scopes, ShownAs, Subject, Validity, Vouched};
use crate::session::{SessionKeys, tag_of};
use crate::verified_cache::{Entry, JudgedFor, VerifiedCache, VouchedBy};
use crate::{Fault, IssuerView, Moment, Revocations};

/// Judges the credentials of one request.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    pub(crate) site: &'a Site,
    pub(crate) sessions: &'a SessionKeys,
    pub(crate) cache: &'a VerifiedCache,
    pub(crate) judged_for: &'a JudgedFor,
    pub(crate) moment: &'a Moment<'a>,
    /// The MCP endpoint that is asked, if it is one.
    pub(crate) endpoint: Option<&'a McpEndpoint>,
}

/// The issuer of a token, and what is known of it.
#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    issuer: &'a TrustedIssuer,
    index: usize,
    view: Option<&'a IssuerView>,
}

/// Why nobody is identified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    pub(crate) fault: Fault,
    /// Which issuer might have known better.
    pub(crate) issuer: Option<usize>,
}

impl Judge<'_> {
    /// Whom a credential identifies, at this moment.
    pub(crate) fn identify(&self, credential: &Credential<'_>) -> Result<Arc<Identity>, Failed> {
        let (issuer, identity) = match credential {
            Credential::AccessToken(text, claimed) => (claimed.issuer, self.access_token(text, claimed)),
            Credential::Session(text) => {
                let lime = self.site.issuers.iter().position(|issuer| issuer.is_lime());
                let lime = lime.ok_or(Failed { fault: Fault::NoIssuer, issuer: None })?;
                (lime, self.session(text, lime))
            }
            Credential::Unusable(fault) => return Err(Failed { fault: *fault, issuer: None }),
        };
        let failed = |fault| Failed { fault, issuer: Some(issuer) };
        let identity = identity.map_err(failed)?;
        if !self.counts_here(&identity) {
            return Err(failed(Fault::Resource));
        }
        let known = self.moment.issuer(issuer);
        let is_allowed = |revocations: &Revocations| revocations.allows(&identity, known.site_id);
        if known.view.is_none_or(|view| is_allowed(&view.revocations)) {
            Ok(identity)
        } else {
            Err(failed(Fault::Revoked))
        }
    }

    /// What is for one resource counts there alone; what an issuer of others signed for the site counts at its endpoints
    /// only if the operator named that audience.
    fn counts_here(&self, identity: &Identity) -> bool {
        let issuer = self.site.issuers.get(identity.issuer);
        let is_for_the_site_alone = identity.shown_as == ShownAs::AccessToken
            && issuer.is_some_and(|issuer| matches!(issuer.kind, IssuerKind::OAuth { audience: None }));
        match (&identity.resource, self.endpoint) {
            (Some(resource), Some(endpoint)) => *resource == endpoint.resource,
            (Some(_), None) => false,
            (None, Some(_)) => !is_for_the_site_alone,
            (None, None) => true,
        }
    }

    fn access_token(&self, token: &Text<'_>, claimed: &Claimed) -> Result<Arc<Identity>, Fault> {
        let Some(issuer) = self.site.issuers.get(claimed.issuer) else { return Err(Fault::NoIssuer) };
        if let Some(entry) = token.known.as_deref().filter(|entry| self.stands(entry)) {
            return if entry.identity.expires_at.plus(issuer.leeway) > self.moment.now {
                Ok(Arc::clone(&entry.identity))
            } else {
                Err(Fault::AccessToken(Refusal::Expired))
            };
        }
        let view = self.moment.issuer(claimed.issuer).view;
        let asked = Asked { issuer, index: claimed.issuer, view };
        let identity = match &issuer.kind {
            IssuerKind::Lime => self.lime_token(token.text, &asked),
            IssuerKind::OAuth { audience } => self.oauth_token(token.text, audience.as_deref(), &asked),
        };
        let identity = Arc::new(identity.map_err(|refusal| fault(token.text, refusal, view))?);
        if let Some(view) = view {
            let vouched_by = VouchedBy::KeySet { issuer: claimed.issuer, generation: view.generation };
            let counts_for = identity.expires_at.plus(issuer.leeway).since(self.moment.now);
            self.keep(token, vouched_by, &identity, counts_for);
        }
        Ok(identity)
    }

    fn lime_token(&self, token: &str, asked: &Asked<'_>) -> Result<Identity, Refusal> {
        let Asked { issuer, index, view } = *asked;
        let claims = passport::unverified(token);
        let audiences = claims.as_ref().map_or(&[][..], |claims| &claims.audiences);
        if let Some(endpoint) = self.endpoint_of(audiences) {
            return self.resource_token(token, endpoint, asked);
        }
        // A token names the host that its agent asked for; each of the site's is as good as any.
        let domain = claims.and_then(|claims| claims.domain);
        let recipient = domain.as_deref().filter(|domain| self.site.serves(domain)).unwrap_or(self.site.url.host());
        let expected = Expected { issuer: issuer.url.as_str(), recipient, leeway: issuer.leeway };
        let no_keys = KeySet::default();
        let keys = view.map_or(&no_keys, |view| &view.keys);
        let verified = passport::verify::<AccessToken>(token, keys, &expected, self.moment.now)?;
        let kid = verified.kid().clone();
        let passport = verified.into_inner();
        let validity = Validity { issued_at: passport.iat, expires_at: passport.exp };
        let subject = Subject {
            agent: passport.sub,
            owner: passport.owner,
            owner_level: passport.owner_level,
            scopes: Scopes::new(passport.scope),
            client: None,
        };
        let vouched = Vouched { issuer: index, kid, shown_as: ShownAs::AccessToken, resource: None };
        Identity::new(subject, validity, vouched).ok_or(Refusal::Claims)
    }

    /// The endpoint of the site that a token says it is for. It may be another than the one that is asked.
    fn endpoint_of(&self, audiences: &[String]) -> Option<&McpEndpoint> {
        let is_for = |endpoint: &&Arc<McpEndpoint>| audiences.iter().any(|one| **one == *endpoint.resource);
        self.site.mcp.iter().find(is_for).map(|endpoint| &**endpoint)
    }

    fn resource_token(&self, token: &str, endpoint: &McpEndpoint, asked: &Asked<'_>) -> Result<Identity, Refusal> {
        let Asked { issuer, index, view } = *asked;
        let expected = Expected { issuer: issuer.url.as_str(), recipient: &endpoint.resource, leeway: issuer.leeway };
        let no_keys = KeySet::default();
        let keys = view.map_or(&no_keys, |view| &view.keys);
        let verified = passport::verify::<ResourceToken>(token, keys, &expected, self.moment.now)?;
        let kid = verified.kid().clone();
        let passport = verified.into_inner();
        let validity = Validity { issued_at: passport.iat, expires_at: passport.exp };
        let subject = Subject {
            agent: passport.sub,
            owner: Some(passport.owner),
            owner_level: passport.owner_level,
            scopes: Scopes::new(passport.scope),
            client: Some(passport.client_id.into()),
        };
        let resource = Some(endpoint.resource.clone());
        let vouched = Vouched { issuer: index, kid, shown_as: ShownAs::AccessToken, resource };
        Identity::new(subject, validity, vouched).ok_or(Refusal::Claims)
    }

    fn oauth_token(&self, token: &str, audience: Option<&str>, asked: &Asked<'_>) -> Result<Identity, Refusal> {
        let Asked { issuer, index, view } = *asked;
        let claims = passport::unverified(token);
        let audiences = claims.as_ref().map_or(&[][..], |claims| &claims.audiences);
        // One for the audience that the operator named is for the whole site, its endpoints too.
        let is_for_all = audience.is_some_and(|audience| audiences.iter().any(|one| one == audience));
        let endpoint = if is_for_all { None } else { self.endpoint_of(audiences) };
        let audience = audience.unwrap_or(self.site.url.as_str());
        let expected = OAuthExpected {
            issuer: issuer.url.as_str(),
            audience: endpoint.map_or(audience, |endpoint| &endpoint.resource),
            typ: &issuer.typ,
            leeway: issuer.leeway,
        };
        let no_keys = KeySet::default();
        let keys = view.map_or(&no_keys, |view| &view.keys);
        let verified = passport::verify_oauth(token, keys, &expected, self.moment.now)?;
        let kid = verified.kid().clone();
        let agent = verified.agent().map_err(|_| Refusal::Claims)?;
        let claims = verified.into_inner();
        let validity = Validity { issued_at: claims.iat, expires_at: claims.exp };
        let (owner_level, scopes) = (OwnerLevel::default(), Scopes::new(claims.scope));
        let client = claims.client_id.map(Box::from);
        let subject = Subject { agent, owner: None, owner_level, scopes, client };
        let resource = endpoint.map(|endpoint| endpoint.resource.clone());
        let vouched = Vouched { issuer: index, kid, shown_as: ShownAs::AccessToken, resource };
        Identity::new(subject, validity, vouched).ok_or(Refusal::Claims)
    }

    /// Whether what vouched for a verdict is there still.
    fn stands(&self, entry: &Entry) -> bool {
        match entry.vouched_by {
            VouchedBy::KeySet { issuer, generation } => self.moment.issuer(issuer).view.is_some_and(|view| {
                let has_key = entry.identity.kid.as_ref().is_some_and(|kid| view.keys.contains(kid));
                view.generation == generation && has_key
            }),
            VouchedBy::Seal(tag) => self.sessions.has(tag),
        }
    }

    fn session(&self, session: &Text<'_>, issuer: usize) -> Result<Arc<Identity>, Fault> {
        if let Some(entry) = session.known.as_deref().filter(|entry| self.stands(entry)) {
            return if entry.identity.expires_at > self.moment.now {
                Ok(Arc::clone(&entry.identity))
            } else {
                Err(Fault::SessionEnded)
            };
        }
        let opened = self.sessions.open(self.site, session.text, self.moment.now)?;
        let validity = Validity { issued_at: opened.login_at, expires_at: opened.ends_at(self.site) };
        let owner_level = opened.owner_level;
        let (owner, scopes) = (Some(opened.owner), Scopes::default());
        let subject = Subject { agent: opened.agent, owner, owner_level, scopes, client: None };
        let vouched = Vouched { issuer, kid: opened.kid, shown_as: ShownAs::Session, resource: None };
        let identity = Identity::new(subject, validity, vouched);
        let identity = Arc::new(identity.ok_or(Fault::Seal)?);
        if let Some(tag) = tag_of(session.text) {
            self.keep(session, VouchedBy::Seal(tag), &identity, validity.expires_at.since(self.moment.now));
        }
        Ok(identity)
    }

    fn keep(&self, text: &Text<'_>, vouched_by: VouchedBy, identity: &Arc<Identity>, counts_for: Duration) {
        let (judged_for, identity) = (*self.judged_for, Arc::clone(identity));
        self.cache.keep(text.digest, Entry { judged_for, vouched_by, identity, counts_for });
    }
}

/// A fresher key set is no help against a token of a revoked key.
fn fault(token: &str, refusal: Refusal, view: Option<&IssuerView>) -> Fault {
    let kid = || passport::unverified(token).and_then(|token| token.kid);
    let is_revoked = |kid: KeyId| view.is_some_and(|view| view.revocations.has_revoked_key(kid.as_str()));
    if refusal == Refusal::UnknownKey && kid().is_some_and(is_revoked) {
        Fault::Revoked
    } else {
        Fault::AccessToken(refusal)
    }
}
