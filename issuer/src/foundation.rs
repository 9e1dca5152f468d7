//! What everything rests on: sites and the credentials that speak for them; owners who are signed in, and that it is one of
//! our own pages that their browsers send.

pub(crate) mod cookies;
pub(crate) mod csrf;
mod origin;
pub(crate) mod owner_sessions;
pub(crate) mod passwords;
pub(crate) mod resource_url;
pub(crate) mod sites;
pub(crate) mod unknown_names;
pub(crate) mod unseen;

pub(crate) use origin::same_origin;
