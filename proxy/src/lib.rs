//! The gateway: a reverse proxy on Pingora that asks agents for passports in front of sites that know nothing of it.
//!
//! Everything about a request is decided in `filters`; this crate carries it out. It is the only one that knows Pingora,
//! and it must never decide about an agent itself.
//!
//! Reading order: [`Gateway`] (in `serve`) is the whole as a program runs it. `gateway` is the life of a request, top to
//! bottom; each of its steps is a method of [`Gate`], which other Pingora proxies may call as well. What a request meets
//! on its way: `connection`, `bounds`, `sites`, `downstream`, `own_pages`, `forwarded`, `upstream`, `tunnel`, `mcp`, `live`. What goes on beside
//! requests: `issuer` (what is known of one), `key_refresh`, `issuer_link`, `edge_login`. What lasts and what is told:
//! `state`, `secret`, `access_log`, `audit`, `mcp_pins`, `metrics`, `operations`.

mod access_log;
mod account;
mod audit;
mod bounds;
mod certificates;
mod clock;
mod connection;
mod context;
mod crawler_names;
mod downstream;
mod edge_login;
mod explain;
mod forward_auth;
mod forwarded;
mod gate;
mod gateway;
mod issuer;
mod issuer_api;
mod issuer_link;
mod json_line;
mod judge;
mod key_refresh;
mod key_source;
mod live;
mod mcp;
mod mcp_pins;
mod metrics;
mod mode;
mod operations;
mod own_pages;
mod request_id;
mod secret;
mod serve;
mod sites;
mod snapshot;
mod state;
mod to_origin;
mod tunnel;
mod upstream;

pub use context::Context;
pub use crawler_names::belongs;
pub use explain::{Assumed, Explainer, Explanation, Question};
pub use gate::Gate;
pub use mcp_pins::{PinOrder, PinRow, PinState, PinsRefused, pins_at_rest};
pub use secret::GatewaySecretError;
pub use serve::{Commands, Done, Error, Gateway, Listeners, ModeChange, Refused};
pub use state::StateError;
pub use upstream::OriginError;

#[cfg(test)]
mod tests;
