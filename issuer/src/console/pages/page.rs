//! The frame of every page: its style, and the headers that keep it from being framed, scripted or stored.

use askama::Template;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

/// The style of all pages. Its hash stands in the policy; a test holds the two together.
pub(super) const STYLE: &str = include_str!("../../../templates/style.css");

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// Where a page can lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    /// Nowhere: it has no form.
    Nowhere,
    /// To other pages of ours.
    Home,
    /// Out to an app, in the end.
    ///
    /// Two locks are left open there, for what they would lock is the way out (tried in Chromium 156). `form-action` holds
    /// for every redirect after a form, so also for those of the app's own callback: one at `https` that goes on to the
    /// scheme of its program ends in a dead button, and nobody here knows that scheme. `Cross-Origin-Opener-Policy`, at
    /// any value, cuts a pop-up off from the app that opened it and waits for its answer.
    ToAnApp,
}

/// The policy, with what it says of forms.
macro_rules! policy {
    ($forms:literal) => {
        concat!(
            "default-src 'none'; style-src 'sha256-BEcMMTneOhaKGaxp5twieG2EEF14RVR45iusO3EWdhU='; ",
            "base-uri 'none'; frame-ancestors 'none'",
            $forms
        )
    };
}

impl Leads {
    const fn policy(self) -> &'static str {
        match self {
            Self::Nowhere => policy!("; form-action 'none'"),
            Self::Home => policy!("; form-action 'self'"),
            Self::ToAnApp => policy!(""),
        }
    }
}

/// A page with its headers.
pub(super) fn page(status: StatusCode, leads: Leads, page: &impl Template) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(leads.policy())),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Not `no-referrer`: under that one browsers send a form with `Origin: null`.
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
        (PERMISSIONS_POLICY, HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()")),
    ];
    // Rendering into memory fails only if a template itself does, which none here can; a bare status is still right.
    let mut response = (status, headers, page.render().unwrap_or_default()).into_response();
    match leads {
        Leads::Nowhere | Leads::Home => {
            response.headers_mut().insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        }
        Leads::ToAnApp => {}
    }
    response
}
