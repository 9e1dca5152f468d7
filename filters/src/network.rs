//! What counts as one client, or one neighbourhood.

use std::net::IpAddr;

/// The leading bytes of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// An IPv4 address.
    V4([u8; 4]),
    /// The first 24 bits of one.
    V4Wide([u8; 3]),
    /// The first 56 bits of an IPv6 address: what a household is given.
    V6([u8; 7]),
}

impl Network {
    /// As narrow as tells one client from the next.
    pub(crate) fn narrow(client: IpAddr) -> Self {
        match client.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => Self::V6(address.octets().first_chunk().copied().unwrap_or_default()),
        }
    }

    /// As wide as one client moves within while it stays where it is.
    pub(crate) fn wide(client: IpAddr) -> Self {
        match Self::narrow(client) {
            Self::V4([one, two, three, _]) => Self::V4Wide([one, two, three]),
            narrow @ (Self::V4Wide(_) | Self::V6(_)) => narrow,
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::V4(octets) => octets,
            Self::V4Wide(octets) => octets,
            Self::V6(octets) => octets,
        }
    }
}
