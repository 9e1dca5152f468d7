//! What would become of a message at an MCP endpoint.

use std::sync::Arc;
use std::time::Duration;

use config::{McpEndpoint, Mode};
use filters::{AtMcp, Chain, DecisionWord, Edits, McpOutcome, Request, Verdict};
use http::Method;

use super::Explanation;

/// Judges what was let in as far as its head goes. A `POST` without a body is not judged any further.
pub(super) fn judge(
    chain: &Chain,
    (request, endpoint, body): (&Request<'_>, &Arc<McpEndpoint>, Option<&[u8]>),
    mode: Mode,
    edits: &mut Edits,
    explanation: &mut Explanation,
) -> Verdict {
    let is_post = *request.method == Method::POST;
    if mode == Mode::Off || (is_post && body.is_none()) {
        return Verdict::Continue;
    }
    let identity = explanation.decision.identity.clone();
    let (identity, elapsed) = (identity.as_ref(), Duration::ZERO);
    let at = AtMcp { request, endpoint, identity, mode, elapsed, hidden_tools: None, param_headers: None };
    let body = body.unwrap_or_default();
    let length = u64::try_from(body.len()).ok();
    let verdict = explanation.learn(chain.meet_mcp(&at, length, edits));
    match verdict {
        Verdict::Continue if is_post => explanation.learn(chain.judge_message(&at, body, edits)),
        Verdict::Continue | Verdict::Respond(_) => verdict,
    }
}

impl Explanation {
    fn learn(&mut self, outcome: McpOutcome) -> Verdict {
        let McpOutcome { verdict, decided, policy, call } = outcome;
        if let Some((word, reason)) = decided
            && self.decision.word == DecisionWord::Allow
        {
            self.decision.word = word;
            self.decision.reason = Some(reason);
        }
        self.policy = policy.or(self.policy.take());
        self.message = call.or(self.message.take());
        verdict
    }
}
