//! What is asked for a tool, a resource, a prompt or a method, and whether somebody has it.

use std::sync::Arc;

use config::{McpDemand, McpEndpoint, McpRule, Policy, RuleKind, Unlisted};

use super::era::Era;
use super::message::{Kind, Message};
use super::{method, uri};
use crate::{Identity, Reason, demands};

/// What becomes of a message, by what is configured.
#[derive(Clone, Copy, Debug)]
pub enum McpRuling<'a> {
    /// Its policy lets it through.
    Allow {
        /// The policy, whose limits are still to be counted.
        policy: &'a Arc<Policy>,
        /// The rule, where one is for it.
        rule: Option<&'a McpRule>,
    },
    /// It would, had the credential more scopes.
    NeedsScope {
        /// The policy that names them.
        policy: &'a Arc<Policy>,
        /// The rule, where one is for it.
        rule: Option<&'a McpRule>,
    },
    /// The endpoint itself is not for whoever asks.
    NotAdmitted {
        /// The policy of the endpoint.
        policy: &'a Arc<Policy>,
        /// What the policy misses.
        reason: Reason,
    },
    /// For whoever asks, it is not there.
    Hidden {
        /// The rule, where one is for it.
        rule: Option<&'a McpRule>,
    },
}

impl<'a> McpRuling<'a> {
    /// The rule it follows.
    #[must_use]
    pub const fn rule(&self) -> Option<&'a McpRule> {
        match self {
            Self::Allow { rule, .. } | Self::NeedsScope { rule, .. } | Self::Hidden { rule } => *rule,
            Self::NotAdmitted { .. } => None,
        }
    }

    /// The policy it follows; `None` where it is hidden whatever a policy says.
    #[must_use]
    pub const fn policy(&self) -> Option<&'a Arc<Policy>> {
        match self {
            Self::Allow { policy, .. } | Self::NeedsScope { policy, .. } | Self::NotAdmitted { policy, .. } => {
                Some(*policy)
            }
            Self::Hidden { .. } => None,
        }
    }
}

/// What somebody sees of an endpoint: for lists that are filtered as calls are judged.
#[derive(Clone, Copy, Debug)]
pub struct McpView<'a> {
    endpoint: &'a McpEndpoint,
    identity: &'a Identity,
}

impl<'a> McpView<'a> {
    /// The view of an agent.
    #[must_use]
    pub const fn new(endpoint: &'a McpEndpoint, identity: &'a Identity) -> Self {
        Self { endpoint, identity }
    }

    /// Whether the agent is shown a tool, a resource, a prompt or a method of this name. What more scopes would open is
    /// shown, or nobody would know to ask for them.
    #[must_use]
    pub fn shows(&self, kind: RuleKind, name: &str) -> bool {
        let method = match kind {
            RuleKind::Tool => "tools/call",
            RuleKind::Resource => "resources/read",
            RuleKind::Prompt => "prompts/get",
            RuleKind::Method => name,
        };
        let ruling = match kind {
            RuleKind::Tool | RuleKind::Resource | RuleKind::Prompt => self.on_target(kind, name, method),
            RuleKind::Method => self.on_method(name, Era::Handshake),
        };
        match ruling {
            McpRuling::Allow { .. } | McpRuling::NeedsScope { .. } => true,
            McpRuling::NotAdmitted { .. } | McpRuling::Hidden { .. } => false,
        }
    }

    fn on_target(&self, kind: RuleKind, name: &str, method: &str) -> McpRuling<'a> {
        let endpoint = self.endpoint;
        let rule = endpoint.rules.find(kind, name);
        if kind == RuleKind::Resource && self.is_ambiguous(name, rule.map(|(index, _)| index)) {
            return McpRuling::Hidden { rule: rule.map(|(_, rule)| rule) };
        }
        match (rule.or_else(|| endpoint.rules.find(RuleKind::Method, method)), endpoint.unlisted) {
            (Some((_, rule)), _) => self.by_rule(rule),
            (None, Unlisted::Allow) => self.by_endpoint(),
            (None, Unlisted::Deny) => McpRuling::Hidden { rule: None },
        }
    }

    fn on_method(&self, method: &str, era: Era) -> McpRuling<'a> {
        let endpoint = self.endpoint;
        match (endpoint.rules.find(RuleKind::Method, method), endpoint.unlisted) {
            (Some((_, rule)), _) => self.by_rule(rule),
            (None, unlisted) if self.is_open(method, era, unlisted) => self.by_endpoint(),
            (None, Unlisted::Allow | Unlisted::Deny) => McpRuling::Hidden { rule: None },
        }
    }

    /// Whether a method needs no rule. Where rules tell tools, resources or prompts apart, one that nobody here knows may do
    /// what they forbid, and a task may hold what a tool has found for another.
    fn is_open(&self, method: &str, era: Era, unlisted: Unlisted) -> bool {
        let known = method::known(method).filter(|known| known.is_protocol());
        match unlisted {
            Unlisted::Deny => known.is_some_and(|known| known.is_of(era)),
            Unlisted::Allow => known.is_some() || !self.tells_apart(),
        }
    }

    fn tells_apart(&self) -> bool {
        self.endpoint.rules.all().iter().any(|rule| match rule.kind {
            RuleKind::Tool | RuleKind::Resource | RuleKind::Prompt => true,
            RuleKind::Method => false,
        })
    }

    fn by_rule(&self, rule: &'a McpRule) -> McpRuling<'a> {
        match &rule.demand {
            McpDemand::Policy(policy) => self.by_policy(policy, rule),
            McpDemand::Deny => McpRuling::Hidden { rule: Some(rule) },
        }
    }

    /// Whom a rule does not let in is not told of it.
    fn by_policy(&self, policy: &'a Arc<Policy>, rule: &'a McpRule) -> McpRuling<'a> {
        let rule = Some(rule);
        match demands::meet(policy, self.identity) {
            Ok(()) => McpRuling::Allow { policy, rule },
            Err(Reason::InsufficientScope) => McpRuling::NeedsScope { policy, rule },
            Err(_) => McpRuling::Hidden { rule },
        }
    }

    /// Whom the endpoint does not let in is told so: it would do nobody good to be told that `initialize` is not there.
    fn by_endpoint(&self) -> McpRuling<'a> {
        let policy = &self.endpoint.policy;
        match demands::meet(policy, self.identity) {
            Ok(()) => McpRuling::Allow { policy, rule: None },
            Err(Reason::InsufficientScope) => McpRuling::NeedsScope { policy, rule: None },
            Err(reason) => McpRuling::NotAdmitted { policy, reason },
        }
    }

    /// Whether a server may read a URI as one for which another rule counts: `file:///a/../b` is `file:///b` to most.
    fn is_ambiguous(&self, uri: &str, rule: Option<usize>) -> bool {
        let rules = &self.endpoint.rules;
        if !rules.all().iter().any(|rule| rule.kind == RuleKind::Resource) {
            return false;
        }
        let index = |uri: &str| rules.find(RuleKind::Resource, uri).map(|(index, _)| index);
        uri::readings(uri).is_none_or(|readings| readings.iter().any(|reading| index(reading) != rule))
    }
}

/// What becomes of a message that somebody sends. Of several things that it is about, the one that is least open counts.
pub(crate) fn rule_on<'a>(
    endpoint: &'a McpEndpoint,
    identity: &'a Identity,
    message: &Message<'_>,
    era: Era,
) -> McpRuling<'a> {
    let view = McpView { endpoint, identity };
    let Some(method) = message.method.as_deref() else {
        // A response: what a request of the server's led to. There are none in the later era.
        let is_in_vain = message.kind == Kind::Response && era == Era::Stateless && endpoint.unlisted == Unlisted::Deny;
        return if is_in_vain { McpRuling::Hidden { rule: None } } else { view.by_endpoint() };
    };
    let mut least_open: Option<McpRuling<'a>> = None;
    for (kind, name) in &message.targets {
        let ruling = view.on_target(*kind, name, method);
        if least_open.is_none_or(|found| closedness(&ruling) > closedness(&found)) {
            least_open = Some(ruling);
        }
    }
    least_open.unwrap_or_else(|| view.on_method(method, era))
}

const fn closedness(ruling: &McpRuling<'_>) -> u8 {
    match ruling {
        McpRuling::Allow { .. } => 0,
        McpRuling::NeedsScope { .. } => 1,
        McpRuling::NotAdmitted { .. } => 2,
        McpRuling::Hidden { .. } => 3,
    }
}

#[cfg(test)]
mod tests;
