use super::*;

#[track_caller]
fn check(written: &str, expected: Option<Duration>) {
    assert_eq!(parse(written).ok(), expected, "{written}");
}

#[test]
fn a_duration_is_a_whole_number_and_its_unit() {
    check("250ms", Some(Duration::from_millis(250)));
    check("30s", Some(Duration::from_secs(30)));
    check("5m", Some(Duration::from_mins(5)));
    check("24h", Some(Duration::from_hours(24)));
    check("7d", Some(Duration::from_hours(168)));
    check("0s", Some(Duration::ZERO));
}

#[test]
fn anything_else_is_no_duration() {
    for text in ["", "s", "30", "-1s", "+1s", "1.5h", "1 h", " 1h", "1h ", "1h30m", "1H", "1min", "1w", "٣s"] {
        check(text, None);
    }
    check("18446744073709551616ms", None);
    check("18446744073709551615d", None);
}

#[test]
fn a_duration_is_shown_in_its_largest_whole_unit() {
    for shortest in ["0s", "1ms", "1500ms", "1s", "90s", "2m", "1h", "25h", "1d", "7d"] {
        assert_eq!(text(parse(shortest).unwrap()), shortest);
    }
    assert_eq!(text(parse("120s").unwrap()), "2m");
}
