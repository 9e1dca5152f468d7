use config::LimitPer;

use super::*;

fn limit(rate: &str, burst: u32) -> Limit {
    Limit { per: LimitPer::Agent, rate: rate.parse().unwrap(), burst }
}

fn is_granted(allowance: Allowance) -> bool {
    allowance.granted == Granted::Yes
}

#[test]
fn a_burst_is_let_through_and_then_the_rate() {
    let (limiter, limit) = (Limiter::new(), limit("60/m", 3));
    let at = |millis: u64| limiter.take(1, b"a", &limit, Duration::from_millis(millis));
    let left: Vec<u32> = (0..3).map(|_| at(5_000).left).collect();
    assert_eq!(left, [2, 1, 0]);
    let refused = at(5_000);
    assert_eq!(refused.granted, Granted::No { retry_after: Duration::from_secs(1) });
    assert_eq!(refused.full_after, Duration::from_secs(3));
    assert!(!is_granted(at(5_999)));
    assert!(is_granted(at(6_000)));
    assert!(!is_granted(at(6_000)));
    // Long silence fills it up, and no further.
    let left: Vec<u32> = (0..3).map(|_| at(1_000_000).left).collect();
    assert_eq!(left, [2, 1, 0]);
    assert!(!is_granted(at(1_000_000)));
}

#[test]
fn keys_and_limits_are_apart() {
    let (limiter, limit) = (Limiter::new(), limit("1/h", 1));
    for (scope, subject) in [(1, &b"a"[..]), (1, b"b"), (2, b"a"), (2, b"b"), (1, b"")] {
        assert!(is_granted(limiter.take(scope, subject, &limit, Duration::ZERO)));
        assert!(!is_granted(limiter.take(scope, subject, &limit, Duration::ZERO)));
    }
}

#[test]
fn no_key_gets_more_than_its_limit_however_it_asks() {
    // A generator of odd steps, so that each run is the same.
    let mut state = 7_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for (rate, burst) in [("10/s", 1), ("10/s", 25), ("600/m", 10), ("3/s", 2)] {
        let (limiter, limit) = (Limiter::new(), limit(rate, burst));
        let step = limit.rate.period.as_secs() * 1000 / u64::from(limit.rate.count);
        let (mut now, mut granted) = (0, Vec::new());
        for _ in 0..5_000 {
            now += random(step * 2);
            if is_granted(limiter.take(1, b"a", &limit, Duration::from_millis(now))) {
                granted.push(now);
            }
        }
        for (index, start) in granted.iter().enumerate() {
            for (count, end) in granted[index..].iter().enumerate().step_by(97) {
                let most = (end - start) / step + u64::from(burst) + 1;
                assert!(count as u64 <= most, "{rate} {burst}: {count} in {} ms", end - start);
            }
        }
    }
}

#[test]
fn a_million_strangers_take_no_more_memory_and_nobody_is_forgotten() {
    let (limiter, limit) = (Limiter::new(), limit("1/d", 1));
    assert!(is_granted(limiter.take(1, b"known", &limit, Duration::ZERO)));
    for stranger in 0..1_000_000_u32 {
        let _ = limiter.take(1, &stranger.to_le_bytes(), &limit, Duration::from_secs(1));
    }
    assert!(!is_granted(limiter.take(1, b"known", &limit, Duration::from_secs(2))));
}

#[test]
fn ten_thousand_keys_hardly_meet() {
    let (limiter, limit) = (Limiter::new(), limit("1/d", 1));
    let refused =
        (0..10_000_u32).filter(|key| !is_granted(limiter.take(1, &key.to_le_bytes(), &limit, Duration::ZERO)));
    let refused = refused.count();
    assert!(refused < 30, "{refused} of 10,000");
}

#[test]
fn a_thousand_threads_of_one_key_share_its_limit() {
    let (limiter, limit) = (Limiter::new(), limit("1/d", 50));
    let granted: usize = std::thread::scope(|scope| {
        let ask = || (0..100).filter(|_| is_granted(limiter.take(1, b"a", &limit, Duration::from_secs(9)))).count();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(granted, 50);
}
