//! What owners see: where they sign in, what an app asks of them, what they allowed. No scripts, nothing loaded from
//! anywhere.
//!
//! [`pages`] renders and decides nothing.

pub(crate) mod pages;
