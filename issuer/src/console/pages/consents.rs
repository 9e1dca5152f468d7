//! What an owner allowed.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::ScopeLine;
use super::page::{Leads, STYLE, page};
use super::text;
use crate::time::UnixMillis;

/// One consent.
#[derive(Clone, Debug)]
pub(crate) struct ConsentLine {
    pub(crate) id: String,
    pub(crate) client_name: String,
    pub(crate) client_id: String,
    /// Where the app was answered.
    pub(crate) redirect_host: String,
    pub(crate) resource: String,
    /// Who runs the site of the resource; `None` when it is no longer registered.
    pub(crate) organisation: Option<String>,
    pub(crate) scopes: Vec<ScopeLine>,
    pub(crate) given_at: UnixMillis,
    /// Whether the app need not ask again.
    pub(crate) is_remembered: bool,
}

/// `GET /console/consents`.
#[derive(Clone, Debug, Template)]
#[template(path = "consents.html")]
pub(crate) struct Consents {
    /// The issuer's `iss`.
    pub(crate) issuer: String,
    /// The name of the owner.
    pub(crate) owner: String,
    pub(crate) consents: Vec<ConsentLine>,
    pub(crate) csrf: String,
}

/// The day of a time, in UTC.
fn day(time: &UnixMillis) -> String {
    let text = time.to_string();
    text.split_once('T').map(|(day, _)| day.to_owned()).unwrap_or(text)
}

impl IntoResponse for Consents {
    fn into_response(self) -> Response {
        page(StatusCode::OK, Leads::Home, &self)
    }
}
