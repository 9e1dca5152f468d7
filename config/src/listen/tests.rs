use super::*;

#[track_caller]
fn check(written: &str, expected: &str) {
    let shown = match listen_address(written) {
        Ok(address) => address.to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(shown, expected, "{written}");
}

#[test]
fn an_address_and_a_port_are_listened_on() {
    check("127.0.0.1:8080", "127.0.0.1:8080");
    check("0.0.0.0:0", "0.0.0.0:0");
    check("[::]:443", "[::]:443");
    check("localhost:8080", "127.0.0.1:8080");
}

#[test]
fn a_port_alone_does_not_say_who_may_connect() {
    let advice = "no address in front of the port: write 127.0.0.1:80 for this machine alone, 0.0.0.0:80 for \
             everybody";
    check("80", advice);
    check(":80", advice);
}

#[test]
fn names_and_half_addresses_are_refused() {
    for text in
        ["shop.example.com:80", "127.0.0.1", "::1:80", "127.0.0.1:65536", "localhost", "localhost:x", "*:80", ""]
    {
        check(text, &BadListen::Address(text.into()).to_string());
    }
}
