//! `kill -9` of the issuer, at any moment, loses no approve that was acknowledged.

use std::collections::HashMap;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use lime_tests::{Agent, Issuer, IssuerSetup, Registered, Stream, forge, rounds};
use serde_json::Value;

/// Logins that are approved in a round, as fast as the issuer takes them.
const LOGINS: usize = 8;

struct Crash {
    issuer: Issuer,
    site: Registered,
    agent: Agent,
    /// The `jti` under which each login was first seen.
    seen: HashMap<String, Value>,
    acknowledged: usize,
    cut_short: usize,
    /// How long all approves of a round last took, when they were let.
    all_took: Duration,
}

impl Crash {
    fn of(issuer: Issuer) -> Self {
        let owner = issuer.owner();
        let site = issuer.site(&owner, "https://shop.lime.test");
        let agent = issuer.agent(&owner, &[&site.id]);
        Self {
            issuer,
            site,
            agent,
            seen: HashMap::new(),
            acknowledged: 0,
            cut_short: 0,
            all_took: Duration::from_secs(1),
        }
    }

    /// Approves logins while the issuer is killed after a part of the time that takes, and looks what is left of them.
    fn round(&mut self, part: f64) {
        let logins: Vec<(String, String)> = (0..LOGINS)
            .map(|_| self.issuer.open_login(&self.site))
            .map(|id| (id.clone(), self.issuer.challenge(&id).solve()))
            .collect();
        let mut before = self.issuer.events(&self.site);
        let acknowledged = self.approve_until_killed(&logins, self.all_took.mul_f64(part));
        self.note(&mut before, &acknowledged, Duration::from_millis(1));

        self.issuer.restart();
        let mut after = self.issuer.events(&self.site);
        for id in &acknowledged {
            let passport = after.passport(id);
            self.same_jti(id, &passport);
        }
        // Whatever became of the others: approved now, by the same agent and nonce, they come under one jti too.
        for (id, nonce) in &logins {
            let again = self.issuer.approve(id, &self.agent, nonce).send();
            assert_eq!(again.status, 200, "{id}: {}", again.text());
            if !acknowledged.contains(id) {
                let passport = after.passport(id);
                self.same_jti(id, &passport);
            }
        }
        self.acknowledged += acknowledged.len();
        self.cut_short += usize::from(acknowledged.len() < LOGINS);
    }

    /// Gives the logins whose approve was answered with 200.
    fn approve_until_killed(&mut self, logins: &[(String, String)], moment: Duration) -> Vec<String> {
        let (sender, receiver) = channel();
        let (issuer, agent) = (&self.issuer, &self.agent);
        let approves: Vec<_> =
            logins.iter().map(|(id, nonce)| (id.clone(), issuer.approve(id, agent, nonce))).collect();
        let approving = thread::spawn(move || {
            for (id, approve) in approves {
                let Ok(reply) = approve.try_send() else { return };
                assert_eq!(reply.status, 200, "{}", reply.text());
                sender.send(id).unwrap();
            }
        });
        let started = Instant::now();
        let deadline = started + moment;
        let mut acknowledged = Vec::new();
        while let Ok(id) = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            acknowledged.push(id);
        }
        if acknowledged.len() == LOGINS {
            self.all_took = started.elapsed();
        }
        self.issuer.process.kill();
        approving.join().unwrap();
        acknowledged.extend(receiver);
        acknowledged
    }

    /// Notes what the stream that died had brought.
    fn note(&mut self, stream: &mut Stream, ids: &[String], limit: Duration) {
        while let Some(event) = stream.next(limit, |event| event["type"] == "approved") {
            let id = event["login_request_id"].as_str().unwrap();
            if ids.iter().any(|known| known == id) {
                self.same_jti(id, event["agent_passport_jwt"].as_str().unwrap());
            }
        }
    }

    fn same_jti(&mut self, id: &str, passport: &str) {
        let claims = forge::claims_of(passport);
        assert_eq!(claims["request_id"], id);
        let first = self.seen.entry(id.to_owned()).or_insert_with(|| claims["jti"].clone());
        assert_eq!(*first, claims["jti"], "{id} came under two jti");
    }
}

#[track_caller]
fn check(issuer: Issuer, rounds: usize) {
    let mut crash = Crash::of(issuer);
    for round in 0..rounds {
        // From at once to when all are approved, evenly and in an order that is no ramp: steps of the golden ratio.
        let step = f64::from(u32::try_from(round).unwrap()) * 0.618_033_988_749_895;
        crash.round(1.0 - step.fract());
    }
    assert!(crash.acknowledged > 0, "no approve was ever acknowledged");
    assert!(crash.cut_short > rounds / 4, "only {} of {rounds} rounds were cut short", crash.cut_short);
}

#[test]
fn an_acknowledged_approve_outlives_a_kill() {
    check(Issuer::start(), rounds(60));
}

#[test]
fn an_acknowledged_approve_outlives_a_kill_with_a_store_in_postgresql() {
    if let Some(setup) = IssuerSetup::default().on_postgres() {
        check(setup.start(), rounds(10));
    }
}
