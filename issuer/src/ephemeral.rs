//! What a process may forget: who listens now, and hints to them. The truth is in the store; a hint that is lost costs a
//! reconnect, never an event.

pub(crate) mod streams;
pub(crate) mod written;
