use std::path::Path;

use super::*;
use crate::{ConfigError, Gateway};

fn parse(origin: &str) -> Result<Gateway, ConfigError> {
    Gateway::parse(&format!("[[site]]\nurl = 'https://a.example'\n{origin}"), Path::new("lime.toml"), &|_| None)
}

#[track_caller]
fn origin(text: &str) -> Origin {
    parse(text).unwrap_or_else(|error| panic!("{error}")).sites.pop().unwrap().origin.clone()
}

#[track_caller]
fn refuse(text: &str, problem: &str) {
    assert_eq!(parse(text).unwrap_err().to_string(), problem);
}

#[test]
fn an_origin_is_a_url_a_list_or_a_table() {
    let one = origin("origin = 'http://127.0.0.1:3000'");
    assert_eq!(one, Origin::new("http://127.0.0.1:3000".parse().unwrap()));
    assert_eq!(origin("origin = ['http://10.0.0.5:1', 'http://10.0.0.6:1']").targets.len(), 2);
    let all = origin(
        "[site.origin]\ntargets = ['https://10.0.0.5:1', 'https://10.0.0.6:1']\n\
         health = { path = '/healthz?a=b', every = '5s', timeout = '1s', healthy_after = 1, unhealthy_after = 2 }\n\
         eject = { after = 3, period = '1m' }\nconnect_timeout = '1s'\nread_timeout = '10s'\nretries = 2\nhttp2 = true\n\
         tls = { server_name = 'Shop.internal', ca = 'ca.crt' }",
    );
    let health = all.health.unwrap();
    assert_eq!(
        (&*health.path, health.every, health.timeout),
        ("/healthz?a=b", Duration::from_secs(5), Duration::from_secs(1))
    );
    assert_eq!((health.healthy_after, health.unhealthy_after), (1, 2));
    assert_eq!(all.ejection, Ejection { after: 3, period: Duration::from_mins(1) });
    assert_eq!(
        (all.connect_timeout, all.read_timeout, all.retries),
        (Duration::from_secs(1), Duration::from_secs(10), 2)
    );
    assert_eq!(all.protocol, OriginProtocol::Http2);
    assert_eq!(
        all.tls,
        OriginTls { server_name: Some("shop.internal".into()), ca: Some("ca.crt".into()), verify: Verify::Yes }
    );
}

#[test]
fn what_no_origin_can_be_is_refused_with_a_remedy() {
    refuse("origin = []", "lime.toml:3:10: `origin`: no target: write where the site itself listens");
    refuse(
        "origin = ['http://a', 'https://b']",
        "lime.toml:3:10: `origin`: targets of http:// and of https://: write all of them alike",
    );
    refuse(
        "origin = ['http://a', 'http://a:80']",
        "lime.toml:3:10: `origin`: http://a:80 stands twice: keep one, turns are taken evenly",
    );
    refuse(
        "origin = { targets = 'http://a', tls = { verify = false } }",
        "lime.toml:3:40: `tls` is for targets of https://: write them so, or leave it out",
    );
    refuse(
        "origin = { targets = 'https://a', tls = { verify = false, ca = 'x' } }",
        "lime.toml:3:64: `ca` and `verify = false`: a certificate that is not looked at has no `ca`",
    );
    refuse(
        "origin = { targets = 'https://a', tls = { server_name = 'a b' } }",
        "lime.toml:3:57: `server_name`: `a b` is no host name: write it like \"shop.internal\"",
    );
    refuse(
        "origin = { targets = 'http://a', health = { path = 'x' } }",
        "lime.toml:3:52: `path`: `x` is no path: write it like \"/healthz\"",
    );
    refuse("origin = { targets = 'http://a', retries = 6 }", "lime.toml:3:44: `retries`: 6 does not fit: write 0 to 5");
}

#[test]
fn any_target_that_is_the_gateway_itself_is_refused() {
    let text = "origin = ['http://10.0.0.5:8080', 'http://127.0.0.1:8080']";
    refuse(text, "lime.toml:3:10: `origin`: the gateway itself listens there: write where the site itself listens");
}
