//! What owners see: where they sign in, what an app asks of them, what they allowed. No scripts, nothing loaded from
//! anywhere.
//!
//! [`pages`] renders and decides nothing; what an app asks is `modules/oauth`'s to say.

pub(crate) mod consents;
pub(crate) mod pages;
pub(crate) mod sign_in;
