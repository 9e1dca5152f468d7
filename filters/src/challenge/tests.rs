use config::Require;

use super::*;
use crate::stage::{NOW, ago, seconds};

const HOST: &str = "shop.example.com";

fn client(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn policy() -> Policy {
    let mut policy = Policy::new("people", Require::Cleared);
    policy.challenge.bits = 8;
    policy
}

fn challenger_of(secret: u8, previous: Option<u8>, process: u8, began: UnixTime) -> Challenger {
    let previous = previous.map(|byte| [byte; 32]);
    Challenger::new(ChallengeKeys::new(&[secret; 32], previous.as_ref()), [process; 8], began, Fleet::Shared)
}

fn challenger() -> Challenger {
    challenger_of(1, None, 1, ago(3600))
}

fn stranger() -> Stranger<'static> {
    Stranger { host: HOST, client: client("192.0.2.1"), now: NOW, elapsed: seconds(1_000) }
}

fn made(challenger: &Challenger, puzzles: Puzzles) -> Made {
    challenger.set_work(&stranger(), &policy(), (8, 24), puzzles, Bound::Network)
}

fn solved(made: &Made) -> String {
    let bits = Difficulty::new(made.bits).unwrap();
    let nonce = |index| pow::solve_puzzle(&made.text, (made.puzzles, index), bits, 0, u64::MAX).unwrap().to_string();
    (0..made.puzzles.count()).map(nonce).collect::<Vec<_>>().join(",")
}

fn redeem(challenger: &Challenger, text: &str, nonces: &str, by: &Stranger<'_>) -> Result<Granted, ProofRefusal> {
    challenger.redeem(&Proof { challenge: text, nonces }, by, [&policy()].into_iter(), 0)
}

#[track_caller]
fn refused(challenger: &Challenger, made: &Made, by: &Stranger<'_>, refusal: ProofRefusal) {
    assert_eq!(redeem(challenger, &made.text, &solved(made), by).unwrap_err(), refusal);
}

#[test]
fn work_buys_a_clearance_once() {
    let challenger = challenger();
    for puzzles in [Puzzles::One, Puzzles::Sixteen] {
        let made = made(&challenger, puzzles);
        assert_eq!((made.text.len(), made.text.starts_with("lime-gw1.")), (116, true));
        let by = Stranger { now: NOW.plus(seconds(3)), ..stranger() };
        let granted = redeem(&challenger, &made.text, &solved(&made), &by).unwrap();
        assert_eq!((granted.took, granted.lives), (seconds(3), Duration::from_hours(1)));
        let cleared = challenger.admit(&granted.text, &by).unwrap();
        assert_eq!((cleared.bits, cleared.earned, cleared.requests(&policy().challenge)), (8, Earned::Work, 300));
        refused(&challenger, &made, &by, ProofRefusal::Spent);
    }
}

#[test]
fn of_a_thousand_at_once_one_is_cleared() {
    let challenger = challenger();
    let made = made(&challenger, Puzzles::Sixteen);
    let nonces = solved(&made);
    let cleared: usize = std::thread::scope(|scope| {
        let one = || (0..125).filter(|_| redeem(&challenger, &made.text, &nonces, &stranger()).is_ok()).count();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(cleared, 1);
}

#[test]
fn every_bit_of_a_challenge_and_of_a_clearance_counts() {
    let challenger = challenger();
    let made = made(&challenger, Puzzles::One);
    let granted = redeem(&challenger, &made.text, &solved(&made), &stranger()).unwrap();
    let altered = |text: &str, place: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let fresh = self::made(&challenger, Puzzles::One);
    for place in 0..fresh.text.len() {
        let text = altered(&fresh.text, place);
        assert_eq!(redeem(&challenger, &text, &solved(&fresh), &stranger()).unwrap_err(), ProofRefusal::Foreign);
    }
    for place in 0..granted.text.len() {
        assert_eq!(challenger.admit(&altered(&granted.text, place), &stranger()).unwrap_err(), ProofRefusal::Foreign);
    }
    for text in [
        String::new(),
        fresh.text.clone() + "=",
        fresh.text.clone() + "A",
        fresh.text.strip_suffix(|_: char| true).unwrap().to_owned(),
    ] {
        assert_eq!(redeem(&challenger, &text, "1", &stranger()).unwrap_err(), ProofRefusal::Foreign, "{text}");
    }
    // Neither is ever taken for the other.
    assert_eq!(challenger.admit(&fresh.text, &stranger()).unwrap_err(), ProofRefusal::Foreign);
    let as_clearance = fresh.text.replace("lime-gw1.", "lc1.");
    assert_eq!(challenger.admit(&as_clearance, &stranger()).unwrap_err(), ProofRefusal::Foreign);
    let as_challenge = granted.text.replace("lc1.", "lime-gw1.");
    assert_eq!(redeem(&challenger, &as_challenge, "1", &stranger()).unwrap_err(), ProofRefusal::Foreign);
}

#[test]
fn time_is_over_when_it_is_and_stays_so() {
    let challenger = challenger();
    let made = made(&challenger, Puzzles::One);
    let at = |now| Stranger { now, ..stranger() };
    refused(&challenger, &made, &at(NOW.plus(seconds(121))), ProofRefusal::Expired);
    refused(&challenger, &made, &at(ago(6)), ProofRefusal::Expired);
    // At the very end, and with a clock that is a little behind.
    redeem(&challenger, &made.text, &solved(&made), &at(NOW.plus(seconds(120)))).unwrap();
    // A clock that is set back an hour does not bring back what was forgotten.
    let late = challenger.set_work(&at(NOW.plus(seconds(3600))), &policy(), (8, 24), Puzzles::One, Bound::Network);
    redeem(&challenger, &late.text, &solved(&late), &at(NOW.plus(seconds(3600)))).unwrap();
    refused(&challenger, &made, &at(NOW.plus(seconds(60))), ProofRefusal::Spent);
}

#[test]
fn a_clearance_ends() {
    let challenger = challenger();
    let made = made(&challenger, Puzzles::One);
    let granted = redeem(&challenger, &made.text, &solved(&made), &stranger()).unwrap();
    let at = |now| challenger.admit(&granted.text, &Stranger { now, ..stranger() });
    assert!(at(NOW.plus(seconds(3599))).is_ok());
    assert_eq!(at(NOW.plus(seconds(3600))).unwrap_err(), ProofRefusal::Expired);
}

#[test]
fn what_was_made_elsewhere_counts_elsewhere() {
    let challenger = challenger();
    let elsewhere = Stranger { host: "other.example.com", ..stranger() };
    refused(&challenger, &made(&challenger, Puzzles::One), &elsewhere, ProofRefusal::OtherPlace);
    let made = made(&challenger, Puzzles::One);
    let other = Policy { name: "others".into(), ..policy() };
    let proof = Proof { challenge: &made.text, nonces: &solved(&made) };
    assert_eq!(challenger.redeem(&proof, &stranger(), [&other].into_iter(), 0).unwrap_err(), ProofRefusal::OtherPlace);
    let granted = redeem(&challenger, &made.text, &solved(&made), &stranger()).unwrap();
    assert_eq!(challenger.admit(&granted.text, &elsewhere).unwrap_err(), ProofRefusal::OtherPlace);
}

#[test]
fn a_network_is_softly_bound() {
    let challenger = challenger();
    let from = |text: &str| Stranger { client: client(text), ..stranger() };
    let made = made(&challenger, Puzzles::One);
    refused(&challenger, &made, &from("198.51.100.1"), ProofRefusal::OtherNetwork);
    refused(&challenger, &made, &from("2001:db8::1"), ProofRefusal::OtherNetwork);
    // The neighbour is the same, and so is IPv4 within IPv6.
    let granted = redeem(&challenger, &made.text, &solved(&made), &from("::ffff:192.0.2.77")).unwrap();
    assert!(challenger.admit(&granted.text, &from("192.0.2.5")).is_ok());
    assert_eq!(challenger.admit(&granted.text, &from("198.51.100.1")).unwrap_err(), ProofRefusal::OtherNetwork);
    // Whoever moves between two is asked for a little more, and then counts in both.
    let both = challenger.set_work(&from("198.51.100.1"), &policy(), (8, 24), Puzzles::One, Bound::Nowhere);
    assert_eq!(both.bits, 10);
    let granted = redeem(&challenger, &both.text, &solved(&both), &from("2001:db8::1")).unwrap();
    for network in ["192.0.2.1", "198.51.100.1", "2001:db8::1"] {
        assert!(challenger.admit(&granted.text, &from(network)).is_ok(), "{network}");
    }
}

#[test]
fn a_process_takes_its_own_and_what_others_made_since_it_began() {
    let (first, second) = (challenger_of(1, None, 1, ago(3600)), challenger_of(1, None, 2, ago(60)));
    let of_first = made(&first, Puzzles::One);
    assert!(redeem(&second, &of_first.text, &solved(&of_first), &stranger()).is_ok(), "another node of the fleet");
    let restarted = challenger_of(1, None, 3, NOW);
    refused(&restarted, &of_first, &stranger(), ProofRefusal::BeforeStart);
    // Alone, everything that others made was made before, whatever the clock says.
    let alone = Challenger::new(ChallengeKeys::new(&[1; 32], None), [4; 8], ago(3600), Fleet::Alone);
    refused(&alone, &of_first, &stranger(), ProofRefusal::BeforeStart);
    let own = made(&restarted, Puzzles::One);
    assert!(redeem(&restarted, &own.text, &solved(&own), &stranger()).is_ok());
    refused(&challenger_of(2, None, 1, ago(3600)), &of_first, &stranger(), ProofRefusal::Foreign);
}

#[test]
fn a_secret_is_replaced_without_breaking_work_in_flight() {
    let old = challenger_of(1, None, 1, ago(3600));
    let made = made(&old, Puzzles::One);
    let granted = {
        let made = self::made(&old, Puzzles::One);
        redeem(&old, &made.text, &solved(&made), &stranger()).unwrap()
    };
    let replaced = challenger_of(2, Some(1), 2, ago(60));
    assert!(redeem(&replaced, &made.text, &solved(&made), &stranger()).is_ok());
    assert!(replaced.admit(&granted.text, &stranger()).is_ok());
    let twice = challenger_of(3, Some(2), 3, ago(60));
    refused(&twice, &made, &stranger(), ProofRefusal::Foreign);
}

#[test]
fn who_cannot_work_waits() {
    let challenger = challenger();
    let ticket = challenger.set_wait(&stranger(), &policy(), 8, seconds(5), Bound::Network);
    let at = |after| redeem(&challenger, &ticket, "", &Stranger { now: NOW.plus(seconds(after)), ..stranger() });
    assert_eq!(at(4).unwrap_err(), ProofRefusal::TooEarly);
    let granted = at(5).unwrap();
    assert_eq!((granted.cleared.earned, granted.lives), (Earned::Patience, Duration::from_mins(15)));
    assert_eq!(granted.cleared.requests(&policy().challenge), 75);
    assert_eq!(at(6).unwrap_err(), ProofRefusal::Spent);
    // Waiting is no solution of a challenge to work.
    let made = made(&challenger, Puzzles::Sixteen);
    assert_eq!(redeem(&challenger, &made.text, "", &stranger()).unwrap_err(), ProofRefusal::Malformed);
}

#[test]
fn a_network_that_solves_much_is_asked_for_more() {
    let challenger = challenger();
    for (solved_so_far, surcharge) in [(0, 0), (31, 0), (32, 1), (64, 2), (128, 3), (256, 4), (4096, 4)] {
        let known = challenger.count.load(Ordering::Relaxed);
        for _ in known..solved_so_far {
            let made = made(&challenger, Puzzles::One);
            let by = Stranger { elapsed: seconds(1_000), ..stranger() };
            redeem(&challenger, &made.text, &solved(&made), &by).unwrap();
        }
        assert_eq!(challenger.surcharge(&stranger()), surcharge, "{solved_so_far}");
    }
    let most = challenger.set_work(&stranger(), &policy(), (21, 22), Puzzles::One, Bound::Network);
    assert_eq!(most.bits, 22);
    assert_eq!(challenger.surcharge(&Stranger { client: client("198.51.100.1"), ..stranger() }), 0);
    assert_eq!(challenger.surcharge(&Stranger { client: None, ..stranger() }), 0);
    assert_eq!(challenger.surcharge(&Stranger { elapsed: seconds(1_400), ..stranger() }), 0, "it is forgotten");
}

#[test]
fn nothing_is_kept_of_a_challenge_that_was_only_made() {
    let challenger = challenger();
    for _ in 0..100_000 {
        made(&challenger, Puzzles::Sixteen);
    }
    assert_eq!(challenger.spent.fullness(), 0);
    assert_eq!(challenger.surcharge(&stranger()), 0);
}
