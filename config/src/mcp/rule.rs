//! What a tool, a resource, a prompt or a method asks for: `[[site.mcp.rule]]`.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::reader::{Key, Reported, Table};
use crate::value::Value;
use crate::{Place, Policy};

const TOOL: Key = Key::new("tool", r#""delete_*""#);
const RESOURCE: Key = Key::new("resource", r#""file:///reports/*""#);
const PROMPT: Key = Key::new("prompt", r#""review_*""#);
const METHOD: Key = Key::new("method", r#""logging/setLevel""#);
const POLICY: Key = Key::new("policy", r#""writers""#);
const DENY: Key = Key::new("deny", "true");

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// A tool that is called, by its name.
    Tool,
    /// A resource that is read or watched, by its URI.
    Resource,
    /// A prompt that is fetched, by its name.
    Prompt,
    /// Any request, by its method.
    Method,
}

impl RuleKind {
    const KEYS: [(Key, Self); 4] =
        [(TOOL, Self::Tool), (RESOURCE, Self::Resource), (PROMPT, Self::Prompt), (METHOD, Self::Method)];

    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Resource => "resource",
            Self::Prompt => "prompt",
            Self::Method => "method",
        }
    }
}

/// One `[[site.mcp.rule]]`.
#[derive(Clone, Debug)]
pub struct McpRule {
    /// What it is about.
    pub kind: RuleKind,
    /// Which of those.
    pub pattern: NamePattern,
    /// What is asked for.
    pub demand: McpDemand,
    /// Where it is written.
    pub defined_at: Place,
}

/// What a rule asks for.
#[derive(Clone, Debug)]
pub enum McpDemand {
    /// What a policy does.
    Policy(Arc<Policy>),
    /// Nobody gets it, and nobody is shown that it is there.
    Deny,
}

impl McpRule {
    /// Its name in logs: `tool delete_*`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.kind.as_str(), self.pattern)
    }

    /// The policy, unless it denies.
    #[must_use]
    pub const fn policy(&self) -> Option<&Arc<Policy>> {
        match &self.demand {
            McpDemand::Policy(policy) => Some(policy),
            McpDemand::Deny => None,
        }
    }

    /// `policy` finds one by its name.
    pub(super) fn read(
        table: &mut Table<'_>,
        policy: impl FnOnce(&Value<'_>) -> Result<Arc<Policy>, Reported>,
    ) -> Result<Self, Reported> {
        let named = RuleKind::KEYS.map(|(key, kind)| {
            table.optional(key, Value::parsed::<NamePattern>).map(|found| found.map(|pattern| (key, kind, pattern)))
        });
        let policy = table.optional(POLICY, |value| policy(&value));
        let deny = table.optional(DENY, Value::boolean);
        let mut found = Vec::new();
        for one in named {
            found.extend(one?);
        }
        let (policy, deny) = (policy?, deny?);
        let mut found = found.into_iter();
        let (key, kind, pattern) = match (found.next(), found.next()) {
            (Some(one), None) => one,
            (None, _) => {
                let text = "a rule says what it is for: write `tool`, `resource`, `prompt` or `method`";
                return Err(table.report(TOOL, text));
            }
            (Some(_), Some((second, ..))) => {
                let text = format!("`{}`: a rule is for one thing: write two rules", second.name);
                return Err(table.report(second, &text));
            }
        };
        let demand = match (policy, deny) {
            (Some(policy), None) => McpDemand::Policy(policy),
            (None, Some(true)) => McpDemand::Deny,
            (None, None) => {
                let text = "a rule says what is asked for: write `policy = \"writers\"`, or `deny = true` for nobody";
                return Err(table.report(key, text));
            }
            (None, Some(false)) => {
                let text = "`deny = false` asks for nothing: write `policy = \"passport\"`, or leave the rule out";
                return Err(table.report(DENY, text));
            }
            (Some(_), Some(_)) => {
                return Err(table.report(DENY, "`deny` stands beside `policy`: keep one of the two"));
            }
        };
        Ok(Self { kind, pattern, demand, defined_at: table.place(key) })
    }
}

/// The rules of an endpoint, the most specific first: exact names, then beginnings from the longest to the shortest.
#[derive(Clone, Debug, Default)]
pub struct McpRules(Vec<McpRule>);

impl McpRules {
    /// A call looks at each of them in turn.
    const RULES_MAX: usize = 256;

    /// Rules in any order. Of two of one kind and pattern the first counts.
    #[must_use]
    pub fn new(mut rules: Vec<McpRule>) -> Self {
        rules.sort_by_key(|rule| rule.pattern.specificity());
        Self(rules)
    }

    /// The same, where none of them may be in vain.
    pub(super) fn judged(rules: Vec<McpRule>, table: &Table<'_>, key: Key) -> Result<Self, Reported> {
        if rules.len() > Self::RULES_MAX {
            let text = format!("more than {} rules: join those of one policy by a common beginning", Self::RULES_MAX);
            return Err(table.report(key, &text));
        }
        let mut judged = Ok(());
        for (index, rule) in rules.iter().enumerate() {
            let is_same = |first: &&McpRule| first.kind == rule.kind && first.pattern == rule.pattern;
            if let Some(first) = rules.iter().take(index).find(is_same) {
                let text = format!(
                    "`{}`: \"{}\" never counts here: the rule at {} is for it too: remove one of the two",
                    rule.kind.as_str(),
                    rule.pattern,
                    first.defined_at
                );
                judged = Err(table.report_at(&rule.defined_at, &text));
            }
        }
        judged.map(|()| Self::new(rules))
    }

    /// The rule for something, and its place among [`McpRules::all`].
    #[must_use]
    pub fn find(&self, kind: RuleKind, name: &str) -> Option<(usize, &McpRule)> {
        self.0.iter().enumerate().find(|(_, rule)| rule.kind == kind && rule.pattern.matches(name))
    }

    /// All of them, the most specific first.
    #[must_use]
    pub fn all(&self) -> &[McpRule] {
        &self.0
    }
}

/// A name, or how some begin: `delete_*`. Names are compared as they are; none is folded or trimmed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NamePattern {
    /// This one.
    Exact(Box<str>),
    /// All that begin so.
    Prefix(Box<str>),
}

/// Why a text is no [`NamePattern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`*` may only stand at the end: write \"delete_*\" for all that begin so")]
pub struct BadNamePattern;

impl NamePattern {
    /// Whether a name is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *name,
            Self::Prefix(start) => name.starts_with(&**start),
        }
    }

    /// Smaller for what is meant more narrowly.
    const fn specificity(&self) -> (bool, Reverse<usize>) {
        match self {
            Self::Exact(exact) => (false, Reverse(exact.len())),
            Self::Prefix(start) => (true, Reverse(start.len())),
        }
    }
}

impl FromStr for NamePattern {
    type Err = BadNamePattern;

    fn from_str(text: &str) -> Result<Self, BadNamePattern> {
        let (name, is_prefix) = text.strip_suffix('*').map_or((text, false), |start| (start, true));
        match (name.contains('*'), is_prefix) {
            (true, _) => Err(BadNamePattern),
            (false, true) => Ok(Self::Prefix(name.into())),
            (false, false) => Ok(Self::Exact(name.into())),
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => f.write_str(exact),
            Self::Prefix(start) => write!(f, "{start}*"),
        }
    }
}
