//! Sessions of an origin, tied to whom they were given.
//!
//! A session's id alone opens what was said in it. So the client is given the id with an authenticator over it and over who
//! he is: nothing is kept, any node can check it, and an id that leaks opens nothing to another.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::{McpEndpoint, Site};

use crate::Identity;
use crate::derive::{Bytes32, derive, root};

/// Bytes of an authenticator.
const MAC_BYTES: usize = 16;

/// Longest session id that is bound, in bytes: far more than any server gives.
const ID_BYTES_MAX: usize = 1024;

/// The keys that MCP sessions are tied with. Two live at a time, so that a secret can be replaced without ending sessions.
pub struct McpSessions {
    current: Key,
    previous: Option<Key>,
}

impl McpSessions {
    /// Derives the keys from the gateway's secret, and from the one it had before.
    #[must_use]
    pub fn new(current: &[u8; 32], previous: Option<&[u8; 32]>) -> Self {
        let key = |secret: &[u8; 32]| {
            Key::new(HMAC_SHA256, &derive::<_, Bytes32>(&root(secret), b"mcp session", Bytes32::KIND).0)
        };
        Self { current: key(current), previous: previous.map(key) }
    }

    /// The origin's id as the client is given it, `ID.MAC`; `None` for one that is no session id.
    #[must_use]
    pub fn bind(&self, site: &Site, endpoint: &McpEndpoint, identity: &Identity, id: &str) -> Option<String> {
        let is_id = (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        let text = text(site, endpoint, identity, id);
        is_id.then(|| format!("{id}.{}", URL_SAFE_NO_PAD.encode(mac(&self.current, &text))))
    }

    /// The origin's id in what [`bind`](Self::bind) gave to this very caller; `None` for anything else.
    #[must_use]
    pub fn unbind<'t>(
        &self,
        site: &Site,
        endpoint: &McpEndpoint,
        identity: &Identity,
        bound: &'t str,
    ) -> Option<&'t str> {
        let (id, shown) = bound.rsplit_once('.')?;
        let shown = URL_SAFE_NO_PAD.decode(shown).ok()?;
        let text = text(site, endpoint, identity, id);
        let is_made_with = |key: &Key| verify_slices_are_equal(&mac(key, &text), &shown).is_ok();
        std::iter::once(&self.current).chain(&self.previous).any(is_made_with).then_some(id)
    }
}

fn mac(key: &Key, text: &[u8]) -> [u8; MAC_BYTES] {
    hmac::sign(key, text).as_ref().first_chunk().copied().unwrap_or_default()
}

/// Where a session is, whose, and which. Each part with its length, so that none can run into the next.
fn text(site: &Site, endpoint: &McpEndpoint, identity: &Identity, id: &str) -> Vec<u8> {
    let issuer = site.issuers.get(identity.issuer).map_or("", |issuer| issuer.url.as_str());
    // A client of no name is none of an empty one.
    let (has_client, client) = identity.client.as_deref().map_or(("", ""), |client| ("c", client));
    let mut text = Vec::new();
    for part in [&*endpoint.resource, issuer, identity.agent.as_str(), has_client, client, id] {
        text.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        text.extend_from_slice(part.as_bytes());
    }
    text
}

impl fmt::Debug for McpSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = 1 + usize::from(self.previous.is_some());
        f.debug_struct("McpSessions").field("live", &live).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{identity, mcp_site, site};

    #[test]
    fn a_session_is_of_whom_it_was_given_to_alone() {
        let sessions = McpSessions::new(&[7; 32], None);
        let site = mcp_site(site());
        let endpoint = &site.mcp[0];
        let owner = identity("agent-1", Some("client-1"), &[]);
        let bound = sessions.bind(&site, endpoint, &owner, "1868a90c.x").unwrap();
        assert_eq!(sessions.unbind(&site, endpoint, &owner, &bound), Some("1868a90c.x"));
        for (agent, client) in
            [("agent-2", Some("client-1")), ("agent-1", Some("client-2")), ("agent-1", None), ("agent-1", Some(""))]
        {
            assert_eq!(
                sessions.unbind(&site, endpoint, &identity(agent, client, &[]), &bound),
                None,
                "{agent} {client:?}"
            );
        }
        let other = McpEndpoint::new(&site.url, "/other".parse().unwrap(), endpoint.defined_at.clone());
        assert_eq!(sessions.unbind(&site, &other, &owner, &bound), None);
        for forged in [
            "1868a90c.x",
            "1868a90c",
            "",
            ".",
            "other.AAAAAAAAAAAAAAAAAAAAAA",
            bound.strip_prefix('1').unwrap(),
            &format!("{bound}A"),
        ] {
            assert_eq!(sessions.unbind(&site, endpoint, &owner, forged), None, "{forged}");
        }
    }

    #[test]
    fn a_session_outlives_a_change_of_the_secret() {
        let (site, owner) = (mcp_site(site()), identity("agent-1", None, &[]));
        let bound = McpSessions::new(&[7; 32], None).bind(&site, &site.mcp[0], &owner, "id").unwrap();
        let after = |secrets: McpSessions| secrets.unbind(&site, &site.mcp[0], &owner, &bound).map(str::to_owned);
        assert_eq!(after(McpSessions::new(&[8; 32], Some(&[7; 32]))).as_deref(), Some("id"));
        assert_eq!(after(McpSessions::new(&[8; 32], None)), None);
    }

    #[test]
    fn what_is_no_session_id_is_not_bound() {
        let (site, owner) = (mcp_site(site()), identity("agent-1", None, &[]));
        for id in ["", "a b", "é", &"x".repeat(1025)] {
            assert_eq!(McpSessions::new(&[7; 32], None).bind(&site, &site.mcp[0], &owner, id), None, "{id}");
        }
    }
}
