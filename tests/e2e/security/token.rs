//! Group T: which tokens count. Which keys do is in `key_set.rs`.

use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256};
use lime_tests::forge::Forger;
use lime_tests::{Answer, Stub, forge};
use serde_json::{Value, json};

use super::{Shop, check, claims, forger, with, without};

/// T1: the algorithm is the key's. No other, in no spelling, and no header that asks for more than we know.
#[test]
fn the_algorithm_is_the_keys_and_never_the_tokens() {
    let shop = Shop::new();
    let good = shop.token();
    let header = |name: &str, value: Value| with(forger().header(), name, value);
    let sign = |header: &Value| forger().sign(header, &shop.claims());
    let text = |algorithm, alg: &str| {
        let header = header("alg", json!(alg)).to_string();
        forger().sign_text(algorithm, &header, &shop.claims().to_string())
    };
    let jwks = json!({ "keys": [forger().jwk()] }).to_string();
    for (what, token) in [
        ("none", forge::with_alg_none(&good)),
        ("none with a signature", sign(&header("alg", json!("none")))),
        ("None", sign(&header("alg", json!("None")))),
        ("HS256 with the key set", forge::with_hs256(&good, jwks.as_bytes())),
        ("HS256 with the modulus", forge::with_hs256(&good, forger().jwk()["n"].as_str().unwrap().as_bytes())),
        ("RS384", text(&RSA_PKCS1_SHA384, "RS384")),
        ("RS512", text(&RSA_PKCS1_SHA512, "RS512")),
        ("PS256", text(&RSA_PSS_SHA256, "PS256")),
        ("RS384 called RS256", text(&RSA_PKCS1_SHA384, "RS256")),
        ("PS256 called RS256", text(&RSA_PSS_SHA256, "RS256")),
        ("RS256 called RS384", text(&RSA_PKCS1_SHA256, "RS384")),
        ("ES256", text(&RSA_PKCS1_SHA256, "ES256")),
        ("rs256", sign(&header("alg", json!("rs256")))),
        ("a list", sign(&header("alg", json!(["RS256"])))),
        ("no algorithm", sign(&without(forger().header(), "alg"))),
        ("no type", sign(&without(forger().header(), "typ"))),
        ("the type of a login", sign(&header("typ", json!("lime-login+jwt")))),
        ("JWT", sign(&header("typ", json!("JWT")))),
        ("another family", sign(&header("typ", json!("text/at+jwt")))),
        ("crit", sign(&with(header("crit", json!(["exp"])), "exp", json!(1)))),
        ("crit of nothing", sign(&header("crit", json!([])))),
        ("b64", sign(&with(header("crit", json!(["b64"])), "b64", json!(false)))),
        ("two algorithms", {
            let header = forger().header().to_string().replacen('{', "{\"alg\":\"none\",", 1);
            forger().sign_text(&RSA_PKCS1_SHA256, &header, &shop.claims().to_string())
        }),
        ("a padded signature", format!("{good}==")),
        ("a byte more", format!("{good}A")),
        ("no signature", format!("{}.", good.rsplit_once('.').unwrap().0)),
    ] {
        check(what, &shop.shows(&token), 401, "invalid_token");
    }
    assert_eq!(shop.echo.count(), 0);
    assert_eq!(shop.shows(&sign(&header("typ", json!("application/AT+jwt")))).status, 200, "RFC 7515 §4.1.9");
    assert_eq!(shop.shows(&good).status, 200);
}

/// T2: times are whole seconds and all there, and the audience is ours.
#[test]
fn a_claim_that_is_missing_or_of_another_type_is_refused() {
    let shop = Shop::new();
    let now = forge::now().as_secs();
    let strange = [json!(null), json!(now.to_string()), json!([now]), json!(-1), json!(1e30), json!(true), json!({})];
    for claim in ["exp", "iat", "nbf"] {
        if claim != "nbf" {
            check(claim, &shop.shows(&forger().token(&without(shop.claims(), claim))), 401, "invalid_token");
        }
        let fraction = json!(now as f64 + 0.5);
        for value in strange.iter().chain([&fraction]) {
            // An absent `nbf` is fine, and JSON's null is as good as absent.
            if claim == "nbf" && value.is_null() {
                continue;
            }
            let token = forger().token(&with(shop.claims(), claim, value.clone()));
            check(&format!("{claim} {value}"), &shop.shows(&token), 401, "invalid_token");
        }
    }
    for (what, claims) in [
        ("no audience", without(shop.claims(), "aud")),
        ("another audience", with(shop.claims(), "aud", json!("lime-site-login"))),
        ("an empty list", with(shop.claims(), "aud", json!([]))),
        ("a list of others", with(shop.claims(), "aud", json!(["a", "b"]))),
        ("a list of lists", with(shop.claims(), "aud", json!([["mcp"]]))),
        ("an object", with(shop.claims(), "aud", json!({ "mcp": true }))),
        ("a number", with(shop.claims(), "aud", json!(1))),
        ("a longer one", with(shop.claims(), "aud", json!("mcp2"))),
        ("another case", with(shop.claims(), "aud", json!("MCP"))),
        ("no domain", without(shop.claims(), "domain")),
        ("no subject", without(shop.claims(), "sub")),
        ("ended", with(with(shop.claims(), "iat", json!(now - 600)), "exp", json!(now - 121))),
        ("not begun", with(shop.claims(), "nbf", json!(now + 200))),
        ("signed tomorrow", with(with(shop.claims(), "iat", json!(now + 200)), "exp", json!(now + 300))),
        ("a day long", with(shop.claims(), "exp", json!(now + 86_400))),
        ("ended before it began", with(shop.claims(), "exp", json!(now - 1))),
    ] {
        check(what, &shop.shows(&forger().token(&claims)), 401, "invalid_token");
    }
    let twice = shop.claims().to_string().replacen('{', "{\"sub\":\"admin\",", 1);
    let twice = forger().sign_text(&RSA_PKCS1_SHA256, &forger().header().to_string(), &twice);
    check("a claim twice", &shop.shows(&twice), 401, "invalid_token");
    assert_eq!(shop.echo.count(), 0);
    let listed = forger().token(&with(shop.claims(), "aud", json!(["other", "mcp"])));
    assert_eq!(shop.shows(&listed).status, 200, "a list that contains it");
}

/// T3: the key is looked up by its name among those published, and nothing else in a header leads to one.
#[test]
fn no_header_leads_to_another_key() {
    let shop = Shop::new();
    let stranger = Forger::new("stranger");
    let bait = Stub::start({
        let document = json!({ "keys": [stranger.jwk()] });
        move |_| Answer::json(200, &document)
    });
    let kid = |value: Value| with(forger().header(), "kid", value);
    let inside = |forger: &Forger, member: &str, value: Value| {
        forger.sign(&with(forger.header(), member, value), &shop.claims())
    };
    for (what, token) in [
        ("no name", forger().sign(&without(forger().header(), "kid"), &shop.claims())),
        ("an unknown one", forger().sign(&kid(json!("key-2")), &shop.claims())),
        ("another case", forger().sign(&kid(json!("KEY-1")), &shop.claims())),
        ("a long one", forger().sign(&kid(json!("k".repeat(10 * 1024))), &shop.claims())),
        ("a path", forger().sign(&kid(json!("../../etc/passwd")), &shop.claims())),
        ("a URL", forger().sign(&kid(json!(bait.url)), &shop.claims())),
        ("SQL", forger().sign(&kid(json!("' OR '1'='1")), &shop.claims())),
        ("a number", forger().sign(&kid(json!(1)), &shop.claims())),
        ("a list", forger().sign(&kid(json!(["key-1"])), &shop.claims())),
        ("a key of its own", inside(&stranger, "jwk", stranger.jwk())),
        ("a key set of its own", inside(&stranger, "jku", json!(format!("{}/jwks.json", bait.url)))),
        ("a certificate of its own", inside(&stranger, "x5u", json!(format!("{}/x.pem", bait.url)))),
        ("a certificate in it", inside(&stranger, "x5c", json!(["MIIB"]))),
        ("a stranger under a known name", stranger.sign(&kid(json!("key-1")), &shop.claims())),
    ] {
        check(what, &shop.shows(&token), 401, "invalid_token");
    }
    assert_eq!((shop.echo.count(), bait.received().len()), (0, 0), "nothing is fetched from anywhere else");
    // Beside a key that counts, these are ignored.
    let harmless = inside(forger(), "jku", json!(format!("{}/jwks.json", bait.url)));
    assert_eq!(shop.shows(&harmless).status, 200);
    assert!(bait.received().is_empty());
}

/// T7: one place, one way to write it; a query and a stranger's cookie are none.
#[test]
fn a_credential_is_read_in_its_places_and_nowhere_else() {
    let shop = Shop::new();
    let token = shop.token();
    for fields in [
        format!("Authorization: Bearer {token}"),
        format!("authorization: bearer {token}"),
        format!("AUTHORIZATION:BEARER {token}"),
        format!("Authorization:   Bearer    {token}   "),
        format!("Authorization: Bearer\t{token}"),
        format!("Lime-Authorization: Bearer {token}"),
        format!("Lime-Authorization: Bearer {token}\r\nAuthorization: Basic YWxpY2U6c2VjcmV0"),
    ] {
        let reply = shop.say("GET /agents/x", &format!("{fields}\r\n"));
        assert_eq!(reply.status, 200, "{}: {}", fields.replace(&token, "TOKEN"), reply.text());
    }
    assert_eq!(shop.echo.last().value("authorization").as_deref(), Some("Basic YWxpY2U6c2VjcmV0"), "the site's own");
    let before = shop.echo.count();
    for (line, fields, status, reason) in [
        (format!("GET /agents/x?access_token={token}"), String::new(), 401, "passport_required"),
        // On loopback our cookie has a plain name, and so has a site's: what is no session is the site's.
        ("GET /agents/x".to_owned(), format!("Cookie: lime={token}\r\n"), 401, "passport_required"),
        ("GET /agents/x".to_owned(), format!("Cookie: lime=ls1.{token}\r\n"), 401, "invalid_token"),
        (
            "GET /agents/x".to_owned(),
            format!("Cookie: token={token}; Authorization={token}\r\n"),
            401,
            "passport_required",
        ),
        ("GET /agents/x".to_owned(), format!("Authorization: Basic {token}\r\n"), 401, "passport_required"),
        ("GET /agents/x".to_owned(), format!("Authorization: {token}\r\n"), 401, "passport_required"),
        ("GET /agents/x".to_owned(), format!("Authorization: DPoP {token}\r\n"), 401, "invalid_token"),
        ("GET /agents/x".to_owned(), format!("Proxy-Authorization: Bearer {token}\r\n"), 401, "passport_required"),
        ("GET /agents/x".to_owned(), format!("X-Authorization: Bearer {token}\r\n"), 401, "passport_required"),
        ("GET /agents/x".to_owned(), format!("Authorization: Bearer {token} {token}\r\n"), 401, "passport_required"),
        (
            "GET /agents/x".to_owned(),
            format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"),
            400,
            "credential_ambiguous",
        ),
    ] {
        let reply = shop.say(&line, &fields);
        check(&format!("{line} {fields}").replace(&token, "TOKEN"), &reply, status, reason);
    }
    assert_eq!(shop.echo.count(), before);
    // A body is the site's.
    let body = format!("access_token={token}");
    let form = format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", body.len());
    let posted = shop.wire().send(format!("POST /agents/x HTTP/1.1\r\nHost: 127.0.0.1\r\n{form}\r\n{body}")).reply();
    check("body", &posted, 401, "passport_required");
}

/// T9: an access token is its bearer's for as long as it lives, from wherever: nothing asks for it to be used once. What
/// may be used once, the passport of a login, is spent once: `edge_login.rs`.
#[test]
fn an_access_token_counts_again_and_from_elsewhere() {
    let shop = Shop::new();
    let token = shop.token();
    for last in 1..=5 {
        // Each from an address of its own.
        let from = format!("127.0.0.{last}");
        let mut curl = std::process::Command::new("curl");
        curl.args(["-sS", "--noproxy", "*", "--interface", &from, "-o", "/dev/null", "-w", "%{http_code}"]);
        curl.args(["-H", &format!("Authorization: Bearer {token}"), &format!("{}/agents/x", shop.gateway.url)]);
        let output = lime_tests::Output::of(curl);
        assert_eq!(output.stdout, "200", "{}", output.stderr);
        assert_eq!(shop.echo.last().value("x-forwarded-for"), Some(from));
    }
    // Another token of the same `jti` is as good as the first: it is no serial number that we keep.
    let again = forger().token(&with(shop.claims(), "sub", json!("agent-2")));
    assert_eq!(shop.shows(&again).status, 200);
}

/// T10: a passport stays with us, whether it was good or not and whatever the mode; the site's own goes on.
#[test]
fn a_site_never_sees_a_passport() {
    let enforced = Shop::new();
    let observed = Shop::with("mode = \"observe\"\n");
    for shop in [&enforced, &observed] {
        let good = shop.token();
        let bad = with(shop.claims(), "exp", json!(1_000_000_000));
        let bad = forger().token(&bad);
        for token in [&good, &bad] {
            for fields in [
                format!("Authorization: Bearer {token}"),
                format!("Lime-Authorization: Bearer {token}"),
                format!("Lime_Authorization: Bearer {token}"),
                format!("X-Lime-Authorization: Bearer {token}"),
                format!("Authorization: DPoP {token}"),
                format!("Cookie: a=b; lime=ls1.{token}; c=d"),
                format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}"),
            ] {
                for path in ["/", "/agents/x"] {
                    let reply = shop.say(&format!("GET {path}"), &format!("{fields}\r\n"));
                    assert!([200, 400, 401].contains(&reply.status), "{}", reply.status);
                }
            }
            assert!(!shop.echo.saw(token), "{:?}", shop.echo.reached());
        }
    }
    assert!(observed.echo.count() >= 20, "observe lets it all through");
    let foreign = forger().token(&claims("https://id.elsewhere.test"));
    assert_eq!(enforced.gateway.get("/").bearer(&foreign).send().status, 200);
    assert_eq!(enforced.echo.last().value("authorization"), Some(format!("Bearer {foreign}")));
}
