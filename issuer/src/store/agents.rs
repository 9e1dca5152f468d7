//! Agents that clients of operators act as.

use passport::{AgentId, SiteId};

use super::database::StoreError;
use super::revocations::end_credentials;
use super::{AuditRow, Store, audit};
use crate::time::UnixMillis;

impl Store {
    /// Whether a site is on an agent's list.
    pub(crate) async fn may_visit(&self, agent: &AgentId, site: &SiteId) -> Result<bool, StoreError> {
        let sql = "SELECT COUNT(*) FROM agents a WHERE a.id = $1 AND (a.any_site = 1 OR EXISTS
                          (SELECT 1 FROM agent_sites l WHERE l.agent_id = a.id AND l.site_id = $2))";
        let row: Option<(i64,)> = self.database.row(sql, &[agent.as_str().into(), site.as_str().into()]).await?;
        Ok(row.is_some_and(|(count,)| count > 0))
    }

    /// Makes worthless what was issued to an agent so far, since its client gave a token back.
    pub(crate) async fn end_tokens_of(&self, agent: &AgentId, client: &str, now: UnixMillis) -> Result<(), StoreError> {
        let (agent, client) = (agent.clone(), client.to_owned());
        self.database
            .write(move |tx| {
                let (agent, client) = (agent.clone(), client.clone());
                Box::pin(async move {
                    end_credentials(tx, agent.as_str(), now).await?;
                    let row = AuditRow {
                        id: format!("tokens_ended:{agent}:{}", now.get()),
                        action: "tokens.ended",
                        actor: client,
                        subject: agent.to_string(),
                        detail: "revoked".to_owned(),
                    };
                    audit(tx, &row, now).await
                })
            })
            .await
    }
}
