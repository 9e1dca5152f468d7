//! One site: what the world calls it, where it really is, and what is asked of agents there.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use crate::limit::Limit;
use crate::route::{Matched, Route, Routes};
use crate::{
    HostPattern, McpEndpoint, Origin, Page, PathPattern, Place, Policy, Require, SecretSource, TrustedIssuer, Upstream,
    Verify, WebOrigin,
};

mod read;

/// A site behind the gateway: one `[[site]]` of the file.
#[derive(Clone, Debug)]
pub struct Site {
    /// The origin the world knows; its host picks the site, and every absolute URL is made from it.
    pub url: WebOrigin,
    /// Further hosts that it is served under. Absolute URLs are made from `url` even so.
    pub also: Vec<HostPattern>,
    /// Where the site itself listens.
    pub origin: Origin,
    /// What the gateway does about what it finds. Default: observe, so that nobody is refused by surprise.
    pub mode: Mode,
    /// What a path asks for about which no route is written. Default: nothing.
    pub policy: Arc<Policy>,
    /// Which paths ask for something else: see [`Site::route`].
    pub routes: Routes,
    /// Whose tokens count here, at most [`Site::ISSUERS_MAX`]. Never empty when something asks for a passport.
    pub issuers: Vec<Arc<TrustedIssuer>>,
    /// How often the site may be asked, whatever the path.
    pub limits: Vec<Limit>,
    /// Pages of which origins may read what the gateway itself answers (CORS). Default: none.
    pub cors: Vec<WebOrigin>,
    /// The gateway's credential at the issuer, for edge login and revocation.
    pub credential: Option<SecretSource>,
    /// Whether agents may log in at the gateway. Default: off.
    pub login: Login,
    /// How long a session of an edge login lives: at most 24 h. Default: [`Site::SESSION_TTL`].
    pub session_ttl: Duration,
    /// Whether caches in front may share protected responses. Default: no.
    pub shared_cache: SharedCache,
    /// Whether `/auth.md` is the gateway's. Default: no, since it is a path that a site may have itself.
    pub auth_md: AuthMd,
    /// Whether the origin learns who owns an agent. Default: no, since it makes an owner's agents linkable.
    pub owner_headers: OwnerHeaders,
    /// With no contact to the issuer for so long, protected paths answer 503. Default: never, sessions and tokens live
    /// to their end.
    pub revocation_max_stale: Option<Duration>,
    /// Where a refused person may ask, shown as it is.
    pub contact: Option<String>,
    /// How the page looks that strangers work at.
    pub page: Page,
    /// The paths that speak the Model Context Protocol.
    pub mcp: Vec<Arc<McpEndpoint>>,
    /// The line of `origin`: where to look first when the site does not answer.
    pub defined_at: Place,
}

impl Site {
    /// 1 h: a working day of an agent is many sessions, a stolen one is soon worthless.
    pub const SESSION_TTL: Duration = Duration::from_hours(1);

    /// More than a day is a password.
    const SESSION_TTL_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);

    /// Twice the 15 s after which the issuer is heard from again.
    const CONTACT_INTERVALS: Duration = Duration::from_secs(30);

    const MAX_STALE_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(7 * 24);

    /// Each costs a look at every request.
    pub const ISSUERS_MAX: usize = 4;

    /// More than anybody reads; a request looks at each of them in turn.
    const ROUTES_MAX: usize = 256;

    /// A site with every default, which is observed and asks for nothing.
    #[must_use]
    pub fn new(url: WebOrigin, origin: Upstream, defined_at: Place) -> Self {
        Self {
            url,
            also: Vec::new(),
            origin: Origin::new(origin),
            mode: Mode::Observe,
            policy: Policy::open(),
            routes: Routes::default(),
            issuers: Vec::new(),
            limits: Vec::new(),
            cors: Vec::new(),
            credential: None,
            login: Login::Off,
            session_ttl: Self::SESSION_TTL,
            shared_cache: SharedCache::No,
            auth_md: AuthMd::NotServed,
            owner_headers: OwnerHeaders::No,
            revocation_max_stale: None,
            contact: None,
            page: Page::default(),
            mcp: Vec::new(),
            defined_at,
        }
    }

    /// The same with other routes.
    #[must_use]
    pub fn with_routes(self, routes: Vec<Route>) -> Self {
        Self { routes: Routes::new(routes), ..self }
    }

    /// The same with paths that ask for a passport: what `protect` means.
    #[must_use]
    pub fn protecting(self, paths: impl IntoIterator<Item = PathPattern>) -> Self {
        let at = self.defined_at.clone();
        self.with_routes(paths.into_iter().map(|path| Route::protecting(path, at.clone())).collect())
    }

    /// The MCP endpoint at a path (no query), if one is there. Bytes are compared as they are.
    #[must_use]
    pub fn mcp_at(&self, path: &[u8]) -> Option<&Arc<McpEndpoint>> {
        self.mcp.iter().find(|endpoint| endpoint.path.matches(path))
    }

    /// What a path (no query) asks of a method. Bytes are compared as they are: resolving them is the caller's part.
    #[must_use]
    pub fn route(&self, path: &[u8], method: &Method) -> Matched<'_> {
        if let Some(endpoint) = self.mcp_at(path) {
            return Matched { policy: &endpoint.gate, route: None };
        }
        let route = self.routes.find(path, method);
        Matched { policy: route.map_or(&self.policy, |route| &route.policy), route }
    }

    /// Whether some server may take a path for an MCP endpoint, although it is another and what is sent there would be
    /// judged by nobody: it differs in capitals, or lies below, and has no route of its own.
    #[must_use]
    pub fn may_be_taken_for_mcp(&self, path: &[u8], method: &Method) -> bool {
        if self.mcp_at(path).is_some() {
            return false;
        }
        let Matched { policy, route } = self.route(path, method);
        let is_unsaid = |near: &McpEndpoint| !route.is_some_and(|route| near.is_near(route.path.text().as_bytes()));
        let mut near = self.mcp.iter().filter(|endpoint| endpoint.is_near(path));
        policy.require != Require::Nobody && near.any(|endpoint| is_unsaid(endpoint))
    }

    /// Its routes, the most specific first.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        self.routes.all()
    }

    /// All policies it has, that of a path without a route first. Those of single MCP tools are among them.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        let of_mcp = self.mcp.iter().flat_map(|endpoint| endpoint.policies());
        std::iter::once(&self.policy).chain(self.routes().iter().map(|route| &route.policy)).chain(of_mcp)
    }

    /// Whether any path asks for anything.
    #[must_use]
    pub fn protects(&self) -> bool {
        self.policies().any(|policy| policy.require > Require::None)
    }

    /// The issuer at which agents log in.
    #[must_use]
    pub fn lime_issuer(&self) -> Option<&Arc<TrustedIssuer>> {
        self.issuers.iter().find(|issuer| issuer.is_lime())
    }

    /// Whether a host, in lower case without port and final dot, is one of its hosts.
    #[must_use]
    pub fn serves(&self, host: &str) -> bool {
        let is_loopback = || {
            let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
            host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
        };
        self.url.host() == host
            || self.also.iter().any(|pattern| pattern.matches(host))
            || (self.url.is_loopback() && is_loopback())
    }

    /// The hosts that nobody else may have. All names of this machine count as one.
    pub(crate) fn claims(&self) -> Vec<String> {
        claims(&self.url, &self.also)
    }
}

fn claims(url: &WebOrigin, also: &[HostPattern]) -> Vec<String> {
    let own = if url.is_loopback() { "localhost" } else { url.host() };
    let also = also.iter().map(HostPattern::to_string).filter(|host| host != own);
    std::iter::once(own.to_owned()).chain(also).collect()
}

impl Site {
    /// What is allowed but should be known.
    pub(crate) fn warnings(&self) -> Vec<&'static str> {
        let mut found = Vec::new();
        match self.mode {
            Mode::Off => found.push("`mode = \"off\"`: agents are neither recognised nor refused here"),
            Mode::Observe => found.push("`mode = \"observe\"`: nobody is refused here yet, only logged"),
            Mode::Enforce => {}
        }
        if self.lime_issuer().is_some() && self.credential.is_none() {
            found.push("`issuer` without `credential`: revoked agents are known only when their tokens expire");
        }
        if self.url.is_exposed() {
            found.push("`url` is not https: passports and sessions can be read on the way");
        }
        if self.origin.tls.verify == Verify::No {
            found.push("`verify = false`: whoever sits between can be the origin, and read what agents send");
        }
        let has_lists = self.policies().any(|policy| !policy.agents.is_everybody() || !policy.owners.is_everybody());
        if self.issuers.len() > 1 && has_lists {
            found.push(
                "`agents` and `owners` compare ids, whoever issued them: with several issuers, one of them may name an \
                 agent of another",
            );
        }
        if self.revocation_max_stale.is_some_and(|max| max < Self::CONTACT_INTERVALS) {
            found.push("`revocation_max_stale` under 30s: one late frame of the issuer takes protected paths down");
        }
        found
    }
}

/// What the gateway does about what it finds out. Framing, host, path and size bounds hold in every mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No credential is read; identity headers of the client are still stripped.
    Off,
    /// Credentials are read and decisions logged; nobody is refused for policy.
    Observe,
    /// Decisions are carried out.
    Enforce,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Off, Self::Observe, Self::Enforce];

    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Observe => "observe",
            Self::Enforce => "enforce",
        }
    }
}

/// Whether agents may log in at the gateway, without the site knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// `/.lime/login` is not there.
    Off,
    /// The gateway opens login requests in the site's name. Needs `issuer` and `credential`.
    Edge,
}

impl Login {
    const WORDS: [(&str, Self); 2] = [("off", Self::Off), ("edge", Self::Edge)];
}

/// `auth_md`: whether the gateway answers `GET /auth.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMd {
    /// It says there how agents get in.
    Served,
    /// The path is the site's, as any other.
    NotServed,
}

/// `shared_cache`: whether caches in front may share a protected response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedCache {
    /// `Cache-Control` of the origin stays as it is.
    Yes,
    /// `private` is added.
    No,
}

/// `owner_headers`: whether the origin is told who owns the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerHeaders {
    /// `Lime-Owner-Id` is sent.
    Yes,
    /// It is not.
    No,
}

#[cfg(test)]
mod tests;
