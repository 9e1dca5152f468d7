//! A gateway's chain for one site at one moment, to be asked again and again.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::{Mode, Place, Site, TrustedIssuer};
use filters::{
    Chain, Contact, Edits, IssuerMoment, IssuerView, Moment, Outcome, Request, Revocations, SessionKeys, Verdict,
};
use http::header::{ACCEPT, AUTHORIZATION, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};
use passport::{SigningKey, SiteId, UnixTime};

use crate::inputs::{SITE_HOST, key_set};

/// The moment of everything that happens on a stage.
pub const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// The issuer of everything that is shown on a stage.
pub const ISSUER: &str = "https://id.example.net";

/// A path that asks for nothing.
pub const OPEN_PATH: &str = "/products/42";

/// A path for identified agents.
pub const PROTECTED_PATH: &str = "/agents/stock";

/// An enforcing site that protects [`PROTECTED_PATH`], in contact with its issuer.
#[derive(Debug)]
pub struct Stage {
    chain: Chain,
    view: IssuerView,
    site_id: SiteId,
}

impl Stage {
    /// A stage whose issuer signs with `key`.
    #[must_use]
    pub fn new(key: &SigningKey) -> Self {
        let place = Place { file: Arc::from(Path::new("lime.toml")), line: 4 };
        let url = format!("https://{SITE_HOST}").parse().unwrap();
        let mut site = Site::new(url, "http://127.0.0.1:3000".parse().unwrap(), place);
        site.mode = Mode::Enforce;
        site.issuers = vec![Arc::new(TrustedIssuer::lime(ISSUER.parse().unwrap(), site.defined_at.clone()))];
        let site = site.protecting(["/agents/*".parse().unwrap()]);
        let sessions = Arc::new(SessionKeys::new(&[7; 32], None));
        let chain = Chain::new(Arc::new(site), sessions, Arc::default(), Arc::default());
        let view = IssuerView {
            keys: key_set(key),
            generation: 1,
            revocations: Arc::new(Revocations::default()),
            contact: Contact::Kept,
            last_contact: Some(NOW),
        };
        Self { chain, view, site_id: "0198c0de-3333-7000-8000-000000000001".parse().unwrap() }
    }

    /// What the chain says to a request.
    #[must_use]
    pub fn play(&self, path: &str, headers: &HeaderMap) -> Outcome {
        let request = Request {
            method: &Method::GET,
            path: path.as_bytes(),
            headers,
            client: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            request_id: "01JD5Z7V3S0000000000000000",
        };
        let known = IssuerMoment { view: Some(&self.view), site_id: Some(&self.site_id) };
        let moment = Moment { now: NOW, elapsed: Duration::ZERO, issuers: &[known] };
        self.chain.run(&request, Mode::Enforce, &moment, &mut Edits::new())
    }
}

/// Headers of a small program, with a token or without.
#[must_use]
pub fn headers(token: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static(SITE_HOST));
    headers.insert(USER_AGENT, HeaderValue::from_static("agent/1.0"));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    }
    headers
}

/// Whether a request goes on to the origin.
#[must_use]
pub const fn goes_on(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Verdict::Continue)
}
