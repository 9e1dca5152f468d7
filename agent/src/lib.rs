//! The agent's side: log in at a site, fetch a page that a gateway guards, get a token for a domain.
//!
//! An agent's client protects its owner. The agent token goes to the issuer it belongs to and to no other origin, whatever
//! a 401 says. A token is asked for the host of the URL the user typed, never for text from a reply. Before a login is
//! approved, the site named in the challenge is compared with the one being fetched. No credential follows a redirect to
//! another origin. More than [`DIFFICULTY_BITS_MAX`] bits of work are refused.
//!
//! This crate must never know a command line or a terminal: progress is a callback. Reading order: [`Agent`], then its
//! three verbs in `login`, `token` and `fetch`; `ways_in` reads what a gateway's refusal offers. A [`Stranger`] belongs to no
//! issuer, and gets in by work alone.

mod error;
mod fetch;
mod issuer;
mod login;
mod solving;
mod stranger;
mod token;
mod ways_in;

pub use error::Error;
pub use issuer::{Agent, ApiBase};
pub use login::{Approval, Progress};
pub use solving::DIFFICULTY_BITS_MAX;
pub use stranger::Stranger;
pub use token::DomainToken;
