use super::*;

const RSA: &str = "yh_ku1SCq_BbcQ-I3Db6gsPuOq3aQ4nEunMRQ1TJ2_Q9mA0dGJcjUxPhw5-IUdpgLS3k6e-1mOhYrkOgv4mqfD3dVYDKSmTozIuYXMWElVgu\
                   tyDUYkvaM9X7ixw0M47aye-yji-xRHffPFOFCAPDW4Zjak5a8TLP_J30Hxu1KKyvFBUZyp0HLl4RE5bI0XUpzjK44en4jBhZmbtsWTS_o-Et\
                   XWJpvSbHm1EihF6xUMBox7Zk0GIURH3BSMquJsQfpzIwE5pXuroe5evrWdeKv7T8jw8zH2p1XjZZqVogEfJsMdhTW4JXASwi5npSQXnO5-cp\
                   uceL-586OyhFJWMMyw";

const RSA_OF_1024_BITS: &str = "6arILmBhZY1np9diJC6sHaWhglRyRsUx8tTCFJZm36nPMaHgsitXV6UhFluNuG60Fe_vjrCYaQmp9eH9p2qeVYnOQH1g\
                                dImi98zc6Ea5vtx3vNLC6JJtL4eWXDHOfDy6v472NsNt_xPZli4T4yAGnNFExBX9x7Kz3GmnS2whtB0";

fn rsa(modulus: &str) -> Value {
    json!({ "kty": "RSA", "kid": "r", "n": modulus, "e": "AQAB" })
}

/// The key of RFC 7517, appendix A.1.
fn p256() -> Value {
    json!({
        "kty": "EC",
        "crv": "P-256",
        "kid": "p",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    })
}

fn ed25519() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": "Ao5mWjUQ4YQd6a-mdI0OowME7XgymJFleEfMVclcIh4" })
}

fn with(mut key: Value, member: &str, value: &str) -> Value {
    key[member] = json!(value);
    key
}

#[test]
fn public_keys_of_three_kinds_are_kept_as_they_are() {
    let document = json!({ "keys": [rsa(RSA), p256(), ed25519()] }).to_string();
    let kept: Value = serde_json::from_str(&public_keys(document.as_bytes()).unwrap()).unwrap();
    assert_eq!(kept, serde_json::from_str::<Value>(&document).unwrap());
}

#[test]
fn keys_that_are_private_weak_or_not_to_sign_with_are_refused() {
    for (keys, word) in [
        (vec![], "no signature key"),
        (vec![with(p256(), "d", "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE")], "not public"),
        (vec![ed25519(), with(rsa(RSA), "dp", "AQ")], "key 2 is not public"),
        (vec![ed25519(), json!({ "kty": "oct", "k": "c2VjcmV0" })], "not public"),
        (vec![json!({ "kty": "oct", "k": "c2VjcmV0" })], "no signature key"),
        (vec![ed25519(), rsa(RSA_OF_1024_BITS)], "key 2 is none to sign with"),
        (vec![ed25519(), with(p256(), "crv", "P-384")], "key 2 is none to sign with"),
        (vec![ed25519(), with(p256(), "use", "enc")], "key 2 is none to sign with"),
        (vec![with(p256(), "kid", "x"), with(ed25519(), "kid", "x")], "shares its kid"),
    ] {
        let document = json!({ "keys": keys }).to_string();
        let refused = public_keys(document.as_bytes()).unwrap_err().to_string();
        assert!(refused.starts_with("--jwks: ") && refused.contains(word), "{word}: {refused}");
    }
    for document in ["", "[]", "{}", r#"{"keys":[],"keys":[]}"#, r#"{"keys":"x"}"#] {
        assert!(public_keys(document.as_bytes()).is_err(), "{document}");
    }
}
