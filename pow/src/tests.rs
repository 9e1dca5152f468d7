use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use super::*;

#[track_caller]
fn first_solution(challenge: &str, bits: u8, nonce: u64) {
    let difficulty = Difficulty::new(bits).unwrap();
    assert_eq!(solve(challenge, difficulty, 0, 1 << 20), Some(nonce));
}

#[track_caller]
fn refused(challenge: &str, nonce: &str, bits: u8, refusal: Refusal) {
    assert_eq!(check(challenge, nonce, Difficulty::new(bits).unwrap()), Err(refusal));
}

#[test]
fn the_first_nonces_are_those_of_the_published_vectors() {
    first_solution("c", 4, 36);
    first_solution("c", 15, 110_783);
    first_solution("lime-vector-1", 12, 822);
    first_solution("lime-vector-1", 16, 62_369);
}

#[test]
fn a_solution_is_accepted_up_to_the_bits_it_has_and_no_further() {
    for bits in 0..=15 {
        assert_eq!(check("c", "110783", Difficulty::new(bits).unwrap()), Ok(()));
    }
    refused("c", "110783", 40, Refusal::TooFewBits);
    refused("c", "110784", 15, Refusal::TooFewBits);
}

#[test]
fn a_solution_of_the_old_rule_without_separators_is_refused() {
    let old_rule = (0_u32..).map(|nonce| nonce.to_string()).find(|nonce| {
        let hash = Sha256::new().chain_update("c").chain_update(nonce);
        leading_zero_bits(hash) >= 15
    });
    refused("c", &old_rule.unwrap(), 15, Refusal::TooFewBits);
}

#[test]
fn a_nonce_is_one_to_twenty_digits() {
    for nonce in ["", "-1", "+1", " 1", "1 ", "1.0", "0x1", "a", "１", "1\0", "123456789012345678901"] {
        refused("c", nonce, 0, Refusal::Malformed);
    }
    for nonce in ["0", "00", "18446744073709551615", "99999999999999999999"] {
        assert_eq!(check("c", nonce, Difficulty::new(0).unwrap()), Ok(()), "{nonce}");
    }
}

#[test]
fn a_challenge_that_could_be_read_two_ways_is_refused() {
    refused("c\u{0}1", "1", 0, Refusal::Malformed);
    refused("", "1", 0, Refusal::Malformed);
    assert_eq!(solve("c\u{0}1", Difficulty::new(0).unwrap(), 0, 1), None);
}

#[test]
fn solving_stops_after_the_attempts_it_was_given_and_can_be_taken_up_again() {
    let difficulty = Difficulty::new(15).unwrap();
    assert_eq!(solve("c", difficulty, 0, 110_783), None);
    assert_eq!(solve("c", difficulty, 110_783, 1), Some(110_783));
    assert_eq!(solve("c", difficulty, u64::MAX, 10), None);
}

#[test]
fn a_difficulty_past_the_bound_cannot_be_made() {
    assert_eq!(Difficulty::new(65), None);
    assert_eq!(Difficulty::new(64), Some(Difficulty::MAX));
}

/// An answer to `challenge`, and its nonces one by one.
fn answer(challenge: &str, bits: u8) -> Vec<String> {
    let bits = Difficulty::new(bits).unwrap();
    (0..16)
        .map(|index| solve_puzzle(challenge, (Puzzles::Sixteen, index), bits, 0, 1 << 20).unwrap().to_string())
        .collect()
}

#[track_caller]
fn answered(nonces: &str, bits: u8, expected: Result<(), Refusal>) {
    assert_eq!(
        check_answer("lime-gw1.x", nonces, Difficulty::new(bits).unwrap(), Puzzles::Sixteen),
        expected,
        "{nonces}"
    );
}

#[test]
fn sixteen_puzzles_are_the_challenge_with_a_number_and_four_bits_less() {
    let nonces = answer("lime-gw1.x", 12);
    for (index, nonce) in nonces.iter().enumerate() {
        let text = format!("lime-gw1.x.{index:02}");
        assert_eq!(check(&text, nonce, Difficulty::new(8).unwrap()), Ok(()), "{text}");
        assert_eq!(solve(&text, Difficulty::new(8).unwrap(), 0, 1 << 20).unwrap().to_string(), *nonce);
    }
    answered(&nonces.join(","), 12, Ok(()));
    answered(&nonces.join(","), 30, Err(Refusal::TooFewBits));
}

#[test]
fn an_answer_has_every_nonce_once_and_in_order() {
    let nonces = answer("lime-gw1.x", 12);
    let mut swapped = nonces.clone();
    swapped.swap(0, 1);
    answered(&swapped.join(","), 12, Err(Refusal::TooFewBits));
    answered(&vec![nonces[0].clone(); 16].join(","), 12, Err(Refusal::TooFewBits));
    let bad = [
        nonces[..15].join(","),
        nonces.join(", "),
        nonces.join(";"),
        nonces.join(",") + ",",
        nonces.join(",") + ",1",
        String::from(","),
        nonces.join(",").replacen(',', "6.5,", 1),
        String::new(),
        "1".repeat(1 << 20),
    ];
    for answer in bad {
        answered(&answer, 12, Err(Refusal::Malformed));
    }
}

#[test]
fn one_puzzle_is_the_challenge_itself() {
    let bits = Difficulty::new(15).unwrap();
    assert_eq!(check_answer("c", "110783", bits, Puzzles::One), Ok(()));
    assert_eq!(check_answer("c", "110783,1", bits, Puzzles::One), Err(Refusal::Malformed));
    assert_eq!(solve_puzzle("c", (Puzzles::One, 0), bits, 0, 1 << 20), Some(110_783));
    assert_eq!(solve_puzzle("c", (Puzzles::One, 1), bits, 0, 1 << 20), None);
    assert_eq!(Puzzles::Sixteen.each(Difficulty::new(3).unwrap()).bits(), 0);
    assert_eq!((Puzzles::new(2), Puzzles::new(16)), (None, Some(Puzzles::Sixteen)));
}

#[test]
fn the_vectors_that_all_solvers_share_are_those_of_this_one() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../vectors.json")).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert!(vectors.len() > 500);
    for vector in vectors {
        let number = |name: &str| vector[name].as_u64().unwrap();
        let bits = Difficulty::new(u8::try_from(number("bits")).unwrap()).unwrap();
        let found = solve(vector["text"].as_str().unwrap(), bits, number("start"), number("attempts"));
        assert_eq!(found, vector["nonce"].as_u64(), "{vector}");
    }
}
