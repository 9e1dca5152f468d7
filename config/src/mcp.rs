//! Paths of a site that speak the Model Context Protocol: `mcp = true`, or `[site.mcp]` with what is asked for there.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::reader::{Key, Reported, Table};
use crate::value::Value;
use crate::{PathPattern, Place, Policy, Require, WebOrigin, policy, size};

mod rule;

pub use rule::{BadNamePattern, McpDemand, McpRule, McpRules, NamePattern, RuleKind};

const PATH: Key = Key::new("path", r#""/mcp""#);
const POLICY: Key = Key::new("policy", r#""passport""#);
const UNLISTED: Key = Key::new("unlisted", r#""deny""#);
const SCOPES: Key = Key::new("scopes", r#"["mcp:read"]"#);
const BODY_BYTES_MAX: Key = Key::new("body_bytes_max", r#""1MiB""#);
const PINS: Key = Key::new("pins", r#""observe""#);
const AUDIT: Key = Key::new("audit", r#"{ arguments = "digest" }"#);
const ARGUMENTS: Key = Key::new("arguments", r#""digest""#);
const REDACT: Key = Key::new("redact", r#"["password"]"#);
const RULE: Key = Key::new("rule", r#"[{ tool = "delete_*", policy = "writers" }]"#);

/// A path of a site that speaks the Model Context Protocol, and is a resource of OAuth (RFC 9728).
#[derive(Clone, Debug)]
pub struct McpEndpoint {
    /// Which path: a single one, also with a final slash.
    pub path: PathPattern,
    /// The URL that tokens are for (RFC 8707): that of the site, and the path unless it is the root.
    pub resource: Box<str>,
    /// What the path asks for before a message is looked at: a passport, and nothing beside it. No other path has this
    /// very policy, so that a path that some server may read as this one is never taken for another.
    pub gate: Arc<Policy>,
    /// What a message asks for that no rule is for. Default: a passport.
    pub policy: Arc<Policy>,
    /// What becomes of what no rule is for. Default: it is let through.
    pub unlisted: Unlisted,
    /// Scopes that a client is told to ask for first. Default: those of `policy`.
    pub scopes: Vec<Box<str>>,
    /// Longest message, in bytes. Default: [`McpEndpoint::BODY_BYTES_MAX`].
    pub body_bytes_max: usize,
    /// What is done about a tool whose definition changes. Default: nothing.
    pub pins: Pins,
    /// What is written of the arguments of a call. Default: their digest.
    pub arguments: AuditedArguments,
    /// What single tools, resources, prompts and methods ask for.
    pub rules: McpRules,
    /// Where it is written.
    pub defined_at: Place,
}

/// `unlisted`: what becomes of what no rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// It asks for the endpoint's policy.
    Allow,
    /// It is not there, for anybody. What the protocol itself needs still asks for the endpoint's policy.
    Deny,
}

impl Unlisted {
    const WORDS: [(&str, Self); 2] = [("allow", Self::Allow), ("deny", Self::Deny)];
}

/// `pins`: what is done about a tool whose definition is another than it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pins {
    /// Definitions are not remembered.
    Off,
    /// A change is told.
    Observe,
    /// A changed tool is hidden until an operator accepts it.
    Enforce,
}

impl Pins {
    const WORDS: [(&str, Self); 3] = [("off", Self::Off), ("observe", Self::Observe), ("enforce", Self::Enforce)];
}

/// `audit`: what is written of the arguments of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditedArguments {
    /// A digest, which tells two calls apart and nothing else.
    Digest,
    /// The arguments themselves.
    Values {
        /// Names of members whose values are not written, at any depth.
        redact: Vec<Box<str>>,
    },
}

/// The word of [`AuditedArguments`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Digest,
    Values,
}

impl AuditedArguments {
    const WORDS: [(&str, Shown); 2] = [("digest", Shown::Digest), ("values", Shown::Values)];

    fn read(table: &mut Table<'_>) -> Result<Self, Reported> {
        let arguments = table.required(ARGUMENTS, |value| value.word(&Self::WORDS));
        let redact = table.optional(REDACT, |value| value.each(|name| name.string().map(Box::from)));
        match (arguments?, redact?) {
            (Shown::Values, redact) => Ok(Self::Values { redact: redact.unwrap_or_default() }),
            (Shown::Digest, None) => Ok(Self::Digest),
            (Shown::Digest, Some(_)) => {
                let text = "`redact`: of a digest nothing can be read: leave it out, or write `arguments = \"values\"`";
                Err(table.report(REDACT, text))
            }
        }
    }
}

impl McpEndpoint {
    /// 1 MiB: calls carry texts, seldom files.
    pub const BODY_BYTES_MAX: usize = 1024 * 1024;

    /// A message is held in memory until it is judged.
    const BODY_BYTES_RANGE: RangeInclusive<usize> = 1024..=16 * 1024 * 1024;

    /// Each costs a look at every request of the site.
    pub(crate) const ENDPOINTS_MAX: usize = 16;

    /// Where servers are found that do not say otherwise.
    const PATH: &str = "/mcp";

    /// What metadata of resources is found at, in front of their paths (RFC 9728 §3.1).
    const METADATA: &str = "/.well-known/oauth-protected-resource";

    /// An endpoint with every default.
    #[must_use]
    pub fn new(site: &WebOrigin, path: PathPattern, defined_at: Place) -> Self {
        let text = path.to_string();
        Self {
            resource: format!("{site}{}", if text == "/" { "" } else { &text }).into(),
            gate: Arc::new((*Policy::passport()).clone()),
            path,
            policy: Policy::passport(),
            unlisted: Unlisted::Allow,
            scopes: Vec::new(),
            body_bytes_max: Self::BODY_BYTES_MAX,
            pins: Pins::Off,
            arguments: AuditedArguments::Digest,
            rules: McpRules::default(),
            defined_at,
        }
    }

    /// Whether it is the root of the site.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.path.text() == "/"
    }

    /// Whether a path is that of the endpoint in capitals or small letters, or lies below it. Many servers take such a path
    /// for the endpoint.
    #[must_use]
    pub(crate) fn is_near(&self, path: &[u8]) -> bool {
        let own = self.path.text().as_bytes();
        let (start, rest) = path.split_at_checked(own.len()).unwrap_or_default();
        !self.is_root() && start.eq_ignore_ascii_case(own) && matches!(rest, [] | [b'/', ..])
    }

    /// The path of its metadata.
    #[must_use]
    pub fn metadata_path(&self) -> String {
        let path = self.path.to_string();
        format!("{}{}", Self::METADATA, if path == "/" { "" } else { &path })
    }

    /// The scopes that a client is told to ask for first.
    #[must_use]
    pub fn first_scopes(&self) -> &[Box<str>] {
        if self.scopes.is_empty() { &self.policy.scopes } else { &self.scopes }
    }

    /// Every scope that something here asks for, each once.
    #[must_use]
    pub fn all_scopes(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        let of_policies = self.policies().flat_map(|policy| &policy.scopes);
        for scope in self.scopes.iter().chain(of_policies) {
            if !found.contains(&&**scope) {
                found.push(scope);
            }
        }
        found
    }

    /// What its messages ask for: the policy of those that no rule is for, and those of the rules.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        std::iter::once(&self.policy).chain(self.rules.all().iter().filter_map(McpRule::policy))
    }

    /// Reads `mcp`: `true`, a table, or a list of tables. `policy` finds one by its name.
    pub(crate) fn read_all(
        value: Value<'_>,
        site: &WebOrigin,
        policy: &dyn Fn(&Value<'_>) -> Result<Arc<Policy>, Reported>,
    ) -> Result<Vec<Self>, Reported> {
        if let Some(is_wanted) = value.as_boolean() {
            let path = || Self::PATH.parse().map_err(|problem| value.report(problem));
            let made = || path().map(|path| Self::new(site, path, value.place()));
            return is_wanted.then(made).into_iter().collect();
        }
        value.each_and_all(
            |item| item.into_table("in [site.mcp]")?.read_all(|table| Self::read(table, site, policy)),
            judge,
        )
    }

    fn read(
        table: &mut Table<'_>,
        site: &WebOrigin,
        policy: &dyn Fn(&Value<'_>) -> Result<Arc<Policy>, Reported>,
    ) -> Result<Self, Reported> {
        let path = table.optional(PATH, |value| exact_path(&value));
        let asked = table.optional(POLICY, |value| passport_policy(&value, policy));
        let unlisted = table.optional(UNLISTED, |value| value.word(&Unlisted::WORDS));
        let scopes = table.optional(SCOPES, |value| value.each(|item| policy::scope(&item)));
        let body_bytes_max = table.optional(BODY_BYTES_MAX, |value| size::read(&value, Self::BODY_BYTES_RANGE));
        let pins = table.optional(PINS, |value| value.word(&Pins::WORDS));
        let arguments = table.optional(AUDIT, |value| value.into_table("in `audit`")?.read_all(AuditedArguments::read));
        let rules = table
            .sections(RULE, "in [[site.mcp.rule]]", |rule| McpRule::read(rule, |value| passport_policy(value, policy)));
        let rules = rules.and_then(|rules| McpRules::judged(rules, table, RULE));
        let path = match path? {
            Some(path) => path,
            None => Self::PATH.parse().map_err(|_| table.report(PATH, "`path`: write `path = \"/mcp\"`"))?,
        };
        let endpoint = Self::new(site, path, table.place(PATH));
        Ok(Self {
            policy: asked?.unwrap_or_else(|| Arc::clone(&endpoint.policy)),
            unlisted: unlisted?.unwrap_or(endpoint.unlisted),
            scopes: scopes?.unwrap_or_default(),
            body_bytes_max: body_bytes_max?.unwrap_or(endpoint.body_bytes_max),
            pins: pins?.unwrap_or(endpoint.pins),
            arguments: arguments?.unwrap_or(AuditedArguments::Digest),
            rules: rules?,
            ..endpoint
        })
    }
}

/// Two endpoints of one path would be two resources of one URL.
fn judge(endpoints: &[McpEndpoint]) -> Result<(), String> {
    if endpoints.len() > McpEndpoint::ENDPOINTS_MAX {
        return Err(format!("more than {} of them: write another site", McpEndpoint::ENDPOINTS_MAX));
    }
    let is_twice = |(index, endpoint): &(usize, &McpEndpoint)| {
        endpoints.iter().take(*index).any(|first| first.path == endpoint.path)
    };
    match endpoints.iter().enumerate().find(is_twice) {
        Some((_, endpoint)) => Err(format!("the path {} stands twice: keep one", endpoint.path)),
        None => Ok(()),
    }
}

fn exact_path(value: &Value<'_>) -> Result<PathPattern, Reported> {
    let path: PathPattern = value.parsed_by(str::parse)?;
    let text = path.to_string();
    if text.ends_with("/*") {
        return Err(value.report("a server has one path: write it without `/*`, like \"/mcp\""));
    }
    if text.len() > 1 && text.ends_with('/') {
        return Err(value.report("is part of a URL that is compared byte for byte: leave the final slash out"));
    }
    let is_below =
        |folder: &str| text.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if is_below("/.lime") || is_below("/.well-known") || text == "/auth.md" {
        return Err(
            value.report("is the gateway's own, or a place of metadata: write the path of the server, like \"/mcp\"")
        );
    }
    Ok(path)
}

/// A policy under which nobody is let in unknown.
fn passport_policy(
    value: &Value<'_>,
    policy: &dyn Fn(&Value<'_>) -> Result<Arc<Policy>, Reported>,
) -> Result<Arc<Policy>, Reported> {
    let found = policy(value)?;
    if found.require == Require::Passport {
        return Ok(found);
    }
    let name = &found.name;
    Err(value.report(format!(
        "`{name}` lets in whoever shows no passport, which nothing at an MCP endpoint may: write \"passport\", or a policy \
         with `require = \"passport\"`"
    )))
}

#[cfg(test)]
mod tests;
