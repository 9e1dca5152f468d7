use crate::{Upstream, WebOrigin};

/// The `lime.toml` that `lime init` writes: one site, observed, with the next steps as comments.
#[must_use]
pub fn starter(url: &WebOrigin, origin: &Upstream) -> String {
    let settings = [
        (
            "",
            "url   ",
            format!("\"{url}\""),
            "what the world calls it: every absolute URL, cookie and audience is made from it",
        ),
        ("", "origin", format!("\"{origin}\""), "where the site itself listens"),
        ("", "mode  ", r#""observe""#.to_owned(), "off | observe | enforce"),
        ("# ", "protect   ", r#"["/agents/*"]"#.to_owned(), "only these ask for a passport"),
        (
            "# ",
            "issuer    ",
            r#""https://id.example.net""#.to_owned(),
            "whose passports count; without one the gateway only observes",
        ),
        (
            "# ",
            "credential",
            r#"{ file = "/etc/lime/shop.token" }"#.to_owned(),
            "for edge login and revocation; one may serve many sites",
        ),
    ];
    let mut text = format!(
        "# lime.toml, as written by: lime init --url {url} --origin {origin}\nlisten = \"127.0.0.1:8080\"\n[[site]]\n"
    );
    let settings = settings.map(|(mark, key, value, comment)| (format!("{mark}{key} = {value}"), comment));
    let width = settings.iter().map(|(setting, _)| setting.chars().count()).max().unwrap_or_default();
    for (setting, comment) in settings {
        text += &format!("{setting:width$}  # {comment}\n");
    }
    text
}
