//! What a policy demands of an agent that is identified.

use config::Policy;
use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use passport::OwnerId;

use crate::{Identity, Reason, Reply};

/// Whether an agent is one of those that a policy is for.
pub(crate) fn meet(policy: &Policy, identity: &Identity) -> Result<(), Reason> {
    let owner = identity.owner.as_ref().map(OwnerId::as_str);
    if !policy.agents.admits(Some(identity.agent.as_str())) || !policy.owners.admits(owner) {
        return Err(Reason::AgentDenied);
    }
    if identity.owner_level < policy.owner_level {
        return Err(Reason::OwnerLevelTooLow);
    }
    let has_scopes = policy.scopes.iter().all(|scope| identity.scopes.contains(scope));
    if has_scopes { Ok(()) } else { Err(Reason::InsufficientScope) }
}

/// Names the scopes that are missing (RFC 6750 §3.1). Whoever is on a list, and which level is asked, is not told.
pub(crate) fn name(policy: &Policy, reason: Reason, reply: &mut Reply) {
    if reason != Reason::InsufficientScope {
        return;
    }
    let scopes = policy.scopes.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(" ");
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scopes}\"");
    reply.headers.extend(HeaderValue::from_str(&challenge).ok().map(|challenge| (WWW_AUTHENTICATE, challenge)));
}
