//! What everything rests on: sites and the credentials that speak for them; how a browser is known again, and that it is
//! one of our own pages that it sends.

#[cfg_attr(not(test), expect(dead_code, reason = "for the pages of owners, which have no routes yet"))]
pub(crate) mod cookies;
#[cfg_attr(not(test), expect(dead_code, reason = "for the pages of owners, which have no routes yet"))]
pub(crate) mod csrf;
#[cfg_attr(not(test), expect(dead_code, reason = "for the pages of owners, which have no routes yet"))]
mod origin;
pub(crate) mod sites;

#[expect(unused_imports, reason = "for the pages of owners, which have no routes yet")]
pub(crate) use origin::same_origin;
