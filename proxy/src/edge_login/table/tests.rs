use passport::{
    Audience, Expected, KeySet, OwnerLevel, Passport as _, PassportVersion, SigningKey, jwks_document, verify,
};

use super::*;

const START: UnixTime = UnixTime::from_secs(1_795_532_400);

fn at(secs: u64) -> UnixTime {
    START.plus(Duration::from_secs(secs))
}

fn id(text: &str) -> LoginRequestId {
    text.parse().unwrap()
}

fn network(address: &str) -> Option<Network> {
    Some(Network::of(address.parse().unwrap()))
}

fn key() -> &'static SigningKey {
    static KEY: std::sync::OnceLock<SigningKey> = std::sync::OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate().unwrap())
}

fn passport(request: &str, jti: &str) -> Verified<LoginPassport> {
    let passport = LoginPassport {
        iss: "https://id.example".to_owned(),
        aud: LoginPassport::audience(),
        sub: "agent".parse().unwrap(),
        iat: START,
        exp: at(120),
        nbf: None,
        jti: jti.parse().unwrap(),
        request_id: id(request),
        site_id: "site".parse().unwrap(),
        user_id: "owner".parse().unwrap(),
        user_kyc_level: OwnerLevel::new(0),
        passport_version: PassportVersion,
    };
    assert_eq!(passport.aud, Audience::One("lime-site-login".to_owned()));
    let token = key().sign(&passport).unwrap();
    let keys = KeySet::from_jwks(jwks_document([key().jwk()]).as_bytes()).unwrap();
    let expected = Expected { issuer: "https://id.example", recipient: "site", leeway: Duration::ZERO };
    verify(&token, &keys, &expected, START).unwrap()
}

fn session(_: &Verified<LoginPassport>) -> Option<(String, UnixTime)> {
    Some(("ls1.x".to_owned(), at(3600)))
}

fn handed_out() -> Found {
    Found::Session { text: "ls1.x".to_owned(), expires_at: at(3600) }
}

fn again(_: &Verified<LoginPassport>) -> Option<(String, UnixTime)> {
    panic!("a session is made once")
}

#[test]
fn a_session_is_made_once_and_repeated_for_a_minute() {
    let mut table = Table::default();
    assert_eq!(table.find(&id("a"), START, again), Found::Nothing);
    table.approved(passport("a", "j1"), START);
    assert_eq!(table.find(&id("b"), START, again), Found::Nothing);
    assert_eq!(table.find(&id("a"), at(100), session), handed_out());
    assert_eq!(table.find(&id("a"), at(159), again), handed_out());
    table.approved(passport("a", "j1"), at(159));
    assert_eq!(table.find(&id("a"), at(160), again), Found::Over);
}

#[test]
fn a_passport_counts_once() {
    let mut table = Table::default();
    table.approved(passport("a", "j1"), START);
    table.approved(passport("b", "j1"), START);
    assert_eq!(table.find(&id("b"), START, again), Found::Nothing);
    assert_eq!(table.find(&id("a"), START, |_| None), Found::Failed);
    assert_eq!(table.find(&id("a"), START, session), handed_out());
}

#[test]
fn a_login_that_ended_stays_ended() {
    let mut table = Table::default();
    table.expired(&id("a"), START);
    table.approved(passport("a", "j1"), START);
    assert_eq!(table.find(&id("a"), START, again), Found::Over);
}

#[test]
fn a_network_has_a_few_logins_open_and_a_site_many() {
    let mut table = Table::default();
    for n in 0..NETWORK_MAX {
        assert!(table.reserve(network(&format!("192.0.2.{n}")), START));
        table.opened(id(&format!("a{n}")), network("192.0.2.1"), at(300));
    }
    assert!(!table.reserve(network("192.0.2.200"), START), "the same /24");
    assert!(table.reserve(network("192.0.3.1"), START), "another one");
    table.release(network("192.0.3.1"));
    table.approved(passport("a0", "j1"), START);
    assert!(table.reserve(network("192.0.2.200"), START), "one came to an end");
    assert!(!table.reserve(network("192.0.2.200"), START), "one is being opened");
    table.release(network("192.0.2.200"));
    assert!(table.reserve(network("192.0.2.200"), at(300)), "all are over");
    assert_eq!(table.by_network.len(), 1);
    let mut table = Table::default();
    for n in 0..SITE_MAX {
        assert!(table.reserve(None, START));
        table.opened(id(&format!("a{n}")), None, at(300));
    }
    assert!(!table.reserve(None, START));
    assert!(table.reserve(None, at(300)));
}

#[test]
fn networks_are_what_one_customer_is_given() {
    assert_eq!(network("2001:db8:0:ff00::1"), network("2001:db8:0:ffff::2"));
    assert_ne!(network("2001:db8:0:ff00::1"), network("2001:db8:0:fe00::1"));
    assert_ne!(network("192.0.2.1"), network("192.0.3.1"));
}

#[test]
fn ended_logins_are_forgotten_in_time_and_in_number() {
    let mut table = Table::default();
    table.approved(passport("a", "j1"), START);
    for n in 0..ENDED_MAX {
        table.expired(&id(&format!("e{n}")), at(1));
    }
    assert_eq!(table.find(&id("a"), at(1), again), Found::Nothing);
    assert_eq!((table.ended.len(), table.order.len(), table.taken.len()), (ENDED_MAX, ENDED_MAX, 0));
    table.expired(&id("last"), at(1000));
    assert_eq!((table.ended.len(), table.order.len()), (1, 1));
}

#[test]
fn an_approval_that_overtakes_the_issuers_answer_leaves_no_login_open() {
    let mut table = Table::default();
    assert!(table.reserve(network("192.0.2.1"), START));
    table.approved(passport("a", "j1"), START);
    table.opened(id("a"), network("192.0.2.1"), at(300));
    assert!(table.open.is_empty() && table.by_network.is_empty());
}
