//! What an operator writes, as types that cannot hold a wrong value.
//!
//! Two files: `lime.toml` becomes a [`Gateway`], `issuer.toml` an [`Issuer`]. Past [`Gateway::load`] and
//! [`Issuer::load`] nothing needs checking again. Whatever is wrong comes as one [`ConfigError`] with every problem at
//! its line and column, each ending in what to write.
//!
//! This crate reads the one file it is given and looks up the variables it is asked for. It must never know requests,
//! sockets or a clock; secrets it knows by their place alone ([`SecretSource`]).
//!
//! Reading order: `gateway` with `site`, `issuer`; then what their values are (`web_origin`, `path_pattern`, `secret`,
//! ..); then how they are read: `reader` (tables), `value` (values), `suggestion` (what was meant).

mod authority;
mod challenge;
mod client_documents;
mod duration;
mod error;
#[cfg(test)]
mod examples;
mod gateway;
mod host_pattern;
mod include;
mod issuer;
mod limit;
mod listen;
mod load;
mod mcp;
mod origin;
mod page;
mod path_pattern;
mod place;
mod policy;
mod reader;
mod route;
mod schema;
mod secret;
mod server;
mod site;
mod size;
mod starter;
mod suggestion;
mod surroundings;
mod text_pattern;
mod tls;
mod trusted_issuer;
mod upstream;
mod value;
mod web_origin;
mod weight;

pub use authority::{BadUrl, Scheme};
pub use challenge::{Challenge, Crawlers};
pub use client_documents::{BadHostPort, ClientDocuments, HostPort};
pub use duration::{BadDuration, parse as duration};
pub use error::ConfigError;
pub use gateway::{Gateway, OpenPath, Reloaded};
pub use host_pattern::{BadHostPattern, HostPattern};
pub use include::Files;
pub use issuer::{Issuer, StoreLocation};
pub use limit::{BadRate, Limit, LimitPer, Rate};
pub use listen::{BadListen, listen_address};
pub use mcp::{
    AuditedArguments, BadNamePattern, McpDemand, McpEndpoint, McpRule, McpRules, NamePattern, Pins, RuleKind, Unlisted,
};
pub use origin::{Ejection, HealthCheck, Origin, OriginProtocol, OriginTls, Verify};
pub use page::{BadColor, Color, Page};
pub use path_pattern::{BadPathPattern, PathPattern};
pub use place::Place;
pub use policy::{Listed, Policy, Require};
pub use route::{Matched, Methods, Route, Routes};
pub use schema::schema;
pub use secret::{SecretError, SecretSource};
pub use server::{ClientIp, Server};
pub use site::{AuthMd, Login, Mode, OwnerHeaders, SharedCache, Site};
pub use starter::starter;
pub use text_pattern::TextPattern;
pub use tls::{Certificate, Tls};
pub use trusted_issuer::{IssuerKind, IssuerUrl, Jwks, JwksSource, TrustedIssuer};
pub use upstream::Upstream;
pub use web_origin::WebOrigin;
pub use weight::{Weighed, Weight, Weights};
