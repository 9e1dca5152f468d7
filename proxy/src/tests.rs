//! The gateway as a whole, on real sockets: a client that writes bytes, an origin that shows what it got, an issuer that
//! does as it is told.

mod bodies;
mod client;
mod edge;
mod forms;
pub(crate) mod issuer;
mod keys;
mod life;
mod manners;
mod mcp;
mod middleware;
mod origin;
mod revoked;
mod rig;
mod streams;
mod tls;
