//! One site: what the world calls it, where it really is, and what is asked of agents there.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::reader::{Key, Reported, Table};
use crate::value::Value;
use crate::{PathPattern, Place, SecretSource, Upstream, WebOrigin};

const URL: Key = Key::new("url", r#""https://shop.example.com""#);
const ORIGIN: Key = Key::new("origin", r#""http://127.0.0.1:3000""#);
const MODE: Key = Key::new("mode", r#""observe""#);
const PROTECT: Key = Key::new("protect", r#"["/agents/*"]"#);
const ISSUER: Key = Key::new("issuer", r#""https://id.example.net""#);
const CREDENTIAL: Key = Key::new("credential", r#"{ file = "/etc/lime/shop.token" }"#);
const LOGIN: Key = Key::new("login", r#""edge""#);
const SESSION_TTL: Key = Key::new("session_ttl", r#""1h""#);
const SHARED_CACHE: Key = Key::new("shared_cache", "true");
const OWNER_HEADERS: Key = Key::new("owner_headers", "true");
const REVOCATION_MAX_STALE: Key = Key::new("revocation_max_stale", r#""5m""#);
const CONTACT: Key = Key::new("contact", r#""agents@shop.example.com""#);

/// A site behind the gateway: one `[[site]]` of the file.
#[derive(Clone, Debug)]
pub struct Site {
    /// The origin the world knows; its host picks the site, and every absolute URL is made from it.
    pub url: WebOrigin,
    /// Where the site itself listens.
    pub origin: Upstream,
    /// What the gateway does about what it finds. Default: observe, so that nobody is refused by surprise.
    pub mode: Mode,
    /// The paths that only identified agents may use. Never empty with [`Mode::Enforce`].
    pub protect: Vec<PathPattern>,
    /// Whose passports count here. Always there when `protect` is not empty.
    pub issuer: Option<WebOrigin>,
    /// The gateway's credential at the issuer, for edge login and revocation.
    pub credential: Option<SecretSource>,
    /// Whether agents may log in at the gateway. Default: off.
    pub login: Login,
    /// How long a session of an edge login lives: at most 24 h. Default: [`Site::SESSION_TTL`].
    pub session_ttl: Duration,
    /// Whether caches in front may share protected responses. Default: no.
    pub shared_cache: SharedCache,
    /// Whether the origin learns who owns an agent. Default: no, since it makes an owner's agents linkable.
    pub owner_headers: OwnerHeaders,
    /// With no contact to the issuer for so long, protected paths answer 503. Default: never, sessions and tokens live
    /// to their end.
    pub revocation_max_stale: Option<Duration>,
    /// Where a refused person may ask, shown as it is.
    pub contact: Option<String>,
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

    /// A site with every default, which is observed and asks for nothing.
    #[must_use]
    pub const fn new(url: WebOrigin, origin: Upstream, defined_at: Place) -> Self {
        Self {
            url,
            origin,
            mode: Mode::Observe,
            protect: Vec::new(),
            issuer: None,
            credential: None,
            login: Login::Off,
            session_ttl: Self::SESSION_TTL,
            shared_cache: SharedCache::No,
            owner_headers: OwnerHeaders::No,
            revocation_max_stale: None,
            contact: None,
            defined_at,
        }
    }
}

impl Site {
    /// What is allowed but should be known, one line each with the place.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut found = Vec::new();
        match self.mode {
            Mode::Off => found.push("`mode = \"off\"`: agents are neither recognised nor refused here".to_owned()),
            Mode::Observe => found.push("`mode = \"observe\"`: nobody is refused here yet, only logged".to_owned()),
            Mode::Enforce => {}
        }
        if self.issuer.is_some() && self.credential.is_none() {
            found.push(
                "`issuer` without `credential`: revoked agents are known only when their tokens expire".to_owned(),
            );
        }
        if self.url.is_exposed() {
            found.push(format!("`url` {} is not https: passports and sessions can be read on the way", self.url));
        }
        if let Some(issuer) = self.issuer.as_ref().filter(|issuer| issuer.is_exposed()) {
            found.push(format!("`issuer` {issuer} is not https: whoever sits between can replace its keys"));
        }
        if self.revocation_max_stale.is_some_and(|max| max < Self::CONTACT_INTERVALS) {
            found.push(
                "`revocation_max_stale` under 30s: one late frame of the issuer takes protected paths down".to_owned(),
            );
        }
        let (at, site) = (&self.defined_at, &self.url);
        found.into_iter().map(|text| format!("{at}: {site}: {text}")).collect()
    }
}

/// What the sites share, and so what each of them takes from the next.
pub(crate) struct Taken {
    /// Where the gateway itself listens.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The host of each site so far, with the line of its `url`.
    pub(crate) hosts: HashMap<Box<str>, Place>,
}

impl Site {
    /// Reads a `[[site]]`.
    pub(crate) fn read(table: &mut Table<'_>, taken: &mut Taken) -> Result<Self, Reported> {
        let url = table.required(URL, Value::parsed::<WebOrigin>);
        let origin = table.required(ORIGIN, Value::parsed::<Upstream>);
        let mode = table.optional(MODE, |value| value.word(&Mode::ALL.map(|mode| (mode.as_str(), mode))));
        let protect = table.optional(PROTECT, |value| value.each(Value::parsed));
        let issuer = table.optional(ISSUER, Value::parsed);
        let credential = table.optional(CREDENTIAL, SecretSource::of);
        let login = table.optional(LOGIN, |value| value.word(&Login::WORDS));
        let session_ttl = table.optional(SESSION_TTL, |value| value.duration(Self::SESSION_TTL_RANGE));
        let shared_cache = table.optional(SHARED_CACHE, Value::boolean);
        let owner_headers = table.optional(OWNER_HEADERS, Value::boolean);
        let revocation_max_stale = table.optional(REVOCATION_MAX_STALE, |value| value.duration(Self::MAX_STALE_RANGE));
        let contact = table.optional(CONTACT, |value| value.string().map(str::to_owned));

        claim_host(table, &url, taken);
        refuse_loop(table, &origin, taken);
        ask_for_companions(table, &mode, &login, &protect);

        let site = Self::new(url?, origin?, table.place(ORIGIN));
        Ok(Self {
            mode: mode?.unwrap_or(site.mode),
            protect: protect?.unwrap_or_default(),
            issuer: issuer?,
            credential: credential?,
            login: login?.unwrap_or(site.login),
            session_ttl: session_ttl?.unwrap_or(site.session_ttl),
            shared_cache: if shared_cache? == Some(true) { SharedCache::Yes } else { SharedCache::No },
            owner_headers: if owner_headers? == Some(true) { OwnerHeaders::Yes } else { OwnerHeaders::No },
            revocation_max_stale: revocation_max_stale?,
            contact: contact?,
            ..site
        })
    }
}

/// One host, one site. All names of this machine count as one.
fn claim_host(table: &Table<'_>, url: &Result<WebOrigin, Reported>, taken: &mut Taken) {
    let Ok(url) = url else { return };
    let host = if url.is_loopback() { "localhost" } else { url.host() };
    let Some(first) = taken.hosts.get(host) else {
        taken.hosts.insert(host.into(), table.place(URL));
        return;
    };
    table.report(URL, &format!("`url`: {host} is already the host of the site at {first}: remove one of the two"));
}

/// A site that is the gateway itself would send each request round and round.
fn refuse_loop(table: &Table<'_>, origin: &Result<Upstream, Reported>, taken: &Taken) {
    let Ok(origin) = origin else { return };
    let is_ours = |listen: &SocketAddr| listen.port() == origin.port() && reaches(origin, listen.ip());
    if taken.addresses.iter().any(is_ours) {
        table.report(ORIGIN, "`origin`: the gateway itself listens there: write where the site itself listens");
    }
}

/// Whether a connection to the host of `origin` arrives at `listen`, as far as its text tells.
fn reaches(origin: &Upstream, listen: IpAddr) -> bool {
    if origin.host() == "localhost" {
        return listen.is_loopback() || listen.is_unspecified();
    }
    let host: Option<IpAddr> = origin.host().trim_matches(['[', ']']).parse().ok();
    host.is_some_and(|host| host == listen || (listen.is_unspecified() && host.is_loopback()))
}

/// Some keys mean nothing without others. One that is there but wrong counts as there: its own problem is enough.
fn ask_for_companions(
    table: &Table<'_>,
    mode: &Result<Option<Mode>, Reported>,
    login: &Result<Option<Login>, Reported>,
    protect: &Result<Option<Vec<PathPattern>>, Reported>,
) {
    let lacks = |key| table.written(key).is_none();
    let protects = match protect {
        Ok(paths) => paths.as_ref().is_some_and(|paths| !paths.is_empty()),
        Err(_) => true,
    };
    if matches!(mode, Ok(Some(Mode::Enforce))) && !protects {
        let text = "`enforce` has nothing to enforce: write the paths that are for agents, `protect = [\"/agents/*\"]`";
        table.report(MODE, text);
    }
    if protects && lacks(ISSUER) {
        let text = "`protect`: whose passports count here? write `issuer = \"https://id.example.net\"` beside it";
        table.report(PROTECT, text);
    }
    if !lacks(CREDENTIAL) && lacks(ISSUER) {
        let text = "`credential` is for an issuer: write `issuer = \"https://id.example.net\"` beside it";
        table.report(CREDENTIAL, text);
    }
    if matches!(login, Ok(Some(Login::Edge))) && (lacks(ISSUER) || lacks(CREDENTIAL)) {
        let text = "`login = \"edge\"` opens logins at the issuer: write `issuer` and `credential` beside it";
        table.report(LOGIN, text);
    }
    if !lacks(REVOCATION_MAX_STALE) && lacks(CREDENTIAL) {
        let text = "`revocation_max_stale` counts from the issuer's last word: write `credential` beside it";
        table.report(REVOCATION_MAX_STALE, text);
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
