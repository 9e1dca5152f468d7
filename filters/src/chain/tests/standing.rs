//! What a credential rests on, and what becomes of it when that goes: contact, keys, revocations, configuration.

use passport::UnixTime;

use super::*;
use crate::SessionKeys;

fn row(kind: SubjectKind, id: &str, not_before: UnixTime, suspended: bool) -> RevocationRow {
    RevocationRow { kind, id: id.into(), not_before, suspended }
}

fn revoke(stage: &mut Stage, row: RevocationRow) {
    let view = stage.view.as_mut().unwrap();
    view.revocations = Arc::new(view.revocations.with(row));
}

/// What is asked of every credential, fresh, cached and sealed alike.
#[track_caller]
fn check_each(stage: &Stage, path: &str, token: &str, session: &str) {
    let (access, sealed) = (bearer(&super::token()), bearer(&stage.seal(&super::session())));
    for _ in 0..2 {
        stage.check(path, &[("authorization", &access)], token);
        stage.check(path, &[("authorization", &sealed)], session);
    }
}

#[test]
fn a_suspended_subject_is_refused_at_once_also_from_the_cache() {
    for (kind, id) in [(SubjectKind::Agent, "agent-1"), (SubjectKind::Owner, "owner-1"), (SubjectKind::Site, "site-1")]
    {
        let mut stage = Stage::new(site());
        check_each(&stage, "/agents/", "allow passport", "allow passport");
        revoke(&mut stage, row(kind, id, ago(3000), true));
        let refused = "deny 401 invalid_token (revoked) unknown";
        check_each(&stage, "/agents/", refused, refused);
        check_each(&stage, "/", refused, refused);
        stage.resources.cache = Arc::default();
        check_each(&stage, "/agents/", refused, refused);
        revoke(&mut stage, row(kind, id, ago(3000), false));
        check_each(&stage, "/agents/", "allow passport", "allow passport");
    }
}

#[test]
fn resuming_revives_nothing_older_and_the_same_second_is_older() {
    let mut stage = Stage::new(site());
    let refused = "deny 401 invalid_token (revoked) unknown";
    // The token was signed 10 s ago, the login 60 s ago.
    revoke(&mut stage, row(SubjectKind::Agent, "agent-1", ago(60), false));
    check_each(&stage, "/agents/", "allow passport", refused);
    revoke(&mut stage, row(SubjectKind::Agent, "agent-1", ago(61), false));
    check_each(&stage, "/agents/", "allow passport", "allow passport");
    revoke(&mut stage, row(SubjectKind::Agent, "agent-1", ago(10), false));
    check_each(&stage, "/agents/", refused, refused);
    revoke(&mut stage, row(SubjectKind::Agent, "agent-2", NOW, true));
    revoke(&mut stage, row(SubjectKind::Agent, "agent-1", ago(3600), false));
    check_each(&stage, "/agents/", "allow passport", "allow passport");
}

#[test]
fn what_a_revoked_key_signed_counts_no_longer() {
    let mut stage = Stage::new(site());
    check_each(&stage, "/agents/", "allow passport", "allow passport");
    revoke(&mut stage, row(SubjectKind::Key, KEY.kid().as_str(), ago(3600), true));
    let refused = "deny 401 invalid_token (revoked) unknown";
    check_each(&stage, "/agents/", refused, refused);
    let view = stage.view.as_mut().unwrap();
    view.keys = view.keys.without([KEY.kid()]);
    view.generation += 1;
    check_each(&stage, "/agents/", refused, refused);
    stage.lose_contact();
    check_each(&stage, "/agents/", refused, refused);
}

#[test]
fn a_key_that_is_retired_ends_tokens_and_not_sessions() {
    let mut stage = Stage::new(site());
    check_each(&stage, "/agents/", "allow passport", "allow passport");
    let view = stage.view.as_mut().unwrap();
    view.keys = KeySet::from_jwks(jwks_document([FOREIGN_KEY.jwk()]).as_bytes()).unwrap();
    check_each(&stage, "/agents/", "deny 401 invalid_token (unknown_key) unknown", "allow passport");
}

#[test]
fn another_key_set_under_an_old_name_does_not_keep_old_verdicts() {
    let mut stage = Stage::new(site());
    check_each(&stage, "/agents/", "allow passport", "allow passport");
    // The same kid, another key: only the generation tells.
    let theirs = jwks_document([FOREIGN_KEY.jwk()]).replace(FOREIGN_KEY.kid().as_str(), KEY.kid().as_str());
    let view = stage.view.as_mut().unwrap();
    (view.keys, view.generation) = (KeySet::from_jwks(theirs.as_bytes()).unwrap(), 2);
    check_each(&stage, "/agents/", "deny 401 invalid_token (signature) unknown", "allow passport");
}

#[test]
fn a_cached_credential_ends_with_its_time() {
    let mut stage = Stage::new(site());
    check_each(&stage, "/agents/", "allow passport", "allow passport");
    assert_eq!(stage.play("/agents/", &[("authorization", &bearer(&token()))]).outcome.decision.trust, Trust::Passport);
    stage.now = claims().exp.plus(seconds(119));
    check_each(&stage, "/agents/", "allow passport", "allow passport");
    stage.now = claims().exp.plus(seconds(120));
    check_each(&stage, "/agents/", "deny 401 invalid_token (expired) unknown", "allow passport");
    stage.now = session().expires_at;
    let (expired, ended) =
        ("deny 401 invalid_token (expired) unknown", "deny 401 invalid_token (session_ended) unknown");
    check_each(&stage, "/agents/", expired, ended);
}

#[test]
fn a_verdict_for_one_site_is_none_for_another() {
    let first = Stage::new(site());
    let token = bearer(&token());
    first.check("/agents/", &[("authorization", &token)], "allow passport");
    let mut second = Stage::new(Site { url: "https://other.example.com".parse().unwrap(), ..site() });
    second.resources.cache = Arc::clone(&first.resources.cache);
    second.check("/agents/", &[("authorization", &token)], "deny 401 invalid_token (recipient) unknown");
    let mut reconfigured = Stage::new(Site { issuers: vec![lime("https://id2.example.net")], ..site() });
    reconfigured.resources.cache = Arc::clone(&first.resources.cache);
    reconfigured.check("/agents/", &[("authorization", &token)], "deny 401 passport_required unknown");
    first.check("/agents/", &[("authorization", &token)], "allow passport");
}

#[test]
fn a_shorter_session_ttl_shortens_sessions_that_live() {
    let mut stage = Stage::new(site());
    let sealed = bearer(&stage.seal(&session()));
    stage.check("/agents/", &[("authorization", &sealed)], "allow passport");
    stage.site.session_ttl = seconds(60);
    stage.check("/agents/", &[("authorization", &sealed)], "deny 401 invalid_token (session_ended) unknown");
    stage.site.session_ttl = Duration::from_hours(24 * 365);
    let endless = Session { expires_at: NOW.plus(Duration::from_hours(9999)), ..session() };
    let sealed = bearer(&stage.seal(&endless));
    stage.now = session().login_at.plus(Duration::from_hours(24));
    stage.check("/agents/", &[("authorization", &sealed)], "deny 401 invalid_token (session_ended) unknown");
}

#[test]
fn a_replaced_secret_keeps_sessions_and_a_dropped_one_ends_them_also_cached() {
    let mut stage = Stage::new(site());
    let sealed = bearer(&stage.seal(&session()));
    stage.check("/agents/", &[("authorization", &sealed)], "allow passport");
    stage.resources.sessions = Arc::new(SessionKeys::new(&[8; 32], Some(&[7; 32])));
    stage.check("/agents/", &[("authorization", &sealed)], "allow passport");
    stage.resources.sessions = Arc::new(SessionKeys::new(&[9; 32], Some(&[8; 32])));
    stage.check("/agents/", &[("authorization", &sealed)], "deny 401 invalid_token (seal) unknown");
}

#[test]
fn with_contact_an_unknown_key_is_refused_and_asks_for_fresher_keys() {
    let stage = Stage::new(site());
    let token = bearer(&FOREIGN_KEY.sign(&claims()).unwrap());
    let played = stage.check("/agents/", &[("authorization", &token)], "deny 401 invalid_token (unknown_key) unknown");
    assert_eq!(played.outcome.decision.wants_keys_of(), Some(0));
}

#[test]
fn without_contact_strangers_wait_friends_pass_and_open_paths_are_untouched() {
    let mut lost = Stage::new(site());
    lost.lose_contact();
    let unavailable = "error 503 issuer_unavailable unknown";
    let played = lost.check("/agents/", &[], unavailable);
    let retry = reply(&played.outcome).headers.iter().find(|(name, _)| name == "retry-after").unwrap();
    assert_eq!(retry.1, "10");
    check_each(&lost, "/agents/", "allow passport", "allow passport");

    let unknown = bearer(&FOREIGN_KEY.sign(&claims()).unwrap());
    let played =
        lost.check("/agents/", &[("authorization", &unknown)], "error 503 issuer_unavailable (unknown_key) unknown");
    assert_eq!(played.outcome.decision.wants_keys_of(), Some(0));
    let played = lost.check("/", &[("authorization", &unknown)], "allow (unknown_key) unknown");
    assert!(!played.at_origin.contains_key("authorization"));

    let broken = bearer(&broken(&token()));
    lost.check("/agents/", &[("authorization", &broken)], "deny 401 invalid_token (signature) unknown");
    lost.check("/", &[("authorization", &broken)], "deny 401 invalid_token (signature) unknown");
    lost.check("/", &[], "allow unknown");

    lost.site.mode = Mode::Observe;
    lost.check("/agents/", &[], "would_deny issuer_unavailable unknown");
}

#[test]
fn an_issuer_never_heard_of_is_one_without_contact() {
    let mut stage = Stage::new(site());
    stage.view = None;
    stage.check("/agents/", &[], "error 503 issuer_unavailable unknown");
    stage.check("/", &[], "allow unknown");
    check_each(&stage, "/agents/", "error 503 issuer_unavailable (unknown_key) unknown", "allow passport");
}

#[test]
fn past_revocation_max_stale_protected_paths_are_closed() {
    let mut stage = Stage::new(Site { revocation_max_stale: Some(seconds(600)), ..site() });
    let heard = |stage: &mut Stage, at| stage.view.as_mut().unwrap().last_contact = at;
    heard(&mut stage, Some(ago(600)));
    check_each(&stage, "/agents/", "allow passport", "allow passport");
    stage.check("/agents/", &[], "deny 401 passport_required unknown");
    let closed = "error 503 issuer_unavailable unknown";
    for at in [Some(ago(601)), None] {
        heard(&mut stage, at);
        check_each(&stage, "/agents/", closed, closed);
        stage.check("/agents/", &[], closed);
        check_each(&stage, "/", "allow passport", "allow passport");
    }
    stage.view = None;
    stage.check("/agents/", &[("authorization", &bearer(&stage.seal(&session())))], closed);
    stage.site.mode = Mode::Observe;
    let played = stage.check("/agents/", &[], "would_deny issuer_unavailable unknown");
    assert!(!played.at_origin.contains_key("lime-agent-id"));
}

#[test]
fn with_the_revocations_lost_protected_paths_are_closed() {
    let mut stage = Stage::new(site());
    let closed = "error 503 issuer_unavailable unknown";
    stage.view.as_mut().unwrap().revocations = Arc::new(Revocations::lost());
    for _ in 0..2 {
        check_each(&stage, "/agents/", closed, closed);
        stage.check("/agents/", &[], closed);
        check_each(&stage, "/", "allow passport", "allow passport");
        // A row more does not tell what the others were.
        revoke(&mut stage, row(SubjectKind::Agent, "agent-2", NOW, true));
    }
    stage.view.as_mut().unwrap().revocations = Arc::new(Revocations::from_rows([]));
    check_each(&stage, "/agents/", "allow passport", "allow passport");
}

#[test]
fn all_loopback_names_are_one_site_to_a_token() {
    let stage = Stage::new(loopback_site());
    let token = |domain: &str| bearer(&KEY.sign(&AccessToken { domain: domain.into(), ..claims() }).unwrap());
    for domain in ["localhost", "127.0.0.1", "[::1]"] {
        stage.check("/agents/", &[("authorization", &token(domain))], "allow passport");
    }
    let refused = "deny 401 invalid_token (recipient) unknown";
    stage.check("/agents/", &[("authorization", &token("shop.example.com"))], refused);
    let elsewhere = Stage::new(site());
    elsewhere.check("/agents/", &[("authorization", &token("localhost"))], refused);
}

#[test]
fn a_table_lists_what_it_was_made_of() {
    let rows = [
        row(SubjectKind::Agent, "a", ago(5), true),
        row(SubjectKind::Agent, "a", ago(3), false),
        row(SubjectKind::Key, "k", ago(2), true),
    ];
    let table = Revocations::from_rows(rows.clone());
    assert!(!table.is_empty() && Revocations::default().is_empty());
    let mut listed: Vec<_> = table.rows().collect();
    listed.sort_by_key(|row| row.not_before);
    assert_eq!(listed, rows[1..]);
    assert_eq!(Revocations::from_rows(listed), table);
    let text = serde_json::to_string(&rows[2]).unwrap();
    assert_eq!(text, format!(r#"{{"kind":"key","id":"k","not_before":{},"suspended":true}}"#, ago(2).as_secs()));
}

#[test]
fn what_the_gateway_shares_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Chain>();
    shared::<IssuerView>();
    shared::<Edits>();
    shared::<Outcome>();
}
