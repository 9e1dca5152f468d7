//! What every engine must do. Each rule runs on a new embedded store and, where `LIME_TEST_POSTGRES` names a server, in a
//! new database there; `tests/run` starts one.

mod clients;
mod grants;
mod oauth;
mod owner_access;

use std::env;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use passport::{AgentId, LoginRequestId, SiteId};
use sqlx::{Connection as _, Executor as _};
use tokio::task::JoinSet;

use super::*;
use crate::credentials::{Holder, Token};
use crate::time::UnixMillis;

const NOW: UnixMillis = UnixMillis::new(1_800_000_000_000);

/// Runs a rule on both engines.
fn everywhere<F: Future<Output = ()>>(rule: impl Fn(Arc<Store>) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(directory.path().join("issuer.db"));
        rule(Arc::new(Store::open(&location).await.unwrap())).await;
        match env::var("LIME_TEST_POSTGRES") {
            Ok(server) => rule(Arc::new(Store::open(&database_at(&server).await).await.unwrap())).await,
            // Said aloud: this run has not seen the other engine.
            Err(_) => std::io::Write::write_all(
                &mut std::io::stderr(),
                b"NOT RUN on PostgreSQL: LIME_TEST_POSTGRES names no server\n",
            )
            .unwrap(),
        }
    });
}

async fn database_at(server: &str) -> Location {
    let name = format!("lime_{}", uuid::Uuid::new_v4().simple());
    let mut admin = sqlx::PgConnection::connect(server).await.unwrap();
    admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    Location::Postgres(format!("{base}/{name}"))
}

fn after(secs: u64) -> UnixMillis {
    NOW.plus(Duration::from_secs(secs))
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn token(holder: Holder) -> crate::credentials::TokenHash {
    Token::generate(holder).unwrap().hash()
}

/// An owner `o`, its sites `s1` and `s2`, its agent `a` with `s1` on the list, its gateway `g` for both.
async fn registered(store: &Store) {
    let owner = || "o".to_owned();
    let site = |name: &str| NewSubject::Site {
        owner: owner(),
        name: name.to_owned(),
        origin: format!("https://{name}.example"),
        host: format!("{name}.example"),
        token: token(Holder::Site),
    };
    let only = Sites::Only(vec![id("s1")]);
    let both = vec![id("s1"), id("s2")];
    for (name, subject) in [
        ("o", NewSubject::Owner { name: "Owner".to_owned() }),
        ("s1", site("s1")),
        ("s2", site("s2")),
        ("a", NewSubject::Agent { owner: owner(), name: "A".to_owned(), sites: only, token: token(Holder::Agent) }),
        ("g", NewSubject::Gateway { owner: owner(), name: "G".to_owned(), sites: both, token: token(Holder::Gateway) }),
    ] {
        assert_eq!(store.register(name.to_owned(), subject, NOW).await.unwrap(), Registration::Done);
    }
}

async fn opened(store: &Store, name: &str, site: &str) {
    let login = NewLogin {
        id: id(name),
        site: id(site),
        challenge: "c".to_owned(),
        difficulty: 4,
        created_at: NOW,
        expires_at: after(300),
    };
    assert_eq!(store.open_login(login, 100).await.unwrap(), Opened::Done);
}

fn approval(agent: &str, at: UnixMillis) -> Approval {
    Approval { agent: id(agent), nonce: "36".to_owned(), jti: id("j"), at }
}

async fn approve(store: &Store, name: &str, agent: &str, at: UnixMillis) -> bool {
    store.approve_login(id(name), approval(agent, at)).await.unwrap()
}

async fn backlog(store: &Store, site: &str, now: UnixMillis) -> Vec<String> {
    let rows = store.backlog(&id(site), &Page::default(), now).await.unwrap();
    rows.into_iter().map(|(id, _)| id.to_string()).collect()
}

/// The number of callers that got a yes.
async fn yeses<F: Future<Output = bool> + Send + 'static>(calls: impl Iterator<Item = F>) -> usize {
    let results: JoinSet<bool> = calls.collect();
    results.join_all().await.into_iter().filter(|yes| *yes).count()
}

#[test]
fn of_a_hundred_concurrent_approves_one_succeeds() {
    everywhere(async |store| {
        registered(&store).await;
        opened(&store, "r", "s1").await;
        let calls = (0..100).map(|_| {
            let store = Arc::clone(&store);
            async move { approve(&store, "r", "a", after(1)).await }
        });
        assert_eq!(yeses(calls).await, 1);
        assert_eq!(store.audited("login.approved").await, [("a".to_owned(), "r".to_owned())]);
        let record = store.login(&id("r")).await.unwrap().unwrap();
        assert_eq!(record.state, LoginState::Approved(approval("a", after(1))));
    });
}

#[test]
fn only_who_may_log_in_approves() {
    everywhere(async |store| {
        registered(&store).await;
        for (name, site) in [("late", "s1"), ("unlisted", "s2"), ("agent", "s1"), ("owner", "s1"), ("site", "s1")] {
            opened(&store, name, site).await;
        }
        assert!(!approve(&store, "late", "a", after(300)).await);
        assert!(!approve(&store, "unlisted", "a", after(1)).await);
        assert!(!approve(&store, "nothing", "a", after(1)).await);
        assert!(!approve(&store, "agent", "nobody", after(1)).await);
        for (kind, subject, login) in
            [(Kind::Agent, "a", "agent"), (Kind::Owner, "o", "owner"), (Kind::Site, "s1", "site")]
        {
            for (change, approves) in [(Change::Suspend, false), (Change::Resume, true)] {
                assert!(store.change_standing(kind, subject.to_owned(), change, after(2)).await.unwrap());
                assert_eq!(approve(&store, login, "a", after(3)).await, approves, "{subject} {change:?}");
            }
        }
    });
}

#[test]
fn a_new_stream_gets_what_is_not_delivered_and_what_just_was() {
    everywhere(async |store| {
        registered(&store).await;
        for name in ["r1", "r2", "r3"] {
            opened(&store, name, "s1").await;
        }
        assert!(approve(&store, "r2", "a", after(1)).await);
        assert!(approve(&store, "r1", "a", after(2)).await);
        assert_eq!(backlog(&store, "s1", after(3)).await, ["r2", "r1"], "in the order of approval");
        assert_eq!(backlog(&store, "s2", after(3)).await, [""; 0], "another site's");
        store.mark_delivered(vec![id("r2")], after(4)).await.unwrap();
        assert_eq!(backlog(&store, "s1", after(123)).await, ["r2", "r1"]);
        store.mark_delivered(vec![id("r2")], after(100)).await.unwrap();
        assert_eq!(backlog(&store, "s1", after(125)).await, ["r1"], "only the first delivery counts");
        assert_eq!(backlog(&store, "s1", after(601)).await, ["r1"], "ten minutes after the approval");
        assert_eq!(backlog(&store, "s1", after(602)).await, [""; 0]);
        let page = Page { after: Some((after(1), id("r2"))) };
        let rest = store.backlog(&id("s1"), &page, after(3)).await.unwrap();
        assert_eq!(rest, [(id::<LoginRequestId>("r1"), after(2))]);
    });
}

#[test]
fn what_is_delivered_is_judged_at_that_moment() {
    everywhere(async |store| {
        registered(&store).await;
        opened(&store, "r", "s1").await;
        assert!(store.mintable(&id("r"), after(1)).await.unwrap().is_none(), "not approved");
        assert!(approve(&store, "r", "a", after(1)).await);
        let login = store.mintable(&id("r"), after(2)).await.unwrap().unwrap();
        assert!(login.active);
        assert_eq!((login.jti, login.site), (id("j"), id::<SiteId>("s1")));
        store.change_standing(Kind::Owner, "o".to_owned(), Change::Suspend, after(3)).await.unwrap();
        let login = store.mintable(&id("r"), after(4)).await.unwrap().unwrap();
        assert!(!login.active);
        assert_eq!(login.not_before, after(3));
        assert!(store.mintable(&id("r"), after(602)).await.unwrap().is_none(), "past its time");
    });
}

#[test]
fn a_site_has_a_bounded_number_of_open_logins() {
    everywhere(async |store| {
        registered(&store).await;
        let open = |name: String, site: &str, at| NewLogin {
            id: id(&name),
            site: id(site),
            challenge: "c".to_owned(),
            difficulty: 4,
            created_at: at,
            expires_at: at.plus(Duration::from_secs(300)),
        };
        for n in 0..3 {
            assert_eq!(store.open_login(open(format!("r{n}"), "s1", NOW), 3).await.unwrap(), Opened::Done);
        }
        assert_eq!(store.open_login(open("r3".to_owned(), "s1", NOW), 3).await.unwrap(), Opened::TooMany);
        assert_eq!(store.open_login(open("r4".to_owned(), "s2", NOW), 3).await.unwrap(), Opened::Done);
        assert!(approve(&store, "r0", "a", after(1)).await);
        assert_eq!(store.open_login(open("r5".to_owned(), "s1", after(1)), 3).await.unwrap(), Opened::Done);
        assert_eq!(store.open_login(open("r6".to_owned(), "s1", after(301)), 3).await.unwrap(), Opened::Done);
        assert_eq!(store.expired_between(after(299), after(300)).await.unwrap().len(), 3);
        let swept = store.forget_logins(after(300 + 24 * 3600 + 1)).await.unwrap();
        assert_eq!(swept, 4, "the approved one too, a day later");
    });
}

fn key(kid: &str) -> NewKey {
    NewKey { kid: id(kid), jwk: "{}".to_owned(), sealed: "sealed".to_owned() }
}

async fn states(store: &Store) -> Vec<(String, KeyState)> {
    store.keys().await.unwrap().into_iter().map(|key| (key.kid.to_string(), key.state)).collect()
}

#[test]
fn of_many_first_starts_and_rotations_one_each_succeeds() {
    everywhere(async |store| {
        let starts = (0..20).map(|n| {
            let store = Arc::clone(&store);
            let (active, next) = (key(&format!("active{n}")), key(&format!("next{n}")));
            async move { store.first_keys(active, next, NOW).await.unwrap() }
        });
        assert_eq!(yeses(starts).await, 1);
        let next = store.keys().await.unwrap().into_iter().find(|key| key.state == KeyState::Next).unwrap().kid;
        let switches = (0..20).map(|n| {
            let (store, kid, spare) = (Arc::clone(&store), next.clone(), key(&format!("z{n}")));
            async move { store.switch_keys(kid, spare, after(1)).await.unwrap() }
        });
        assert_eq!(yeses(switches).await, 1);
        let keys = store.keys().await.unwrap();
        let of = |state| keys.iter().filter(|key| key.state == state).collect::<Vec<_>>();
        assert_eq!(of(KeyState::Active).len(), 1);
        assert_eq!(of(KeyState::Active)[0].kid, next);
        assert_eq!(of(KeyState::Next).len(), 1);
        assert_eq!(of(KeyState::Retired).len(), 1);
        assert_eq!(of(KeyState::Retired)[0].sealed, "", "a retired key cannot sign again");
    });
}

#[test]
fn a_revoked_active_key_is_replaced_and_logged() {
    everywhere(async |store| {
        assert!(store.first_keys(key("k1"), key("k2"), NOW).await.unwrap());
        assert!(store.revoke_key(id("k1"), key("k3"), after(1)).await.unwrap());
        assert!(!store.revoke_key(id("k1"), key("k4"), after(2)).await.unwrap(), "a second time changes nothing");
        assert!(!store.revoke_key(id("nothing"), key("k4"), after(2)).await.unwrap());
        let expected = [("k1", KeyState::Revoked), ("k2", KeyState::Active), ("k3", KeyState::Next)];
        assert_eq!(states(&store).await, expected.map(|(kid, state)| (kid.to_owned(), state)));
        let Revocations::Rows { rows, seq: 1, more: false } = store.revocations_after(0).await.unwrap() else {
            panic!()
        };
        assert_eq!((rows[0].kind.as_str(), rows[0].id.as_str(), rows[0].suspended), ("key", "k1", true));
    });
}

#[test]
fn the_log_tells_each_change_once_and_in_order() {
    everywhere(async |store| {
        registered(&store).await;
        let change = async |kind, subject: &str, change, at| {
            store.change_standing(kind, subject.to_owned(), change, at).await.unwrap()
        };
        assert!(change(Kind::Agent, "a", Change::Suspend, after(1)).await);
        assert!(change(Kind::Agent, "a", Change::Suspend, after(2)).await, "known, and nothing to do");
        assert!(change(Kind::Gateway, "g", Change::Suspend, after(3)).await, "not a subject of passports");
        assert!(change(Kind::Site, "s1", Change::Suspend, after(4)).await);
        assert!(change(Kind::Agent, "a", Change::Resume, after(5)).await);
        assert!(!change(Kind::Agent, "nobody", Change::Suspend, after(6)).await);
        let row = |seq, kind: &str, subject: &str, at, suspended| Revocation {
            seq,
            kind: kind.to_owned(),
            id: subject.to_owned(),
            not_before: at,
            suspended,
        };
        let log = [
            row(1, "agent", "a", after(1), true),
            row(2, "site", "s1", after(4), true),
            row(3, "agent", "a", after(5), false),
        ];
        let rows = |rows: &[Revocation], seq| Revocations::Rows { rows: rows.to_vec(), seq, more: false };
        assert_eq!(store.revocations_after(0).await.unwrap(), rows(&log, 3));
        assert_eq!(store.revocations_after(2).await.unwrap(), rows(&log[2..], 3));
        assert_eq!(store.revocations_after(3).await.unwrap(), rows(&[], 3));
        assert_eq!(store.revocations_after(4).await.unwrap(), Revocations::Gone);
        assert_eq!(store.all_revocations(after(6)).await.unwrap(), rows(&log[1..], 3));
        let later = after(25 * 3600 + 10);
        store.forget_revocations(later).await.unwrap();
        assert_eq!(store.revocations_after(2).await.unwrap(), Revocations::Gone);
        assert_eq!(store.all_revocations(later).await.unwrap(), rows(&log[1..2], 3), "who is suspended stays in it");
    });
}

#[test]
fn a_suspended_owner_takes_its_sites_along() {
    everywhere(async |store| {
        registered(&store).await;
        store.change_standing(Kind::Site, "s2".to_owned(), Change::Suspend, after(1)).await.unwrap();
        store.change_standing(Kind::Owner, "o".to_owned(), Change::Suspend, after(2)).await.unwrap();
        store.change_standing(Kind::Owner, "o".to_owned(), Change::Resume, after(3)).await.unwrap();
        let Revocations::Rows { rows, .. } = store.revocations_after(1).await.unwrap() else { panic!() };
        let told: Vec<_> = rows.iter().map(|row| (row.kind.as_str(), row.id.as_str(), row.suspended)).collect();
        let expected = [("owner", "o", true), ("site", "s1", true), ("owner", "o", false), ("site", "s1", false)];
        assert_eq!(told, expected, "s2 stays suspended for itself");
    });
}

#[test]
fn a_token_is_found_until_it_is_replaced() {
    everywhere(async |store| {
        registered(&store).await;
        let (first, second) = (token(Holder::Agent), token(Holder::Agent));
        let owner = "o".to_owned();
        let agent = NewSubject::Agent { owner, name: "B".to_owned(), sites: Sites::Any, token: first.clone() };
        store.register("b".to_owned(), agent, NOW).await.unwrap();
        let found = store.agent_by_token(&first).await.unwrap().unwrap();
        assert_eq!((found.id, found.any_site), (id::<AgentId>("b"), true));
        assert!(store.replace_token(Kind::Agent, "b".to_owned(), second.clone(), after(1)).await.unwrap());
        assert!(!store.replace_token(Kind::Agent, "nobody".to_owned(), first.clone(), after(1)).await.unwrap());
        assert!(store.agent_by_token(&first).await.unwrap().is_none());
        store.change_standing(Kind::Owner, "o".to_owned(), Change::Suspend, after(2)).await.unwrap();
        let found = store.agent_by_token(&second).await.unwrap().unwrap();
        assert_eq!((found.standing, found.not_before), (Standing::OwnerSuspended, after(2)));
    });
}

#[test]
fn nothing_is_registered_for_an_owner_or_at_a_site_that_does_not_exist() {
    everywhere(async |store| {
        registered(&store).await;
        let agent = |owner: &str, site: &str| NewSubject::Agent {
            owner: owner.to_owned(),
            name: "X".to_owned(),
            sites: Sites::Only(vec![id(site)]),
            token: token(Holder::Agent),
        };
        for subject in [agent("nobody", "s1"), agent("o", "nowhere")] {
            let registration = store.register("x".to_owned(), subject, NOW).await.unwrap();
            assert_eq!(registration, Registration::UnknownReference);
        }
        assert_eq!(store.list(Kind::Agent).await.unwrap().len(), 1);
    });
}

#[test]
fn a_store_of_a_later_version_is_refused_and_one_of_ours_opens_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(directory.path().join("issuer.db"));
        let store = Store::open(&location).await.unwrap();
        registered(&store).await;
        store.close().await;
        let store = Store::open(&location).await.unwrap();
        assert_eq!(store.list(Kind::Site).await.unwrap().len(), 2);
        let later = "INSERT INTO lime_schema (version, holder) VALUES (1000, 'done')";
        store.database.write(move |tx| Box::pin(async move { tx.execute(later, &[]).await })).await.unwrap();
        store.close().await;
        let refused = Store::open(&location).await.unwrap_err();
        assert!(matches!(refused, StoreError::Schema { found: 1000, known: 3 }), "{refused}");
    });
}
