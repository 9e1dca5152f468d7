//! What work a policy of `require = "cleared"` asks for: `[policy.NAME.challenge]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::reader::{Key, Reported, Table};
use crate::value::Value;
use crate::weight::{Weight, Weights};

const BITS: Key = Key::new("bits", "15");
const REQUESTS: Key = Key::new("requests", "300");
const LIFETIME: Key = Key::new("lifetime", r#""1h""#);
const WAIT: Key = Key::new("wait", r#""5s""#);
const CRAWLERS: Key = Key::new("crawlers", r#""verify""#);
const OPEN_UNDER: Key = Key::new("open_under", "10");
const REFUSE_OVER: Key = Key::new("refuse_over", "24");
const WEIGHT: Key = Key::new("weight", r#"[{ user_agent = "*python*", more = 3 }]"#);

/// The work that strangers do, and what they get for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Leading zero bits, before weights and surcharges. Default: 15, some ten milliseconds of a phone.
    pub bits: u8,
    /// Requests that a clearance is good for. Default: 300.
    pub requests: u32,
    /// How long a clearance lives. Default: 1 h.
    pub lifetime: Duration,
    /// How long a browser without scripts waits in place of working; `None`: it does not get in. Default: 5 s.
    pub wait: Option<Duration>,
    /// What is done about crawlers of search engines.
    pub crawlers: Crawlers,
    /// What makes it more or less.
    pub weights: Weights,
    /// Whoever is asked for fewer bits than these is let through without. Default: nobody.
    pub open_under: u8,
    /// Whoever would be asked for more than these is refused. Default: nobody.
    pub refuse_over: Option<u8>,
}

/// What is done about clients that call themselves a known crawler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crawlers {
    /// Whether they are is looked up in the DNS, and those that are pass.
    Verify,
    /// They are strangers like others.
    Challenge,
}

impl Crawlers {
    const WORDS: [(&str, Self); 2] = [("verify", Self::Verify), ("challenge", Self::Challenge)];
}

impl Challenge {
    /// The most that a browser is asked for: seconds on a phone.
    pub const BROWSER_BITS_MAX: u8 = 22;

    /// The most that a program is asked for, and that any client of ours agrees to.
    pub const PROGRAM_BITS_MAX: u8 = 24;

    const REQUESTS_RANGE: RangeInclusive<u32> = 1..=1_000_000;
    const LIFETIME_RANGE: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(24);
    const WAIT_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);

    /// Reads `challenge`.
    pub(crate) fn read(table: &mut Table<'_>) -> Result<Self, Reported> {
        let bits = table.optional(BITS, |value| small(&value, 1..=u32::from(Self::BROWSER_BITS_MAX)));
        let requests = table.optional(REQUESTS, |value| value.integer(Self::REQUESTS_RANGE));
        let lifetime = table.optional(LIFETIME, |value| value.duration(Self::LIFETIME_RANGE));
        let wait = table.optional(WAIT, |value| wait(&value));
        let crawlers = table.optional(CRAWLERS, |value| value.word(&Crawlers::WORDS));
        let open_under = table.optional(OPEN_UNDER, |value| small(&value, 1..=64));
        let refuse_over = table.optional(REFUSE_OVER, |value| small(&value, 1..=255));
        let weights = table.sections(WEIGHT, "in [[policy.NAME.challenge.weight]]", Weight::read);
        let standard = Self::default();
        Ok(Self {
            bits: bits?.unwrap_or(standard.bits),
            requests: requests?.unwrap_or(standard.requests),
            lifetime: lifetime?.unwrap_or(standard.lifetime),
            wait: wait?.unwrap_or(standard.wait),
            crawlers: crawlers?.unwrap_or(standard.crawlers),
            open_under: open_under?.unwrap_or(standard.open_under),
            refuse_over: refuse_over?,
            weights: Weights::new(weights?),
        })
    }
}

impl Default for Challenge {
    fn default() -> Self {
        Self {
            bits: 15,
            requests: 300,
            lifetime: Duration::from_hours(1),
            wait: Some(Duration::from_secs(5)),
            crawlers: Crawlers::Verify,
            weights: Weights::default(),
            open_under: 0,
            refuse_over: None,
        }
    }
}

fn small(value: &Value<'_>, range: RangeInclusive<u32>) -> Result<u8, Reported> {
    value.integer(range).map(|number| u8::try_from(number).unwrap_or(u8::MAX))
}

fn wait(value: &Value<'_>) -> Result<Option<Duration>, Reported> {
    if value.string()? == "off" { Ok(None) } else { value.duration(Challenge::WAIT_RANGE).map(Some) }
}

#[cfg(test)]
mod tests;
