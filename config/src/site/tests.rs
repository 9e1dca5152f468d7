use std::path::Path;

use crate::{ConfigError, Gateway};

use super::*;

const START: &str = "[[site]]\nurl = 'https://a.example'\norigin = 'http://127.0.0.1:3000'\n";
const ISSUER: &str = "issuer = 'https://id.example'\n";
const CREDENTIAL: &str = "credential = { env = 'TOKEN' }\n";

fn parse(text: &str) -> Result<Gateway, ConfigError> {
    Gateway::parse(text, Path::new("lime.toml"), &|_| None)
}

/// The site that comes of `lines`, put below its url and origin.
#[track_caller]
fn site(lines: &str) -> Arc<Site> {
    let mut gateway = parse(&format!("{START}{lines}")).unwrap_or_else(|error| panic!("{error}"));
    gateway.sites.pop().unwrap()
}

/// The paths that ask for a passport.
fn protected(site: &Site) -> Vec<String> {
    let asking = |route: &&Route| *route.policy == *Policy::passport();
    site.routes().iter().filter(asking).map(|route| route.path.to_string()).collect()
}

#[track_caller]
fn refuse(text: &str, problem: &str) {
    assert_eq!(parse(text).unwrap_err().to_string(), problem);
}

#[test]
fn a_site_that_says_little_is_only_observed() {
    let site = site("");
    assert_eq!((site.mode, site.login, site.session_ttl), (Mode::Observe, Login::Off, Duration::from_hours(1)));
    assert_eq!((site.shared_cache, site.owner_headers), (SharedCache::No, OwnerHeaders::No));
    assert_eq!(site.auth_md, AuthMd::NotServed);
    assert!(!site.protects() && site.issuers.is_empty() && site.credential.is_none());
    assert!(site.revocation_max_stale.is_none() && site.contact.is_none());
    assert_eq!(site.defined_at.to_string(), "lime.toml:3");
}

#[test]
fn a_site_may_say_all_there_is() {
    let all = "mode = 'enforce'\nprotect = ['/a', '/b/*']\nissuer = 'https://ID.example:443'\n\
               credential = { file = 'shop.token' }\nlogin = 'edge'\nsession_ttl = '24h'\nshared_cache = true\n\
               auth_md = true\nowner_headers = true\nrevocation_max_stale = '5m'\ncontact = 'a@a.example'";
    let site = site(all);
    assert_eq!((site.mode, site.login, site.session_ttl), (Mode::Enforce, Login::Edge, Duration::from_hours(24)));
    assert_eq!((site.shared_cache, site.owner_headers), (SharedCache::Yes, OwnerHeaders::Yes));
    assert_eq!(site.auth_md, AuthMd::Served);
    assert_eq!(protected(&site), ["/a", "/b/*"]);
    assert_eq!(site.lime_issuer().unwrap().url.as_str(), "https://id.example");
    assert_eq!(site.credential, Some(SecretSource::File("shop.token".into())));
    assert_eq!(site.revocation_max_stale, Some(Duration::from_mins(5)));
    assert_eq!(site.contact.as_deref(), Some("a@a.example"));
}

#[test]
fn protect_takes_a_single_path_and_the_whole_site() {
    assert_eq!(protected(&site(&format!("{ISSUER}protect = '/*'"))), ["/*"]);
    assert_eq!(protected(&site("protect = []")), [""; 0]);
}

#[test]
fn a_limit_is_something_to_enforce() {
    let limited = site("mode = 'enforce'\nlimit = { per = 'site', rate = '60/m' }");
    assert_eq!((limited.mode, limited.protects()), (Mode::Enforce, false));
}

#[test]
fn enforce_with_nothing_to_protect_says_what_to_write() {
    let problem = "`enforce` has nothing to enforce: write the paths that are for agents, `protect = \
             [\"/agents/*\"]`";
    refuse(&format!("{START}mode = 'enforce'\n{ISSUER}"), &format!("lime.toml:4:8: {problem}"));
    refuse(&format!("{START}{ISSUER}protect = []\nmode = 'enforce'"), &format!("lime.toml:6:8: {problem}"));
}

#[test]
fn a_key_without_its_companions_is_refused() {
    let check = |lines: &str, problem: &str| refuse(&format!("{START}{lines}"), problem);
    check(
        "protect = ['/a']",
        "lime.toml:4:11: `protect`: whose passports count here? write `issuer = \"https://id.example.net\"` \
             beside it",
    );
    check(
        CREDENTIAL,
        "lime.toml:4:14: `credential` is for an issuer: write `issuer = \"https://id.example.net\"` beside it",
    );
    let login = "`login = \"edge\"` opens logins at the issuer: write `issuer` and `credential` beside it";
    check("login = 'edge'", &format!("lime.toml:4:9: {login}"));
    check(&format!("{ISSUER}login = 'edge'"), &format!("lime.toml:5:9: {login}"));
    check(
        &format!("{ISSUER}revocation_max_stale = '5m'"),
        "lime.toml:5:24: `revocation_max_stale` counts from the issuer's last word: write `credential` beside it",
    );
}

#[test]
fn a_companion_that_is_wrong_is_the_only_problem() {
    refuse(
        &format!("{START}issuer = 'id.example'\n{CREDENTIAL}protect = ['/a']\nlogin = 'edge'\nmode = 'enforce'"),
        "lime.toml:4:10: `issuer`: there is no issuer `id.example`: write [issuer.id.example] with its keys, or the URL of one, like \"https://id.example.net\"",
    );
    refuse(
        &format!("{START}{ISSUER}protect = ['a']\nmode = 'enforce'"),
        "lime.toml:5:12: `protect`: a path starts with a slash: write it like \"/agents/*\"",
    );
}

#[test]
fn a_host_has_one_site() {
    let check = |first: &str, second: &str, host: &str| {
        let text = format!(
            "[[site]]\nurl = '{first}'\norigin = 'http://127.0.0.1:3000'\n\
             [[site]]\nurl = '{second}'\norigin = 'http://127.0.0.1:3001'\n"
        );
        let problem = format!(
            "lime.toml:5:7: `url`: {host} is already the host of the site at lime.toml:2: remove one of the two"
        );
        refuse(&text, &problem);
    };
    check("https://a.example", "https://a.example", "a.example");
    check("https://a.example", "http://A.example:8080", "a.example");
    check("https://bücher.example", "https://xn--bcher-kva.example", "xn--bcher-kva.example");
    check("http://localhost:8080", "http://127.0.0.1:8080", "localhost");
    check("http://[::1]:8080", "http://localhost", "localhost");
}

#[test]
fn a_gateway_does_not_stand_in_front_of_itself() {
    let check = |listen: &str, origin: &str| {
        let text = format!("listen = '{listen}'\n[[site]]\nurl = 'https://a.example'\norigin = '{origin}'");
        parse(&text).err().map(|error| error.to_string())
    };
    let refused = Some(
        "lime.toml:4:10: `origin`: the gateway itself listens there: write where the site itself listens".to_owned(),
    );
    assert_eq!(check("127.0.0.1:80", "http://127.0.0.1"), refused);
    assert_eq!(check("127.0.0.1:80", "http://localhost:80"), refused);
    assert_eq!(check("0.0.0.0:80", "http://127.0.0.1:80"), refused);
    assert_eq!(check("[::]:80", "http://[::1]:80"), refused);
    assert_eq!(check("10.0.0.1:80", "http://10.0.0.1"), refused);
    assert_eq!(check("127.0.0.1:8080", "http://127.0.0.1:9180"), refused);
    assert_eq!(check("0.0.0.0:80", "http://10.0.0.2:80"), None);
    assert_eq!(check("127.0.0.1:80", "http://127.0.0.1:81"), None);
    assert_eq!(check("127.0.0.1:80", "http://shop.internal:80"), None);
}

#[test]
fn a_secret_is_named_never_written() {
    let check = |value: &str, problem: &str| {
        let error = parse(&format!("{START}{ISSUER}credential = {value}")).unwrap_err().to_string();
        assert_eq!(error, format!("lime.toml:5:{problem}"));
    };
    let place = "14: `credential`: a secret is not written here but where only Lime reads it: \
                 write `{ file = \"PATH\" }` or `{ env = \"NAME\" }`";
    check("'gt_hunter2'", place);
    check("['gt_hunter2']", place);
    check("{}", "14: where does it lie? write `{ file = \"PATH\" }` or `{ env = \"NAME\" }`");
    check("{ file = 'f', env = 'E' }", "34: a secret lies in one place: keep `file` or `env`");
    check("{ file = '' }", "23: `file`: is empty: write `file = \"/etc/lime/shop.token\"`");
    let name = "22: `env`: is no name of a variable: write it like `{ env = \"SHOP_TOKEN\" }`";
    check("{ env = 'gt-hunter.2' }", name);
    check("{ env = '2GT' }", name);
}

#[test]
fn a_session_lives_a_day_at_most() {
    let check = |ttl: &str| parse(&format!("{START}session_ttl = '{ttl}'")).err().map(|error| error.to_string());
    assert_eq!(check("24h"), None);
    assert_eq!(check("25h").unwrap(), "lime.toml:4:15: `session_ttl`: 25h does not fit: write \"1s\" to \"1d\"");
    assert_eq!(check("0s").unwrap(), "lime.toml:4:15: `session_ttl`: 0s does not fit: write \"1s\" to \"1d\"");
}

#[track_caller]
fn warns(text: &str, warnings: &[&str]) {
    let found = parse(text).unwrap_or_else(|error| panic!("{error}")).warnings();
    assert_eq!(found, warnings);
}

#[test]
fn what_is_allowed_but_should_be_known_is_said() {
    let enforced = format!("{START}{ISSUER}{CREDENTIAL}protect = ['/a']\nmode = 'enforce'\n");
    let at = "lime.toml:3: https://a.example:";
    warns(&enforced, &[]);
    warns(START, &[&format!("{at} `mode = \"observe\"`: nobody is refused here yet, only logged")]);
    warns(
        &format!("{START}mode = 'off'"),
        &[&format!("{at} `mode = \"off\"`: agents are neither recognised nor refused here")],
    );
    warns(
        &enforced.replace(CREDENTIAL, ""),
        &[&format!("{at} `issuer` without `credential`: revoked agents are known only when their tokens expire")],
    );
    warns(
        &format!("{enforced}revocation_max_stale = '29s'"),
        &[&format!("{at} `revocation_max_stale` under 30s: one late frame of the issuer takes protected paths down")],
    );
    warns(
        &enforced.replace("https://a.example", "http://a.example"),
        &["lime.toml:3: http://a.example: `url` is not https: passports and sessions can be read on the way"],
    );
    warns(
        &enforced.replace("https://id.example", "http://id.example"),
        &["lime.toml:4: `issuer` http://id.example is not https: whoever sits between can replace its keys"],
    );
    warns(&enforced.replace("https://a.example", "http://localhost"), &[]);
    warns(
        &enforced.replace("'http://127.0.0.1:3000'", "{ targets = 'https://b.example', tls = { verify = false } }"),
        &[&format!("{at} `verify = false`: whoever sits between can be the origin, and read what agents send")],
    );
    let two = "issuer = ['https://id.example', 'corp']\npolicy = 'listed'\nmode = 'enforce'\n";
    let tables = "[policy.listed]\nrequire = 'passport'\nagents = { deny = 'a' }\n\
                  [issuer.corp]\nurl = 'https://corp.example'\nkind = 'oauth'\n";
    warns(
        &format!("{START}{two}{CREDENTIAL}{tables}"),
        &[&format!(
            "{at} `agents` and `owners` compare ids, whoever issued them: with several issuers, one of them may name an \
             agent of another"
        )],
    );
}

#[test]
fn what_is_the_same_at_many_sites_is_said_of_the_first() {
    let sites: String = (0..8)
        .map(|number| format!("[[site]]\nurl = 'https://{number}.example'\norigin = 'http://127.0.0.1:3000'\n"))
        .collect();
    let found = parse(&sites).unwrap().warnings();
    assert_eq!(found.len(), 6, "{found:?}");
    assert_eq!(
        found[4],
        "lime.toml:15: https://4.example: `mode = \"observe\"`: nobody is refused here yet, only logged"
    );
    assert_eq!(found[5], "3 more sites: `mode = \"observe\"`: nobody is refused here yet, only logged");
}

#[test]
fn work_is_asked_for_where_browsers_can_keep_what_they_get_for_it() {
    let site = |url: &str| format!("[[site]]\nurl = '{url}'\norigin = 'http://127.0.0.1:3000'\npolicy = 'cleared'\n");
    for url in ["https://wiki.example", "http://localhost:8080", "http://127.0.0.1"] {
        assert!(parse(&site(url)).is_ok(), "{url}");
    }
    let error = parse(&site("http://wiki.example")).unwrap_err().to_string();
    let expected =
        "`url` is not https: browsers would not keep what strangers work for: write https, or another policy";
    assert!(error.starts_with("lime.toml:2:7: ") && error.ends_with(expected), "{error}");
}
