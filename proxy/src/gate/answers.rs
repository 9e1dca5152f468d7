//! What is said of a request that the gate answers itself, or cannot carry out.

use std::io;

use filters::{Accepts, Asks, Decision, DecisionWord, Reason, Reply, refuse};
use http::HeaderValue;
use http::header::ALLOW;

use crate::sites::Site;

/// The answer to a request that is turned away for its form.
pub(crate) fn refuse_form(site: Option<&Site>, reason: Reason, request_id: &str, accepts: Accepts) -> Reply {
    let mut reply = refuse(site.map(|site| &*site.config), reason, request_id, accepts, None);
    if reason == Reason::MethodNotAllowed {
        let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        reply.headers.push((ALLOW, methods));
    }
    reply
}

/// What was decided about a request that nobody was asked about.
pub(crate) fn decided(reason: Reason) -> Decision {
    Decision { word: reason.decision_word(), reason: Some(reason), ..Decision::undecided() }
}

/// The gateway's own pages ask for no passport: what they answer is allowed or refused for their own reasons.
pub(crate) fn of_the_gateway(reason: Option<Reason>) -> Decision {
    let word = reason.map_or(DecisionWord::Allow, Reason::decision_word);
    Decision { word, reason, policy: Some(Asks::Gateway), ..Decision::undecided() }
}

/// What to tell the operator when the origin takes no connection.
pub(crate) fn refused_note(site: &Site) -> String {
    format!("origin refused at {}: is the site running? ({})", site.upstream.text(), site.config.defined_at)
}

/// The same when its name has no address.
pub(crate) fn unresolved_note(site: &Site, cause: &io::Error) -> String {
    format!("origin {} has no address: {cause} ({})", site.upstream.text(), site.config.defined_at)
}
