//! `/modules/agent-login/...`: an agent logs in at a site. One step a file, in this order: a site opens a request
//! ([`open`]), the agent reads its challenge ([`challenge`]), solves it and approves ([`approve`]), the site receives
//! the passport ([`events`]). [`login`] says what may follow what; [`status`] tells a site where a request stands.

pub(crate) mod approve;
pub(crate) mod challenge;
pub(crate) mod events;
pub(crate) mod login;
pub(crate) mod open;
pub(crate) mod status;
