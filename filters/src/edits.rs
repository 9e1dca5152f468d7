//! What the gateway changes about a request and its response, as data. Whoever speaks HTTP applies it, in order.

use std::sync::Arc;

use config::{OwnerHeaders, Require, SharedCache, Site};
use http::header::{AUTHORIZATION, CACHE_CONTROL, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::cookie::Names;
use crate::credential::Shown;
use crate::mcp::McpEdits;
use crate::{Identity, Trust};

/// Every header by which an origin is told who asks.
pub const IDENTITY_HEADERS: [HeaderName; 4] = [AGENT_TRUST, AGENT_ID, OWNER_LEVEL, OWNER_ID];

/// `Lime-Agent-Trust`: how sure the gateway is of who asks. Always set.
const AGENT_TRUST: HeaderName = HeaderName::from_static("lime-agent-trust");
/// `Lime-Agent-Id`: who asks.
const AGENT_ID: HeaderName = HeaderName::from_static("lime-agent-id");
/// `Lime-Owner-Level`: how well the issuer knows the agent's owner.
const OWNER_LEVEL: HeaderName = HeaderName::from_static("lime-owner-level");
/// `Lime-Owner-Id`: who owns the agent, for sites that are configured to be told.
const OWNER_ID: HeaderName = HeaderName::from_static("lime-owner-id");

/// One change to a set of headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderEdit {
    /// Take out every line of this name.
    Remove(HeaderName),
    /// Let this be the only line of this name.
    Set(HeaderName, HeaderValue),
    /// Add a line.
    Append(HeaderName, HeaderValue),
}

/// The changes to one request and its response. New ones already strip what only the gateway may say.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    identity: Option<Arc<Identity>>,
    owner_id: Option<HeaderValue>,
    authorization_left: Option<Vec<HeaderValue>>,
    cookies_left: Option<Vec<HeaderValue>>,
    reserved_cookies: Option<Names>,
    granted: Vec<(HeaderName, HeaderValue)>,
    is_cleared: bool,
    caching: Caching,
    limits: Option<[(HeaderName, HeaderValue); 2]>,
    mcp: Option<Box<McpEdits>>,
}

/// Who may keep a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Caching {
    #[default]
    AsTheOriginSays,
    Private,
    Nobody,
}

impl Edits {
    /// The edits of a request of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps what is ours between the client and the gateway.
    pub(crate) fn keep_ours(&mut self, site: &Site, shown: &mut Shown<'_>) {
        self.authorization_left = shown.authorization_left.take();
        self.cookies_left = shown.cookies_left.take();
        self.reserved_cookies = Some(Names::at(site));
    }

    /// Tells the origin who asks.
    pub(crate) fn introduce(&mut self, site: &Site, identity: &Arc<Identity>, require: Require) {
        self.owner_id = match site.owner_headers {
            OwnerHeaders::Yes => identity.headers.owner.clone(),
            OwnerHeaders::No => None,
        };
        self.caching = match (require, site.shared_cache) {
            (Require::Cleared | Require::Passport | Require::Nobody, SharedCache::No) => Caching::Private,
            (Require::Cleared | Require::Passport | Require::Nobody, SharedCache::Yes) | (Require::None, _) => {
                Caching::AsTheOriginSays
            }
        };
        self.identity = Some(Arc::clone(identity));
    }

    /// Tells the origin that whoever asks has done some work, and keeps the answer to him.
    pub(crate) fn clear(&mut self, site: &Site) {
        self.is_cleared = true;
        self.caching = match site.shared_cache {
            SharedCache::No => Caching::Private,
            SharedCache::Yes => Caching::AsTheOriginSays,
        };
    }

    /// Gives a clearance with the answer: a program keeps the header, a browser the cookie.
    pub(crate) fn grant(&mut self, granted: Vec<(HeaderName, HeaderValue)>) {
        // Whoever kept the answer would hand the clearance on.
        if !granted.is_empty() {
            self.caching = Caching::Nobody;
        }
        self.granted = granted;
    }

    /// Tells the client what is left to it.
    pub(crate) fn tell_limits(&mut self, limits: Option<[(HeaderName, HeaderValue); 2]>) {
        self.limits = limits;
    }

    /// Changes what is to be changed at an MCP endpoint.
    pub(crate) fn at_mcp(&mut self, changes: McpEdits) {
        self.mcp = Some(Box::new(changes));
    }

    /// What to change about the request, given its headers as they are.
    pub fn request(&self, headers: &HeaderMap) -> impl Iterator<Item = HeaderEdit> {
        let spoofs = headers.keys().filter(|name| is_reserved(name)).cloned().map(HeaderEdit::Remove);
        let authorization = replaced(&AUTHORIZATION, self.authorization_left.as_deref());
        let cookies = replaced(&COOKIE, self.cookies_left.as_deref());
        let mcp = self.mcp.iter().flat_map(|mcp| mcp.request());
        spoofs.chain(authorization).chain(cookies).chain(mcp).chain(self.introduction())
    }

    fn introduction(&self) -> impl Iterator<Item = HeaderEdit> {
        let stranger = if self.is_cleared { Trust::Cleared } else { Trust::Unknown };
        let trust = self.identity.as_ref().map_or(stranger, |identity| identity.trust());
        let trust = HeaderValue::from_static(trust.as_str());
        let known = self.identity.as_ref().map(|identity| &identity.headers);
        let agent = known.map(|headers| HeaderEdit::Set(AGENT_ID, headers.agent.clone()));
        let level = known.map(|headers| HeaderEdit::Set(OWNER_LEVEL, headers.owner_level.clone()));
        let owner = self.owner_id.clone().map(|owner| HeaderEdit::Set(OWNER_ID, owner));
        std::iter::once(HeaderEdit::Set(AGENT_TRUST, trust)).chain(agent).chain(level).chain(owner)
    }

    /// What to change about the origin's response, given its headers as they are.
    pub fn response(&self, headers: &HeaderMap) -> impl Iterator<Item = HeaderEdit> {
        let is_ours = |names: Names, line: &HeaderValue| names.are_set_by(line.as_bytes());
        let reserved =
            self.reserved_cookies.filter(|names| headers.get_all(SET_COOKIE).iter().any(|line| is_ours(*names, line)));
        let cookies = reserved.into_iter().flat_map(move |names| {
            let others = headers.get_all(SET_COOKIE).iter().filter(move |line| !is_ours(names, line));
            let others = others.map(|line| HeaderEdit::Append(SET_COOKIE, line.clone()));
            std::iter::once(HeaderEdit::Remove(SET_COOKIE)).chain(others)
        });
        let granted = self.granted.iter().cloned().map(|(name, value)| HeaderEdit::Append(name, value));
        let caching = match self.caching {
            Caching::Private => Some(HeaderEdit::Set(CACHE_CONTROL, kept_private(headers))),
            Caching::Nobody => Some(HeaderEdit::Set(CACHE_CONTROL, HeaderValue::from_static("private, no-store"))),
            Caching::AsTheOriginSays => None,
        };
        // What the origin says of limits of its own stays.
        let limits = self.limits.iter().flatten().cloned().map(|(name, value)| HeaderEdit::Append(name, value));
        let mcp = self.mcp.iter().flat_map(|mcp| mcp.response(headers));
        cookies.chain(granted).chain(caching).chain(limits).chain(mcp)
    }
}

/// The lines of a name are taken out, and what is left of them put back.
fn replaced(name: &'static HeaderName, left: Option<&[HeaderValue]>) -> impl Iterator<Item = HeaderEdit> {
    let removed = left.map(|_| HeaderEdit::Remove(name.clone()));
    let lines = left.unwrap_or_default().iter();
    removed.into_iter().chain(lines.map(|line| HeaderEdit::Append(name.clone(), line.clone())))
}

/// Whether only the gateway may say this. By rule, not by list: origins fold `-` and `_` together (CGI, WSGI), and so a
/// name is reserved in every mixture of the two.
#[must_use]
pub fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str().as_bytes();
    let name = name.strip_prefix(b"x-").or_else(|| name.strip_prefix(b"x_")).unwrap_or(name);
    matches!(name, [b'l', b'i', b'm', b'e', b'-' | b'_', ..])
}

/// `Cache-Control` with `private`, for what is meant for one agent (RFC 9111 §5.2.2.7). What else the origin asks stays,
/// but for its opposite. A comma inside quotes is no end of a directive: of such a line, which is rare, nothing stays.
fn kept_private(headers: &HeaderMap) -> HeaderValue {
    let mut directives = vec!["private"];
    for line in headers.get_all(CACHE_CONTROL) {
        let line = line.to_str().ok().filter(|line| !line.contains('"')).unwrap_or_default();
        let stays =
            |part: &&str| !part.is_empty() && !["private", "public"].iter().any(|w| part.eq_ignore_ascii_case(w));
        directives.extend(line.split(',').map(str::trim).filter(stays));
    }
    HeaderValue::from_str(&directives.join(", ")).unwrap_or(HeaderValue::from_static("private"))
}

#[cfg(test)]
mod tests;
