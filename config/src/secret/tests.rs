use std::fs;

use secrecy::ExposeSecret as _;

use super::*;

#[track_caller]
fn check(content: &[u8], expected: Result<&str, &str>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.token");
    fs::write(&path, content).unwrap();
    let read = SecretSource::File(path.clone()).read();
    let shown = read.as_ref().map(|secret| secret.expose_secret()).map_err(ToString::to_string);
    let expected = expected.map_err(|message| message.replace("FILE", &path.display().to_string()));
    assert_eq!(shown, expected);
}

#[test]
fn one_final_line_break_is_not_part_of_a_secret() {
    check(b"gt_1", Ok("gt_1"));
    check(b"gt_1\n", Ok("gt_1"));
    check(b"gt_1\r\n", Ok("gt_1"));
    check(b"current\nprevious\n", Ok("current\nprevious"));
    check(b" gt_1 \n\n", Ok(" gt_1 \n"));
}

#[test]
fn an_empty_or_unreadable_secret_is_an_error_that_says_where() {
    let empty = Err("the secret in file FILE is empty: put the key or token there");
    check(b"", empty);
    check(b"\n", empty);
    let unreadable = Err("cannot read the secret in FILE: check that the file is there and that this user may \
             read it");
    check(b"\xff\xfe", unreadable);
    check(&[b'a'; 64 * 1024 + 1], unreadable);
    assert!(matches!(
        SecretSource::File("/nonexistent/lime".into()).read(),
        Err(SecretError::File(_, cause)) if cause.kind() == io::ErrorKind::NotFound
    ));
}

#[test]
fn the_largest_secret_is_read() {
    let content = "a".repeat(64 * 1024);
    check(content.as_bytes(), Ok(&content));
}

#[test]
fn a_secret_is_read_from_the_environment() {
    // Tests share one environment, and `set_var` is unsafe there: cargo's own variable serves.
    let secret = SecretSource::Env("CARGO_PKG_NAME".into()).read().unwrap();
    assert_eq!(secret.expose_secret(), "lime-config");
    let missing = SecretSource::Env("LIME_TEST_IS_NOT_SET".into()).read().unwrap_err();
    assert_eq!(
        missing.to_string(),
        "cannot read the secret in environment variable LIME_TEST_IS_NOT_SET: set it before the start"
    );
}
