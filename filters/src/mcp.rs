//! Messages of the Model Context Protocol: what one says, whether it says it in one way only, and who may send it; and what
//! of a server's answers is passed on.
//!
//! Reading order: `head` judges what comes before a body; `message` reads the body (`json` is its grammar, `method` knows
//! the methods there are, `case` names that look alike); `era` holds it against the headers, `param_headers` those that
//! repeat arguments; `rules` decides by what is configured (`uri` reads those of resources); `reply` is what the client is
//! told, `bind` ties sessions of the origin to whom they were given, `edits` is what changes of the headers, and `call` what
//! is kept of a message. [`Chain`](crate::Chain) puts them in order.
//!
//! Of answers, `answer` takes what comes, `events` and `listing` read it (`object` is their JSON); `pins` remembers what
//! tools were (`definition` is what one is compared by), and `difference` says what became of one. `arguments` is what may
//! be said of those of a call.

mod answer;
mod arguments;
mod bind;
mod call;
mod case;
mod definition;
mod difference;
mod edits;
mod era;
mod events;
mod head;
mod json;
mod listing;
mod message;
mod method;
mod object;
mod param_headers;
mod pins;
mod reply;
mod rules;
mod uri;

pub use answer::{AnswerFault, AnswerFilter, AnswerForm, Part};
pub use arguments::{arguments_digest, redacted_arguments};
pub use bind::McpSessions;
pub use call::Call;
pub use definition::{DEFINITION_BYTES_MAX, Definition};
pub use difference::{Difference, differences, shown};
pub use era::Era;
pub(crate) use head::Refusal as HeadRefusal;
pub use head::{MCP_PROTOCOL_VERSION, MCP_SESSION_ID, has_token_in_query};
pub use listing::{CacheScope, Entry, Listed, Sight};
pub use message::{Kind, Malformed, Message};
pub use method::mcp_methods;
pub use object::Unreadable;
pub use param_headers::ParamHeaders;
pub use pins::{Change, HiddenTools, NotAccepted, Pin, PinVerdict, Pins};
pub use rules::{McpRuling, McpView};

pub(crate) use edits::{Binding, McpEdits, SessionShown};
pub(crate) use era::{Mismatch, check as check_era};
pub(crate) use head::METHODS;
pub(crate) use head::judge as judge_head;
pub(crate) use param_headers::check as check_params;
pub(crate) use reply::{Told, challenge_scopes, metadata_url, tell};
pub(crate) use rules::rule_on;
