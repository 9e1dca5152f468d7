//! The pages as HTML: one a file, with its template in `templates/` under the same name.
//!
//! All share a frame (`page.html`), a style, and the headers that [`page`] puts on them.

mod consent;
mod consents;
mod page;
mod problem;
mod sign_in;
mod text;

pub(crate) use consent::{AskedScope, Consent, Destination, Naming, Remember};
pub(crate) use consents::{ConsentLine, Consents};
pub(crate) use problem::{Advice, Problem};
pub(crate) use sign_in::{SignIn, SignInNotice};

/// A permission, as an owner reads it.
#[derive(Clone, Debug)]
pub(crate) struct ScopeLine {
    /// As programs write it.
    pub(crate) name: String,
    /// In words; empty where nobody knows any.
    pub(crate) description: String,
}

#[cfg(test)]
mod tests;
