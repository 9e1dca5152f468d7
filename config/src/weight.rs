//! What makes a challenge harder or easier: `[[policy.NAME.challenge.weight]]`.

use std::net::IpAddr;

use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::reader::{Key, Reported, Table};
use crate::server::network;
use crate::value::Value;
use crate::{PathPattern, TextPattern};

const MORE: Key = Key::new("more", "3");
const LESS: Key = Key::new("less", "3");
const USER_AGENT_KEY: Key = Key::new("user_agent", r#""*python*""#);
const NETWORK: Key = Key::new("network", r#"["203.0.113.0/24"]"#);
const PATH: Key = Key::new("path", r#"["/search/*"]"#);
const HEADER: Key = Key::new("header", r#""accept-language""#);
const WITHOUT_HEADER: Key = Key::new("without_header", r#""accept-language""#);

/// Bits that a weight may add or take.
const BITS_MAX: u32 = 64;

/// All weights of a challenge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights(Vec<Weight>);

/// So many bits for requests that are like this in every respect that is written; each list is of alternatives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    bits: i16,
    user_agents: Vec<TextPattern>,
    networks: Vec<IpNet>,
    paths: Vec<PathPattern>,
    headers: Vec<HeaderName>,
    without_headers: Vec<HeaderName>,
}

/// What a request is weighed by.
#[derive(Clone, Copy, Debug)]
pub struct Weighed<'a> {
    /// Without the query.
    pub path: &'a [u8],
    /// As they were received.
    pub headers: &'a HeaderMap,
    /// `None` where it says nothing.
    pub client: Option<IpAddr>,
}

impl Weights {
    pub(crate) const fn new(weights: Vec<Weight>) -> Self {
        Self(weights)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bits that a request weighs, above or below what is asked of everybody.
    #[must_use]
    pub fn of(&self, request: &Weighed<'_>) -> i32 {
        self.0.iter().filter(|weight| weight.fits(request)).map(|weight| i32::from(weight.bits)).sum()
    }

    /// Each weight that a request has, in words, and its bits: for those who ask why.
    pub fn explained<'a>(&'a self, request: &'a Weighed<'_>) -> impl Iterator<Item = (String, i16)> {
        self.0.iter().filter(|weight| weight.fits(request)).map(|weight| (weight.to_string(), weight.bits))
    }
}

impl Weight {
    pub(crate) fn read(table: &mut Table<'_>) -> Result<Self, Reported> {
        let more = table.optional(MORE, |value| value.integer(1..=BITS_MAX));
        let less = table.optional(LESS, |value| value.integer(1..=BITS_MAX));
        let user_agents = table.optional(USER_AGENT_KEY, |value| value.each(Value::parsed));
        let networks = table.optional(NETWORK, |value| value.each(|item| item.parsed_by(network)));
        let paths = table.optional(PATH, |value| value.each(Value::parsed));
        let headers = table.optional(HEADER, |value| value.each(Value::parsed));
        let without_headers = table.optional(WITHOUT_HEADER, |value| value.each(Value::parsed));
        let signed = |bits: u32| i16::try_from(bits).unwrap_or(i16::MAX);
        let bits = match (more?, less?) {
            (Some(more), None) => signed(more),
            (None, Some(less)) => -signed(less),
            (Some(_), Some(_)) => return Err(table.report(LESS, "`more` and `less` beside each other: keep one")),
            (None, None) => {
                return Err(table.report(MORE, "a weight without bits: write `more = 3`, or `less = 3`"));
            }
        };
        let weight = Self {
            bits,
            user_agents: user_agents?.unwrap_or_default(),
            networks: networks?.unwrap_or_default(),
            paths: paths?.unwrap_or_default(),
            headers: headers?.unwrap_or_default(),
            without_headers: without_headers?.unwrap_or_default(),
        };
        if weight.is_for_everybody() {
            let text = "a weight of every request is not one: write `bits` of the challenge, or what it is for, like \
                        `user_agent = \"*python*\"`";
            return Err(table.report(MORE, text));
        }
        Ok(weight)
    }

    fn is_for_everybody(&self) -> bool {
        self.user_agents.is_empty()
            && self.networks.is_empty()
            && self.paths.is_empty()
            && self.headers.is_empty()
            && self.without_headers.is_empty()
    }

    fn fits(&self, request: &Weighed<'_>) -> bool {
        let user_agent = || request.headers.get(USER_AGENT).map(http::HeaderValue::as_bytes).unwrap_or_default();
        let is_from = |network: &IpNet| request.client.is_some_and(|client| network.contains(&client.to_canonical()));
        (self.user_agents.is_empty() || self.user_agents.iter().any(|pattern| pattern.matches(user_agent())))
            && (self.networks.is_empty() || self.networks.iter().any(is_from))
            && (self.paths.is_empty() || self.paths.iter().any(|path| path.matches(request.path)))
            && self.headers.iter().all(|name| request.headers.contains_key(name))
            && !self.without_headers.iter().any(|name| request.headers.contains_key(name))
    }
}

/// As it is written.
impl std::fmt::Display for Weight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut said = Vec::new();
        let mut say = |key: Key, values: Vec<String>| {
            if !values.is_empty() {
                said.push(format!("{} = {}", key.name, values.join(" or ")));
            }
        };
        say(USER_AGENT_KEY, self.user_agents.iter().map(ToString::to_string).collect());
        say(NETWORK, self.networks.iter().map(ToString::to_string).collect());
        say(PATH, self.paths.iter().map(ToString::to_string).collect());
        say(HEADER, self.headers.iter().map(ToString::to_string).collect());
        say(WITHOUT_HEADER, self.without_headers.iter().map(ToString::to_string).collect());
        f.write_str(&said.join(", "))
    }
}
