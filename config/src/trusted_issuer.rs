//! An issuer whose tokens count: `[issuer.NAME]`, or the URL of one in a site.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use passport::Algorithm;

use crate::reader::{Key, Reported, Table};
use crate::surroundings::Entry;
use crate::value::Value;
use crate::{BadUrl, Place, WebOrigin};

const URL: Key = Key::new("url", r#""https://id.example.net""#);
const KIND: Key = Key::new("kind", r#""oauth""#);
const AUDIENCE: Key = Key::new("audience", r#""https://shop.example.com""#);
const ALGORITHMS: Key = Key::new("algorithms", r#"["RS256"]"#);
const TYP: Key = Key::new("typ", r#"["at+jwt"]"#);
const LEEWAY: Key = Key::new("leeway", r#""30s""#);
const JWKS: Key = Key::new("jwks", r#"{ refresh = "5m" }"#);

const JWKS_URL: Key = Key::new("url", r#""https://id.example.net/jwks.json""#);
const JWKS_FILE: Key = Key::new("file", r#""/etc/lime/jwks.json""#);
const REFRESH: Key = Key::new("refresh", r#""5m""#);
const COOLDOWN: Key = Key::new("cooldown", r#""10s""#);
const MAX_STALE: Key = Key::new("max_stale", r#""24h""#);
const TIMEOUT: Key = Key::new("timeout", r#""3s""#);
const BYTES_MAX: Key = Key::new("bytes_max", "65536");

/// Clocks that differ by more should be set.
const LEEWAY_RANGE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(5);

const REFRESH_RANGE: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_hours(24);
const COOLDOWN_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);
const MAX_STALE_RANGE: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(30 * 24);
const TIMEOUT_RANGE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(1);

/// A key has some 500 bytes: nobody has more of them than fit.
const BYTES_RANGE: RangeInclusive<u32> = 1024..=64 * 1024;

/// An issuer whose tokens count at some sites.
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    /// The name of its table; its URL where it has none.
    pub name: Box<str>,
    /// Its `iss`.
    pub url: IssuerUrl,
    /// What its tokens look like.
    pub kind: IssuerKind,
    /// The algorithms that it may sign with. Default: RS256 alone.
    pub algorithms: Vec<Algorithm>,
    /// The `typ` that its access tokens may have, in lower case (RFC 9068 §2.1).
    pub typ: Vec<Box<str>>,
    /// How far its clock and ours may differ. Default: [`TrustedIssuer::LIME_LEEWAY`], [`TrustedIssuer::OAUTH_LEEWAY`].
    pub leeway: Duration,
    /// Where its keys are, and how they are kept.
    pub jwks: Jwks,
    /// Where it is written.
    pub defined_at: Place,
}

/// The same is trusted of both. Where it is written is no part of that: a comment above it changes nothing.
impl PartialEq for TrustedIssuer {
    fn eq(&self, other: &Self) -> bool {
        let Self { name, url, kind, algorithms, typ, leeway, jwks, defined_at: _ } = self;
        *name == other.name
            && *url == other.url
            && *kind == other.kind
            && *algorithms == other.algorithms
            && *typ == other.typ
            && *leeway == other.leeway
            && *jwks == other.jwks
    }
}

impl Eq for TrustedIssuer {}

/// Two kinds of issuers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuerKind {
    /// A Lime issuer: `aud` contains `mcp`, and `domain` is a host of the site.
    Lime,
    /// Any that issues tokens as RFC 9068 asks (Keycloak, Entra, Auth0).
    OAuth {
        /// What `aud` must contain; `None`: the site's URL.
        audience: Option<Box<str>>,
    },
}

/// The keys of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwks {
    /// Where they are.
    pub source: JwksSource,
    /// How often they are fetched. Default: 5 min.
    pub refresh: Duration,
    /// The least time between two attempts, also after a failure. Default: 10 s.
    pub cooldown: Duration,
    /// How long they count without being confirmed. Default: 24 h.
    pub max_stale: Duration,
    /// How long an attempt may take. Default: 3 s.
    pub timeout: Duration,
    /// Most bytes of a key set. Default: 64 KiB.
    pub bytes_max: u32,
}

/// Where keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwksSource {
    /// Where an issuer of its kind publishes them: a fixed path for Lime, by discovery for OAuth (RFC 8414).
    Published,
    /// At this URL.
    Url(Box<str>),
    /// In a file, for a machine that reaches no issuer. Read again on reload.
    File(PathBuf),
}

impl Default for Jwks {
    fn default() -> Self {
        Self {
            source: JwksSource::Published,
            refresh: Duration::from_mins(5),
            cooldown: Duration::from_secs(10),
            max_stale: Duration::from_hours(24),
            timeout: Duration::from_secs(3),
            bytes_max: 64 * 1024,
        }
    }
}

impl TrustedIssuer {
    /// As long as the SDKs', so that a token they take for fresh is never refused.
    pub const LIME_LEEWAY: Duration = Duration::from_secs(120);
    /// What clocks that are set differ by at most.
    pub const OAUTH_LEEWAY: Duration = Duration::from_secs(30);

    /// A Lime issuer with every default.
    #[must_use]
    pub fn lime(url: IssuerUrl, defined_at: Place) -> Self {
        Self {
            name: url.as_str().into(),
            url,
            kind: IssuerKind::Lime,
            algorithms: vec![Algorithm::Rs256],
            typ: vec!["at+jwt".into()],
            leeway: Self::LIME_LEEWAY,
            jwks: Jwks::default(),
            defined_at,
        }
    }

    /// Whether it is a Lime issuer: one that agents log in with and that tells of revocations.
    #[must_use]
    pub const fn is_lime(&self) -> bool {
        matches!(self.kind, IssuerKind::Lime)
    }

    /// Reads `[issuer.NAME]`.
    pub(crate) fn read(
        table: &mut Table<'_>,
        name: &str,
        before: &mut Vec<(IssuerUrl, Place)>,
    ) -> Result<Entry<Self>, Reported> {
        let issuer = Self::read_alone(table, name)?;
        let place = table.place(URL);
        if let Some((_, first)) = before.iter().find(|(url, _)| *url == issuer.url) {
            let text = format!("`url`: the issuer at {first} has it too: keep one of the two tables");
            return Err(table.report(URL, &text));
        }
        before.push((issuer.url.clone(), place.clone()));
        Ok(Entry { table: Arc::new(issuer), place })
    }

    fn read_alone(table: &mut Table<'_>, name: &str) -> Result<Self, Reported> {
        let url = table.required(URL, Value::parsed::<IssuerUrl>);
        let kind = table.optional(KIND, |value| value.word(&[("lime", false), ("oauth", true)]));
        let audience = table.optional(AUDIENCE, |value| value.string().map(Box::from));
        let algorithms = table.optional(ALGORITHMS, |value| value.each(|item| algorithm(&item)));
        let typ =
            table.optional(TYP, |value| value.each(|item| item.string().map(|typ| typ.to_ascii_lowercase().into())));
        let leeway = table.optional(LEEWAY, |value| value.duration(LEEWAY_RANGE));
        let jwks = table.optional(JWKS, |value| value.into_table("in `jwks`")?.read_all(Jwks::read));
        let (url, audience) = (url?, audience?);
        let is_oauth = kind? == Some(true);
        if !is_oauth && audience.is_some() {
            return Err(
                table.report(AUDIENCE, "`audience` is for `kind = \"oauth\"`: tokens of a Lime issuer name the host")
            );
        }
        if !is_oauth && url.has_path() {
            return Err(table.report(
                URL,
                "`url`: only an issuer of `kind = \"oauth\"` has a path: write it, or leave the path out",
            ));
        }
        let (algorithms, typ) = (algorithms?, typ?);
        for (key, is_empty) in [
            (ALGORITHMS, algorithms.as_ref().is_some_and(Vec::is_empty)),
            (TYP, typ.as_ref().is_some_and(Vec::is_empty)),
        ] {
            if is_empty {
                let text = format!("`{} = []` takes no token at all: write `{0} = {}`", key.name, key.example);
                return Err(table.report(key, &text));
            }
        }
        let issuer = Self::lime(url, table.place(URL));
        let issuer = if is_oauth {
            let typ = vec!["at+jwt".into(), "jwt".into()];
            Self { kind: IssuerKind::OAuth { audience }, typ, leeway: Self::OAUTH_LEEWAY, ..issuer }
        } else {
            issuer
        };
        Ok(Self {
            name: name.into(),
            algorithms: algorithms.unwrap_or(issuer.algorithms),
            typ: typ.unwrap_or(issuer.typ),
            leeway: leeway?.unwrap_or(issuer.leeway),
            jwks: jwks?.unwrap_or_default(),
            ..issuer
        })
    }

    /// What is allowed but should be known, one line each with the place.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.url.origin.is_exposed() {
            found.push(format!("`issuer` {} is not https: whoever sits between can replace its keys", self.url));
        }
        if let JwksSource::Url(url) = &self.jwks.source
            && url.starts_with("http://")
        {
            found.push(format!("`jwks` {url} is not https: whoever sits between can replace the keys"));
        }
        found.into_iter().map(|text| format!("{}: {text}", self.defined_at)).collect()
    }
}

fn algorithm(value: &Value<'_>) -> Result<Algorithm, Reported> {
    const ALL: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
    value.parsed_by(|text| {
        let found = ALL.into_iter().find(|algorithm| algorithm.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is not taken: write \"RS256\", \"ES256\" or \"EdDSA\""))
    })
}

impl Jwks {
    fn read(table: &mut Table<'_>) -> Result<Self, Reported> {
        let url = table.optional(JWKS_URL, |value| value.parsed::<IssuerUrl>());
        let file = table.optional(JWKS_FILE, Value::path);
        let refresh = table.optional(REFRESH, |value| value.duration(REFRESH_RANGE));
        let cooldown = table.optional(COOLDOWN, |value| value.duration(COOLDOWN_RANGE));
        let max_stale = table.optional(MAX_STALE, |value| value.duration(MAX_STALE_RANGE));
        let timeout = table.optional(TIMEOUT, |value| value.duration(TIMEOUT_RANGE));
        let bytes_max = table.optional(BYTES_MAX, |value| value.integer(BYTES_RANGE));
        let source = match (url?, file?) {
            (None, None) => JwksSource::Published,
            (Some(url), None) => JwksSource::Url(url.as_str().into()),
            (None, Some(file)) => JwksSource::File(file),
            (Some(_), Some(_)) => {
                return Err(table.report(JWKS_FILE, "`file` and `url`: keys have one place: keep one of the two"));
            }
        };
        let default = Self::default();
        Ok(Self {
            source,
            refresh: refresh?.unwrap_or(default.refresh),
            cooldown: cooldown?.unwrap_or(default.cooldown),
            max_stale: max_stale?.unwrap_or(default.max_stale),
            timeout: timeout?.unwrap_or(default.timeout),
            bytes_max: bytes_max?.unwrap_or(default.bytes_max),
        })
    }
}

/// The `iss` of an issuer (RFC 8414 §2): an origin, with a path where many issuers share one. Kept byte for byte, since
/// `iss` is compared so; only what is no part of it is refused.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IssuerUrl {
    text: Box<str>,
    origin: WebOrigin,
}

impl IssuerUrl {
    /// As it stands in `iss`.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it is reached.
    #[must_use]
    pub const fn origin(&self) -> &WebOrigin {
        &self.origin
    }

    /// Whether it is more than an origin.
    #[must_use]
    pub fn has_path(&self) -> bool {
        *self.text != *self.origin.as_str()
    }
}

impl From<WebOrigin> for IssuerUrl {
    fn from(origin: WebOrigin) -> Self {
        Self { text: origin.as_str().into(), origin }
    }
}

impl FromStr for IssuerUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let authority_at = text.find("://").map_or(0, |at| at + 3);
        let authority = text.get(authority_at..).unwrap_or_default();
        let end = authority.find(['/', '?', '#', '\\']).map_or(text.len(), |end| authority_at + end);
        let (origin, path) = text.split_at_checked(end).unwrap_or((text, ""));
        let origin: WebOrigin = origin.parse()?;
        if path.is_empty() {
            // `https://ID.example:443` is the issuer that calls itself `https://id.example`.
            return Ok(origin.into());
        }
        let is_path = path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'\\' | b'"'));
        if is_path { Ok(Self { text: text.into(), origin }) } else { Err(BadUrl::Path(origin.to_string())) }
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuerUrl({})", self.text)
    }
}

#[cfg(test)]
mod tests;
