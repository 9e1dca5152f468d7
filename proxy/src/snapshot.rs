//! Everything that is read from the configuration and asked by requests. Never changed: another one takes its place, and a
//! request keeps the site it began with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use config::ClientIp;
use ipnet::IpNet;

use crate::issuer::Issuer;
use crate::sites::{Site, Sites};

/// What was configured last.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) sites: Sites,
    pub(crate) all_sites: Vec<Arc<Site>>,
    pub(crate) issuers: Vec<Arc<Issuer>>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) client_ip: ClientIp,
}

impl Snapshot {
    /// What an access line may say of an address.
    pub(crate) fn shown(&self, client: IpAddr) -> Option<IpAddr> {
        match (self.client_ip, client) {
            (ClientIp::Full, _) => Some(client),
            (ClientIp::Prefix, IpAddr::V4(address)) => {
                Some(Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8)).into())
            }
            (ClientIp::Prefix, IpAddr::V6(address)) => {
                Some(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80)).into())
            }
            (ClientIp::None, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_says_of_an_address_what_was_configured() {
        let shown = |client_ip, address: &str| {
            let snapshot = Snapshot {
                sites: Sites::default(),
                all_sites: Vec::new(),
                issuers: Vec::new(),
                trusted_proxies: Vec::new(),
                client_ip,
            };
            snapshot.shown(address.parse().unwrap()).map(|address| address.to_string())
        };
        for (client_ip, address, expected) in [
            (ClientIp::Full, "192.0.2.77", Some("192.0.2.77")),
            (ClientIp::Prefix, "192.0.2.77", Some("192.0.2.0")),
            (ClientIp::Prefix, "2001:db8:1:2::3", Some("2001:db8:1::")),
            (ClientIp::None, "192.0.2.77", None),
        ] {
            assert_eq!(shown(client_ip, address).as_deref(), expected, "{address}");
        }
    }
}
