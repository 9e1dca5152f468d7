//! `lime validate --tests FILE`: requests and what is to become of them, so that a slip in a configuration is found before
//! anybody is refused.
//!
//! ```toml
//! [[test]]
//! request = "POST https://shop.example.com/api/orders"
//! headers = { Origin = "https://app.example.com" }
//! body = '{"jsonrpc":"2.0", ..}'   # a message to an MCP endpoint
//! agent = { id = "agent-1", owner = "owner-1", owner_level = 2, scope = "orders:write" }
//! expect = "allow"                # allow | deny | would_deny | error
//! reason = "insufficient_scope"   # and this, and these, where they are written
//! status = 403
//! policy = "write"
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use proxy::{Explainer, Question};
use serde::Deserialize;
use toml::Spanned;

use crate::explain::{self, DECISIONS};
use crate::failure::Failure;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    test: Vec<Test>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    request: Spanned<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    agent: Option<Agent>,
    expect: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    policy: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Agent {
    id: String,
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    owner_level: u8,
    #[serde(default)]
    scope: Option<String>,
}

/// Asks every question of a file. How many there were; what came out differently is an error that names each.
pub(crate) fn check(config: config::Gateway, path: &Path) -> Result<usize, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| Failure::usage(format!("{} cannot be read: {cause}", path.display())))?;
    let file: File = toml::from_str(&text).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    if file.test.is_empty() {
        return Err(Failure::usage(format!(
            "{}: no test: write a [[test]] with its `request` and `expect`",
            path.display()
        )));
    }
    let explainer = Explainer::new(config).map_err(Failure::from_error)?;
    let mut wrong = Vec::new();
    for test in &file.test {
        let line = text.get(..test.request.span().start).map_or(1, |before| before.matches('\n').count() + 1);
        let found = test.differences(&explainer).map_err(|failure| failure.at(path, line))?;
        wrong.extend(
            found
                .into_iter()
                .map(|difference| format!("{}:{line}: {}: {difference}", path.display(), test.request.get_ref())),
        );
    }
    if wrong.is_empty() { Ok(file.test.len()) } else { Err(Failure::expected(wrong.join("\n"))) }
}

impl Test {
    fn question(&self) -> Result<Question, Failure> {
        let (method, url) = self.request.get_ref().split_once(' ').unwrap_or(("GET", self.request.get_ref()));
        let headers = explain::headers(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
        let assumed = match &self.agent {
            Some(agent) => {
                Some(explain::assumed(&agent.id, agent.owner.as_deref(), agent.owner_level, agent.scope.clone())?)
            }
            None => None,
        };
        Ok(Question { assumed, ..explain::question(method, url.trim(), headers)?.with_body(self.body.clone()) })
    }

    fn differences(&self, explainer: &Explainer) -> Result<Vec<String>, Failure> {
        let known = DECISIONS.map(filters::DecisionWord::as_str);
        if !known.contains(&self.expect.as_str()) {
            return Err(Failure::usage(format!("`expect` is one of {}, not `{}`", known.join(", "), self.expect)));
        }
        let found = explainer.explain(&self.question()?);
        let reason = found.decision.reason.map(|reason| reason.as_str().to_owned());
        let status = found.reply.as_ref().map(|reply| reply.status.as_u16());
        let policy = found.policy.as_ref().map(|policy| policy.name.to_string());
        let why = reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let mut differences = Vec::new();
        if found.decision.word.as_str() != self.expect {
            differences.push(format!("expected {}, found {}{why}", self.expect, found.decision.word.as_str()));
        }
        let mut compare = |what: &str, expected: Option<String>, found: Option<String>| {
            if let Some(expected) = expected
                && found.as_ref() != Some(&expected)
            {
                differences.push(format!("expected {what} {expected}, found {}", found.as_deref().unwrap_or("none")));
            }
        };
        compare("reason", self.reason.clone(), reason);
        compare("status", self.status.map(|status| status.to_string()), status.map(|status| status.to_string()));
        compare("policy", self.policy.clone(), policy);
        Ok(differences)
    }
}
