//! What an app asks of an owner.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::ScopeLine;
use super::page::{Leads, STYLE, page};
use super::text;

/// Who says what the app is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// A document at its `client_id`, so that whoever runs this host speaks for it.
    Document { host: String },
    /// The app itself, when it registered.
    Declared,
}

/// Where the browser goes, whatever the owner says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A site, by its host and port.
    Web { host: String },
    /// An app that listens on this computer.
    Loopback { host: String },
    /// Whichever app on this device opens links of this scheme.
    App { scheme: String },
}

/// Whether the owner may be spared the question next time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remember {
    Offered,
    /// Who waits at the destination can be another one next time.
    Never,
}

/// A permission that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct AskedScope {
    pub(crate) scope: ScopeLine,
    /// Whether others were allowed before, and this one was not.
    pub(crate) is_new: bool,
}

/// The page that asks. Its form goes to `POST /api/v1/modules/oauth/consent`.
#[derive(Clone, Debug, Template)]
#[template(path = "consent.html")]
pub(crate) struct Consent {
    /// The issuer's `iss`.
    pub(crate) issuer: String,
    /// The name of the owner who is asked.
    pub(crate) owner: String,
    pub(crate) client_name: String,
    pub(crate) client_id: String,
    pub(crate) naming: Naming,
    pub(crate) destination: Destination,
    /// The name of who runs the site.
    pub(crate) organisation: String,
    /// The name of the site.
    pub(crate) site: String,
    /// The URL of what is asked for.
    pub(crate) resource: String,
    pub(crate) scopes: Vec<AskedScope>,
    /// The id of the agent that acts, where there is one already.
    pub(crate) agent: Option<String>,
    pub(crate) remember: Remember,
    /// The fields that the form carries along unseen, byte for byte.
    pub(crate) carried: Vec<(String, String)>,
    pub(crate) csrf: String,
}

impl Consent {
    fn asks_for_more(&self) -> bool {
        self.scopes.iter().any(|asked| asked.is_new)
    }
}

impl IntoResponse for Consent {
    fn into_response(self) -> Response {
        page(StatusCode::OK, Leads::ToAnApp, &self)
    }
}
