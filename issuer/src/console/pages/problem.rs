//! What goes wrong where no app can be told: the owner is.

use std::borrow::Cow;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::page::{Leads, STYLE, page};
use super::text;
use crate::reply::Refusal;

/// What an owner can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// The request of the app is at fault.
    TellTheApp,
    /// Nothing is at fault that starting again would not mend.
    StartAgain,
    /// Something of ours does not work now.
    ComeBack,
}

/// A page that says what is wrong and what to do.
#[derive(Clone, Debug, Template)]
#[template(path = "problem.html")]
pub(crate) struct Problem {
    /// The issuer's `iss`.
    pub(crate) issuer: String,
    pub(crate) status: StatusCode,
    pub(crate) title: Cow<'static, str>,
    /// What is wrong, in a sentence.
    pub(crate) text: Cow<'static, str>,
    pub(crate) advice: Advice,
    /// What those who look into it need, each under its name.
    pub(crate) details: Vec<(&'static str, String)>,
}

impl Problem {
    /// A form without the token of its browser, or from elsewhere.
    pub(crate) fn forged(issuer: String) -> Self {
        Self {
            issuer,
            status: StatusCode::FORBIDDEN,
            title: "This form is no longer good".into(),
            text: "It was made for another session, or by another page. Nothing was done.".into(),
            advice: Advice::StartAgain,
            details: Vec::new(),
        }
    }

    /// An answer for an owner, where there is one to give; else why not, as a page.
    pub(crate) fn unless(answer: Result<Response, Refusal>, issuer: &str) -> Response {
        answer.unwrap_or_else(|refusal| Self::of(refusal, issuer.to_owned()).into_response())
    }

    fn of(refusal: Refusal, issuer: String) -> Self {
        let (status, text) = (refusal.status(), format!("What happened: {}.", refusal.message()).into());
        let (title, advice) = if status.is_server_error() {
            ("Not now", Advice::ComeBack)
        } else {
            ("This form cannot be read", Advice::StartAgain)
        };
        Self { issuer, status, title: title.into(), text, advice, details: Vec::new() }
    }

    /// A form of one who is signed in no longer.
    pub(crate) fn session_ended(issuer: String) -> Self {
        Self {
            issuer,
            status: StatusCode::FORBIDDEN,
            title: "You are no longer signed in".into(),
            text: "Your session ended before you answered. Nothing was done.".into(),
            advice: Advice::StartAgain,
            details: Vec::new(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        page(self.status, Leads::Nowhere, &self)
    }
}
