//! A gateway's decisions without a gateway: one site that protects `/agents/*`, and an issuer whose key is here.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use config::Mode;
use filters::{
    Chain, Contact, Edits, Fleet, HeaderEdit, IssuerMoment, IssuerView, Moment, Outcome, Request, Resources,
    Revocations, Session,
};
use http::{HeaderMap, Method};
use passport::{AccessToken, Audience, KeySet, OwnerLevel, SigningKey, UnixTime, jwks_document};

/// Where the site is protected.
pub const PROTECTED: &[u8] = b"/agents/";

const FILE: &str = r#"
[[site]]
url = "https://shop.example.com"
origin = "http://127.0.0.1:3000"
mode = "enforce"
protect = ["/agents/*"]
issuer = "https://id.example.net"
"#;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// The gate, made once.
pub static GATE: LazyLock<Gate> = LazyLock::new(Gate::new);

/// What decides, and credentials that count.
pub struct Gate {
    chain: Chain,
    view: IssuerView,
    /// An access token of `agent-1`.
    pub token: String,
    /// A session of `agent-1`.
    pub session: String,
}

/// What came of a request.
pub struct Decided {
    /// The verdict and the decision.
    pub outcome: Outcome,
    /// The headers as the origin would see them.
    pub at_origin: HeaderMap,
}

impl Gate {
    fn new() -> Self {
        let key = SigningKey::generate().expect("randomness");
        let gateway = config::Gateway::parse(FILE, Path::new("lime.toml"), &|_| None).expect("it is valid");
        let site = Arc::clone(gateway.sites.first().expect("it has a site"));
        let resources = Resources::new(&[7; 32], None, [9; 8], (NOW, Fleet::Alone));
        let session = Session {
            sid: "session-1".to_owned(),
            agent: "agent-1".parse().expect("an id"),
            owner: "owner-1".parse().expect("an id"),
            owner_level: OwnerLevel::new(2),
            kid: key.kid().clone(),
            login_at: NOW,
            expires_at: NOW.plus(Duration::from_secs(600)),
        };
        let claims = AccessToken {
            iss: "https://id.example.net".to_owned(),
            aud: Audience::One("mcp".to_owned()),
            sub: session.agent.clone(),
            iat: NOW,
            exp: NOW.plus(Duration::from_secs(300)),
            nbf: None,
            jti: "token-1".parse().expect("an id"),
            domain: "shop.example.com".to_owned(),
            owner: Some(session.owner.clone()),
            owner_level: session.owner_level,
            scope: None,
        };
        let view = IssuerView {
            keys: KeySet::from_jwks(jwks_document([key.jwk()]).as_bytes()).expect("a key set"),
            generation: 1,
            revocations: Arc::new(Revocations::default()),
            contact: Contact::Kept,
            last_contact: Some(NOW),
        };
        Self {
            token: key.sign(&claims).expect("a token"),
            session: resources.sessions.seal(&site, &session, [3; 12]).expect("a session"),
            chain: Chain::new(site, resources),
            view,
        }
    }

    /// Decides about a request.
    pub fn decide(&self, path: &[u8], headers: &HeaderMap) -> Decided {
        let client = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let request =
            Request { method: &Method::GET, host: "shop.example.com", path, headers, client, request_id: "01JD" };
        let known = IssuerMoment { view: Some(&self.view), site_id: None };
        let moment = Moment { now: NOW, elapsed: Duration::ZERO, issuers: &[known] };
        let mut edits = Edits::new();
        let outcome = self.chain.run(&request, Mode::Enforce, &moment, &mut edits);
        let mut at_origin = headers.clone();
        for edit in edits.request(headers) {
            match edit {
                HeaderEdit::Remove(name) => drop(at_origin.remove(name)),
                HeaderEdit::Set(name, value) => drop(at_origin.insert(name, value)),
                HeaderEdit::Append(name, value) => drop(at_origin.append(name, value)),
            }
        }
        Decided { outcome, at_origin }
    }
}
