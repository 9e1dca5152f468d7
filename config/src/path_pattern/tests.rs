use super::*;

#[track_caller]
fn check(pattern: &str, matching: &[&str], others: &[&str]) {
    let parsed: PathPattern = pattern.parse().unwrap();
    assert_eq!(parsed.to_string(), pattern);
    for path in matching {
        assert!(parsed.matches(path.as_bytes()), "{pattern} is for {path}");
    }
    for path in others {
        assert!(!parsed.matches(path.as_bytes()), "{pattern} is not for {path}");
    }
}

#[test]
fn a_pattern_is_for_a_path_or_a_folder() {
    check("/a", &["/a", "/a/"], &["/", "/a//", "/a/b", "/ab", "/A", "/%61", ""]);
    check("/a/", &["/a/"], &["/a", "/a/b"]);
    check("/", &["/"], &["", "/a"]);
    check("/a/*", &["/a", "/a/", "/a/b", "/a/b/c", "/a//"], &["/", "/ab", "/ab/c", "/b/a", ""]);
    check("/a/b/*", &["/a/b", "/a/b/c"], &["/a", "/a/bc"]);
    check("/*", &["/", "/a", "/a/b", "*", ""], &[]);
    check("/a.b/~c-d_e!$&'()+,=:@", &["/a.b/~c-d_e!$&'()+,=:@"], &[]);
    check("/.well-known/x..y", &["/.well-known/x..y"], &[]);
}

#[track_caller]
fn refuse(pattern: &str, reason: BadPathPattern) {
    assert_eq!(pattern.parse::<PathPattern>(), Err(reason), "{pattern}");
}

#[test]
fn a_pattern_that_servers_could_read_in_two_ways_is_refused() {
    refuse("", BadPathPattern::NoLeadingSlash);
    refuse("a/*", BadPathPattern::NoLeadingSlash);
    refuse("*", BadPathPattern::NoLeadingSlash);
    refuse("https://shop.example.com/a", BadPathPattern::NoLeadingSlash);
    refuse("/a*", BadPathPattern::Star);
    refuse("/*/a", BadPathPattern::Star);
    refuse("/a/**", BadPathPattern::Star);
    refuse("/*/*", BadPathPattern::Star);
    refuse("/a?b", BadPathPattern::Query);
    refuse("/a#b", BadPathPattern::Query);
    refuse("/a%2fb", BadPathPattern::Character('%'));
    refuse("/a b", BadPathPattern::Character(' '));
    refuse("/a\\b", BadPathPattern::Character('\\'));
    refuse("/a;b", BadPathPattern::Character(';'));
    refuse("/a\0", BadPathPattern::Character('\0'));
    refuse("/kök/*", BadPathPattern::Character('ö'));
    refuse("/./a", BadPathPattern::DotSegment);
    refuse("/a/..", BadPathPattern::DotSegment);
    refuse("/a/../*", BadPathPattern::DotSegment);
    refuse("//", BadPathPattern::DoubleSlash);
    refuse("/a//b", BadPathPattern::DoubleSlash);
    refuse("/a//*", BadPathPattern::DoubleSlash);
    refuse("//*", BadPathPattern::DoubleSlash);
}
