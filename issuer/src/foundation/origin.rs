//! Whether a form was sent by a page of ours, as the browser says it.

use axum::http::HeaderMap;

use crate::request::one_header;

/// Whether no page of another origin sent this request.
///
/// Every browser of these years says who sends a form: `Sec-Fetch-Site` (Fetch Metadata) where it is there, else `Origin`
/// (RFC 6454 §7). A request with neither comes from no browser, so no page stands behind it: the token in the form is what
/// it has to show.
pub(crate) fn same_origin(headers: &HeaderMap, issuer: &str) -> bool {
    let site = one_header(headers, "sec-fetch-site");
    let origin = one_header(headers, "origin");
    match (site, origin) {
        // `null` is the origin of a page under a stricter referrer policy than ours.
        (Ok(Some("same-origin")), Ok(Some(origin))) => origin == issuer || origin == "null",
        (Ok(None), Ok(Some(origin))) => origin == issuer,
        (Ok(Some("same-origin") | None), Ok(None)) => true,
        (Ok(Some(_)), Ok(_)) | (Err(_), _) | (_, Err(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const ISSUER: &str = "https://id.example.net";

    #[track_caller]
    fn check(site: &[&'static str], origin: &[&'static str], expected: bool) {
        let mut headers = HeaderMap::new();
        for (name, values) in [("sec-fetch-site", site), ("origin", origin)] {
            for value in values {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
        }
        assert_eq!(same_origin(&headers, ISSUER), expected, "{site:?} {origin:?}");
    }

    #[test]
    fn a_form_of_ours_is_known() {
        check(&["same-origin"], &[ISSUER], true);
        check(&["same-origin"], &["null"], true);
        check(&["same-origin"], &[], true);
        check(&[], &[ISSUER], true);
    }

    #[test]
    fn a_program_has_no_page_behind_it() {
        check(&[], &[], true);
    }

    #[test]
    fn a_form_of_another_origin_is_refused() {
        for site in ["cross-site", "same-site", "none", "", "SAME-ORIGIN", "same-origin, cross-site"] {
            for origin in [&[ISSUER][..], &["null"], &[]] {
                check(&[site], origin, false);
            }
        }
        for origin in [
            "null",
            "",
            "http://id.example.net",
            "https://id.example.net:8443",
            "https://id.example.net/",
            "https://evil.example",
            "https://id.example.net.evil.example",
            "HTTPS://ID.EXAMPLE.NET",
        ] {
            check(&[], &[origin], false);
        }
        check(&["same-origin"], &["https://evil.example"], false);
    }

    #[test]
    fn a_header_that_comes_twice_is_refused() {
        check(&["same-origin", "same-origin"], &[ISSUER], false);
        check(&["same-origin"], &[ISSUER, ISSUER], false);
        check(&[], &[ISSUER, "https://evil.example"], false);
    }
}
