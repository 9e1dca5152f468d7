//! How often something may be asked for: `limit = { per = "agent", rate = "60/m", burst = 20 }`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::reader::{Key, Reported, Table};
use crate::value::Value;

const PER: Key = Key::new("per", r#""agent""#);
const RATE: Key = Key::new("rate", r#""60/m""#);
const BURST: Key = Key::new("burst", "20");

/// Most requests of a rate: more is no limit.
const COUNT_MAX: u32 = 1_000_000;

/// A bound on how often requests are taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Who shares it.
    pub per: LimitPer,
    /// How many in the long run.
    pub rate: Rate,
    /// How many at once, at least 1. Default: the count of `rate`.
    pub burst: u32,
}

/// Who shares a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitPer {
    /// All requests of an agent.
    Agent,
    /// All agents of an owner.
    Owner,
    /// All requests to the site.
    Site,
    /// A network: an IPv4 address, or the first 56 bits of an IPv6 address.
    Client,
}

impl LimitPer {
    const WORDS: [(&str, Self); 4] =
        [("agent", Self::Agent), ("owner", Self::Owner), ("site", Self::Site), ("client", Self::Client)];

    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Owner => "owner",
            Self::Site => "site",
            Self::Client => "client",
        }
    }
}

/// So many in a period: `10/s`, `60/m`, `1000/h`, `5000/d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// At least 1, at most a million.
    pub count: u32,
    /// A second, a minute, an hour or a day.
    pub period: Duration,
}

const PERIODS: [(&str, Duration); 4] = [
    ("s", Duration::from_secs(1)),
    ("m", Duration::from_mins(1)),
    ("h", Duration::from_hours(1)),
    ("d", Duration::from_hours(24)),
];

/// Why a text is no [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a rate: write a number from 1 to 1000000 and a period, like \"10/s\", \"60/m\", \"1000/h\" or \"5000/d\"")]
pub struct BadRate;

impl FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        let (count, unit) = text.split_once('/').ok_or(BadRate)?;
        let (_, period) = PERIODS.into_iter().find(|(name, _)| *name == unit).ok_or(BadRate)?;
        let is_number = count.bytes().all(|byte| byte.is_ascii_digit());
        let count = count.parse().ok().filter(|count| is_number && (1..=COUNT_MAX).contains(count)).ok_or(BadRate)?;
        Ok(Self { count, period })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = PERIODS.into_iter().find(|(_, period)| *period == self.period).map_or("s", |(unit, _)| unit);
        write!(f, "{}/{unit}", self.count)
    }
}

impl Limit {
    /// Reads one table, or a list of them.
    pub(crate) fn read_all(value: Value<'_>) -> Result<Vec<Self>, Reported> {
        value.each(|limit| limit.into_table("in `limit`")?.read_all(Self::read))
    }

    fn read(table: &mut Table<'_>) -> Result<Self, Reported> {
        let per = table.required(PER, |value| value.word(&LimitPer::WORDS));
        let rate = table.required(RATE, Value::parsed::<Rate>);
        let burst = table.optional(BURST, |value| value.integer(1..=COUNT_MAX));
        let (per, rate) = (per?, rate?);
        Ok(Self { per, rate, burst: burst?.unwrap_or(rate.count) })
    }
}
