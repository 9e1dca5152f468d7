//! Real processes, driven from outside: what an operator, an agent, a site and a stranger see.
//!
//! A module a theme. [`sdk`]: the published SDKs, at the issuer and through the gateway. The issuer: [`issuer`],
//! [`crash`], [`operator`]. The agent's side: [`agent`]. The gateway, most of it in a [`scene`]: [`in_front_of_nginx`],
//! [`edge_login`], [`standing`], [`outage`], [`rotation`], [`unknown_keys`], [`hostile`], [`manners`],
//! [`gateway_operator`], [`changes`], [`upstreams`], [`oauth`], [`mcp`] (with the issuer as its authorization server), [`explain`], [`report`], [`schema`], [`service`], [`forward_auth`], [`embedded`], what [`documents`] say, and
//! what others have let through: [`security`]. And [`up`], all of it at once.
#![cfg(test)]

mod agent;
mod browser;
mod challenge;
mod changes;
mod crash;
mod documents;
mod edge_login;
mod embedded;
mod explain;
mod forward_auth;
mod gateway_operator;
mod hostile;
mod in_front_of_nginx;
mod issuer;
mod manners;
mod mcp;
mod oauth;
mod operator;
mod outage;
mod report;
mod rotation;
mod scene;
mod schema;
mod sdk;
mod security;
mod service;
mod standing;
mod unknown_keys;
mod up;
mod upstreams;
