use std::path::Path;

use super::*;
use crate::{ConfigError, Gateway};

const SITE: &str = "[[site]]\nurl = 'https://a.example'\norigin = 'http://127.0.0.1:3000'\nissuer = 'main'\n";

fn parse(text: &str) -> Result<Gateway, ConfigError> {
    Gateway::parse(&format!("{text}\n{SITE}"), Path::new("lime.toml"), &|_| None)
}

#[track_caller]
fn issuer(lines: &str) -> TrustedIssuer {
    let gateway = parse(&format!("[issuer.main]\n{lines}")).unwrap_or_else(|error| panic!("{error}"));
    TrustedIssuer::clone(&gateway.issuers[0])
}

#[track_caller]
fn refuse(lines: &str, problem: &str) {
    assert_eq!(parse(&format!("[issuer.main]\n{lines}")).unwrap_err().to_string(), problem);
}

#[test]
fn a_kind_has_its_defaults() {
    let lime = issuer("url = 'https://ID.example:443'");
    assert_eq!((lime.url.as_str(), &*lime.name), ("https://id.example", "main"));
    assert_eq!((lime.kind, lime.leeway), (IssuerKind::Lime, Duration::from_secs(120)));
    assert_eq!((lime.algorithms, lime.typ), (vec![Algorithm::Rs256], vec!["at+jwt".into()]));
    assert_eq!(lime.jwks, Jwks::default());
    let oauth = issuer("url = 'https://kc.example/realms/x/'\nkind = 'oauth'");
    assert_eq!(oauth.url.as_str(), "https://kc.example/realms/x/");
    assert_eq!((oauth.kind, oauth.leeway), (IssuerKind::OAuth { audience: None }, Duration::from_secs(30)));
    assert_eq!(oauth.typ, ["at+jwt".into(), "jwt".into()]);
}

#[test]
fn an_issuer_may_say_all_there_is() {
    let found = issuer(
        "url = 'https://kc.example'\nkind = 'oauth'\naudience = 'shop'\nalgorithms = ['ES256', 'EdDSA']\ntyp = 'JWT'\n\
         leeway = '5s'\njwks = { url = 'https://kc.example/keys', refresh = '1m', cooldown = '5s', max_stale = '2h', \
         timeout = '1s', bytes_max = 4096 }",
    );
    assert_eq!(found.kind, IssuerKind::OAuth { audience: Some("shop".into()) });
    assert_eq!(found.algorithms, [Algorithm::Es256, Algorithm::EdDsa]);
    assert_eq!((found.typ, found.leeway), (vec!["jwt".into()], Duration::from_secs(5)));
    let jwks = found.jwks;
    assert_eq!(jwks.source, JwksSource::Url("https://kc.example/keys".into()));
    assert_eq!((jwks.refresh, jwks.cooldown), (Duration::from_mins(1), Duration::from_secs(5)));
    assert_eq!((jwks.max_stale, jwks.timeout, jwks.bytes_max), (Duration::from_hours(2), Duration::from_secs(1), 4096));
    let file = issuer("url = 'https://id.example'\njwks = { file = 'keys.json' }");
    assert_eq!(file.jwks.source, JwksSource::File("keys.json".into()));
}

#[test]
fn what_no_issuer_can_be_is_refused_with_a_remedy() {
    refuse(
        "url = 'https://id.example/x'",
        "lime.toml:2:7: `url`: only an issuer of `kind = \"oauth\"` has a path: write it, or leave the path out",
    );
    refuse(
        "url = 'https://id.example'\naudience = 'x'",
        "lime.toml:3:12: `audience` is for `kind = \"oauth\"`: tokens of a Lime issuer name the host",
    );
    refuse(
        "url = 'https://id.example'\nalgorithms = ['HS256']",
        "lime.toml:3:15: `algorithms`: `HS256` is not taken: write \"RS256\", \"ES256\" or \"EdDSA\"",
    );
    refuse(
        "url = 'https://id.example'\nalgorithms = []",
        "lime.toml:3:14: `algorithms = []` takes no token at all: write `algorithms = [\"RS256\"]`",
    );
    refuse(
        "url = 'https://id.example'\njwks = { file = 'a', url = 'https://b.example/c' }",
        "lime.toml:3:17: `file` and `url`: keys have one place: keep one of the two",
    );
    refuse(
        "url = 'https://id.example?x'\nkind = 'oauth'",
        "lime.toml:2:7: `url`: nothing may follow the host and port, not even a slash: write https://id.example",
    );
    refuse(
        "url = 'https://id.example'\nleeway = '6m'",
        "lime.toml:3:10: `leeway`: 6m does not fit: write \"0s\" to \"5m\"",
    );
    let twice = parse("[issuer.main]\nurl = 'https://a'\n[issuer.b]\nurl = 'https://a'").unwrap_err().to_string();
    assert!(twice.contains("has it too: keep one of the two tables"), "{twice}");
}

#[test]
fn a_site_names_an_issuer_or_its_url() {
    let text = |issuer: &str| {
        format!(
            "[issuer.main]\nurl = 'https://id.example'\n[issuer.corp]\nurl = 'https://kc.example/r'\nkind = 'oauth'\n{}",
            SITE.replace("'main'", issuer)
        )
    };
    let parse = |issuer: &str| Gateway::parse(&text(issuer), Path::new("lime.toml"), &|_| None);
    let names = |issuer: &str| {
        let gateway = parse(issuer).unwrap();
        gateway.sites[0].issuers.iter().map(|issuer| issuer.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("['main', 'corp']"), ["main", "corp"]);
    assert_eq!(names("'https://id.example'"), ["main"]);
    assert_eq!(names("['https://other.example', 'corp']"), ["https://other.example", "corp"]);
    for (issuer, problem) in [
        ("'mian'", "`issuer`: there is no issuer `mian`: did you mean \"main\"?"),
        ("['main', 'https://id.example']", "`issuer`: https://id.example stands twice: keep one"),
        ("['https://a', 'https://b', 'https://c', 'https://d', 'https://e']", "`issuer`: more than 4 issuers"),
    ] {
        let error = parse(issuer).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    let unused = parse("'main'").unwrap().warnings();
    assert!(
        unused.iter().any(|line| line == "lime.toml:4: no site uses [issuer.corp]: remove it, or name it in one"),
        "{unused:?}"
    );
}
