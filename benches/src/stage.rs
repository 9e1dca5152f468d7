//! A gateway's chain for one site at one moment, to be asked again and again.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::{Gateway, Mode};
use filters::{
    AtMcp, Chain, Contact, Edits, Fleet, Identity, IssuerMoment, IssuerView, McpOutcome, Moment, Outcome, Request,
    Resources, Revocations, Verdict,
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

/// A path that speaks the Model Context Protocol, under [`Rules::Tools`].
pub const MCP_PATH: &str = "/mcp";

/// What a [`Stage`] protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// One folder, for whoever has a passport.
    Simple,
    /// 65 routes, and on that path scopes, an owner level and a list of 1,000 agents.
    Many,
    /// The many, and a limit for each agent that nobody reaches.
    Limited,
    /// An MCP server at [`MCP_PATH`] with 64 rules on tools, and a limit on those of each that nobody reaches.
    Tools,
}

/// An enforcing site that protects [`PROTECTED_PATH`], in contact with its issuer.
#[derive(Debug)]
pub struct Stage {
    chain: Chain,
    view: IssuerView,
    site_id: SiteId,
    /// Requests so far. One comes each microsecond, so that no limit is reached.
    played: AtomicU64,
}

impl Stage {
    /// A stage with [`Rules::Simple`] whose issuer signs with `key`.
    #[must_use]
    pub fn new(key: &SigningKey) -> Self {
        Self::under(Rules::Simple, key)
    }

    /// A stage with these rules.
    #[must_use]
    pub fn under(rules: Rules, key: &SigningKey) -> Self {
        let file = Gateway::parse(&rules.written(), Path::new("lime.toml"), &|_| None).unwrap();
        let site = Arc::clone(file.sites.first().unwrap());
        let chain = Chain::new(site, Resources::new(&[7; 32], None, [9; 8], (NOW, Fleet::Alone)));
        let view = IssuerView {
            keys: key_set(key),
            generation: 1,
            revocations: Arc::new(Revocations::default()),
            contact: Contact::Kept,
            last_contact: Some(NOW),
        };
        Self {
            chain,
            view,
            site_id: "0198c0de-3333-7000-8000-000000000001".parse().unwrap(),
            played: AtomicU64::new(0),
        }
    }

    /// What the chain says to a message of an agent at [`MCP_PATH`].
    #[must_use]
    pub fn call(&self, identity: &Arc<Identity>, headers: &HeaderMap, body: &[u8]) -> McpOutcome {
        let request = Request {
            method: &Method::POST,
            host: SITE_HOST,
            path: MCP_PATH.as_bytes(),
            headers,
            client: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            request_id: "01JD5Z7V3S0000000000000000",
        };
        let at = AtMcp {
            request: &request,
            endpoint: self.chain.site().mcp.first().unwrap(),
            identity: Some(identity),
            mode: Mode::Enforce,
            hidden_tools: None,
            param_headers: None,
            elapsed: Duration::from_micros(self.played.fetch_add(1, Ordering::Relaxed)),
        };
        let mut edits = Edits::new();
        let met = self.chain.meet_mcp(&at, u64::try_from(body.len()).ok(), &mut edits);
        if met.decided.is_some() { met } else { self.chain.judge_message(&at, body, &mut edits) }
    }

    /// What the chain says to a request.
    #[must_use]
    pub fn play(&self, path: &str, headers: &HeaderMap) -> Outcome {
        let request = Request {
            method: &Method::GET,
            host: SITE_HOST,
            path: path.as_bytes(),
            headers,
            client: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            request_id: "01JD5Z7V3S0000000000000000",
        };
        let known = IssuerMoment { view: Some(&self.view), site_id: Some(&self.site_id) };
        let moment = Moment {
            now: NOW,
            elapsed: Duration::from_micros(self.played.fetch_add(1, Ordering::Relaxed)),
            issuers: &[known],
        };
        self.chain.run(&request, Mode::Enforce, &moment, &mut Edits::new())
    }
}

impl Rules {
    /// As an operator writes them.
    fn written(self) -> String {
        let site = format!(
            "[[site]]\nurl = \"https://{SITE_HOST}\"\norigin = \"http://127.0.0.1:3000\"\nmode = \"enforce\"\n\
             issuer = \"{ISSUER}\"\n"
        );
        if self == Self::Simple {
            return format!("{site}protect = [\"/agents/*\"]\n");
        }
        if self == Self::Tools {
            let rules: String = (0..64)
                .map(|number| format!("[[site.mcp.rule]]\ntool = \"family{number}_*\"\npolicy = \"calls\"\n"))
                .collect();
            return format!(
                "{site}[site.mcp]\n{rules}[policy.calls]\nrequire = \"passport\"\n\
                 limit = {{ per = \"agent\", rate = \"1000000/s\" }}\n"
            );
        }
        let routes: String = (0..64)
            .map(|number| format!("[[site.route]]\npath = \"/agents/{number}/*\"\npolicy = \"passport\"\n"))
            .collect();
        let denied: Vec<String> =
            (0..1_000).map(|number| format!("\"0198c0de-4444-7000-8000-{number:012x}\"")).collect();
        let limit = if self == Self::Limited { "limit = { per = \"agent\", rate = \"1000000/s\" }\n" } else { "" };
        format!(
            "{site}policy = \"open\"\n[[site.route]]\npath = \"/agents/*\"\nmethods = [\"GET\"]\npolicy = \"stock\"\n\
             {routes}[policy.stock]\nrequire = \"passport\"\nscopes = [\"stock:read\"]\nowner_level = 2\n\
             agents = {{ deny = [{}] }}\n{limit}",
            denied.join(", ")
        )
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
