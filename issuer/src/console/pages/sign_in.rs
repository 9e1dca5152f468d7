//! Where an owner signs in.

use std::time::Duration;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::page::{Leads, STYLE, page};
use super::text;

/// The start of every page of ours that leads to no app.
const CONSOLE: &str = "/console/";

/// What the page says before it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignInNotice {
    /// No such owner, or not this password: never which.
    Wrong,
    /// Too many tries; the next one counts after so long.
    Locked(Duration),
    /// The form was not made for this browser, or was open for too long.
    Stale,
    /// The session has ended.
    Ended,
    /// The owner has just signed out.
    SignedOut,
}

/// `GET /console/sign-in`, and the answer to a `POST` that signed nobody in.
#[derive(Clone, Debug, Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignIn {
    /// The issuer's `iss`.
    pub(crate) issuer: String,
    /// Where to go then: a path of ours, checked by the caller.
    pub(crate) next: String,
    pub(crate) csrf: String,
    /// What was typed before.
    pub(crate) user: String,
    /// The app that waits for it, by its name.
    pub(crate) client_name: Option<String>,
    pub(crate) notice: Option<SignInNotice>,
}

impl SignInNotice {
    const fn status(self) -> StatusCode {
        match self {
            // Not 401: that asks for a scheme of `Authorization` (RFC 9110 §15.5.2), and there is none.
            Self::Wrong | Self::Stale => StatusCode::FORBIDDEN,
            Self::Locked(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Ended | Self::SignedOut => StatusCode::OK,
        }
    }

    /// Whether what was typed is at fault.
    const fn is_of_fields(self) -> bool {
        match self {
            Self::Wrong => true,
            Self::Locked(_) | Self::Stale | Self::Ended | Self::SignedOut => false,
        }
    }
}

impl SignIn {
    fn is_wrong(&self) -> bool {
        self.notice.is_some_and(SignInNotice::is_of_fields)
    }

    /// A way back to an authorization can end in a redirect to its app.
    fn leads(&self) -> Leads {
        if self.next.starts_with(CONSOLE) { Leads::Home } else { Leads::ToAnApp }
    }
}

/// A wait in words, never shorter than it is.
fn in_words(wait: &Duration) -> String {
    let minutes = wait.as_secs().div_ceil(60);
    match minutes {
        0 | 1 => "a minute".to_owned(),
        60.. => "an hour".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}

impl IntoResponse for SignIn {
    fn into_response(self) -> Response {
        let status = self.notice.map_or(StatusCode::OK, SignInNotice::status);
        let mut response = page(status, self.leads(), &self);
        if let Some(SignInNotice::Locked(wait)) = self.notice {
            let seconds = wait.as_secs().max(1);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up() {
        for (seconds, words) in [
            (0, "a minute"),
            (60, "a minute"),
            (61, "2 minutes"),
            (480, "8 minutes"),
            (3540, "59 minutes"),
            (3541, "an hour"),
            (3600, "an hour"),
        ] {
            assert_eq!(in_words(&Duration::from_secs(seconds)), words);
        }
    }
}
