//! A site at its issuer: what it is known by there, and the logins that are opened in its name. It outlives the
//! configuration that the site was read from, or a login that is under way would be lost with each reload.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use config::{Place, WebOrigin};
use passport::SiteId;

use crate::edge_login::EdgeLogin;
use crate::issuer::Issuer;
use crate::issuer_api::Authorized;

/// A site at its issuer.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) url: WebOrigin,
    pub(crate) issuer: Arc<Issuer>,
    /// The issuer's API, with the credential of the site.
    pub(crate) api: Authorized,
    /// Its id there, once that is known.
    pub(crate) id: ArcSwapOption<SiteId>,
    /// Where agents log in at the edge, if they may.
    pub(crate) login: Option<EdgeLogin>,
    pub(crate) defined_at: Place,
}
