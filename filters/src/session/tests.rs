use passport::{Passport as _, PassportVersion, SiteId};

use super::*;
use crate::stage::{KEY, NOW, seconds, session, site};
use crate::{Fault, stage};

const SECRET: [u8; 32] = [7; 32];
const NONCE: [u8; 12] = [3; 12];

fn keys() -> SessionKeys {
    SessionKeys::new(&SECRET, None)
}

#[test]
fn what_is_sealed_opens_here_and_nowhere_else() {
    let sealed = keys().seal(&site(), &session(), NONCE).unwrap();
    assert!(sealed.starts_with(SESSION_PREFIX));
    assert!(
        sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)),
        "fits a cookie: {sealed}"
    );
    assert_eq!(keys().open(&site(), &sealed, NOW), Ok(session()));
    for url in ["https://shop.example.com:8443", "http://shop.example.com", "https://shop.example.net"] {
        let other = Site { url: url.parse().unwrap(), ..site() };
        assert_eq!(keys().open(&other, &sealed, NOW), Err(Fault::Seal), "{url}");
    }
    assert_eq!(SessionKeys::new(&[8; 32], None).open(&site(), &sealed, NOW), Err(Fault::Seal));
}

#[test]
fn a_session_cut_or_altered_anywhere_does_not_open() {
    let sealed = keys().seal(&site(), &session(), NONCE).unwrap();
    for place in 0..sealed.len() {
        let mut altered = sealed.clone().into_bytes();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(keys().open(&site(), &altered, NOW), Err(Fault::Seal), "at {place}");
        assert_eq!(keys().open(&site(), sealed.split_at(place).0, NOW), Err(Fault::Seal), "cut at {place}");
    }
    for text in ["", "ls1", "ls1.", "ls1..", "ls1.AAAAAAAA.", "ls1.AAAAAAAA.AAAA"] {
        assert_eq!(keys().open(&site(), text, NOW), Err(Fault::Seal), "{text}");
    }
    assert_eq!(keys().open(&site(), &format!("{sealed}="), NOW), Err(Fault::Seal));
    assert_eq!(keys().open(&site(), &format!("{sealed}{}", "A".repeat(9000)), NOW), Err(Fault::Seal));
}

#[test]
fn a_session_ends_when_it_says() {
    let sealed = keys().seal(&site(), &session(), NONCE).unwrap();
    let ends = session().expires_at;
    let before = UnixTime::from_secs(ends.as_secs() - 1);
    assert!(keys().open(&site(), &sealed, before).is_ok());
    assert_eq!(keys().open(&site(), &sealed, ends), Err(Fault::SessionEnded));
}

#[test]
fn the_secret_before_still_opens_and_the_one_before_that_does_not() {
    let sealed = keys().seal(&site(), &session(), NONCE).unwrap();
    assert!(SessionKeys::new(&[8; 32], Some(&SECRET)).open(&site(), &sealed, NOW).is_ok());
    assert_eq!(SessionKeys::new(&[9; 32], Some(&[8; 32])).open(&site(), &sealed, NOW), Err(Fault::Seal));
}

/// Made once by an independent implementation (HKDF-SHA256, AES-256-GCM, HMAC-SHA256): what was given out before an
/// upgrade counts after it.
#[test]
fn the_format_is_what_it_was() {
    let sealed = "ls1.mT4e5Y54.AwMDAwMDAwMDAwMDhpiPmc3fxNsVfBxMjtJ-f38wqXwwPHx8ji7IQuOxxA9eGo3dJEbhiCqZXNZ84yChrI8GSjD\
                  t4W8DzYhuR_hb1ZEXhlZGi0kpfq8knHCCoy-rk8fJ5TSgAzTDvLUiEV0-ryBJpZ6ZseWGSv_TPVdSQ4tHAmc82LT8GwUAXc6XSEe\
                  FpLeblNQ0PdVTCXQ";
    assert_eq!(keys().seal(&site(), &session_of_the_vector(), NONCE).unwrap(), sealed);
    let request = "0f8fad5b-d9cb-469f-a165-70867728950e".parse().unwrap();
    assert_eq!(keys().login_secret(&site(), &request, NOW), "1800000000.XhtZa2BH93A5ZOT3OTyFmzHckhqeBcjVhCn3I2IwDJQ");
}

fn session_of_the_vector() -> Session {
    Session { kid: "key-1".parse().unwrap(), ..session() }
}

fn login_passport() -> LoginPassport {
    LoginPassport {
        iss: stage::ISSUER.into(),
        aud: LoginPassport::audience(),
        sub: "agent-1".parse().unwrap(),
        iat: NOW,
        exp: NOW.plus(seconds(120)),
        nbf: None,
        jti: "jti-1".parse().unwrap(),
        request_id: "request-1".parse().unwrap(),
        site_id: "site-1".parse().unwrap(),
        user_id: "owner-1".parse().unwrap(),
        user_kyc_level: OwnerLevel::new(3),
        passport_version: PassportVersion,
    }
}

#[test]
fn a_session_begins_with_a_login_passport_and_counts_from_its_signature() {
    let site_id: SiteId = "site-1".parse().unwrap();
    let keys = passport::KeySet::from_jwks(passport::jwks_document([KEY.jwk()]).as_bytes()).unwrap();
    let token = KEY.sign(&login_passport()).unwrap();
    let expected = passport::Expected { issuer: stage::ISSUER, recipient: site_id.as_str(), leeway: seconds(30) };
    let passport = passport::verify(&token, &keys, &expected, NOW.plus(seconds(5))).unwrap();
    let session = Session::begin("session-1".into(), &passport, &site());
    assert_eq!((session.login_at, session.expires_at), (NOW, NOW.plus(seconds(3600))));
    assert_eq!((session.agent.as_str(), session.owner.as_str()), ("agent-1", "owner-1"));
    assert_eq!((&session.kid, session.owner_level), (KEY.kid(), OwnerLevel::new(3)));
    let long = Site { session_ttl: Duration::from_hours(48), ..site() };
    let session = Session::begin("session-1".into(), &passport, &long);
    assert_eq!(session.expires_at, NOW.plus(Duration::from_hours(24)));
}

#[test]
fn a_login_secret_is_good_for_its_request_its_site_and_its_time() {
    let keys = keys();
    let request = "request-1".parse().unwrap();
    let ends = NOW.plus(seconds(300));
    let secret = keys.login_secret(&site(), &request, ends);
    let judged = |keys: &SessionKeys, secret: &str| keys.check_login_secret(&site(), &request, secret, NOW);
    assert_eq!(judged(&keys, &secret), LoginSecret::Good { expires_at: ends });
    assert_eq!(keys.check_login_secret(&site(), &request, &secret, ends), LoginSecret::Ended);
    assert_eq!(judged(&SessionKeys::new(&[8; 32], Some(&SECRET)), &secret), LoginSecret::Good { expires_at: ends });
    assert_eq!(judged(&SessionKeys::new(&[8; 32], None), &secret), LoginSecret::Forged);

    let other_request = "request-2".parse().unwrap();
    assert_eq!(keys.check_login_secret(&site(), &other_request, &secret, NOW), LoginSecret::Forged);
    let other_site = Site { url: "https://other.example.com".parse().unwrap(), ..site() };
    assert_eq!(keys.check_login_secret(&other_site, &request, &secret, NOW), LoginSecret::Forged);
    let (_, mac) = secret.split_once('.').unwrap();
    let later = format!("{}.{mac}", ends.as_secs() + 1);
    for forged in
        ["", ".", "1.", "x", &later, secret.split_at(secret.len() - 1).0, &format!("{secret}="), &format!("+{secret}")]
    {
        assert_eq!(judged(&keys, forged), LoginSecret::Forged, "{forged}");
    }
}

#[test]
fn no_key_is_ever_printed() {
    assert_eq!(format!("{:?}", keys()), "SessionKeys { live: 1, .. }");
}
