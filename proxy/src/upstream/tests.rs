use std::collections::BTreeMap;

use super::*;

fn upstream(targets: &[&str], retries: u32) -> Upstream {
    let mut origin = Origin::new("http://127.0.0.1:1".parse().unwrap());
    origin.targets = targets.iter().map(|target| target.parse().unwrap()).collect();
    origin.retries = retries;
    origin.ejection.after = 1;
    Upstream::new(&origin, &"https://shop.example".parse().unwrap(), &Metrics::new().unwrap()).unwrap()
}

/// How often each target has its turn in so many requests.
fn turns(upstream: &Upstream, requests: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..requests {
        let turn = upstream.turn(Tried::default()).unwrap();
        *counts.entry(turn.target.text.to_string()).or_default() += 1;
    }
    counts
}

const THREE: [&str; 3] = ["http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"];

#[test]
fn targets_take_turns() {
    let upstream = upstream(&THREE, 1);
    assert_eq!(turns(&upstream, 30).into_values().collect::<Vec<_>>(), [10, 10, 10]);
}

#[test]
fn a_request_tries_no_target_twice_and_no_more_than_it_may() {
    for (retries, most) in [(0, 1), (1, 2), (2, 3), (5, 3)] {
        let upstream = upstream(&THREE, retries);
        let (mut tried, mut seen) = (Tried::default(), Vec::new());
        while let Some(turn) = upstream.turn(tried) {
            assert!(!seen.contains(&turn.place));
            seen.push(turn.place);
            if !upstream.failed(&turn, &mut tried) {
                break;
            }
        }
        assert_eq!(seen.len(), most, "{retries}");
    }
}

#[test]
fn a_target_that_failed_is_left_out_unless_all_have() {
    let upstream = upstream(&THREE, 0);
    let first = upstream.turn(Tried::default()).unwrap();
    upstream.failed(&first, &mut Tried::default());
    assert!(!turns(&upstream, 30).contains_key(&*first.target.text));
    for _ in 0..2 {
        let turn = upstream.turn(Tried::default()).unwrap();
        upstream.failed(&turn, &mut Tried::default());
    }
    assert_eq!(turns(&upstream, 30).len(), 3, "with all of them down, any may be up again");
    first.connected(0);
    assert_eq!(turns(&upstream, 30).len(), 1);
}

#[test]
fn connections_are_shared_only_by_those_who_speak_alike() {
    let home = tempfile::tempdir().unwrap();
    let ca = home.path().join("ca.crt");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/shop.example.crt"), &ca).unwrap();
    let target = "https://127.0.0.1:9".parse().unwrap();
    let of = |change: &dyn Fn(&mut Origin)| {
        let mut origin = Origin::new("https://127.0.0.1:9".parse().unwrap());
        change(&mut origin);
        let peer = Peers::new(&origin, &target).unwrap().at("127.0.0.1:9".parse().unwrap());
        pingora::upstreams::peer::Peer::reuse_hash(&peer)
    };
    let hashes = [
        of(&|_| {}),
        of(&|origin| origin.tls.verify = config::Verify::No),
        of(&|origin| origin.tls.server_name = Some("shop.internal".into())),
        of(&|origin| origin.tls.ca = Some(ca.clone())),
        of(&|origin| origin.protocol = config::OriginProtocol::Http2),
    ];
    let distinct: std::collections::HashSet<_> = hashes.iter().collect();
    assert_eq!(distinct.len(), hashes.len());
    assert_eq!(of(&|_| {}), hashes[0]);
}

#[test]
fn a_file_that_holds_no_certificate_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for text in ["", "x", broken] {
        let file = home.path().join("ca.crt");
        std::fs::write(&file, text).unwrap();
        let mut origin = Origin::new("https://127.0.0.1:9".parse().unwrap());
        origin.tls.ca = Some(file);
        let refused = Peers::new(&origin, &origin.targets[0]);
        assert!(matches!(refused, Err(OriginError::Authorities(..))), "{text}");
    }
}
