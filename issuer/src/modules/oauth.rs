//! `/api/v1/modules/oauth/...`: an OAuth 2.1 authorization server, one RFC a file.
//!
//! The way of a client: [`metadata`] (RFC 8414) says where everything is; it is known by [`register`] (RFC 7591) or by a
//! document on the web ([`client_metadata`]). At [`authorize`] it asks an owner (`authorization` is what it asks, judged), who
//! answers at [`consent`]. At [`token`] it redeems what it got: `code_grant` (RFC 7636), `refresh_grant`,
//! `client_credentials`; `prove`, `client_auth` and [`client_assertion`] (RFC 7523) say which client asks, `resource` (RFC 8707) and `scope` for
//! what. [`revoke`] (RFC 7009) gives it back. `domain_token` is the lane of the agent SDK, at the same URL.

pub(crate) mod authorize;
pub(crate) mod client_assertion;
pub(crate) mod client_metadata;
pub(crate) mod consent;
pub(crate) mod cors;
pub(crate) mod metadata;
pub(crate) mod redirect_uri;
pub(crate) mod register;
pub(crate) mod revoke;
pub(crate) mod token;

mod authorization;
mod client;
mod client_auth;
mod client_credentials;
mod client_name;
mod code_grant;
mod domain;
mod domain_token;
mod members;
mod prove;
mod refresh_grant;
mod resource;
mod scope;
mod token_error;
