use super::*;

const MCP: &str = "https://tools.example/mcp";

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(1_800_000_000 + secs)
}

fn described(text: &str) -> Definition {
    Definition::read(&format!("{{\"name\":\"read\",\"description\":\"{text}\"}}"))
}

/// As a gateway asks: looks first, and takes note only if it must.
fn seen(pins: &mut Pins, text: &str, secs: u64) -> PinVerdict {
    let peeked = pins.peek(MCP, "read", &described(text), at(secs));
    let before = pins.clone();
    let verdict = pins.judge(MCP, "read", described(text), at(secs));
    if let Some(peeked) = peeked {
        assert_eq!(peeked, verdict);
        let change = |pins: &Pins| pins.pin(MCP, "read").unwrap().change.as_ref().map(|change| change.seen_at);
        assert_eq!(change(&before), change(pins), "what was peeked at changes nothing but when it was noted");
    }
    verdict
}

#[test]
fn a_tool_that_becomes_another_is_noticed_until_it_is_accepted() {
    let mut pins = Pins::default();
    assert_eq!(seen(&mut pins, "a", 0), PinVerdict::New);
    assert_eq!(seen(&mut pins, "a", 1), PinVerdict::Same);
    assert_eq!(seen(&mut pins, "b", 2), PinVerdict::Changed);
    assert_eq!(seen(&mut pins, "b", 3), PinVerdict::Changed);
    assert_eq!(pins.accept(MCP, "read", Some("0000")), Err(NotAccepted::Another));
    let hash = described("b").hash().to_owned();
    assert_eq!(pins.accept(MCP, "read", hash.get(..12)), Ok(()));
    assert_eq!(seen(&mut pins, "b", 4), PinVerdict::Same);
    assert_eq!(seen(&mut pins, "a", 5), PinVerdict::Changed, "what it was before is no longer accepted");
    assert_eq!(pins.pin(MCP, "read").unwrap().first_seen, at(0));
}

#[test]
fn a_tool_that_takes_turns_stays_changed_until_it_has_settled() {
    let mut pins = Pins::default();
    seen(&mut pins, "a", 0);
    for round in 1..10 {
        assert_eq!(seen(&mut pins, "b", 100 * round), PinVerdict::Changed);
        assert_eq!(seen(&mut pins, "a", 100 * round + 50), PinVerdict::Changed);
    }
    assert_eq!(seen(&mut pins, "a", 900 + 599), PinVerdict::Changed);
    assert_eq!(seen(&mut pins, "a", 900 + 600), PinVerdict::Same);
    assert_eq!(pins.accept(MCP, "read", None), Err(NotAccepted::Unchanged));
}

#[test]
fn the_last_change_is_the_one_to_accept() {
    let mut pins = Pins::default();
    for (text, secs) in [("a", 0), ("b", 1), ("c", 2)] {
        seen(&mut pins, text, secs);
    }
    let change = pins.pin(MCP, "read").unwrap().change.clone().unwrap();
    assert_eq!((change.definition, change.seen_at), (described("c"), at(1)));
}

#[test]
fn endpoints_do_not_share_tools() {
    let mut pins = Pins::default();
    seen(&mut pins, "a", 0);
    assert_eq!(pins.judge("https://other.example/mcp", "read", described("b"), at(1)), PinVerdict::New);
    assert_eq!(pins.accept("https://third.example/mcp", "read", None), Err(NotAccepted::Unknown));
    assert!(pins.forget(MCP, "read") && !pins.forget(MCP, "read"));
    assert_eq!(seen(&mut pins, "z", 2), PinVerdict::New);
}

#[test]
fn there_is_an_end_to_what_is_kept() {
    let mut pins = Pins::default();
    for index in 0..TOOLS_MAX {
        assert_eq!(pins.judge(MCP, &format!("t{index}"), described("a"), at(0)), PinVerdict::New);
    }
    assert_eq!(pins.judge(MCP, "one more", described("a"), at(0)), PinVerdict::NoRoom);
    let hidden = pins.hidden_at(MCP);
    assert!(hidden.hides("one more") && !hidden.hides("t7"), "what cannot be pinned can be held against nothing");
    assert!(pins.hidden_at("https://b.example").is_empty());
    assert_eq!(pins.judge(MCP, "t7", described("a"), at(0)), PinVerdict::Same);
    assert_eq!(pins.judge("https://b.example", &"n".repeat(257), described("a"), at(0)), PinVerdict::NoRoom);
    let long = |index: u32| Definition::read(&format!("{{\"i\":{index},\"d\":\"{}\"}}", "x".repeat(65_000)));
    for index in 0..300 {
        pins.judge("https://b.example", &format!("t{index}"), long(index), at(0));
    }
    assert!(pins.text_bytes <= TEXT_BYTES_MAX);
    assert_eq!(pins.judge("https://b.example", "t299", long(299), at(1)), PinVerdict::Same, "without a text too");
    assert_eq!(pins.judge("https://b.example", "t299", long(7), at(1)), PinVerdict::Changed);
    pins.accept("https://b.example", "t299", None).unwrap();
    pins.forget("https://b.example", "t0");
    assert_eq!(Pins::from(ByEndpoint::from(pins.clone())), pins, "what is kept is counted");
}

#[test]
fn what_is_kept_is_read_back_as_it_was() {
    let mut pins = Pins::default();
    seen(&mut pins, "a", 0);
    seen(&mut pins, "b", 1);
    let text = serde_json::to_string(&pins).unwrap();
    assert_eq!(serde_json::from_str::<Pins>(&text).unwrap(), pins);
}
