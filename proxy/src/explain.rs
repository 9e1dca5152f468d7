//! What would become of a request, and why: found by the code that decides about real ones, and nothing is sent anywhere.
//!
//! Keys and revocations are those that the state folder holds. Whoever has no token may assume an agent: a token is signed
//! for it with a key made for the question, and verified like any other.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use config::{IssuerKind, Policy, Require, TrustedIssuer, Weighed};
use filters::{
    Call, Chain, Contact, Decision, Edits, Fleet, IssuerMoment, IssuerView, Moment, Reason, Reply, Request,
    Revocations, Verdict, judge_head,
};
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use passport::{AccessToken, AgentId, KeySet, OwnerId, OwnerLevel, Passport as _, SigningKey, jwks_document};
use pingora::http::RequestHeader;
use tokio::sync::Notify;

use crate::bounds;
use crate::clock::{Timestamp, now};
use crate::forwarded::Source;
use crate::issuer::Issuer;
use crate::metrics::Metrics;
use crate::own_pages::{self, Page};
use crate::request_id::{RequestId, RequestIds};
use crate::secret::Secret;
use crate::serve::Error;
use crate::sites::Sites;
use crate::state::StateFiles;
use crate::to_origin::ToOrigin;

mod message;

/// Where an assumed agent shows its token, so that it is beside what the site itself is sent.
const LIME_AUTHORIZATION: HeaderName = HeaderName::from_static("lime-authorization");

/// A request to be explained.
#[derive(Clone, Debug)]
pub struct Question {
    /// The method.
    pub method: Method,
    /// `https` or `http`, as the client would speak to the gateway.
    pub scheme: config::Scheme,
    /// The host, with its port if one is written.
    pub authority: String,
    /// Path and query, as they would come over the wire.
    pub target: String,
    /// The headers, without `Host`.
    pub headers: HeaderMap,
    /// The body, which is looked at only at MCP endpoints; nothing is said about messages without one.
    pub body: Option<Vec<u8>>,
    /// Who asks.
    pub client: IpAddr,
    /// The agent that asks, in place of a token of it.
    pub assumed: Option<Assumed>,
}

impl Question {
    /// The same with a body: JSON, unless its headers say something else.
    #[must_use]
    pub fn with_body(self, body: Option<impl Into<Vec<u8>>>) -> Self {
        let (body, mut headers) = (body.map(Into::into), self.headers);
        if body.is_some() && !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Self { headers, body, ..self }
    }
}

/// An agent that is assumed to ask.
#[derive(Clone, Debug)]
pub struct Assumed {
    /// Which.
    pub agent: AgentId,
    /// Its owner.
    pub owner: Option<OwnerId>,
    /// How well the issuer knows the owner.
    pub owner_level: OwnerLevel,
    /// The scopes of its token, parted by spaces.
    pub scope: Option<String>,
}

/// What would become of a request.
#[derive(Debug)]
pub struct Explanation {
    /// The site, if the host is one's.
    pub site: Option<Arc<config::Site>>,
    /// The route that the path leads to: its path, its methods and where it is written. Or the MCP endpoint.
    pub route: Option<String>,
    /// The message to an MCP endpoint, where one could be read. Pins are not looked at.
    pub message: Option<Call>,
    /// What is asked for.
    pub policy: Option<Arc<Policy>>,
    /// What is decided.
    pub decision: Decision,
    /// The answer of the gateway itself, if the request would not go on.
    pub reply: Option<Reply>,
    /// How difficult a challenge would be, where the policy asks for work: each reason, and its bits.
    pub bits: Option<Vec<(String, i16)>>,
    /// The headers that the origin would get, if it would.
    pub to_origin: Option<HeaderMap>,
}

/// Explains what becomes of requests under one configuration.
pub struct Explainer {
    config: config::Gateway,
    sites: Sites<Arc<config::Site>>,
    resources: filters::Resources,
    issuers: Vec<Arc<Issuer>>,
    key: SigningKey,
}

impl Explainer {
    /// Reads what the state folder holds of issuers. Nothing is made there, and nobody is asked.
    ///
    /// # Errors
    /// [`Error`] when the system refuses what that takes.
    pub fn new(config: config::Gateway) -> Result<Self, Error> {
        let server = &config.server;
        // On a machine that only checks files there is no secret: sessions cannot be judged there.
        let secret = Secret::read(server.secret.as_ref(), &server.state).unwrap_or_else(Secret::of_nobody);
        let files = Arc::new(StateFiles::new(server.state.clone(), &secret));
        let metrics = Metrics::new().map_err(|cause| Error::Metrics(cause.into()))?;
        let open = |issuer: &Arc<TrustedIssuer>| {
            let metrics = metrics.issuer(issuer.url.as_str());
            Arc::new(Issuer::open(Arc::clone(issuer), Arc::clone(&files), metrics, Arc::new(Notify::new()), now()))
        };
        let key = SigningKey::generate().map_err(|cause| Error::Client(cause.into()))?;
        let issuers = config.issuers.iter().map(open).collect();
        let resources = filters::Resources::new(secret.current(), secret.previous(), [0; 8], (now(), Fleet::Alone));
        let sites = Sites::new(config.sites.iter().map(|site| (&**site, Arc::clone(site))));
        Ok(Self { config, sites, resources, issuers, key })
    }

    /// What would become of a request.
    #[must_use]
    pub fn explain(&self, question: &Question) -> Explanation {
        match self.meet(question) {
            Ok((site, header)) => self.decide(question, &site, header),
            Err(reason) => Explanation {
                site: None,
                route: None,
                message: None,
                policy: None,
                decision: crate::gate::decided(reason),
                reply: Some(crate::gate::refuse_form(None, reason, "-", filters::Accepts::of(&question.headers))),
                bits: None,
                to_origin: None,
            },
        }
    }

    /// The site that is meant, and the request as Pingora would read it.
    fn meet(&self, question: &Question) -> Result<(Arc<config::Site>, RequestHeader), Reason> {
        judge_head(&head(question))?;
        let fields = question.headers.len() + 1;
        let header = RequestHeader::build(question.method.clone(), question.target.as_bytes(), Some(fields));
        let mut header = header.map_err(|_| Reason::PathInvalid)?;
        let host = HeaderValue::from_str(&question.authority).map_err(|_| Reason::HostInvalid)?;
        let invalid = |_| Reason::FramingInvalid;
        header.append_header(HOST, host).map_err(invalid)?;
        for (name, value) in &question.headers {
            header.append_header(name.clone(), value.clone()).map_err(invalid)?;
        }
        bounds::judge(&header)?;
        let host = bounds::host(&header)?;
        let site = self.sites.find(&host).ok_or(Reason::HostUnknown)?;
        Ok((Arc::clone(site), header))
    }

    fn decide(&self, question: &Question, site: &Arc<config::Site>, mut header: RequestHeader) -> Explanation {
        let (judged_by, views) = match &question.assumed {
            Some(assumed) => {
                if let Some(value) = self.token(site, assumed).and_then(|token| HeaderValue::from_str(&token).ok()) {
                    // The error is that there are too many headers, which the question would be refused for.
                    drop(header.append_header(LIME_AUTHORIZATION, value));
                }
                (Arc::new(lime_alone(site)), self.assumed_views(site))
            }
            None => (Arc::clone(site), self.known_views(site)),
        };
        let chain = Chain::new(Arc::clone(&judged_by), self.resources.clone());
        let issuers: Vec<_> = views.iter().map(|view| IssuerMoment { view: Some(view), site_id: None }).collect();
        let moment = Moment { now: now(), elapsed: Duration::ZERO, issuers: &issuers };
        let path = crate::downstream::path(&header).to_vec();
        if own_pages::is_ours(site, &path) {
            return own_page(question, site, &path);
        }
        let source = Source::of(question.client, &header.headers, &self.config.server.trusted_proxies);
        let client = (!source.may_be_a_crowd()).then_some(source.client);
        let host = bounds::host(&header).unwrap_or_default();
        let (method, headers) = (&question.method, &header.headers);
        let request = Request { method, host: &host, path: &path, headers, client, request_id: "-" };
        let mut edits = Edits::new();
        let outcome = chain.run(&request, site.mode, &moment, &mut edits);
        let matched = site.route(&path, &question.method);
        let route = matched.route.map(|route| format!("{} ({}), {}", route.path, route.methods, route.defined_at));
        let endpoint = site.mcp_at(&path);
        let mut explanation = Explanation {
            site: Some(Arc::clone(site)),
            route: route
                .or_else(|| endpoint.map(|endpoint| format!("MCP at {}, {}", endpoint.path, endpoint.defined_at))),
            message: None,
            policy: Some(Arc::clone(matched.policy)),
            decision: outcome.decision,
            reply: None,
            bits: bits(matched.policy, &request),
            to_origin: None,
        };
        let verdict = match (outcome.verdict, endpoint) {
            (Verdict::Continue, Some(endpoint)) => {
                let asked = (&request, endpoint, question.body.as_deref());
                message::judge(&chain, asked, site.mode, &mut edits, &mut explanation)
            }
            (verdict, _) => verdict,
        };
        match verdict {
            Verdict::Respond(reply) => explanation.reply = Some(*reply),
            Verdict::Continue => explanation.to_origin = sent(&header, &source, question.scheme, &edits),
        }
        explanation
    }

    /// A token of an assumed agent, of the site's first issuer.
    fn token(&self, site: &config::Site, assumed: &Assumed) -> Option<String> {
        let (issuer, now) = (site.issuers.first()?, now());
        let token = AccessToken {
            iss: issuer.url.as_str().to_owned(),
            aud: AccessToken::audience(),
            sub: assumed.agent.clone(),
            iat: now,
            exp: now.plus(Duration::from_secs(300)),
            nbf: None,
            jti: "assumed".parse().ok()?,
            domain: site.url.host().to_owned(),
            // Other issuers say nothing of owners.
            owner: assumed.owner.clone().filter(|_| issuer.is_lime()),
            owner_level: if issuer.is_lime() { assumed.owner_level } else { OwnerLevel::default() },
            scope: assumed.scope.clone(),
        };
        self.key.sign(&token).ok().map(|token| format!("Bearer {token}"))
    }

    /// An issuer that has published the key of the question alone.
    fn assumed_views(&self, site: &config::Site) -> Vec<IssuerView> {
        let keys = KeySet::from_jwks(jwks_document([self.key.jwk()]).as_bytes()).unwrap_or_default();
        site.issuers.iter().map(|_| view(keys.clone(), Arc::default())).collect()
    }

    fn known_views(&self, site: &config::Site) -> Vec<IssuerView> {
        let known = |issuer: &Arc<TrustedIssuer>| {
            let known = self.issuers.iter().find(|known| known.url() == &issuer.url)?;
            let known = known.view();
            Some(view(known.keys.clone(), Arc::clone(&known.revocations)))
        };
        site.issuers
            .iter()
            .map(|issuer| known(issuer).unwrap_or_else(|| view(KeySet::default(), Arc::default())))
            .collect()
    }
}

impl std::fmt::Debug for Explainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Explainer").field("sites", &self.config.sites.len()).finish_non_exhaustive()
    }
}

/// What makes up the difficulty, as far as it does not depend on what happened lately.
fn bits(policy: &Policy, request: &Request<'_>) -> Option<Vec<(String, i16)>> {
    if policy.require != Require::Cleared {
        return None;
    }
    let Request { path, headers, client, .. } = *request;
    let weighed = Weighed { path, headers, client };
    let base = (format!("bits of [policy.{}]", policy.name), i16::from(policy.challenge.bits));
    let weights = policy.challenge.weights.explained(&weighed);
    Some(std::iter::once(base).chain(weights).collect())
}

/// What the gateway serves itself.
fn own_page(question: &Question, site: &Arc<config::Site>, path: &[u8]) -> Explanation {
    let turned_away = Page::find(site, &question.method, path).err().map(|(reason, _)| reason);
    let refuse = |reason| {
        let accepts = filters::Accepts::of(&question.headers);
        filters::refuse(Some(site), reason, "-", accepts, None)
    };
    Explanation {
        site: Some(Arc::clone(site)),
        route: None,
        message: None,
        policy: None,
        decision: crate::gate::of_the_gateway(turned_away),
        reply: turned_away.map(refuse),
        bits: None,
        to_origin: None,
    }
}

/// An issuer that is heard: what becomes of a request while it is not is another question.
fn view(keys: KeySet, revocations: Arc<Revocations>) -> IssuerView {
    IssuerView { keys, generation: 1, revocations, contact: Contact::Kept, last_contact: Some(now()) }
}

/// The site as it would be if its issuers were ours, so that a token can be made for the question.
fn lime_alone(site: &config::Site) -> config::Site {
    let lime = |issuer: &Arc<TrustedIssuer>| {
        Arc::new(TrustedIssuer { kind: IssuerKind::Lime, ..TrustedIssuer::clone(issuer) })
    };
    config::Site { issuers: site.issuers.iter().map(lime).collect(), ..site.clone() }
}

/// The request as it would come over the wire.
fn head(question: &Question) -> Vec<u8> {
    let mut head =
        format!("{} {} HTTP/1.1\r\nHost: {}\r\n", question.method, question.target, question.authority).into_bytes();
    for (name, value) in &question.headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// The headers that the origin would get.
fn sent(received: &RequestHeader, source: &Source, scheme: config::Scheme, edits: &Edits) -> Option<HeaderMap> {
    let id: RequestId = RequestIds::new([0; 16]).make(Timestamp::now());
    let mut upstream = received.clone();
    let asked = ToOrigin { received, source: Some(source), scheme: scheme.as_str(), request_id: &id, edits };
    asked.write(&mut upstream).ok()?;
    Some(upstream.headers.clone())
}
