//! Passports: the JWTs by which an issuer states an agent's identity, and the one way to check them.
//!
//! Four kinds, four types, never one struct with options: [`LoginPassport`] goes to a site, [`AccessToken`] is held
//! by an agent for one domain, [`ResourceToken`] by an OAuth client for one resource, [`BindingPassport`] ties an agent to
//! an account at a site. All are compact JWS (RFC 7515) signed with RS256 (RFC 7518 §3.3). What other issuers sign is an
//! [`OAuthToken`], with an algorithm that was opted in; what a client signs to say who it is, a [`ClientAssertion`].
//!
//! This crate is the shared vocabulary of issuer, gateway and agent. It must never know I/O, a clock, async or HTTP:
//! time is an argument ([`UnixTime`]).
//!
//! Reading order: [`verify()`] is what everything else is for; then `jws` (the token as bytes), `claims` (what it says),
//! `key_set` (whom we believe), `sign` (how the issuer says it) and [`Refusal`] (every way to be turned away).

mod algorithm;
mod claims;
mod client_assertion;
mod ids;
mod json;
mod jws;
mod key_set;
mod oauth;
mod refusal;
mod resource;
mod sign;
mod time;
mod verify;

pub use algorithm::Algorithm;
pub use claims::{
    AccessToken, Audience, BindingPassport, FixedAudience, LoginPassport, PASSPORT_VERSION, Passport, PassportVersion,
    Registered,
};
pub use client_assertion::{ClientAssertion, ClientExpected, ClientKeys, verify_client_assertion};
pub use ids::{AgentId, BadId, BindingId, KeyId, LoginRequestId, OwnerId, OwnerLevel, SiteId, TokenId};
pub use json::object as strict_object;
pub use jws::{TOKEN_BYTES_MAX, Unverified, unverified};
pub use key_set::{JWKS_BYTES_MAX, Jwk, KEYS_MAX, KeySet, KeySetError, is_private as is_private_jwk, jwks_document};
pub use oauth::{OAuthExpected, OAuthToken, verify_oauth};
pub use refusal::Refusal;
pub use resource::ResourceToken;
pub use sign::{KeyError, SignError, SigningKey};
pub use time::UnixTime;
pub use verify::{Expected, Verified, verify};
