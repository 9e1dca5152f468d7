//! Messages of the Model Context Protocol: what one says, whether it says it in one way only, and who may send it.
//!
//! Reading order: `head` judges what comes before a body, `message` reads the body (`json` is its grammar), `era` holds it
//! against the headers, `rules` decides by what is configured, `reply` is what the client is told, and `bind` ties sessions
//! of the origin to whom they were given. [`Chain`](crate::Chain) puts them in order.

mod bind;
mod call;
mod edits;
mod era;
mod head;
mod json;
mod message;
mod reply;
mod rules;

pub use bind::McpSessions;
pub use call::Call;
pub use era::Era;
pub(crate) use head::Refusal as HeadRefusal;
pub use head::{MCP_PROTOCOL_VERSION, MCP_SESSION_ID, has_token_in_query};
pub use message::{Kind, Malformed, Message};
pub use rules::{McpRuling, McpView};

pub(crate) use edits::{Binding, McpEdits, SessionShown};
pub(crate) use era::check as check_era;
pub(crate) use head::METHODS;
pub(crate) use head::judge as judge_head;
pub(crate) use reply::{Told, challenge_scopes, metadata_url, tell};
pub(crate) use rules::rule_on;
