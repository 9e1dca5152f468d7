//! `issuer.toml`: the issuer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use passport::{AccessToken, LoginPassport, Passport as _};
use secrecy::SecretString;
use url::Url;

use crate::reader::{self, Key, Reported, Table};
use crate::value::Value;
use crate::{ClientDocuments, ConfigError, SecretSource, WebOrigin, load};

const LISTEN: Key = Key::new("listen", r#""127.0.0.1:8081""#);
const PUBLIC_URL: Key = Key::new("public_url", r#""https://id.example.net""#);
const STORE: Key = Key::new("store", r#""sqlite:/var/lib/lime/issuer.db""#);
const SECRET: Key = Key::new("secret", r#"{ file = "/var/lib/lime/issuer.secret" }"#);
const LOGIN_REQUEST_TTL: Key = Key::new("login_request_ttl", r#""5m""#);
const LOGIN_PASSPORT_TTL: Key = Key::new("login_passport_ttl", r#""120s""#);
const ACCESS_TOKEN_TTL: Key = Key::new("access_token_ttl", r#""300s""#);
const KEY_PUBLISH_AHEAD: Key = Key::new("key_publish_ahead", r#""24h""#);
const POW_DIFFICULTY: Key = Key::new("pow_difficulty", "15");
const CIMD: Key = Key::new("cimd", r#"{ allow = ["clients.internal:443"] }"#);

/// Times in a token are whole seconds, so no life is shorter than one.
const SECOND: Duration = Duration::from_secs(1);

/// A login that is not approved within an hour was forgotten.
const LOGIN_REQUEST_TTL_RANGE: RangeInclusive<Duration> = SECOND..=Duration::from_hours(1);

const LOGIN_PASSPORT_TTL_RANGE: RangeInclusive<Duration> = SECOND..=LoginPassport::LIFETIME_MAX;

/// The published SDKs ask for a new token when the old one has 30 s left: with less they would ask each time.
const ACCESS_TOKEN_TTL_RANGE: RangeInclusive<Duration> = Duration::from_secs(31)..=AccessToken::LIFETIME_MAX;

const KEY_PUBLISH_AHEAD_RANGE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(30 * 24);

/// Above 20 bits a phone works for minutes.
const POW_DIFFICULTY_RANGE: RangeInclusive<u32> = 0..=20;

/// Where an issuer keeps its things when nothing is said.
const DATA: &str = "lime-data";

/// The configuration of an issuer.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Where it listens. Default: [`Issuer::LISTEN`].
    pub listen: Vec<SocketAddr>,
    /// What it is called from outside: `iss` of every passport. Without it, the address that was bound.
    pub public_url: Option<WebOrigin>,
    /// Where owners, agents, sites and keys are kept. Default: SQLite in `lime-data/issuer.db`.
    pub store: StoreLocation,
    /// What private keys are sealed under; made on first start if the file is not there. Default:
    /// `lime-data/issuer.secret`.
    pub secret: SecretSource,
    /// How long a login request waits for its agent. Default: 5 min.
    pub login_request_ttl: Duration,
    /// How long a login passport lives: at most 120 s, the default.
    pub login_passport_ttl: Duration,
    /// How long an access token lives: 31 s to 1 h. Default: 300 s.
    pub access_token_ttl: Duration,
    /// How long a new key is published before it signs, so that every verifier has it. Default: 24 h.
    pub key_publish_ahead: Duration,
    /// Leading zero bits of a login challenge: 0 to 20. Default: 15.
    pub pow_difficulty: u8,
    /// Which client documents may be fetched beyond those of the internet. Default: none.
    pub cimd: ClientDocuments,
}

/// Where the issuer keeps what it knows.
#[derive(Clone, Debug)]
pub enum StoreLocation {
    /// `sqlite:PATH`
    Sqlite(PathBuf),
    /// `postgres://..`, secret since it may hold a password.
    Postgres(SecretString),
}

impl Issuer {
    /// Loopback: TLS and the world are the part of a proxy in front.
    pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

    /// An issuer with every default that keeps all it has in `data`.
    #[must_use]
    pub fn in_directory(data: &Path) -> Self {
        Self {
            listen: vec![Self::LISTEN],
            public_url: None,
            store: StoreLocation::Sqlite(data.join("issuer.db")),
            secret: SecretSource::File(data.join("issuer.secret")),
            login_request_ttl: Duration::from_mins(5),
            login_passport_ttl: Duration::from_secs(120),
            access_token_ttl: Duration::from_secs(300),
            key_publish_ahead: Duration::from_hours(24),
            pow_difficulty: 15,
            cimd: ClientDocuments::default(),
        }
    }

    /// Reads a file. `env` looks a variable up: `LIME__PUBLIC_URL` overrides `public_url`, and so on for every key.
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
        let listen = top.optional(LISTEN, Value::addresses);
        let public_url = top.optional(PUBLIC_URL, |value| value.parsed_by(public_url));
        let store = top.optional(STORE, |value| StoreLocation::of(&value));
        let secret = top.optional(SECRET, SecretSource::of);
        let login_request_ttl = top.optional(LOGIN_REQUEST_TTL, |value| value.duration(LOGIN_REQUEST_TTL_RANGE));
        let login_passport_ttl = top.optional(LOGIN_PASSPORT_TTL, |value| value.duration(LOGIN_PASSPORT_TTL_RANGE));
        let access_token_ttl = top.optional(ACCESS_TOKEN_TTL, |value| value.duration(ACCESS_TOKEN_TTL_RANGE));
        let key_publish_ahead = top.optional(KEY_PUBLISH_AHEAD, |value| value.duration(KEY_PUBLISH_AHEAD_RANGE));
        let pow_difficulty = top.optional(POW_DIFFICULTY, |value| value.integer(POW_DIFFICULTY_RANGE));
        let cimd = top.section(CIMD, "in [cimd]", ClientDocuments::read);

        if listen.as_ref().is_ok_and(|listen| listen.as_ref().is_some_and(Vec::is_empty)) {
            return Err(top.report(LISTEN, "nothing to listen on: write `listen = \"127.0.0.1:8081\"`"));
        }
        let (listen, public_url) = (listen?, public_url?);
        let is_reached = |listen: &Vec<SocketAddr>| listen.iter().any(|address| !address.ip().is_loopback());
        if public_url.is_none() && listen.as_ref().is_some_and(is_reached) {
            // Without a name of its own it is named after its address, which only this machine could reach.
            let problem =
                "other machines reach this issuer, so it needs a name: write `public_url = \"https://id.example.net\"`";
            return Err(top.report(LISTEN, problem));
        }
        let default = Self::in_directory(Path::new(DATA));
        Ok(Self {
            listen: listen.unwrap_or(default.listen),
            public_url,
            store: store?.unwrap_or(default.store),
            secret: secret?.unwrap_or(default.secret),
            login_request_ttl: login_request_ttl?.unwrap_or(default.login_request_ttl),
            login_passport_ttl: login_passport_ttl?.unwrap_or(default.login_passport_ttl),
            access_token_ttl: access_token_ttl?.unwrap_or(default.access_token_ttl),
            key_publish_ahead: key_publish_ahead?.unwrap_or(default.key_publish_ahead),
            pow_difficulty: pow_difficulty?.and_then(|bits| u8::try_from(bits).ok()).unwrap_or(default.pow_difficulty),
            cimd: cimd?,
        })
    }

    /// What is allowed but should be known, one line each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut found = Vec::new();
        match &self.public_url {
            None => found
                .push("no `public_url`: passports name the address that was bound, no other machine reaches it".into()),
            Some(url) if url.is_exposed() => {
                found.push(format!("`public_url` {url} is not https: whoever sits between can replace the keys"));
            }
            Some(_) => {}
        }
        if self.key_publish_ahead.is_zero() {
            found.push(
                "`key_publish_ahead = \"0s\"`: right after a rotation, verifiers refuse what the new key signed".into(),
            );
        }
        if self.pow_difficulty == 0 {
            found.push("`pow_difficulty = 0`: a login costs its sender nothing".into());
        }
        found.extend(self.cimd.warnings());
        found
    }
}

/// The issuer's name is compared byte for byte by every verifier, so it is written as it will be compared.
fn public_url(text: &str) -> Result<WebOrigin, String> {
    let url: WebOrigin = text.parse().map_err(|problem: crate::BadUrl| problem.to_string())?;
    if url.as_str() == text { Ok(url) } else { Err(format!("verifiers compare it byte for byte: write {url}")) }
}

impl StoreLocation {
    /// Never repeats the text: it may hold a password.
    fn of(value: &Value<'_>) -> Result<Self, Reported> {
        let text = value.string()?;
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() && !path.starts_with("//") && !path.starts_with(':') => {
                Ok(Self::Sqlite(value.resolved(path)))
            }
            Some(("sqlite", _)) => Err(value.report("sqlite takes a path and nothing else: write \"sqlite:PATH\"")),
            Some(("postgres" | "postgresql", _)) if Url::parse(text).is_ok_and(|url| url.has_authority()) => {
                Ok(Self::Postgres(SecretString::from(text)))
            }
            _ => Err(value.report("is no store: write \"sqlite:PATH\" or \"postgres://USER@HOST/DATABASE\"")),
        }
    }
}

#[cfg(test)]
mod tests;
