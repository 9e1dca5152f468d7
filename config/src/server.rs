//! What is one for the whole gateway: `[server]`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::error::At;
use crate::reader::{Key, Reported, Table};
use crate::tls::Tls;
use crate::value::Value;
use crate::{SecretSource, listen_address};

pub(crate) const LISTEN: Key = Key::new("listen", r#""127.0.0.1:8080""#);
const TLS: Key = Key::new("tls", r#"{ certificate = "/etc/lime/tls.crt", key = "/etc/lime/tls.key" }"#);
const OPS_LISTEN: Key = Key::new("ops_listen", r#""127.0.0.1:9180""#);
const AUTH_LISTEN: Key = Key::new("auth_listen", r#""127.0.0.1:9181""#);
const STATE: Key = Key::new("state", r#""/var/lib/lime""#);
const SECRET: Key = Key::new("secret", r#"{ file = "/etc/lime/gateway.secret" }"#);
const REPLICAS: Key = Key::new("replicas", "2");
const TRUSTED_PROXIES: Key = Key::new("trusted_proxies", r#"["10.0.0.0/8"]"#);
const GRACE_PERIOD: Key = Key::new("grace_period", r#""8s""#);
const CONNECTIONS_MAX: Key = Key::new("connections_max", "16384");
const LOG: Key = Key::new("log", r#"{ client_ip = "prefix" }"#);
const CLIENT_IP: Key = Key::new("client_ip", r#""prefix""#);

/// A bound for a number that is only compared with 1; a fleet of more is a slip of the keyboard.
const REPLICAS_RANGE: RangeInclusive<u32> = 1..=10_000;

/// Zero stops at once; a day is enough for any upload.
const GRACE_PERIOD_RANGE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(24);

/// A system has no more ports for one peer; many peers may have more connections.
const CONNECTIONS_RANGE: RangeInclusive<u32> = 1..=1_000_000;

/// What is one for the whole gateway: `[server]`.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where plain HTTP is taken. Port 0 takes a free one. Default: [`Server::LISTEN`]; nothing with [`Server::tls`].
    pub listen: Vec<SocketAddr>,
    /// Where HTTPS is taken, if anywhere.
    pub tls: Option<Tls>,
    /// Health and metrics. Default: [`Server::OPS_LISTEN`].
    pub ops_listen: SocketAddr,
    /// The folder of what must outlive a restart. Default: `$STATE_DIRECTORY`, else `lime-state` in the working folder.
    pub state: PathBuf,
    /// What sessions are sealed under. Without it the gateway makes one in `state`.
    pub secret: Option<SecretSource>,
    /// How many gateways serve these sites together. Default: 1. More need a `secret` that all of them share.
    pub replicas: u32,
    /// Where other proxies ask whether a request may pass (forward-auth). Default: nowhere.
    pub auth_listen: Option<SocketAddr>,
    /// Whose `X-Forwarded-*` is believed. Default: nobody's.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a stop waits for requests in flight. Default: [`Server::GRACE_PERIOD`].
    pub grace_period: Duration,
    /// Most connections of clients at a time. Default: [`Server::CONNECTIONS_MAX`].
    pub connections_max: u32,
    /// What access lines say of who asked: `[server.log]`.
    pub client_ip: ClientIp,
}

/// What access lines say of the address a request came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientIp {
    /// All of it.
    #[default]
    Full,
    /// Its network: 24 bits of an IPv4 address, 48 of an IPv6 address.
    Prefix,
    /// Nothing.
    None,
}

impl ClientIp {
    const WORDS: [(&str, Self); 3] = [("full", Self::Full), ("prefix", Self::Prefix), ("none", Self::None)];
}

impl Server {
    /// Loopback, so that a first try is open to nobody else.
    pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
    /// Loopback: metrics name sites and agents.
    pub const OPS_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9180);
    /// 8 s: a `docker stop` kills after 10.
    pub const GRACE_PERIOD: Duration = Duration::from_secs(8);

    /// 16,384: each may hold some hundred kilobytes of buffers.
    pub const CONNECTIONS_MAX: u32 = 16_384;

    /// A server with every default, its state in `state`.
    #[must_use]
    pub fn new(state: PathBuf) -> Self {
        Self {
            listen: vec![Self::LISTEN],
            tls: None,
            ops_listen: Self::OPS_LISTEN,
            state,
            secret: None,
            replicas: 1,
            auth_listen: None,
            trusted_proxies: Vec::new(),
            grace_period: Self::GRACE_PERIOD,
            connections_max: Self::CONNECTIONS_MAX,
            client_ip: ClientIp::Full,
        }
    }
}

/// `listen` of the top level, which is short for the one of `[server]`.
pub(crate) struct Short {
    pub(crate) at: Option<At>,
    pub(crate) listen: Result<Option<Vec<SocketAddr>>, Reported>,
}

impl Server {
    pub(crate) fn read(table: &mut Table<'_>, short: Short) -> Result<Self, Reported> {
        let listen = table.optional(LISTEN, Value::addresses);
        let listen = one_listen(table, short, listen);
        let tls = table.optional(TLS, |value| value.into_table("in [server.tls]")?.read_all(Tls::read));
        let ops_listen = table.optional(OPS_LISTEN, |value| value.parsed_by(listen_address));
        let auth_listen = table.optional(AUTH_LISTEN, |value| value.parsed_by(listen_address));
        let state = table.optional(STATE, Value::path);
        let secret = table.optional(SECRET, SecretSource::of);
        let replicas = table.optional(REPLICAS, |value| value.integer(REPLICAS_RANGE));
        let trusted_proxies = table.optional(TRUSTED_PROXIES, |value| value.each(|item| item.parsed_by(network)));
        let grace_period = table.optional(GRACE_PERIOD, |value| value.duration(GRACE_PERIOD_RANGE));
        let connections_max = table.optional(CONNECTIONS_MAX, |value| value.integer(CONNECTIONS_RANGE));
        let log = table.optional(LOG, |value| {
            let read = |log: &mut Table<'_>| log.optional(CLIENT_IP, |value| value.word(&ClientIp::WORDS));
            value.into_table("in [server.log]")?.read_all(read)
        });

        if matches!(replicas, Ok(Some(2..))) && table.written(SECRET).is_none() {
            let text = "`replicas` of one fleet seal sessions alike: write `secret = { file = \"PATH\" }` beside it";
            table.report(REPLICAS, text);
        }
        let server = Self::new(state?.unwrap_or_else(|| default_state(table)));
        let tls = tls?;
        let server = Self {
            listen: listen?.unwrap_or_else(|| if tls.is_some() { Vec::new() } else { server.listen }),
            tls,
            ops_listen: ops_listen?.unwrap_or(server.ops_listen),
            secret: secret?,
            replicas: replicas?.unwrap_or(server.replicas),
            trusted_proxies: trusted_proxies?.unwrap_or_default(),
            auth_listen: auth_listen?,
            grace_period: grace_period?.unwrap_or(server.grace_period),
            connections_max: connections_max?.unwrap_or(server.connections_max),
            client_ip: log?.flatten().unwrap_or_default(),
            ..server
        };
        server.judge_addresses(table);
        Ok(server)
    }

    /// All it binds.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let tls = self.tls.iter().flat_map(|tls| &tls.listen);
        self.listen
            .iter()
            .chain(tls)
            .chain(&self.auth_listen)
            .chain(std::iter::once(&self.ops_listen))
            .copied()
            .collect()
    }

    fn judge_addresses(&self, table: &Table<'_>) {
        if self.listen.is_empty() && self.tls.as_ref().is_none_or(|tls| tls.listen.is_empty()) {
            table.report(LISTEN, "nothing to listen on: write `listen = \"127.0.0.1:8080\"`");
        }
        let mut seen = Vec::new();
        for address in self.addresses() {
            // Port 0 is another port each time.
            if address.port() != 0 && seen.contains(&address) {
                let text = format!("{address} stands twice among the addresses to listen on: write another port");
                table.report(LISTEN, &text);
            }
            seen.push(address);
        }
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.ops_listen.ip().is_loopback() {
            let address = self.ops_listen;
            warnings
                .push(format!("`ops_listen` {address} shows metrics to whoever reaches it: keep it off the internet"));
        }
        if let Some(address) = self.auth_listen.filter(|_| self.trusted_proxies.is_empty()) {
            warnings.push(format!(
                "`auth_listen` {address} answers trusted peers alone, and there are none: write your proxies in `trusted_proxies`"
            ));
        }
        if self.trusted_proxies.iter().any(|network| network.prefix_len() == 0) {
            warnings.push(
                "`trusted_proxies` holds everybody: anyone may claim any address, write your proxies alone".into(),
            );
        }
        warnings
    }
}

/// The `listen` that counts: the environment's before the file's, and of each at most one.
fn one_listen(
    table: &mut Table<'_>,
    short: Short,
    long: Result<Option<Vec<SocketAddr>>, Reported>,
) -> Result<Option<Vec<SocketAddr>>, Reported> {
    let is_variable = |at: &At| matches!(at, At::Variable(_));
    match (short.at, table.written(LISTEN)) {
        (None, _) => long,
        (Some(top), None) => {
            table.adopt(LISTEN, top);
            short.listen
        }
        (Some(top), Some(own)) => match (is_variable(&top), is_variable(own)) {
            (true, false) => {
                table.adopt(LISTEN, top);
                short.listen
            }
            (false, true) => long,
            (true, true) | (false, false) => {
                let text = format!("`listen` of [server] also stands at the top level ({top}): keep one of the two");
                Err(table.report(LISTEN, &text))
            }
        },
    }
}

/// systemd may name several folders; the first is the one to write to.
fn default_state(table: &Table<'_>) -> PathBuf {
    let folders = table.environment("STATE_DIRECTORY").unwrap_or_default();
    match folders.split(':').next() {
        None | Some("") => "lime-state".into(),
        Some(folder) => folder.into(),
    }
}

/// Reads a network, or one address.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or_else(|_| address());
    network
        .map(|network| network.trunc())
        .map_err(|_| format!("`{text}` is no network: write it like \"10.0.0.0/8\" or \"192.0.2.7\""))
}
