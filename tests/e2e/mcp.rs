//! MCP: an issuer as authorization server and a gateway as resource server, before a server that knows of neither.
//!
//! [`scene`] is what they begin with: both, the server, and an owner ([`owner`] is his browser, [`client`] whoever acts for
//! him). [`clients`]: real clients of the protocol, unmodified, and [`conformance`]: its official suite. What no client
//! does: [`registration`], [`authorize`], [`consents`], [`redeem`] and [`documents`] at the issuer; [`metadata`],
//! [`messages`], [`sessions`], [`streams`], [`pins`] and [`audit`] at the gateway.

mod audit;
mod authorize;
mod client;
mod clients;
mod conformance;
mod consents;
mod documents;
mod messages;
mod metadata;
mod owner;
mod pins;
mod redeem;
mod registration;
mod scene;
mod sessions;
mod streams;
