//! What the end-to-end tests stand on: real processes, started on free ports and ended with the test.
//!
//! It must never know how a part of Lime works inside: a test sees what an operator, an agent or a site sees. Reading
//! order: [`Process`] (anything that runs), [`Issuer`] and [`Gateway`] (the two that are tested), then what stands around
//! them: [`Nginx`], [`python`], [`node`], [`Stub`] and [`TlsStub`] (servers that say what a test tells them to), [`Echo`] (an origin that keeps every
//! byte), [`Wire`] and [`Http2`] (clients that no library would be), [`forge`] (tokens nobody should believe),
//! [`readings`] (what origins make of a path).
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what cannot go on here fails the test it serves"
)]

mod certificate;
mod dice;
mod echo;
pub mod forge;
mod gateway;
pub mod http;
mod http2;
mod issuer;
mod lime;
mod nginx;
pub mod node;
mod port;
mod process;
pub mod python;
pub mod readings;
pub mod records;
mod sse;
mod stub;
mod tls_stub;
mod wait;
mod wire;

pub use certificate::Certificate;
pub use dice::Dice;
pub use echo::{Echo, Reached};
pub use gateway::Gateway;
pub use http2::{End, Frames, Http2, frame, header_block};
pub use issuer::{Agent, Challenge, Issuer, IssuerSetup, Registered};
pub use lime::{Output, lime, report, rounds};
pub use nginx::Nginx;
pub use port::free_port;
pub use process::Process;
pub use sse::Stream;
pub use stub::{Answer, Received, Stub};
pub use tls_stub::TlsStub;
pub use wait::{holds_for, until, within};
pub use wire::Wire;
