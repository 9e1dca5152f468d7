use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::ExposeSecret as _;

use super::*;

/// A JWT of `c1` with a signature of nobody.
fn jwt(payload: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(r#"{"alg":"ES256"}"#), part(payload), part("x"))
}

fn authorization(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

fn read(presented: &Presented<'_>) -> Result<(String, String), BadClientAuth> {
    ClientCredentials::of(presented).map(|credentials| {
        let shown = match &credentials {
            ClientCredentials::None { .. } => "none".to_owned(),
            ClientCredentials::Secret { secret, .. } => secret.expose_secret().to_owned(),
            ClientCredentials::Assertion { assertion, .. } => assertion.clone(),
        };
        (credentials.client_id().to_owned(), shown)
    })
}

#[track_caller]
fn check(presented: &Presented<'_>, client_id: &str, shown: &str) {
    assert_eq!(read(presented).unwrap(), (client_id.to_owned(), shown.to_owned()));
}

#[track_caller]
fn refuse(presented: &Presented<'_>, code: &str) {
    let refused = match read(presented).unwrap_err() {
        BadClientAuth::Request(_) => "invalid_request",
        BadClientAuth::Client(_) => "invalid_client",
    };
    assert_eq!(refused, code);
}

const NOTHING: Presented<'static> = Presented {
    authorization: None,
    client_id: None,
    client_secret: None,
    client_assertion_type: None,
    client_assertion: None,
};

#[test]
fn a_public_client_says_its_name_alone() {
    check(&Presented { client_id: Some("c1"), ..NOTHING }, "c1", "none");
    check(&Presented { client_id: Some("c1"), client_secret: Some(""), ..NOTHING }, "c1", "none");
    refuse(&NOTHING, "invalid_request");
    for client_id in ["", "c\n1", "b\u{fc}cher", &"x".repeat(2049)] {
        refuse(&Presented { client_id: Some(client_id), ..NOTHING }, "invalid_client");
    }
}

#[test]
fn a_secret_comes_in_the_header_with_both_halves_encoded() {
    for (pair, client_id, secret) in [
        ("c1:secret", "c1", "secret"),
        ("c1:a:b", "c1", "a:b"),
        ("https%3A%2F%2Fapp.example%2Fc:a+b%2B", "https://app.example/c", "a b+"),
        ("c1:a=b&c==", "c1", "a=b&c=="),
        ("c1:%C3%BC", "c1", "\u{fc}"),
    ] {
        let header = authorization(pair);
        check(&Presented { authorization: Some(&header), ..NOTHING }, client_id, secret);
        check(&Presented { authorization: Some(&header), client_id: Some(client_id), ..NOTHING }, client_id, secret);
        refuse(&Presented { authorization: Some(&header), client_id: Some("c2"), ..NOTHING }, "invalid_client");
    }
    let lower = authorization("c1:secret").replace("Basic", "bAsIc");
    check(&Presented { authorization: Some(&lower), ..NOTHING }, "c1", "secret");
}

#[test]
fn a_header_that_is_no_such_pair_is_refused() {
    for header in [
        authorization("c1"),
        authorization("c1:"),
        authorization(":secret"),
        authorization("c1:%FF"),
        "Basic".to_owned(),
        "Basic !".to_owned(),
        "Bearer abc".to_owned(),
        format!("Basic {}", STANDARD.encode([0xFF, b':', b'x'])),
    ] {
        refuse(&Presented { authorization: Some(&header), ..NOTHING }, "invalid_client");
    }
}

#[test]
fn an_assertion_names_the_client_that_signed_it() {
    let token = jwt(r#"{"sub":"c1"}"#);
    let signed = Presented { client_assertion_type: Some(ASSERTION_TYPE), client_assertion: Some(&token), ..NOTHING };
    check(&signed, "c1", &token);
    check(&Presented { client_id: Some("c1"), ..signed }, "c1", &token);
    refuse(&Presented { client_id: Some("c2"), ..signed }, "invalid_client");
    refuse(&Presented { client_assertion_type: None, ..signed }, "invalid_request");
    refuse(&Presented { client_assertion: None, ..signed }, "invalid_request");
    refuse(&Presented { client_assertion_type: Some("urn:x"), ..signed }, "invalid_client");
    for token in ["", "a.b.c", &jwt("{}"), &jwt(r#"{"sub":""}"#)] {
        refuse(&Presented { client_assertion: Some(token), ..signed }, "invalid_client");
    }
}

#[test]
fn a_client_says_in_one_way_who_it_is() {
    let (header, token) = (authorization("c1:secret"), jwt(r#"{"sub":"c1"}"#));
    let basic = Presented { authorization: Some(&header), ..NOTHING };
    let signed = Presented { client_assertion_type: Some(ASSERTION_TYPE), client_assertion: Some(&token), ..NOTHING };
    refuse(&Presented { client_secret: Some("secret"), ..basic }, "invalid_request");
    refuse(&Presented { authorization: Some(&header), ..signed }, "invalid_request");
    refuse(&Presented { client_secret: Some("secret"), ..signed }, "invalid_request");
    refuse(&Presented { client_id: Some("c1"), client_secret: Some("secret"), ..NOTHING }, "invalid_client");
}

#[test]
fn debug_shows_no_credential() {
    let header = authorization("c1:hunter2");
    let presented = Presented { authorization: Some(&header), client_secret: None, ..NOTHING };
    assert!(!format!("{presented:?}").contains(&header));
    assert!(!format!("{:?}", ClientCredentials::of(&presented).unwrap()).contains("hunter2"));
}
