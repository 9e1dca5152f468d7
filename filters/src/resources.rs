use std::sync::Arc;

use passport::UnixTime;

use crate::{ChallengeKeys, Challenger, CrawlerVerdicts, Fleet, Limiter, McpSessions, SessionKeys, VerifiedCache};

/// What is one for a process, whatever sites there are.
#[derive(Clone, Debug)]
pub struct Resources {
    /// What sessions are sealed with.
    pub sessions: Arc<SessionKeys>,
    /// What MCP sessions are tied with to whom they were given.
    pub mcp_sessions: Arc<McpSessions>,
    /// Credentials that were verified.
    pub cache: Arc<VerifiedCache>,
    /// What was asked how often.
    pub limiter: Arc<Limiter>,
    /// What is left of clearances.
    pub budgets: Arc<Limiter>,
    /// What strangers are asked for work with.
    pub challenger: Arc<Challenger>,
    /// What is known of those who call themselves crawlers.
    pub crawlers: Arc<CrawlerVerdicts>,
}

impl Resources {
    /// What rests on the gateway's secret, and on the one it had before. `process` must be random; `began` is when the
    /// process did.
    #[must_use]
    pub fn new(
        secret: &[u8; 32],
        previous: Option<&[u8; 32]>,
        process: [u8; 8],
        (began, fleet): (UnixTime, Fleet),
    ) -> Self {
        let keys = ChallengeKeys::new(secret, previous);
        Self {
            sessions: Arc::new(SessionKeys::new(secret, previous)),
            mcp_sessions: Arc::new(McpSessions::new(secret, previous)),
            cache: Arc::default(),
            limiter: Arc::default(),
            budgets: Arc::default(),
            challenger: Arc::new(Challenger::new(keys, process, began, fleet)),
            crawlers: Arc::default(),
        }
    }
}
