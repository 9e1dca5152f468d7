//! `/api/v1/core/...`: agents, keys and passports.

pub(crate) mod agents;
pub(crate) mod jwks;
pub(crate) mod key_set;
pub(crate) mod keys;
pub(crate) mod passports;
pub(crate) mod secret;
