//! Keys are rotated while agents work: nobody notices.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use lime_tests::{IssuerSetup, Stub, forge, within};

use crate::scene::{DOMAIN, Scene};

const ROTATIONS: usize = 3;

/// T6: new keys count at once, old ones for as long as they are published, and nothing fails in between.
#[test]
fn a_rotation_under_load_fails_no_request() {
    let origin = Stub::saying("for agents");
    let issuer = IssuerSetup::default().setting("key_publish_ahead = \"3s\"").start();
    let scene = Scene::with(issuer, &origin.url, "");
    let (old, session) = (scene.token(), scene.session());
    let (ends, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let working = |credential: &(dyn Fn() -> String + Sync)| {
        while !ends.load(Ordering::Relaxed) {
            let credential = credential();
            let reply = scene.protected().bearer(&credential).send();
            let kid = forge::try_header_of(&credential);
            assert_eq!(reply.status, 200, "after {served:?} requests, signed by {kid:?}: {}", reply.text());
            served.fetch_add(1, Ordering::Relaxed);
        }
    };
    let kid = |token: &str| forge::header_of(token)["kid"].as_str().unwrap().to_owned();
    thread::scope(|scope| {
        // Whoever fails ends the others too, so that the failure is seen at once.
        let ended = Ended(&ends);
        let fresh = scope.spawn(|| {
            let _ended = Ended(&ends);
            working(&|| scene.issuer.token(&scene.agent, DOMAIN));
        });
        let kept = scope.spawn(|| {
            let _ended = Ended(&ends);
            working(&|| old.clone());
        });
        let logged_in = scope.spawn(|| {
            let _ended = Ended(&ends);
            working(&|| session.clone());
        });
        for _ in 0..ROTATIONS {
            let next = scene.issuer.operate(&["keys", "rotate"])["kid"].as_str().unwrap().to_owned();
            within(Duration::from_secs(20), "the next key signs", || {
                (ends.load(Ordering::Relaxed) || kid(&scene.token()) == next).then_some(())
            });
        }
        drop(ended);
        for worker in [fresh, kept, logged_in] {
            worker.join().unwrap();
        }
    });
    assert!(served.load(Ordering::Relaxed) > 300, "only {served:?} requests");
    assert_eq!(scene.gateway.counted("lime_gateway_jwks_unknown_kid_total"), 0);
}

/// Ends the work when it is dropped, by whatever way.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
