//! Where a site really is: `origin = URL`, a list of them, or `[site.origin]`.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::reader::{Key, Reported, Table};
use crate::value::Value;
use crate::{Scheme, Upstream};

const TARGETS: Key = Key::new("targets", r#"["http://10.0.0.5:3000", "http://10.0.0.6:3000"]"#);
const HEALTH: Key = Key::new("health", r#"{ path = "/healthz" }"#);
const EJECT: Key = Key::new("eject", r#"{ after = 5, period = "10s" }"#);
const CONNECT_TIMEOUT: Key = Key::new("connect_timeout", r#""5s""#);
const READ_TIMEOUT: Key = Key::new("read_timeout", r#""310s""#);
const RETRIES: Key = Key::new("retries", "1");
const HTTP2: Key = Key::new("http2", "true");
const TLS: Key = Key::new("tls", r#"{ ca = "/etc/lime/origin-ca.crt" }"#);

const PATH: Key = Key::new("path", r#""/healthz""#);
const EVERY: Key = Key::new("every", r#""10s""#);
const TIMEOUT: Key = Key::new("timeout", r#""2s""#);
const HEALTHY_AFTER: Key = Key::new("healthy_after", "2");
const UNHEALTHY_AFTER: Key = Key::new("unhealthy_after", "3");

const AFTER: Key = Key::new("after", "5");
const PERIOD: Key = Key::new("period", r#""10s""#);

const SERVER_NAME: Key = Key::new("server_name", r#""shop.internal""#);
const CA: Key = Key::new("ca", r#""/etc/lime/origin-ca.crt""#);
const VERIFY: Key = Key::new("verify", "true");

/// Most targets of one site.
const TARGETS_MAX: usize = 64;

const CONNECT_RANGE: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_mins(1);
const READ_RANGE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(1);
const EVERY_RANGE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(1);
const PERIOD_RANGE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(5);
const TIMES_RANGE: RangeInclusive<u32> = 1..=100;

/// Where a site really is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Takes turns; at least one. All of one scheme.
    pub targets: Vec<Upstream>,
    /// Asks each target whether it is well. Default: nobody is asked.
    pub health: Option<HealthCheck>,
    /// Leaves out a target that takes no connection.
    pub ejection: Ejection,
    /// How long a connection may take to be made. Default: 5 s.
    pub connect_timeout: Duration,
    /// How long a target may be silent, before and within an answer. Default: [`Origin::READ_TIMEOUT`].
    pub read_timeout: Duration,
    /// How many other targets are tried where the first took no connection. Default: 1, at most 5.
    pub retries: u32,
    /// What is spoken to the targets.
    pub protocol: OriginProtocol,
    /// How TLS is spoken to them, where they are `https`.
    pub tls: OriginTls,
}

/// What is spoken to an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2: `http2 = true`. Over `http` without an upgrade (RFC 9113 §3.3).
    Http2,
}

/// TLS to an origin: `tls = { .. }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginTls {
    /// The name that its certificate must have. Default: the host of the target.
    pub server_name: Option<Box<str>>,
    /// Who signed its certificate, PEM. Default: those whom the system trusts.
    pub ca: Option<PathBuf>,
    /// Whether its certificate is looked at.
    pub verify: Verify,
}

/// Whether a certificate is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// It must be signed and be for the name.
    #[default]
    Yes,
    /// Anybody may be the origin.
    No,
}

/// `health = { path = "/healthz" }`: a `GET` that is answered with 2xx or 3xx in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked for, with a query if need be.
    pub path: Box<str>,
    /// How often. Default: 10 s.
    pub every: Duration,
    /// How long the answer may take. Default: 2 s.
    pub timeout: Duration,
    /// So many good answers in a row bring a target back. Default: 2.
    pub healthy_after: u32,
    /// So many bad ones leave it out. Default: 3.
    pub unhealthy_after: u32,
}

/// `eject = { after = 5, period = "10s" }`: a target that takes no connection is left out for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// After so many failures in a row. Default: 5.
    pub after: u32,
    /// For so long, twice as long each time it happens again, at most 5 min. Default: 10 s.
    pub period: Duration,
}

impl Origin {
    /// 310 s: longer than any keepalive of a stream, so that only what is dead is cut.
    pub const READ_TIMEOUT: Duration = Duration::from_secs(310);

    /// One target and every default.
    #[must_use]
    pub fn new(target: Upstream) -> Self {
        Self::of(vec![target])
    }

    fn of(targets: Vec<Upstream>) -> Self {
        Self {
            targets,
            health: None,
            ejection: Ejection { after: 5, period: Duration::from_secs(10) },
            connect_timeout: Duration::from_secs(5),
            read_timeout: Self::READ_TIMEOUT,
            retries: 1,
            protocol: OriginProtocol::Http1,
            tls: OriginTls::default(),
        }
    }

    /// A URL, a list of them, or a table.
    pub(crate) fn read(value: Value<'_>) -> Result<Self, Reported> {
        if value.is_table() {
            return value.into_table("in [site.origin]")?.read_all(Self::read_table);
        }
        targets(value).map(Self::of)
    }

    fn read_table(table: &mut Table<'_>) -> Result<Self, Reported> {
        let targets = table.required(TARGETS, targets);
        let health = table.optional(HEALTH, |value| value.into_table("in `health`")?.read_all(HealthCheck::read));
        let eject = table.optional(EJECT, |value| value.into_table("in `eject`")?.read_all(Ejection::read));
        let connect_timeout = table.optional(CONNECT_TIMEOUT, |value| value.duration(CONNECT_RANGE));
        let read_timeout = table.optional(READ_TIMEOUT, |value| value.duration(READ_RANGE));
        let retries = table.optional(RETRIES, |value| value.integer(0..=5));
        let http2 = table.optional(HTTP2, Value::boolean);
        let tls = table.optional(TLS, |value| value.into_table("in `tls`")?.read_all(OriginTls::read));
        let origin = Self::of(targets?);
        let is_plain = origin.targets.first().is_some_and(|target| target.scheme() == Scheme::Http);
        if is_plain && table.written(TLS).is_some() {
            table.report(TLS, "`tls` is for targets of https://: write them so, or leave it out");
        }
        Ok(Self {
            health: health?,
            ejection: eject?.unwrap_or(origin.ejection),
            connect_timeout: connect_timeout?.unwrap_or(origin.connect_timeout),
            read_timeout: read_timeout?.unwrap_or(origin.read_timeout),
            retries: retries?.unwrap_or(origin.retries),
            protocol: if http2? == Some(true) { OriginProtocol::Http2 } else { OriginProtocol::Http1 },
            tls: tls?.unwrap_or_default(),
            ..origin
        })
    }

    /// A target at which the gateway itself listens, as far as the texts tell.
    pub(crate) fn target_among(&self, addresses: &[SocketAddr]) -> Option<&Upstream> {
        let is_ours =
            |target: &Upstream, listen: &SocketAddr| listen.port() == target.port() && reaches(target, listen.ip());
        self.targets.iter().find(|target| addresses.iter().any(|listen| is_ours(target, listen)))
    }
}

/// Whether a connection to the host of `target` arrives at `listen`, as far as its text tells.
fn reaches(target: &Upstream, listen: IpAddr) -> bool {
    if target.host() == "localhost" {
        return listen.is_loopback() || listen.is_unspecified();
    }
    let host: Option<IpAddr> = target.host().trim_matches(['[', ']']).parse().ok();
    host.is_some_and(|host| host == listen || (listen.is_unspecified() && host.is_loopback()))
}

fn targets(value: Value<'_>) -> Result<Vec<Upstream>, Reported> {
    value.each_and_all(Value::parsed::<Upstream>, |targets| {
        let Some(first) = targets.first() else {
            return Err("no target: write where the site itself listens".to_owned());
        };
        if targets.len() > TARGETS_MAX {
            return Err(format!("more than {TARGETS_MAX} targets: write a balancer in their place"));
        }
        if targets.iter().any(|target| target.scheme() != first.scheme()) {
            return Err("targets of http:// and of https://: write all of them alike".to_owned());
        }
        let twice =
            targets.iter().enumerate().find(|(index, target)| targets.iter().take(*index).any(|it| it == *target));
        twice.map_or(Ok(()), |(_, target)| Err(format!("{target} stands twice: keep one, turns are taken evenly")))
    })
}

impl HealthCheck {
    fn read(table: &mut Table<'_>) -> Result<Self, Reported> {
        let path = table.required(PATH, |value| value.parsed_by(check_path));
        let every = table.optional(EVERY, |value| value.duration(EVERY_RANGE));
        let timeout = table.optional(TIMEOUT, |value| value.duration(EVERY_RANGE));
        let healthy_after = table.optional(HEALTHY_AFTER, |value| value.integer(TIMES_RANGE));
        let unhealthy_after = table.optional(UNHEALTHY_AFTER, |value| value.integer(TIMES_RANGE));
        Ok(Self {
            path: path?,
            every: every?.unwrap_or(Duration::from_secs(10)),
            timeout: timeout?.unwrap_or(Duration::from_secs(2)),
            healthy_after: healthy_after?.unwrap_or(2),
            unhealthy_after: unhealthy_after?.unwrap_or(3),
        })
    }
}

fn check_path(text: &str) -> Result<Box<str>, String> {
    let is_target = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if is_target { Ok(text.into()) } else { Err(format!("`{text}` is no path: write it like \"/healthz\"")) }
}

impl Ejection {
    fn read(table: &mut Table<'_>) -> Result<Self, Reported> {
        let after = table.required(AFTER, |value| value.integer(TIMES_RANGE));
        let period = table.required(PERIOD, |value| value.duration(PERIOD_RANGE));
        Ok(Self { after: after?, period: period? })
    }
}

impl OriginTls {
    fn read(table: &mut Table<'_>) -> Result<Self, Reported> {
        let server_name = table.optional(SERVER_NAME, |value| value.parsed_by(name));
        let ca = table.optional(CA, Value::path);
        let verify = table.optional(VERIFY, Value::boolean);
        let (ca, verify) = (ca?, if verify? == Some(false) { Verify::No } else { Verify::Yes });
        if verify == Verify::No && ca.is_some() {
            return Err(table.report(CA, "`ca` and `verify = false`: a certificate that is not looked at has no `ca`"));
        }
        Ok(Self { server_name: server_name?, ca, verify })
    }
}

fn name(text: &str) -> Result<Box<str>, String> {
    let pattern: Result<crate::HostPattern, _> = text.parse();
    let name = pattern.as_ref().ok().and_then(crate::HostPattern::exact);
    name.map(Box::from).ok_or_else(|| format!("`{text}` is no host name: write it like \"shop.internal\""))
}

#[cfg(test)]
mod tests;
