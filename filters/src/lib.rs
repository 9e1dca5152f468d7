//! What the gateway does to a request: everything that is decided, and nothing that is done.
//!
//! A [`Chain`] looks at a borrowed [`Request`] at a [`Moment`] and says what is to become of it: an [`Outcome`], and
//! [`Edits`] to the headers as data. It must never know Pingora, I/O, async or a clock; whoever speaks HTTP carries out
//! what it says.
//!
//! Reading order: `head` judges the bytes of a request before anything is parsed. [`Chain::run`] is the whole way of a
//! request in one function. Then `path` (what is asked for),
//! `credential` (which credentials are ours), `identify` (whether one counts; the only maker of an [`Identity`]),
//! `session`, `revocation` and `verified_cache` (what that rests on), `demands` and `limits` (what the policy asks), `challenge` and `stranger` (work, in place of an
//! identity), `mcp` (messages of the Model Context Protocol, and who may send them), `edits` (what the origin is told), and `reason`,
//! `refusal` and `page` (what the client is told).

mod assets;
mod chain;
mod challenge;
mod cookie;
mod cors;
mod crawler;
mod credential;
mod demands;
mod derive;
mod discovery;
mod edits;
mod fault;
mod head;
mod identify;
mod identity;
mod interstitial;
mod limiter;
mod limits;
mod locale;
mod mcp;
mod network;
mod page;
mod path;
mod reason;
mod refusal;
mod request;
mod resource_metadata;
mod resources;
mod revocation;
mod session;
#[cfg(test)]
mod stage;
mod stranger;
mod verdict;
mod verified_cache;
mod view;

pub use assets::asset;
pub use chain::{AtMcp, Chain, McpOutcome};
pub use challenge::{
    Bound, ChallengeKeys, Challenger, Cleared, Earned, Fleet, Granted, Made, Proof, ProofRefusal, Stranger,
};
pub use cookie::{cookie_name, set_cookie};
pub use crawler::{CRAWLERS, Crawler, CrawlerVerdict, CrawlerVerdicts};
pub use credential::LIME_AUTHORIZATION;
pub use discovery::discovery;
pub use edits::{Edits, HeaderEdit, IDENTITY_HEADERS, is_reserved};
pub use fault::Fault;
pub use head::{HEAD_BYTES_MAX, HEAD_FIELDS_MAX, RequestLine, judge_head};
pub use identity::{Identity, Scopes, ShownAs, Trust};
pub use limiter::Limiter;
pub use mcp::{
    AnswerFault, AnswerFilter, AnswerForm, CacheScope, Call, Change, DEFINITION_BYTES_MAX, Definition, Difference,
    Entry, Era, HiddenTools, Kind, Listed, MCP_PROTOCOL_VERSION, MCP_SESSION_ID, Malformed, McpRuling, McpSessions,
    McpView, Message, NotAccepted, ParamHeaders, Part, Pin, PinVerdict, Pins, Sight, Unreadable, arguments_digest,
    differences, has_token_in_query, mcp_methods, redacted_arguments, shown,
};
pub use page::help;
pub use path::{Asks, check_bytes as check_path_bytes, is_own as is_own_path, judge as judge_path};
pub use reason::Reason;
pub use refusal::refuse;
pub use request::{Accepts, Request};
pub use resource_metadata::{described_at, metadata_preflight, resource_metadata};
pub use resources::Resources;
pub use revocation::{RevocationRow, Revocations, SubjectKind};
pub use session::{LoginSecret, SESSION_PREFIX, SESSION_TTL_MAX, Session, SessionKeys};
pub use stranger::{Form, PUZZLES};
pub use verdict::{Decision, DecisionWord, Outcome, Reply, Verdict, WorkEvent};
pub use verified_cache::VerifiedCache;
pub use view::{Contact, IssuerMoment, IssuerView, Moment};
