//! What everything rests on: sites and the credentials that speak for them.

pub(crate) mod sites;
