//! Group T, the keys: which of them count, and what asking for them costs. The storms of T4 from the first fetch on are
//! in `unknown_keys.rs`, the rotation of T6 under load in `rotation.rs`.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lime_tests::forge::Forger;
use lime_tests::{Answer, Gateway, Stub, forge, holds_for, until, within};
use serde_json::{Value, json};

use super::{Shop, check, claims, forger, with};

/// T4: a storm of unknown keys while the issuer hangs and then fails is nothing to those whose key is known, and asks the
/// issuer once per cool-down. (From the first fetch on: `unknown_keys.rs`.)
#[test]
fn those_whose_key_is_known_notice_nothing_of_a_storm() {
    let document = json!({ "keys": [forger().jwk()] });
    let asked = AtomicUsize::new(0);
    let issuer = Stub::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::json(200, &document),
        1 => Answer::Hang,
        _ => Answer::text(500, "down"),
    });
    let shop = Shop::new();
    let gateway = Gateway::start(|url, _| {
        format!(
            "[[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\nprotect = [\"/*\"]\nissuer = \"{}\"\n",
            shop.echo.url, issuer.url
        )
    });
    let good = forger().token(&claims(&issuer.url));
    let (mut number, mut slowest) = (0, Duration::ZERO);
    // Past one cool-down of 10 s, and past the time-out of the fetch that hangs.
    holds_for(Duration::from_secs(16), "those who are known are let in", || {
        for _ in 0..3 {
            number += 1;
            let strange = forge::with_kid(&good, &format!("unknown-{number}"));
            let status = gateway.get("/").bearer(&strange).send().status;
            assert!([401, 503].contains(&status), "{status}");
        }
        let started = Instant::now();
        let fresh = forger().token(&with(claims(&issuer.url), "jti", json!(format!("j{number}"))));
        let statuses = [&good, &fresh].map(|token| gateway.get("/").bearer(token).send().status);
        slowest = slowest.max(started.elapsed());
        statuses == [200, 200]
    });
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    assert!(number > 300, "only {number}");
    let fetches = issuer.received().len();
    assert!((2..=3).contains(&fetches), "{fetches} fetches");
}

/// An issuer whose key set turns bad after the first time it is asked.
fn turning_bad(bad: impl Fn() -> Answer + Send + Sync + 'static) -> Stub {
    let good = json!({ "keys": [forger().jwk()] });
    let asked_before = AtomicBool::new(false);
    Stub::start(move |_| {
        if asked_before.swap(true, Ordering::Relaxed) {
            bad()
        } else {
            Answer::json(200, &good).with("Cache-Control", "max-age=1")
        }
    })
}

/// T5: a key set that cannot be one is not taken over: the last one stays, and a counter says so.
#[test]
fn a_key_set_that_is_none_changes_nothing() {
    let elsewhere = Stub::start(|_| Answer::text(200, "{}"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = listener.local_addr().unwrap();
    drop(listener);
    let jwk = forger().jwk();
    let keys = |keys: &[&Value]| Answer::json(200, &json!({ "keys": keys }));
    let weak = with(jwk.clone(), "n", json!(URL_SAFE_NO_PAD.encode([0xc5; 64])));
    let ec = json!({ "kty": "EC", "crv": "P-256", "kid": "key-1", "x": "AA", "y": "AA" });
    let bad: Vec<(&str, Answer)> = vec![
        ("five megabytes", Answer::text(200, &format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(5 << 20)))),
        ("one name twice", keys(&[&jwk, &jwk])),
        ("for encryption", keys(&[&with(jwk.clone(), "use", json!("enc"))])),
        ("of 512 bits", keys(&[&weak])),
        ("an exponent of one", keys(&[&with(jwk.clone(), "e", json!("AQ"))])),
        ("of another type", keys(&[&ec])),
        ("of another algorithm", keys(&[&with(jwk.clone(), "alg", json!("RS512"))])),
        ("a secret", keys(&[&json!({ "kty": "oct", "kid": "key-1", "k": "AAAA" })])),
        ("none", keys(&[])),
        ("no JSON", Answer::text(200, "<html>")),
        ("redirected", Answer::redirect(&format!("{}/jwks.json", elsewhere.url))),
        ("redirected inwards", Answer::redirect("http://169.254.169.254/latest/meta-data/")),
        ("redirected to nowhere", Answer::redirect(&format!("http://{nowhere}/"))),
        ("an error", Answer::text(500, "down")),
    ];
    let shop = Shop::new();
    let issuers: Vec<(&str, Stub)> =
        bad.into_iter().map(|(what, answer)| (what, turning_bad(move || answer.clone()))).collect();
    let host = |number: usize| format!("site-{number}.lime.test");
    let gateway = Gateway::start(|_, _| {
        let site = |(number, (_, issuer)): (usize, &(&str, Stub))| {
            format!(
                "[[site]]\nurl = \"https://{}\"\norigin = \"{}\"\nmode = \"enforce\"\nprotect = [\"/*\"]\nissuer = \"{}\"\n",
                host(number),
                shop.echo.url,
                issuer.url
            )
        };
        issuers.iter().enumerate().map(site).collect()
    });
    let failed = |issuer: &str| {
        let metrics = lime_tests::http::get(&format!("{}/metrics", gateway.ops)).send().text();
        let line = format!("lime_gateway_jwks_refresh_total{{issuer=\"{issuer}\",result=\"failed\"}} ");
        metrics.lines().any(|found| found.strip_prefix(&line).is_some_and(|count| count != "0"))
    };
    for (number, (what, issuer)) in issuers.iter().enumerate() {
        within(Duration::from_secs(30), &format!("{what}: refused and counted"), || failed(&issuer.url).then_some(()));
        let token = forger().token(&with(claims(&issuer.url), "domain", json!(host(number))));
        let reply = gateway.get("/").header("Host", host(number)).bearer(&token).send();
        assert_eq!(reply.status, 200, "{what}: {}", reply.text());
    }
    assert!(elsewhere.received().is_empty());
    assert_eq!(gateway.health()["status"], "degraded");
}

/// T5: of a key set with good and bad keys the good ones count.
#[test]
fn a_bad_key_beside_a_good_one_is_passed_over() {
    let weak = json!({ "kty": "RSA", "kid": "weak", "n": URL_SAFE_NO_PAD.encode([0xc5; 64]), "e": "AQAB" });
    let other = Forger::new("for-encryption");
    let encryption = with(other.jwk(), "use", json!("enc"));
    let document = json!({ "keys": [weak, encryption, { "kty": "unheard-of" }, 7, forger().jwk()] });
    let issuer = Stub::start(move |_| Answer::json(200, &document));
    let shop = Shop::new();
    let gateway = Gateway::start(|url, _| {
        format!(
            "[[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\nprotect = [\"/*\"]\nissuer = \"{}\"\n",
            shop.echo.url, issuer.url
        )
    });
    assert_eq!(gateway.get("/").bearer(&forger().token(&claims(&issuer.url))).send().status, 200);
    check("enc", &gateway.get("/").bearer(&other.token(&claims(&issuer.url))).send(), 401, "invalid_token");
}

/// T6: a key that is published no longer stops to count within one refresh, its cached verdicts too, and nothing fails
/// on the way. (Under load, with a real issuer: `rotation.rs`.)
#[test]
fn a_key_that_was_taken_out_stops_to_count() {
    let next = Forger::new("key-2");
    let both = json!({ "keys": [forger().jwk(), next.jwk()] });
    let after = json!({ "keys": [next.jwk()] });
    let is_removed = Arc::new(AtomicBool::new(false));
    let issuer = Stub::start({
        let is_removed = Arc::clone(&is_removed);
        move |_| {
            let document = if is_removed.load(Ordering::Relaxed) { &after } else { &both };
            Answer::json(200, document).with("Cache-Control", "max-age=1")
        }
    });
    let shop = Shop::new();
    let gateway = Gateway::start(|url, _| {
        format!(
            "[[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\nprotect = [\"/*\"]\nissuer = \"{}\"\n",
            shop.echo.url, issuer.url
        )
    });
    let (old, new) = (forger().token(&claims(&issuer.url)), next.token(&claims(&issuer.url)));
    let ask = |token: &str| gateway.get("/").bearer(token).send().status;
    assert_eq!((ask(&old), ask(&new)), (200, 200));
    is_removed.store(true, Ordering::Relaxed);
    let removed = Instant::now();
    until("the old key counts no longer", || {
        let (old, new) = (ask(&old), ask(&new));
        assert_eq!(new, 200);
        assert!([200, 401].contains(&old), "{old}");
        old == 401
    });
    assert!(removed.elapsed() < Duration::from_secs(5), "{:?}", removed.elapsed());
}
