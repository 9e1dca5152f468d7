//! `lime.toml`: the gateway, its listeners and its sites.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use crate::error::At;
use crate::reader::{self, Key, Reported, Table};
use crate::site::Taken;
use crate::value::Value;
use crate::{ConfigError, SecretSource, Site, listen_address, load};

const LISTEN: Key = Key::new("listen", r#""127.0.0.1:8080""#);
const SERVER: Key = Key::new("server", r#"{ state = "/var/lib/lime" }"#);
const SITE: Key = Key::new("site", r#"[{ url = "https://shop.example.com", origin = "http://127.0.0.1:3000" }]"#);

const TLS: Key = Key::new("tls", r#"{ certificate = "/etc/lime/tls.crt", key = "/etc/lime/tls.key" }"#);
const OPS_LISTEN: Key = Key::new("ops_listen", r#""127.0.0.1:9180""#);
const STATE: Key = Key::new("state", r#""/var/lib/lime""#);
const SECRET: Key = Key::new("secret", r#"{ file = "/etc/lime/gateway.secret" }"#);
const REPLICAS: Key = Key::new("replicas", "2");
const TRUSTED_PROXIES: Key = Key::new("trusted_proxies", r#"["10.0.0.0/8"]"#);
const GRACE_PERIOD: Key = Key::new("grace_period", r#""8s""#);

const TLS_LISTEN: Key = Key::new("listen", r#""127.0.0.1:8443""#);
const CERTIFICATE: Key = Key::new("certificate", r#""/etc/lime/tls.crt""#);
const KEY: Key = Key::new("key", r#""/etc/lime/tls.key""#);

/// A bound for a number that is only compared with 1; a fleet of more is a slip of the keyboard.
const REPLICAS_RANGE: RangeInclusive<u32> = 1..=10_000;

/// Zero stops at once; a day is enough for any upload.
const GRACE_PERIOD_RANGE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(24);

/// The configuration of a gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// What is one for the whole process.
    pub server: Server,
    /// At least one; no two of one host.
    pub sites: Vec<Site>,
}

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
    /// Whose `X-Forwarded-*` is believed. Default: nobody's.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a stop waits for requests in flight. Default: [`Server::GRACE_PERIOD`].
    pub grace_period: Duration,
}

impl Server {
    /// Loopback, so that a first try is open to nobody else.
    pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
    /// Loopback: metrics name sites and agents.
    pub const OPS_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9180);
    /// 8 s: a `docker stop` kills after 10.
    pub const GRACE_PERIOD: Duration = Duration::from_secs(8);

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
            trusted_proxies: Vec::new(),
            grace_period: Self::GRACE_PERIOD,
        }
    }
}

/// `[server.tls]`
#[derive(Clone, Debug)]
pub struct Tls {
    /// Where HTTPS is taken. Default: [`Tls::LISTEN`].
    pub listen: Vec<SocketAddr>,
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

impl Tls {
    /// Loopback, as for plain HTTP.
    pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8443);
}

impl Gateway {
    /// Reads a file. `env` looks a variable up: `LIME__SERVER__LISTEN` overrides `listen` of `[server]`, and so on for
    /// every key of the top level and of `[server]`.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::parse(&load::text(path)?, path, env)
    }

    /// Reads the text of a file. Relative paths in it are relative to the folder of `path`.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn parse(text: &str, path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        reader::read(text, path, env, Self::read)
    }

    fn read(top: &mut Table<'_>) -> Result<Self, Reported> {
        let short = top.optional(LISTEN, Value::addresses);
        let short = Short { at: top.written(LISTEN).cloned(), listen: short };
        let server = top.section(SERVER, "in [server]", |table| Server::read(table, short));

        let addresses = server.as_ref().map(Server::addresses).unwrap_or_default();
        let mut taken = Taken { addresses, hosts: HashMap::new() };
        let sites = top.sections(SITE, "in [[site]]", |table| Site::read(table, &mut taken));
        if sites.as_ref().is_ok_and(Vec::is_empty) {
            return Err(top.report(SITE, "no site: write a [[site]] with its `url` and `origin`"));
        }
        Ok(Self { server: server?, sites: sites? })
    }

    /// What is allowed but should be known, one line each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.server.warnings();
        warnings.extend(self.sites.iter().flat_map(Site::warnings));
        warnings
    }
}

/// `listen` of the top level, which is short for the one of `[server]`.
struct Short {
    at: Option<At>,
    listen: Result<Option<Vec<SocketAddr>>, Reported>,
}

impl Server {
    fn read(table: &mut Table<'_>, short: Short) -> Result<Self, Reported> {
        let listen = table.optional(LISTEN, Value::addresses);
        let listen = one_listen(table, short, listen);
        let tls = table.optional(TLS, |value| value.into_table("in [server.tls]")?.read_all(Tls::read));
        let ops_listen = table.optional(OPS_LISTEN, |value| value.parsed_by(listen_address));
        let state = table.optional(STATE, Value::path);
        let secret = table.optional(SECRET, SecretSource::of);
        let replicas = table.optional(REPLICAS, |value| value.integer(REPLICAS_RANGE));
        let trusted_proxies = table.optional(TRUSTED_PROXIES, |value| value.each(|item| item.parsed_by(network)));
        let grace_period = table.optional(GRACE_PERIOD, |value| value.duration(GRACE_PERIOD_RANGE));

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
            grace_period: grace_period?.unwrap_or(server.grace_period),
            ..server
        };
        server.judge_addresses(table);
        Ok(server)
    }

    /// All it binds.
    fn addresses(&self) -> Vec<SocketAddr> {
        let tls = self.tls.iter().flat_map(|tls| &tls.listen);
        self.listen.iter().chain(tls).chain(std::iter::once(&self.ops_listen)).copied().collect()
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

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.ops_listen.ip().is_loopback() {
            let address = self.ops_listen;
            warnings
                .push(format!("`ops_listen` {address} shows metrics to whoever reaches it: keep it off the internet"));
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

fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or_else(|_| address());
    network
        .map(|network| network.trunc())
        .map_err(|_| format!("`{text}` is no network: write it like \"10.0.0.0/8\" or \"192.0.2.7\""))
}

impl Tls {
    fn read(table: &mut Table<'_>) -> Result<Self, Reported> {
        let listen = table.optional(TLS_LISTEN, Value::addresses);
        let certificate = table.required(CERTIFICATE, Value::path);
        let key = table.required(KEY, Value::path);
        Ok(Self { listen: listen?.unwrap_or_else(|| vec![Self::LISTEN]), certificate: certificate?, key: key? })
    }
}

#[cfg(test)]
mod tests;
