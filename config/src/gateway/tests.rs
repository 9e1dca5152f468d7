use std::fs;
use std::net::SocketAddr;

use super::*;
use crate::SecretSource;

const SITE: &str = "[[site]]\nurl = 'https://a.example'\norigin = 'http://127.0.0.1:3000'\n";

fn parse(text: &str, env: &[(&str, &str)]) -> Result<Gateway, ConfigError> {
    let lookup = |name: &str| env.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
    Gateway::parse(text, Path::new("/etc/lime/lime.toml"), &lookup)
}

/// The `[server]` that comes of `text`, some lines before a site.
#[track_caller]
fn server(text: &str, env: &[(&str, &str)]) -> Server {
    parse(&format!("{text}\n{SITE}"), env).unwrap_or_else(|error| panic!("{error}")).server
}

#[track_caller]
fn refuse(text: &str, env: &[(&str, &str)], problem: &str) {
    let error = parse(&format!("{text}\n{SITE}"), env).unwrap_err();
    assert_eq!(error.to_string(), problem);
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_file_that_says_nothing_gets_the_defaults() {
    let (server, default) = (server("", &[]), Server::new("lime-state".into()));
    assert_eq!(server.listen, [address("127.0.0.1:8080")]);
    assert_eq!(server.ops_listen, address("127.0.0.1:9180"));
    assert_eq!((server.state, server.replicas, server.grace_period), (default.state, 1, default.grace_period));
    assert!(server.tls.is_none() && server.secret.is_none() && server.trusted_proxies.is_empty());
}

#[test]
fn listen_is_one_address_or_many_at_the_top_or_in_the_server() {
    assert_eq!(server("listen = '0.0.0.0:80'", &[]).listen, [address("0.0.0.0:80")]);
    assert_eq!(server("[server]\nlisten = 'localhost:0'", &[]).listen, [address("127.0.0.1:0")]);
    assert_eq!(server("listen = ['0.0.0.0:80', '[::]:80']", &[]).listen, [address("0.0.0.0:80"), address("[::]:80")]);
    refuse(
        "listen = '0.0.0.0:80'\n[server]\nlisten = '0.0.0.0:81'",
        &[],
        "/etc/lime/lime.toml:3:10: `listen` of [server] also stands at the top level (line 1): keep one of the two",
    );
}

#[test]
fn listen_of_the_environment_comes_before_either_of_the_file() {
    for text in ["", "listen = '0.0.0.0:80'", "[server]\nlisten = '0.0.0.0:80'"] {
        for variable in ["LIME__LISTEN", "LIME__SERVER__LISTEN"] {
            let server = server(text, &[(variable, "127.0.0.1:1,127.0.0.1:2")]);
            assert_eq!(server.listen, [address("127.0.0.1:1"), address("127.0.0.1:2")], "{variable} over {text}");
        }
    }
    refuse(
        "",
        &[("LIME__LISTEN", "127.0.0.1:1"), ("LIME__SERVER__LISTEN", "127.0.0.1:1")],
        "LIME__SERVER__LISTEN: `listen` of [server] also stands at the top level (LIME__LISTEN): keep one of the two",
    );
}

#[test]
fn with_tls_plain_http_is_taken_only_where_it_is_written() {
    let tls = "[server.tls]\ncertificate = 'tls.crt'\nkey = '/keys/tls.key'";
    let found = server(tls, &[]);
    assert_eq!(found.listen, []);
    let found = found.tls.unwrap();
    assert_eq!(found.listen, [address("127.0.0.1:8443")]);
    let [certificate] = &found.certificates[..] else { panic!("one certificate") };
    assert_eq!(certificate.chain, Path::new("/etc/lime/tls.crt"));
    assert_eq!(certificate.key, Path::new("/keys/tls.key"));
    assert_eq!(server(&format!("listen = '127.0.0.1:80'\n{tls}"), &[]).listen, [address("127.0.0.1:80")]);
    refuse(
        "[server.tls]\nkey = 'k'",
        &[],
        "/etc/lime/lime.toml:1:1: no `certificate` in [server.tls]: write `certificate = \"/etc/lime/tls.crt\"`",
    );
    refuse(
        "[server.tls]\ncertificate = 'c'",
        &[],
        "/etc/lime/lime.toml:1:1: no `key` in [server.tls]: write `key = \"/etc/lime/tls.key\"`",
    );
}

#[test]
fn a_gateway_listens_somewhere_and_nowhere_twice() {
    let nothing = "nothing to listen on: write `listen = \"127.0.0.1:8080\"`";
    refuse("listen = []", &[], &format!("/etc/lime/lime.toml:1:10: {nothing}"));
    refuse(
        "[server]\nlisten = []\ntls = { listen = [], certificate = 'c', key = 'k' }",
        &[],
        &format!("/etc/lime/lime.toml:2:10: {nothing}"),
    );
    let twice = "127.0.0.1:80 stands twice among the addresses to listen on: write another port";
    refuse("listen = ['127.0.0.1:80', 'localhost:80']", &[], &format!("/etc/lime/lime.toml:1:10: {twice}"));
    refuse(
        "[server]\nops_listen = '127.0.0.1:80'",
        &[("LIME__LISTEN", "127.0.0.1:80")],
        &format!("LIME__LISTEN: {twice}"),
    );
    refuse(
        "[server]\nops_listen = '127.0.0.1:8080'",
        &[],
        "/etc/lime/lime.toml:1:1: 127.0.0.1:8080 stands twice among the addresses to listen on: write another port",
    );
    server("listen = ['127.0.0.1:0', '127.0.0.1:0']\n[server]\nops_listen = '127.0.0.1:0'", &[]);
}

#[test]
fn state_is_where_the_file_the_environment_or_systemd_says() {
    let state = |text, env| server(text, env).state.display().to_string();
    assert_eq!(state("[server]\nstate = 'state'", &[]), "/etc/lime/state");
    assert_eq!(state("[server]\nstate = '/s'", &[("STATE_DIRECTORY", "/var/lib/lime")]), "/s");
    assert_eq!(state("[server]\nstate = '/s'", &[("LIME__SERVER__STATE", "here")]), "here");
    assert_eq!(state("", &[("STATE_DIRECTORY", "/var/lib/lime:/var/lib/more")]), "/var/lib/lime");
    assert_eq!(state("", &[("STATE_DIRECTORY", "")]), "lime-state");
}

#[test]
fn many_replicas_share_a_secret() {
    refuse(
        "[server]\nreplicas = 2",
        &[],
        "/etc/lime/lime.toml:2:12: `replicas` of one fleet seal sessions alike: write `secret = { file = \
             \"PATH\" }` beside it",
    );
    server("[server]\nreplicas = 1", &[]);
    let found = server("[server]\nreplicas = 0x10\nsecret = { file = 'gateway.secret' }", &[]);
    assert_eq!(found.replicas, 16);
    assert_eq!(found.secret, Some(SecretSource::File("/etc/lime/gateway.secret".into())));
}

#[test]
fn trusted_proxies_are_networks_or_single_addresses() {
    let found = server("[server]\ntrusted_proxies = ['10.1.2.3/8', '192.0.2.7', 'fd00::/8']", &[]);
    let shown: Vec<_> = found.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"]);
    refuse(
        "[server]\ntrusted_proxies = ['lb.internal']",
        &[],
        "/etc/lime/lime.toml:2:20: `trusted_proxies`: `lb.internal` is no network: write it like \"10.0.0.0/8\" \
             or \"192.0.2.7\"",
    );
}

#[test]
fn what_is_open_to_the_world_is_warned_about() {
    let warnings = |text: &str| server(text, &[]).warnings();
    assert_eq!(warnings(""), [""; 0]);
    assert_eq!(
        warnings("[server]\nops_listen = '0.0.0.0:9180'"),
        ["`ops_listen` 0.0.0.0:9180 shows metrics to whoever reaches it: keep it off the internet"]
    );
    assert_eq!(
        warnings("[server]\ntrusted_proxies = ['::/0']"),
        ["`trusted_proxies` holds everybody: anyone may claim any address, write your proxies alone"]
    );
}

#[test]
fn a_file_is_loaded_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lime.toml");
    fs::write(&path, format!("[server]\nstate = 'state'\n{SITE}")).unwrap();
    let gateway = Gateway::load(&path, &|_| None).unwrap();
    assert_eq!(gateway.server.state, folder.path().join("state"));
    assert_eq!(gateway.sites[0].defined_at.to_string(), format!("{}:5", path.display()));
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_do() {
    let load = |path: &Path| Gateway::load(path, &|_| None).unwrap_err().to_string();
    assert_eq!(
        load(Path::new("/nonexistent/lime.toml")),
        "/nonexistent/lime.toml: no such file: name the right one with -c FILE"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lime.toml");
    fs::write(&path, b"\xff").unwrap();
    let error = load(&path);
    assert!(error.ends_with("check that it is UTF-8 text and that this user may read it"), "{error}");
    fs::File::create(&path).unwrap().set_len(16 * 1024 * 1024 + 1).unwrap();
    let error = load(&path);
    assert!(error.contains("larger than 16 MiB"), "{error}");
}

#[test]
fn ten_thousand_sites_are_read() {
    let sites: String = (0..10_000)
        .map(|n| format!("[[site]]\nurl = 'https://s{n}.example'\norigin = 'http://127.0.0.1:3000'\n"))
        .collect();
    assert_eq!(parse(&sites, &[]).unwrap().sites.len(), 10_000);
}
