//! Storms of tokens under keys nobody has published: the issuer is asked once per cool-down, however it is.

use std::thread;
use std::time::{Duration, Instant};

use lime_tests::{Answer, Gateway, Stub, forge};
use passport::SigningKey;

use crate::scene::{DOMAIN, refused};

const JWKS: &str = "/api/v1/core/.well-known/jwks.json";

/// Longer than one cool-down of 10 s, shorter than two.
const STORM: Duration = Duration::from_secs(12);

/// Sends tokens under as many unknown keys as it can; gives the statuses it saw, and how often keys were asked for.
fn storm(key: &SigningKey, answer: impl Fn() -> Answer + Send + Sync + 'static) -> (Vec<u16>, usize) {
    let origin = Stub::saying("x");
    let issuer = Stub::start(move |_| answer());
    let gateway = Gateway::start(|url, _| {
        format!(
            "[[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\nprotect = [\"/agents/*\"]\n\
             issuer = \"{}\"\n",
            origin.url, issuer.url
        )
    });
    let good = key.sign(&forge::claims(&issuer.url, DOMAIN)).unwrap();
    let started = Instant::now();
    let mut statuses = Vec::new();
    for number in 0.. {
        let strange = forge::with_kid(&good, &format!("unknown-{number}"));
        statuses.push(gateway.get("/agents/x").bearer(&strange).send().status);
        if started.elapsed() > STORM {
            break;
        }
    }
    assert!(statuses.len() > 200, "only {} requests", statuses.len());
    assert!(gateway.counted("lime_gateway_jwks_unknown_kid_total") >= 200);
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(gateway.get("/").send().status, 200);
    (statuses, issuer.count(JWKS))
}

/// T4: however the issuer is, and none of it is paid by those whose key is known.
#[test]
fn a_storm_of_unknown_keys_is_one_fetch_per_cool_down() {
    let key = forge::key();
    let document = forge::jwks(&[&key]);
    let healthy = move || {
        Answer::Reply(200, vec![("Content-Type".into(), "application/json".into())], document.clone().into_bytes())
    };
    thread::scope(|scope| {
        let healthy = scope.spawn(|| storm(&key, healthy));
        let hanging = scope.spawn(|| storm(&key, || Answer::Hang));
        let failing = scope.spawn(|| storm(&key, || Answer::text(500, "down")));
        // One at the start, one after the cool-down.
        assert_eq!(healthy.join().unwrap(), (vec![401], 2));
        let (statuses, fetches) = hanging.join().unwrap();
        assert_eq!(statuses, [503]);
        assert!(fetches <= 2, "{fetches} fetches of a hanging issuer");
        let (statuses, fetches) = failing.join().unwrap();
        assert_eq!(statuses, [503]);
        assert!(fetches <= 2, "{fetches} fetches of a failing issuer");
    });
}

#[test]
fn a_key_that_was_published_since_is_taken_up_after_one_refusal() {
    let (first, second) = (forge::key(), forge::key());
    let origin = Stub::saying("x");
    let documents = [forge::jwks(&[&first]), forge::jwks(&[&first, &second])];
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let issuer = Stub::start(move |_| {
        let number = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed).min(1);
        Answer::Reply(200, vec![("Content-Type".into(), "application/json".into())], documents[number].clone().into())
    });
    let gateway = Gateway::start(|url, _| {
        format!(
            "[[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\nprotect = [\"/*\"]\nissuer = \"{}\"\n",
            origin.url, issuer.url
        )
    });
    let token = second.sign(&forge::claims(&issuer.url, DOMAIN)).unwrap();
    refused(&gateway.get("/").bearer(&token).send(), 401, "invalid_token");
    lime_tests::until("the new key counts", || gateway.get("/").bearer(&token).send().status == 200);
    assert_eq!(issuer.count(JWKS), 2);
}
