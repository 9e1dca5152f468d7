//! The issuer: it registers owners, agents and sites, and signs passports.
//!
//! The URL names the file: `/api/v1/modules/agent-login/...` is answered in `modules/agent_login/`. Floors, imports only go
//! down: `server` (the table of routes) over `modules` (what the issuer does for agents and sites) over `foundation` and
//! `core` (who is who; keys and passports) over `store` (durable truth) and `ephemeral` (what a process may forget).
//!
//! This crate must never know the gateway or a command line. Reading order: [`Issuer`], `server`, then
//! `modules/agent_login/`, one step of a login a file. [`Operator`] is the same store seen by an operator's commands.

mod connections;
mod console;
mod core;
mod credentials;
mod ephemeral;
mod error;
mod foundation;
mod issuer;
mod modules;
mod operator;
mod reply;
mod request;
mod server;
mod service;
mod store;
mod time;
mod watch;

pub use credentials::Token;
pub use error::Error;
pub use foundation::passwords::NewPassword;
pub use foundation::resource_url::{BadResourceUrl, ResourceUrl};
pub use issuer::Issuer;
pub use operator::{
    BadScope, ClientLine, KeyLine, Operator, Registered, RegisteredClient, ResourceLine, Rotation, SubjectLine, When,
};
pub use store::{Kind, Scope, Sites, StoreError};
