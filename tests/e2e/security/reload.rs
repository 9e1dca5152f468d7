//! Group X, the configuration that is changed while the gateway works.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use lime_tests::{Certificate, Echo, Gateway, Http2, Wire, until};
use tempfile::TempDir;

use super::{check, claims, forger, issuer};
use crate::scene::DOMAIN;

/// X1: a configuration that is wrong changes nothing and is counted, whatever is wrong about it; and no request fails,
/// neither then nor when a good one is taken over.
#[test]
fn a_bad_configuration_under_load_changes_nothing() {
    let (folder, port) = (TempDir::new().unwrap(), lime_tests::free_port());
    let certificate = Certificate::make(folder.path(), &["localhost"]);
    let (echo, issuer) = (Echo::start(), issuer());
    let gateway = Gateway::start(|url, _| {
        format!(
            "[server]\n{}[policy.agents]\nrequire = \"passport\"\n[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n\
             mode = \"enforce\"\npolicy = \"open\"\nissuer = \"{}\"\n\
             [[site.route]]\npath = \"/agents/*\"\npolicy = \"agents\"\n",
            certificate.settings(port),
            echo.url,
            issuer.url
        )
    });
    let good = fs::read_to_string(gateway.file()).unwrap();
    let token = forger().token(&claims(&issuer.url));
    let (ends, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let works = || {
        let _ends = Ends(&ends);
        let mut wire = Wire::to(gateway.address());
        let head = format!("GET /agents/x HTTP/1.1\r\nHost: {DOMAIN}\r\nAuthorization: Bearer {token}\r\n\r\n");
        while !ends.load(Ordering::Relaxed) {
            let kept = wire.send(&head).reply();
            assert_eq!(kept.status, 200, "on a kept connection: {}", kept.text());
            assert_eq!(gateway.get("/agents/x").bearer(&token).send().status, 200, "on a new one");
            served.fetch_add(2, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let workers = [scope.spawn(works), scope.spawn(works)];
        let all_go_on = || {
            let before = served.load(Ordering::Relaxed);
            until("requests are served", || {
                served.load(Ordering::Relaxed) > before + 10 || ends.load(Ordering::Relaxed)
            });
        };
        let ended = Ends(&ends);
        for (what, file) in bad(&good) {
            reload(&gateway, &file, "failed", what);
            all_go_on();
            check(what, &gateway.get("/agents/x").send(), 401, "passport_required");
            assert_eq!(gateway.counted("lime_gateway_config_last_reload_successful"), 0, "{what}");
        }
        let key = fs::read(&certificate.key).unwrap();
        fs::write(&certificate.key, "no key").unwrap();
        reload(&gateway, &good, "failed", "a key that is none");
        fs::write(&certificate.key, &key).unwrap();
        all_go_on();
        reload(&gateway, &good, "ok", "a good one");
        all_go_on();
        drop(ended);
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    assert!(served.load(Ordering::Relaxed) > 100, "only {served:?} requests");
    let client = Http2::to(([127, 0, 0, 1], port).into(), "localhost", &certificate);
    assert_eq!(client.get("https://localhost/", &[]).status, 200, "the certificate is still shown");
    assert_eq!(gateway.counted("lime_gateway_config_last_reload_successful"), 1);
}

/// Each of these is wrong in one way.
fn bad(good: &str) -> Vec<(&'static str, String)> {
    vec![
        ("a syntax error", format!("{good}[[site")),
        ("an unknown key", good.replace("mode = \"enforce\"", "mode = \"enforce\"\nmodus = 1")),
        ("an unknown word", good.replace("\"enforce\"", "\"enforced\"")),
        ("a policy that is not there", good.replace("[policy.agents]", "[policy.others]")),
        ("no site", good.split("[[site]]").next().unwrap().to_owned()),
        (
            "a site twice",
            format!("{good}{}", good.split_once("[[site]]").map(|(_, site)| format!("[[site]]{site}")).unwrap()),
        ),
        ("a certificate that is not there", good.replace("tls.crt", "none.crt")),
        ("another listener", good.replacen("listen = \"127.0.0.1:", "listen = \"127.0.0.2:", 1)),
        ("nothing", String::new()),
    ]
}

/// Writes a configuration, asks for it by SIGHUP, and waits for what is said of it.
#[track_caller]
fn reload(gateway: &Gateway, file: &str, result: &str, what: &str) {
    let counted = || {
        let metrics = lime_tests::http::get(&format!("{}/metrics", gateway.ops)).send().text();
        let line = format!("lime_gateway_config_reloads_total{{result=\"{result}\"}} ");
        let count = metrics.lines().find_map(|found| found.strip_prefix(&line)?.parse::<u64>().ok());
        count.unwrap_or_default()
    };
    let before = counted();
    fs::write(gateway.file(), file).unwrap();
    gateway.process.signal("HUP");
    until(what, || counted() > before);
}

/// Ends the work, by whatever way.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
