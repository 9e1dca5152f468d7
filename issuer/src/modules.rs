//! What the issuer does for agents and sites, one folder a module.

pub(crate) mod agent_login;
pub(crate) mod gateway;
pub(crate) mod oauth;
