//! What a path asks of those who want it: `[policy.NAME]`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use passport::OwnerLevel;

use crate::challenge::Challenge;
use crate::limit::Limit;
use crate::reader::{Key, Reported, Table};
use crate::surroundings::Entry;
use crate::value::Value;

const REQUIRE: Key = Key::new("require", r#""passport""#);
const SCOPES: Key = Key::new("scopes", r#"["orders:write"]"#);
const OWNER_LEVEL: Key = Key::new("owner_level", "1");
const AGENTS: Key = Key::new("agents", r#"{ deny = ["AGENT_ID"] }"#);
const OWNERS: Key = Key::new("owners", r#"{ allow = ["OWNER_ID"] }"#);
const CHALLENGE: Key = Key::new("challenge", "{ bits = 15 }");
const LIMIT: Key = Key::new("limit", r#"{ per = "agent", rate = "60/m" }"#);

const ALLOW: Key = Key::new("allow", r#"["ID"]"#);
const DENY: Key = Key::new("deny", r#"["ID"]"#);

/// Most ids of a list. Whoever has more has a group, which is the issuer's to know.
const LISTED_MAX: usize = 10_000;

/// What a path asks for. Built in are [`Policy::open`], [`Policy::cleared`], [`Policy::passport`] and [`Policy::closed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// As routes, logs and metrics name it.
    pub name: Box<str>,
    /// The least that must be known of whoever asks.
    pub require: Require,
    /// Scopes that a credential must have, all of them (RFC 6749 §3.3).
    pub scopes: Vec<Box<str>>,
    /// The least level of the agent's owner.
    pub owner_level: OwnerLevel,
    /// Which agents.
    pub agents: Listed,
    /// Agents of which owners. One whose owner is unknown is on no list.
    pub owners: Listed,
    /// How often.
    pub limits: Vec<Limit>,
    /// The work that is asked of strangers where `require` is [`Require::Cleared`].
    pub challenge: Challenge,
}

/// The least that must be known of whoever asks. Each rung takes those of the ones above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Require {
    /// Nothing.
    None,
    /// That work was done.
    Cleared,
    /// Who it is, by a passport.
    Passport,
    /// There is nothing to be known: the path is closed to everybody, as if it led nowhere.
    Nobody,
}

impl Require {
    const WORDS: [(&str, Self); 4] =
        [("none", Self::None), ("cleared", Self::Cleared), ("passport", Self::Passport), ("nobody", Self::Nobody)];

    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Cleared => "cleared",
            Self::Passport => "passport",
            Self::Nobody => "nobody",
        }
    }
}

impl fmt::Display for Require {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A list of who may, and one of who may not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Nobody else may; `None`: everybody may.
    pub allow: Option<BTreeSet<Box<str>>>,
    /// These may not, whatever else is written.
    pub deny: BTreeSet<Box<str>>,
}

impl Listed {
    /// Whether an id is let in. One that is not known is on neither list.
    #[must_use]
    pub fn admits(&self, id: Option<&str>) -> bool {
        match id {
            Some(id) => !self.deny.contains(id) && self.allow.as_ref().is_none_or(|allow| allow.contains(id)),
            None => self.allow.is_none(),
        }
    }

    /// Whether it says anything at all.
    #[must_use]
    pub fn is_everybody(&self) -> bool {
        self.allow.is_none() && self.deny.is_empty()
    }

    fn read(table: &mut Table<'_>) -> Result<Self, Reported> {
        let allow = table.optional(ALLOW, ids);
        let deny = table.optional(DENY, ids);
        let (allow, deny) = (allow?, deny?.unwrap_or_default());
        if allow.as_ref().is_some_and(BTreeSet::is_empty) {
            let text = "`allow = []` lets nobody in: write the ids that may, or leave it out for everybody";
            return Err(table.report(ALLOW, text));
        }
        if let Some(both) = allow.iter().flatten().find(|id| deny.contains(*id)) {
            return Err(table.report(DENY, &format!("`deny`: `{both}` also stands under `allow`: keep one of the two")));
        }
        Ok(Self { allow, deny })
    }
}

fn ids(value: Value<'_>) -> Result<BTreeSet<Box<str>>, Reported> {
    let few_enough = |ids: &[Box<str>]| {
        let text = || format!("{} ids: a list has at most {LISTED_MAX}; let the issuer tell by a scope", ids.len());
        if ids.len() <= LISTED_MAX { Ok(()) } else { Err(text()) }
    };
    value.each_and_all(|id| id.string().map(Box::from), few_enough).map(BTreeSet::from_iter)
}

static OPEN: LazyLock<Arc<Policy>> = LazyLock::new(|| Arc::new(Policy::new("open", Require::None)));
static CLEARED: LazyLock<Arc<Policy>> = LazyLock::new(|| Arc::new(Policy::new("cleared", Require::Cleared)));
static PASSPORT: LazyLock<Arc<Policy>> = LazyLock::new(|| Arc::new(Policy::new("passport", Require::Passport)));
static CLOSED: LazyLock<Arc<Policy>> = LazyLock::new(|| Arc::new(Policy::new("closed", Require::Nobody)));

impl Policy {
    /// The names that need no table.
    pub(crate) const BUILT_IN: [&str; 4] = ["open", "cleared", "passport", "closed"];

    /// A policy that asks for nothing but `require`.
    #[must_use]
    pub fn new(name: &str, require: Require) -> Self {
        Self {
            name: name.into(),
            require,
            scopes: Vec::new(),
            owner_level: OwnerLevel::default(),
            agents: Listed::default(),
            owners: Listed::default(),
            limits: Vec::new(),
            challenge: Challenge::default(),
        }
    }

    /// Asks for nothing: what a path is about which nothing is written.
    #[must_use]
    pub fn open() -> Arc<Self> {
        Arc::clone(&OPEN)
    }

    /// Asks strangers for work, as much as is usual.
    #[must_use]
    pub fn cleared() -> Arc<Self> {
        Arc::clone(&CLEARED)
    }

    /// Asks for a passport: what `protect` means.
    #[must_use]
    pub fn passport() -> Arc<Self> {
        Arc::clone(&PASSPORT)
    }

    /// Lets nobody in: what other paths of a site with an MCP endpoint are, unless they are said to be something else.
    #[must_use]
    pub fn closed() -> Arc<Self> {
        Arc::clone(&CLOSED)
    }

    /// Reads `[policy.NAME]`.
    pub(crate) fn read(table: &mut Table<'_>, name: &str) -> Result<Entry<Self>, Reported> {
        let require = table.required(REQUIRE, |value| require(&value));
        let scopes = table.optional(SCOPES, |value| value.each(|item| scope(&item)));
        let owner_level = table.optional(OWNER_LEVEL, |value| value.integer(0..=255));
        let agents = table.optional(AGENTS, |value| value.into_table("in `agents`")?.read_all(Listed::read));
        let owners = table.optional(OWNERS, |value| value.into_table("in `owners`")?.read_all(Listed::read));
        let limits = table.optional(LIMIT, Limit::read_all);
        let challenge = table
            .optional(CHALLENGE, |value| value.into_table("in [policy.NAME.challenge]")?.read_all(Challenge::read));
        let policy = Self {
            scopes: scopes?.unwrap_or_default(),
            owner_level: OwnerLevel::new(u8::try_from(owner_level?.unwrap_or_default()).unwrap_or(u8::MAX)),
            agents: agents?.unwrap_or_default(),
            owners: owners?.unwrap_or_default(),
            limits: limits?.unwrap_or_default(),
            challenge: challenge?.unwrap_or_default(),
            ..Self::new(name, require?)
        };
        policy.judge(table);
        if Self::BUILT_IN.contains(&name) {
            let text = format!("[policy.{name}] is built in and cannot be another: choose another name");
            return Err(table.report(REQUIRE, &text));
        }
        Ok(Entry { table: Arc::new(policy), place: table.place(REQUIRE) })
    }

    /// What only a passport tells cannot be asked of those who have none, and only strangers are asked for work.
    fn judge(&self, table: &Table<'_>) {
        if self.require != Require::Cleared && table.written(CHALLENGE).is_some() {
            table.report(CHALLENGE, "`challenge` is for strangers: write `require = \"cleared\"` beside it");
        }
        if self.require == Require::Passport {
            return;
        }
        for key in [SCOPES, OWNER_LEVEL, AGENTS, OWNERS].into_iter().filter(|key| table.written(*key).is_some()) {
            let text = format!("`{}` is told by a passport: write `require = \"passport\"` beside it", key.name);
            table.report(key, &text);
        }
    }
}

fn require(value: &Value<'_>) -> Result<Require, Reported> {
    if value.string()? == "signed" {
        return Err(value.report("`signed` is not served yet: write \"passport\""));
    }
    value.word(&Require::WORDS)
}

/// RFC 6749 §3.3: what a scope may be made of.
pub(crate) fn scope(value: &Value<'_>) -> Result<Box<str>, Reported> {
    value.parsed_by(|text| {
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        if text.bytes().all(is_allowed) {
            Ok(text.into())
        } else {
            Err(format!("`{text}` is no scope: write one word, like \"orders:write\", and a list for several"))
        }
    })
}

#[cfg(test)]
mod tests;
