use std::fs;

use secrecy::ExposeSecret as _;

use super::*;

fn parse(text: &str, env: &[(&str, &str)]) -> Result<Issuer, ConfigError> {
    let lookup = |name: &str| env.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
    Issuer::parse(text, Path::new("/etc/lime/issuer.toml"), &lookup)
}

#[track_caller]
fn issuer(text: &str, env: &[(&str, &str)]) -> Issuer {
    parse(text, env).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refuse(text: &str, problem: &str) {
    assert_eq!(parse(text, &[]).unwrap_err().to_string(), format!("/etc/lime/issuer.toml:{problem}"));
}

fn sqlite(issuer: &Issuer) -> String {
    match &issuer.store {
        StoreLocation::Sqlite(path) => path.display().to_string(),
        StoreLocation::Postgres(_) => panic!("PostgreSQL"),
    }
}

#[test]
fn an_empty_file_is_an_issuer_in_the_working_folder() {
    let issuer = issuer("", &[]);
    assert_eq!(issuer.listen, [Issuer::LISTEN]);
    assert_eq!(sqlite(&issuer), "lime-data/issuer.db");
    assert_eq!(issuer.secret, SecretSource::File("lime-data/issuer.secret".into()));
    assert_eq!(issuer.login_request_ttl, Duration::from_mins(5));
    assert_eq!(issuer.login_passport_ttl, Duration::from_secs(120));
    assert_eq!(issuer.access_token_ttl, Duration::from_secs(300));
    assert_eq!(issuer.key_publish_ahead, Duration::from_hours(24));
    assert_eq!(issuer.pow_difficulty, 15);
    assert!(issuer.public_url.is_none());
}

#[test]
fn an_issuer_in_a_directory_keeps_everything_there() {
    let issuer = Issuer::in_directory(Path::new("/data"));
    assert_eq!(sqlite(&issuer), "/data/issuer.db");
    assert_eq!(issuer.secret, SecretSource::File("/data/issuer.secret".into()));
}

#[test]
fn a_file_is_loaded_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer.toml");
    fs::write(&path, "store = 'sqlite:issuer.db'").unwrap();
    let issuer = Issuer::load(&path, &|_| None).unwrap();
    assert_eq!(sqlite(&issuer), folder.path().join("issuer.db").display().to_string());
}

#[test]
fn a_store_is_a_file_or_a_postgres_url() {
    assert_eq!(sqlite(&issuer("store = 'sqlite:issuer.db'", &[])), "/etc/lime/issuer.db");
    assert_eq!(sqlite(&issuer("store = 'sqlite:/data/issuer.db'", &[])), "/data/issuer.db");
    assert_eq!(sqlite(&issuer("", &[("LIME__STORE", "sqlite:issuer.db")])), "issuer.db");
    for url in ["postgres://lime:hunter2@db.internal/lime", "postgresql:///lime?host=/run/postgresql"] {
        let StoreLocation::Postgres(found) = issuer("store = 'sqlite:x'", &[("LIME__STORE", url)]).store else {
            panic!("SQLite")
        };
        assert_eq!(found.expose_secret(), url);
    }
}

#[test]
fn what_is_no_store_is_refused_and_not_repeated() {
    let sqlite = "1:9: `store`: sqlite takes a path and nothing else: write \"sqlite:PATH\"";
    for text in ["sqlite:", "sqlite://issuer.db", "sqlite:///data/issuer.db", "sqlite::memory:"] {
        refuse(&format!("store = '{text}'"), sqlite);
    }
    let other = "1:9: `store`: is no store: write \"sqlite:PATH\" or \"postgres://USER@HOST/DATABASE\"";
    for text in ["/data/issuer.db", "mysql://me:hunter2@db/lime", "postgres:lime", "postgres://me:hunter2@db:x/lime"] {
        refuse(&format!("store = '{text}'"), other);
    }
}

#[test]
fn debug_shows_no_password() {
    let issuer = issuer("", &[("LIME__STORE", "postgres://lime:hunter2@db/lime")]);
    assert!(!format!("{issuer:?}").contains("hunter2"));
}

#[test]
fn an_issuer_that_others_reach_has_a_name() {
    let problem =
        "other machines reach this issuer, so it needs a name: write `public_url = \"https://id.example.net\"`";
    refuse("listen = '0.0.0.0:8081'", &format!("1:10: {problem}"));
    refuse("listen = ['127.0.0.1:8081', '[::]:8081']", &format!("1:10: {problem}"));
    issuer("listen = '0.0.0.0:8081'\npublic_url = 'https://id.example'", &[]);
}

#[test]
fn the_public_url_is_written_as_verifiers_compare_it() {
    assert_eq!(issuer("public_url = 'https://id.example'", &[]).public_url.unwrap().as_str(), "https://id.example");
    for text in ["https://ID.example", "https://id.example:443", "HTTPS://id.example"] {
        let problem = "1:14: `public_url`: verifiers compare it byte for byte: write https://id.example";
        refuse(&format!("public_url = '{text}'"), problem);
    }
    refuse(
        "public_url = 'https://id.example/'",
        "1:14: `public_url`: nothing may follow the host and port, not even a slash: write https://id.example",
    );
}

#[test]
fn times_and_difficulty_have_bounds() {
    let fits = |line: &str| issuer(line, &[]);
    fits("login_request_ttl = '1h'");
    fits("login_passport_ttl = '120s'");
    fits("access_token_ttl = '31s'");
    fits("access_token_ttl = '1h'");
    fits("key_publish_ahead = '0s'");
    fits("pow_difficulty = 0");
    assert_eq!(fits("pow_difficulty = 20").pow_difficulty, 20);
    refuse("login_request_ttl = '61m'", "1:21: `login_request_ttl`: 61m does not fit: write \"1s\" to \"1h\"");
    refuse("login_passport_ttl = '121s'", "1:22: `login_passport_ttl`: 121s does not fit: write \"1s\" to \"2m\"");
    refuse("access_token_ttl = '30s'", "1:20: `access_token_ttl`: 30s does not fit: write \"31s\" to \"1h\"");
    refuse("access_token_ttl = '61m'", "1:20: `access_token_ttl`: 61m does not fit: write \"31s\" to \"1h\"");
    refuse("key_publish_ahead = '31d'", "1:21: `key_publish_ahead`: 31d does not fit: write \"0s\" to \"30d\"");
    refuse("pow_difficulty = 21", "1:18: `pow_difficulty`: 21 does not fit: write 0 to 20");
}

#[test]
fn listen_and_the_secret_are_judged_as_in_the_gateway() {
    refuse("listen = []", "1:10: nothing to listen on: write `listen = \"127.0.0.1:8081\"`");
    refuse("lissten = '127.0.0.1:1'", "1:1: unknown key `lissten` at the top level: did you mean `listen`?");
    refuse(
        "secret = 'hunter2'",
        "1:10: `secret`: a secret is not written here but where only Lime reads it: \
         write `{ file = \"PATH\" }` or `{ env = \"NAME\" }`",
    );
    let found = issuer("listen = '127.0.0.1:1'", &[("LIME__LISTEN", "127.0.0.1:2,[::1]:2")]);
    assert_eq!(found.listen, ["127.0.0.1:2".parse().unwrap(), "[::1]:2".parse().unwrap()]);
}

#[test]
fn what_is_allowed_but_should_be_known_is_said() {
    let warns = |lines: &str, warnings: &[&str]| assert_eq!(issuer(lines, &[]).warnings(), warnings);
    warns("public_url = 'https://id.example'", &[]);
    warns("public_url = 'http://localhost:8081'", &[]);
    warns("", &["no `public_url`: passports name the address that was bound, no other machine reaches it"]);
    warns(
        "public_url = 'http://id.example'",
        &["`public_url` http://id.example is not https: whoever sits between can replace the keys"],
    );
    warns(
        "public_url = 'https://id.example'\nkey_publish_ahead = '0s'\npow_difficulty = 0",
        &[
            "`key_publish_ahead = \"0s\"`: right after a rotation, verifiers refuse what the new key signed",
            "`pow_difficulty = 0`: a login costs its sender nothing",
        ],
    );
}

#[test]
fn client_documents_from_elsewhere_are_named_one_by_one_and_warned_about() {
    assert_eq!(issuer("", &[]).cimd, ClientDocuments::default());
    let text = "public_url = 'https://id.example'\ncimd = { allow = ['127.0.0.1:8443', 'clients.internal:443'], ca = 'ca.pem' }";
    let found = issuer(text, &[]);
    assert_eq!(found.cimd.ca.as_deref(), Some(Path::new("/etc/lime/ca.pem")));
    assert_eq!(
        found.cimd.allow.iter().map(|host| (host.host(), host.port())).collect::<Vec<_>>(),
        [("127.0.0.1", 8443), ("clients.internal", 443)]
    );
    assert_eq!(
        found.warnings(),
        [
            "`cimd.allow`: whoever asks can make the issuer send requests to 127.0.0.1:8443, clients.internal:443, wherever \
         it is",
            "`cimd.ca`: who has a key of /etc/lime/ca.pem can pass for any client that has a document",
        ]
    );
    let found = issuer("[cimd]", &[("LIME__CIMD__ALLOW", "a.internal:1,[::1]:2")]);
    assert_eq!(found.cimd.allow.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a.internal:1", "[::1]:2"]);
    refuse(
        "cimd = { allow = ['a.internal'] }",
        "1:19: `allow`: no port: write a.internal:443 if it is the one of https",
    );
    refuse("[cimd]\ndeny = []", "2:1: unknown key `deny` in [cimd]: remove it, or write one of `allow`, `ca`");
}
