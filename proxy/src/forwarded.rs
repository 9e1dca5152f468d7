//! Proxy manners: who asks when other proxies stand in front, and what the origin is told about it.

use std::net::IpAddr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use pingora::http::RequestHeader;

use crate::request_id::RequestId;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest chain of proxies that is read; no real one comes near.
const HOPS_MAX: usize = 64;

/// Whether what a peer says of others is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// One of `trusted_proxies`.
    Trusted,
    /// Anybody else.
    Stranger,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    /// The other end of the connection.
    pub(crate) peer: IpAddr,
    pub(crate) standing: Standing,
    /// Who asks: the peer, or the last one in the chain whom no trusted proxy is.
    pub(crate) client: IpAddr,
}

impl Source {
    pub(crate) fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let peer = peer.to_canonical();
        if !is_one_of(peer, trusted) {
            return Self { peer, standing: Standing::Stranger, client: peer };
        }
        let mut client = peer;
        let lines: Vec<&HeaderValue> = headers.get_all(FOR).iter().collect();
        // Hop by hop: what a client made unreadable must not hide the one that a proxy of ours wrote behind it.
        let hops = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        for hop in hops.take(HOPS_MAX) {
            // What is no address ends the chain: whoever wrote it is the last one known.
            let Some(address) = std::str::from_utf8(hop).ok().and_then(|hop| address(hop.trim())) else { break };
            client = address;
            if !is_one_of(client, trusted) {
                break;
            }
        }
        Self { peer, standing: Standing::Trusted, client }
    }

    /// Where a request comes from whose headers could not be read.
    pub(crate) fn unheard(peer: IpAddr) -> Self {
        Self::of(peer, &HeaderMap::new(), &[])
    }

    /// The id a trusted proxy gave the request.
    pub(crate) fn request_id(&self, headers: &HeaderMap) -> Option<RequestId> {
        match self.standing {
            Standing::Trusted => RequestId::inbound(headers.get(REQUEST_ID)?.as_bytes()),
            Standing::Stranger => None,
        }
    }

    /// A proxy that was forgotten in `trusted_proxies`, by all signs: near, not trusted, and it speaks for others.
    pub(crate) fn looks_like_a_forgotten_proxy(&self, headers: &HeaderMap) -> bool {
        self.standing == Standing::Stranger && is_near(self.peer) && headers.contains_key(FOR)
    }

    /// Whether so many may stand behind this address that it says nothing of who asks.
    pub(crate) fn may_be_a_crowd(&self) -> bool {
        self.client.is_loopback() || (self.standing == Standing::Stranger && is_near(self.peer))
    }
}

fn is_one_of(address: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// Loopback, or an address that no one on the Internet has.
const fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// An address as proxies write it: alone, in brackets, with a port.
fn address(hop: &str) -> Option<IpAddr> {
    let bracketed = hop.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(address, _)| address);
    let hop = bracketed.unwrap_or(hop);
    let without_port = || hop.split_once(':').and_then(|(address, _)| address.parse().ok()).map(IpAddr::V4);
    hop.parse().ok().or_else(without_port).map(|address: IpAddr| address.to_canonical())
}

/// Tells the origin who asked whom, in place of whatever the client said about it.
pub(crate) fn apply(
    upstream: &mut RequestHeader,
    received: &RequestHeader,
    source: &Source,
    scheme: &'static str,
    id: &RequestId,
) -> pingora::Result<()> {
    for name in received.headers.keys().filter(|name| speaks_for_others(name)) {
        upstream.remove_header(name);
    }
    let before = match source.standing {
        Standing::Trusted => Some(&received.headers),
        Standing::Stranger => None,
    };
    let inherited = |name: &HeaderName| before.and_then(|headers| headers.get(name)).cloned();
    upstream.insert_header(FOR, chain(before, source.peer))?;
    upstream.insert_header(PROTO, inherited(&PROTO).unwrap_or(HeaderValue::from_static(scheme)))?;
    let asked = received.headers.get(http::header::HOST).cloned();
    let authority = || HeaderValue::from_str(received.uri.authority()?.as_str()).ok();
    if let Some(host) = inherited(&HOST).or(asked).or_else(authority) {
        upstream.insert_header(HOST, host)?;
    }
    upstream.insert_header(REQUEST_ID, id.as_str())?;
    Ok(())
}

fn chain(before: Option<&HeaderMap>, peer: IpAddr) -> String {
    let mut chain = String::with_capacity(64);
    for line in before.into_iter().flat_map(|headers| headers.get_all(FOR)) {
        if let Ok(line) = line.to_str() {
            chain.push_str(line);
            chain.push_str(", ");
        }
    }
    chain.push_str(&peer.to_string());
    chain
}

/// Names by which a proxy speaks for others, in every mixture of `-` and `_`, which origins fold together; and those by
/// which frameworks take another path or method than the one in the request line, which is the one that was judged.
fn speaks_for_others(name: &HeaderName) -> bool {
    const NAMES: [&[u8]; 10] = [
        b"forwarded",
        b"x-real-ip",
        b"x-request-id",
        b"x-original-url",
        b"x-original-uri",
        b"x-rewrite-url",
        b"x-forwarded",
        b"x-http-method-override",
        b"x-http-method",
        b"x-method-override",
    ];
    if !matches!(name.as_str().as_bytes(), [b'x' | b'f', ..]) {
        return false;
    }
    if *name == FORWARDED || *name == FOR {
        return true;
    }
    let folded = |byte: &u8| if *byte == b'_' { b'-' } else { *byte };
    let name = name.as_str().as_bytes();
    let is = |known: &[u8]| name.len() == known.len() && name.iter().map(folded).eq(known.iter().copied());
    let head = name.get(..b"x-forwarded-".len()).unwrap_or_default();
    NAMES.into_iter().any(is) || head.iter().map(folded).eq(b"x-forwarded-".iter().copied())
}

#[cfg(test)]
mod tests;
