//! What the tests of this crate play on: an issuer with a key, a site, requests made of headers, and the outcome in words.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use config::{
    Login, McpDemand, McpEndpoint, McpRule, McpRules, Mode, Place, Policy, Require, RuleKind, Site, TrustedIssuer,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use passport::{
    AccessToken, Audience, KeySet, OwnerLevel, Passport as _, ResourceToken, SigningKey, SiteId, UnixTime,
    jwks_document,
};

use crate::identity::{Subject, Validity, Vouched};
use crate::{
    Chain, Contact, Edits, Fleet, HeaderEdit, HiddenTools, Identity, IssuerMoment, IssuerView, Moment, Outcome,
    Request, Resources, Revocations, Scopes, Session, ShownAs, Verdict,
};

pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
/// When the process did.
const BEGAN: UnixTime = UnixTime::from_secs(1_799_990_000);
pub(crate) const ISSUER: &str = "https://id.example.net";

/// The issuer's key, and one that nobody published.
pub(crate) static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().unwrap());
pub(crate) static FOREIGN_KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().unwrap());

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) fn ago(count: u64) -> UnixTime {
    UnixTime::from_secs(NOW.as_secs() - count)
}

/// `https://shop.example.com`, enforcing, `/agents/*` protected, login at the edge.
pub(crate) fn site() -> Site {
    let place = Place { file: Arc::from(std::path::Path::new("lime.toml")), line: 4 };
    let mut site =
        Site::new("https://shop.example.com".parse().unwrap(), "http://127.0.0.1:3000".parse().unwrap(), place);
    site.mode = Mode::Enforce;
    site.issuers = vec![lime(ISSUER)];
    site.login = Login::Edge;
    site.protecting(["/agents/*".parse().unwrap()])
}

/// An issuer of ours.
pub(crate) fn lime(url: &str) -> Arc<TrustedIssuer> {
    let place = Place { file: Arc::from(std::path::Path::new("lime.toml")), line: 7 };
    Arc::new(TrustedIssuer::lime(url.parse().unwrap(), place))
}

/// The same with an MCP server at `/mcp`: `mcp:read` is asked for first, `delete_*` takes `mcp:write`, and what is
/// `internal_*` is nobody's.
pub(crate) fn mcp_site(site: Site) -> Site {
    let mut endpoint = McpEndpoint::new(&site.url, "/mcp".parse().unwrap(), site.defined_at.clone());
    let writers = Policy { scopes: vec!["mcp:write".into()], ..Policy::new("writers", Require::Passport) };
    endpoint.scopes = vec!["mcp:read".into()];
    endpoint.rules = McpRules::new(vec![
        rule(RuleKind::Tool, "delete_*", McpDemand::Policy(Arc::new(writers))),
        rule(RuleKind::Tool, "internal_*", McpDemand::Deny),
    ]);
    Site { mcp: vec![Arc::new(endpoint)], ..site }
}

pub(crate) fn rule(kind: RuleKind, pattern: &str, demand: McpDemand) -> McpRule {
    let defined_at = Place { file: Arc::from(std::path::Path::new("lime.toml")), line: 9 };
    McpRule { kind, pattern: pattern.parse().unwrap(), demand, defined_at }
}

/// An agent that was identified, and acts through a client.
pub(crate) fn identity(agent: &str, client: Option<&str>, scopes: &[&str]) -> Identity {
    let subject = Subject {
        agent: agent.parse().unwrap(),
        owner: Some("owner-1".parse().unwrap()),
        owner_level: OwnerLevel::new(2),
        scopes: Scopes::new(Some(scopes.join(" "))),
        client: client.map(Box::from),
    };
    let validity = Validity { issued_at: ago(10), expires_at: NOW.plus(seconds(290)) };
    let vouched = Vouched { issuer: 0, kid: KEY.kid().clone(), shown_as: ShownAs::AccessToken, resource: None };
    Identity::new(subject, validity, vouched).unwrap()
}

/// A token of an OAuth client for a resource.
pub(crate) fn resource_token(resource: &str, scope: &str) -> String {
    let token = ResourceToken {
        iss: ISSUER.into(),
        aud: Audience::One(resource.into()),
        sub: "agent-1".parse().unwrap(),
        iat: ago(10),
        exp: NOW.plus(seconds(290)),
        nbf: None,
        jti: "token-1".parse().unwrap(),
        client_id: "client-1".into(),
        scope: Some(scope.into()),
        owner: "owner-1".parse().unwrap(),
        owner_level: OwnerLevel::new(2),
    };
    KEY.sign(&token).unwrap()
}

/// The site of a developer's own machine.
pub(crate) fn loopback_site() -> Site {
    Site { url: "http://localhost:8080".parse().unwrap(), ..site() }
}

/// Claims of a token that counts at [`site`].
pub(crate) fn claims() -> AccessToken {
    AccessToken {
        iss: ISSUER.into(),
        aud: AccessToken::audience(),
        sub: "agent-1".parse().unwrap(),
        iat: ago(10),
        exp: NOW.plus(seconds(290)),
        nbf: None,
        jti: "token-1".parse().unwrap(),
        domain: "shop.example.com".into(),
        owner: Some("owner-1".parse().unwrap()),
        owner_level: OwnerLevel::new(2),
        scope: None,
    }
}

pub(crate) fn token() -> String {
    KEY.sign(&claims()).unwrap()
}

/// A token with the last byte off its signature.
pub(crate) fn broken(token: &str) -> String {
    token.split_at(token.len() - 2).0.to_owned()
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

pub(crate) fn session() -> Session {
    Session {
        sid: "session-1".into(),
        agent: "agent-1".parse().unwrap(),
        owner: "owner-1".parse().unwrap(),
        owner_level: OwnerLevel::new(2),
        kid: KEY.kid().clone(),
        login_at: ago(60),
        expires_at: NOW.plus(seconds(3540)),
    }
}

pub(crate) fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

pub(crate) fn applied(headers: &HeaderMap, edits: impl Iterator<Item = HeaderEdit>) -> HeaderMap {
    let mut after = headers.clone();
    for edit in edits {
        match edit {
            HeaderEdit::Remove(name) => drop(after.remove(name)),
            HeaderEdit::Set(name, value) => drop(after.insert(name, value)),
            HeaderEdit::Append(name, value) => drop(after.append(name, value)),
        }
    }
    after
}

pub(crate) fn lines(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().map(|line| String::from_utf8(line.as_bytes().to_vec()).unwrap()).collect()
}

/// A gateway with one site, at one moment.
pub(crate) struct Stage {
    pub(crate) site: Site,
    pub(crate) resources: Resources,
    /// Another host than that of its URL.
    pub(crate) host: Option<String>,
    /// What the first issuer of the site has told.
    pub(crate) view: Option<IssuerView>,
    /// What the further ones have, in their order.
    pub(crate) others: Vec<IssuerView>,
    pub(crate) client: Option<IpAddr>,
    pub(crate) site_id: Option<SiteId>,
    /// Tools that their pins hide.
    pub(crate) hidden_tools: Option<HiddenTools>,
    pub(crate) now: UnixTime,
}

/// What came of a request on the stage.
pub(crate) struct Played {
    pub(crate) outcome: Outcome,
    /// The headers as the origin would see them.
    pub(crate) at_origin: HeaderMap,
    pub(crate) edits: Edits,
}

impl Stage {
    pub(crate) fn new(site: Site) -> Self {
        let keys = KeySet::from_jwks(jwks_document([KEY.jwk()]).as_bytes()).unwrap();
        let revocations = Arc::new(Revocations::default());
        let view = IssuerView { keys, generation: 1, revocations, contact: Contact::Kept, last_contact: Some(NOW) };
        Self {
            site,
            resources: Resources::new(&[7; 32], None, [9; 8], (BEGAN, Fleet::Alone)),
            host: None,
            view: Some(view),
            others: Vec::new(),
            client: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
            site_id: Some("site-1".parse().unwrap()),
            hidden_tools: None,
            now: NOW,
        }
    }

    pub(crate) fn seal(&self, session: &Session) -> String {
        self.resources.sessions.seal(&self.site, session, [3; 12]).unwrap()
    }

    pub(crate) fn lose_contact(&mut self) {
        self.view.as_mut().unwrap().contact = Contact::Lost;
    }

    pub(crate) fn play(&self, path: &str, lines: &[(&str, &str)]) -> Played {
        self.play_as(&Method::GET, path, lines)
    }

    pub(crate) fn play_as(&self, method: &Method, path: &str, lines: &[(&str, &str)]) -> Played {
        let headers = headers(lines);
        let chain = Chain::new(Arc::new(self.site.clone()), self.resources.clone());
        let host = self.host.as_deref().unwrap_or(self.site.url.host());
        let (path, client) = (path.as_bytes(), self.client);
        let request = Request { method, host, path, headers: &headers, client, request_id: "01JD" };
        let mut issuers = vec![IssuerMoment { view: self.view.as_ref(), site_id: self.site_id.as_ref() }];
        issuers.extend(self.others.iter().map(|view| IssuerMoment { view: Some(view), site_id: None }));
        let moment = Moment { now: self.now, elapsed: self.now.since(BEGAN), issuers: &issuers };
        let mut edits = Edits::new();
        let outcome = chain.run(&request, self.site.mode, &moment, &mut edits);
        let at_origin = applied(&headers, edits.request(&headers));
        Played { outcome, at_origin, edits }
    }

    /// Plays a request and compares the outcome, in words: the decision, the status if it was answered, the reason, what
    /// was wrong with the credential, the trust.
    #[track_caller]
    pub(crate) fn check(&self, path: &str, lines: &[(&str, &str)], expected: &str) -> Played {
        let played = self.play(path, lines);
        assert_eq!(in_words(&played.outcome), expected, "{path} {lines:?}");
        played
    }
}

fn in_words(outcome: &Outcome) -> String {
    let decision = &outcome.decision;
    let mut words = vec![decision.word.as_str().to_owned()];
    if let Verdict::Respond(reply) = &outcome.verdict {
        words.push(reply.status.as_u16().to_string());
    }
    words.extend(decision.reason.map(|reason| reason.as_str().to_owned()));
    words.extend(decision.fault.map(|fault| format!("({})", fault.code())));
    words.push(decision.trust.as_str().to_owned());
    words.join(" ")
}
