//! Codes and refresh tokens: each counts once, and what shows a copy ends its family.

use super::oauth::{URL, consented, resource, told, with_resource};
use super::*;
use crate::credentials::TokenHash;
use crate::store::grants::CodeRecord;

const GRACE: Duration = Duration::from_secs(60);

/// A grant `name` for the consent of `p` to `c`.
fn grant(name: &str, agent: &AgentId) -> Grant {
    Grant {
        id: name.to_owned(),
        client: "c".to_owned(),
        client_name: "Client".to_owned(),
        agent: agent.clone(),
        owner: id("p"),
        resource: URL.to_owned(),
        scope: "read".to_owned(),
    }
}

fn refresh(secs: u64) -> NewRefresh {
    NewRefresh { hash: token(Holder::Refresh), expires_at: after(secs) }
}

/// A code for the grant `name`; it lives a minute.
async fn code(store: &Store, name: &str, agent: &AgentId) -> TokenHash {
    let hash = token(Holder::Code);
    let code = NewCode {
        hash: hash.clone(),
        grant: grant(name, agent),
        redirect_uri: "https://app.example/back".to_owned(),
        challenge: "challenge".to_owned(),
        expires_at: after(61),
    };
    assert!(store.add_code(code, after(1)).await.unwrap());
    hash
}

/// A store with a redeemed code: its family `f`, the agent, and the first refresh token, good for an hour.
async fn begun(store: &Store) -> (AgentId, TokenHash) {
    with_resource(store).await;
    let agent = consented(store, "k", "p", URL, NOW).await;
    let code = code(store, "f", &agent).await;
    let first = refresh(3600);
    let redeemed = store.redeem_code(code, Some(first.clone()), after(2)).await.unwrap();
    assert_eq!(redeemed, Redeemed::Done(grant("f", &agent)));
    (agent, first.hash)
}

async fn rotate(store: &Store, hash: &TokenHash, client: &str, sealed: &str, at: UnixMillis) -> (Rotated, TokenHash) {
    let successor = NewRefresh { hash: token(Holder::Refresh), expires_at: at.plus(Duration::from_secs(3600)) };
    let next = successor.hash.clone();
    let (client, sealed) = (client.to_owned(), sealed.to_owned());
    (store.rotate_refresh(hash.clone(), client, successor, sealed, GRACE, at).await.unwrap(), next)
}

/// A code for what the owner settled before, if it was that.
async fn settled_code(store: &Store, name: &str, agent: &AgentId, uri: &str, scope: &str) -> bool {
    let code = NewCode {
        hash: token(Holder::Code),
        grant: grant(name, agent),
        redirect_uri: uri.to_owned(),
        challenge: "challenge".to_owned(),
        expires_at: after(61),
    };
    let settled = Remembered { redirect_uri: uri.to_owned(), scope: scope.to_owned() };
    store.add_settled_code(code, settled, after(9)).await.unwrap()
}

#[test]
fn what_an_owner_settled_gives_a_code_and_changes_nothing() {
    everywhere(async |store| {
        with_resource(&store).await;
        let agent = consented(&store, "k", "p", URL, NOW).await;
        let before = store.consent(&id("p"), "c", URL).await.unwrap().unwrap();
        let settled = before.remembered.clone().unwrap();
        let (uri, scope) = (settled.redirect_uri.as_str(), settled.scope.as_str());
        assert!(settled_code(&store, "f", &agent, uri, scope).await);
        assert_eq!(store.consent(&id("p"), "c", URL).await.unwrap().unwrap(), before);
        assert_eq!(store.audited("consent.given").await.len(), 1);
        assert!(!settled_code(&store, "g", &agent, "https://app.example/other", scope).await);
        assert!(!settled_code(&store, "h", &agent, uri, "read").await, "it has changed since it was read");
        assert!(store.withdraw_consent(&id("p"), before.id, after(10)).await.unwrap());
        assert!(!settled_code(&store, "i", &agent, uri, scope).await);
        assert!(store.consent(&id("p"), "c", URL).await.unwrap().is_none(), "it does not come back");
        for ended in ["f", "g", "h", "i"] {
            assert!(!store.family_stands(ended).await.unwrap(), "{ended}");
        }
    });
}

#[test]
fn of_a_hundred_settled_codes_none_outlives_a_withdrawal() {
    everywhere(async |store| {
        with_resource(&store).await;
        let agent = consented(&store, "k", "p", URL, NOW).await;
        let settled = store.consent(&id("p"), "c", URL).await.unwrap().unwrap().remembered.unwrap();
        let calls: JoinSet<()> = (0..100)
            .map(|n| {
                let (store, agent, settled) = (Arc::clone(&store), agent.clone(), settled.clone());
                async move {
                    if n == 50 {
                        assert!(store.withdraw_consent(&id("p"), "k".to_owned(), after(10)).await.unwrap());
                    } else {
                        settled_code(&store, &format!("f{n}"), &agent, &settled.redirect_uri, &settled.scope).await;
                    }
                }
            })
            .collect();
        calls.join_all().await;
        for n in 0..100 {
            assert!(!store.family_stands(&format!("f{n}")).await.unwrap(), "f{n}");
        }
    });
}

#[test]
fn of_a_hundred_redemptions_one_succeeds_and_the_replays_end_the_family() {
    everywhere(async |store| {
        with_resource(&store).await;
        let agent = consented(&store, "k", "p", URL, NOW).await;
        let code = code(&store, "f", &agent).await;
        let calls: JoinSet<Redeemed> = (0..100)
            .map(|_| {
                let (store, code) = (Arc::clone(&store), code.clone());
                async move { store.redeem_code(code, Some(refresh(3600)), after(2)).await.unwrap() }
            })
            .collect();
        let redeemed = calls.join_all().await;
        let (done, replayed): (Vec<_>, Vec<_>) = redeemed.iter().partition(|one| **one != Redeemed::Replayed);
        assert_eq!(done, [&Redeemed::Done(grant("f", &agent))]);
        assert_eq!(replayed.len(), 99);
        assert!(!store.family_stands("f").await.unwrap());
        assert_eq!(told(&store).await, [(agent.to_string(), after(2), false)], "once, for gateways");
        assert_eq!(store.agent(&agent).await.unwrap().unwrap().not_before, after(2));
        assert_eq!(store.audited("grant.ended").await, [("c".to_owned(), "f".to_owned())]);
    });
}

#[test]
fn what_ends_twice_in_one_second_ends_what_was_issued_in_between() {
    everywhere(async |store| {
        with_resource(&store).await;
        let agent = consented(&store, "k", "p", URL, NOW).await;
        let within = |millis: u64| after(2).plus(Duration::from_millis(millis));
        for (name, at, expected) in
            [("f", within(200), within(200)), ("g", within(800), after(3)), ("h", within(900), after(3))]
        {
            code(&store, name, &agent).await;
            assert!(store.end_family(name.to_owned(), "revoked", at).await.unwrap());
            // What is issued is dated to the second after.
            assert_eq!(store.agent(&agent).await.unwrap().unwrap().not_before, expected, "{name}");
        }
        let expected = [within(200), after(3)].map(|not_before| (agent.to_string(), not_before, false));
        assert_eq!(told(&store).await, expected, "and gateways are told the same");
    });
}

#[test]
fn a_code_says_what_it_was_issued_for_and_when_it_was_redeemed() {
    everywhere(async |store| {
        with_resource(&store).await;
        let agent = consented(&store, "k", "p", URL, NOW).await;
        let code = code(&store, "f", &agent).await;
        let expected = CodeRecord {
            grant: grant("f", &agent),
            redirect_uri: "https://app.example/back".to_owned(),
            challenge: "challenge".to_owned(),
            expires_at: after(61),
            redeemed: false,
        };
        assert_eq!(store.code(&code).await.unwrap().unwrap(), expected);
        assert_eq!(
            store.redeem_code(code.clone(), None, after(61)).await.unwrap(),
            Redeemed::Unknown,
            "its time is up"
        );
        assert!(!store.code(&code).await.unwrap().unwrap().redeemed);
        assert!(matches!(store.redeem_code(code.clone(), None, after(60)).await.unwrap(), Redeemed::Done(_)));
        assert!(store.code(&code).await.unwrap().unwrap().redeemed);
        assert!(store.family_stands("f").await.unwrap());
        let replayed = store.redeem_code(code, None, after(600)).await.unwrap();
        assert_eq!(replayed, Redeemed::Replayed, "also long after its time");
        assert!(!store.family_stands("f").await.unwrap());
        assert_eq!(store.redeem_code(token(Holder::Code), None, after(2)).await.unwrap(), Redeemed::Unknown);
        assert!(store.code(&token(Holder::Code)).await.unwrap().is_none());
    });
}

#[test]
fn of_a_hundred_rotations_one_issues_the_successor_and_the_others_get_the_same() {
    everywhere(async |store| {
        let (agent, first) = begun(&store).await;
        let calls: JoinSet<(usize, Rotated)> = (0..100)
            .map(|n| {
                let (store, first) = (Arc::clone(&store), first.clone());
                async move { (n, rotate(&store, &first, "c", &format!("sealed {n}"), after(3)).await.0) }
            })
            .collect();
        let rotated = calls.join_all().await;
        let done: Vec<_> = rotated.iter().filter(|(_, one)| *one == Rotated::Done(grant("f", &agent))).collect();
        let [(winner, _)] = done[..] else { panic!("{rotated:?}") };
        let again = Rotated::Again { grant: grant("f", &agent), sealed: format!("sealed {winner}") };
        assert_eq!(rotated.iter().filter(|(_, one)| *one == again).count(), 99);
        assert!(store.family_stands("f").await.unwrap());
        assert_eq!(told(&store).await, []);
    });
}

#[test]
fn a_refresh_token_that_comes_back_after_the_grace_ends_the_family() {
    everywhere(async |store| {
        let (agent, first) = begun(&store).await;
        let (done, second) = rotate(&store, &first, "c", "sealed", after(10)).await;
        assert_eq!(done, Rotated::Done(grant("f", &agent)));
        let (again, _) = rotate(&store, &first, "c", "other", after(69)).await;
        assert_eq!(again, Rotated::Again { grant: grant("f", &agent), sealed: "sealed".to_owned() });
        assert_eq!(store.grant_by_refresh(&second).await.unwrap(), Some(grant("f", &agent)));
        assert_eq!(rotate(&store, &first, "c", "other", after(70)).await.0, Rotated::Reused);
        assert!(!store.family_stands("f").await.unwrap());
        assert_eq!(told(&store).await, [(agent.to_string(), after(70), false)]);
        assert_eq!(
            rotate(&store, &second, "c", "other", after(71)).await.0,
            Rotated::Unknown,
            "the thief's, or theirs"
        );
        assert_eq!(rotate(&store, &first, "c", "other", after(71)).await.0, Rotated::Unknown);
        assert_eq!(store.grant_by_refresh(&first).await.unwrap(), Some(grant("f", &agent)), "still told");
        assert_eq!(told(&store).await.len(), 1, "a family ends once");
    });
}

#[test]
fn only_the_token_before_the_last_has_a_grace() {
    everywhere(async |store| {
        let (agent, first) = begun(&store).await;
        let (_, second) = rotate(&store, &first, "c", "sealed second", after(10)).await;
        let (_, third) = rotate(&store, &second, "c", "sealed third", after(11)).await;
        let again = Rotated::Again { grant: grant("f", &agent), sealed: "sealed third".to_owned() };
        assert_eq!(rotate(&store, &second, "c", "other", after(12)).await.0, again);
        assert_eq!(rotate(&store, &first, "c", "other", after(13)).await.0, Rotated::Reused, "within its minute");
        assert!(!store.family_stands("f").await.unwrap());
        assert_eq!(rotate(&store, &third, "c", "other", after(14)).await.0, Rotated::Unknown);
    });
}

#[test]
fn nobody_rotates_what_is_expired_or_of_another_client() {
    everywhere(async |store| {
        let (agent, first) = begun(&store).await;
        assert_eq!(rotate(&store, &first, "another", "s", after(3)).await.0, Rotated::Unknown);
        assert_eq!(rotate(&store, &first, "c", "s", after(3600)).await.0, Rotated::Unknown);
        assert_eq!(rotate(&store, &token(Holder::Refresh), "c", "s", after(3)).await.0, Rotated::Unknown);
        assert!(store.family_stands("f").await.unwrap(), "none of this is a copy");
        assert_eq!(rotate(&store, &first, "c", "s", after(3599)).await.0, Rotated::Done(grant("f", &agent)));
        assert_eq!(rotate(&store, &first, "another", "s", after(3600)).await.0, Rotated::Unknown);
        assert!(store.grant_by_refresh(&token(Holder::Refresh)).await.unwrap().is_none());
    });
}

#[test]
fn a_family_that_was_ended_stands_no_more() {
    everywhere(async |store| {
        let (agent, first) = begun(&store).await;
        let pending = code(&store, "g", &agent).await;
        assert!(store.end_family("f".to_owned(), "revoked", after(5)).await.unwrap());
        assert!(!store.end_family("f".to_owned(), "revoked", after(6)).await.unwrap());
        assert!(!store.end_family("nothing".to_owned(), "revoked", after(6)).await.unwrap());
        assert!(!store.family_stands("f").await.unwrap() && !store.family_stands("nothing").await.unwrap());
        assert_eq!(rotate(&store, &first, "c", "s", after(6)).await.0, Rotated::Unknown);
        assert_eq!(told(&store).await, [(agent.to_string(), after(5), false)]);
        assert_eq!(store.generations().await.unwrap().credentials, 1);
        assert!(store.end_family("g".to_owned(), "revoked", after(7)).await.unwrap());
        let redeemed = store.redeem_code(pending, Some(refresh(3600)), after(8)).await.unwrap();
        assert_eq!(redeemed, Redeemed::Unknown, "its grant ended before it began");
    });
}

#[test]
fn what_a_suspension_ends_no_resume_brings_back() {
    for (kind, subject) in [(Kind::Agent, "agent-k"), (Kind::Owner, "p")] {
        everywhere(async |store| {
            let (agent, first) = begun(&store).await;
            let pending = code(&store, "g", &agent).await;
            let elsewhere = consented(&store, "other", "o", URL, NOW).await;
            let others = Grant { owner: id("o"), ..grant("h", &elsewhere) };
            let (redirect_uri, challenge) = (String::new(), String::new());
            let hash = token(Holder::Code);
            let others = NewCode { hash, grant: others, redirect_uri, challenge, expires_at: after(61) };
            assert!(store.add_code(others, after(1)).await.unwrap());
            for change in [Change::Suspend, Change::Resume] {
                assert!(store.change_standing(kind, subject.to_owned(), change, after(5)).await.unwrap());
                assert!(!store.family_stands("f").await.unwrap(), "{subject} {change:?}");
                assert_eq!(rotate(&store, &first, "c", "s", after(6)).await.0, Rotated::Unknown);
                let redeemed = store.redeem_code(pending.clone(), Some(refresh(3600)), after(6)).await.unwrap();
                assert_ne!(redeemed, Redeemed::Done(grant("g", &agent)), "{subject} {change:?}");
            }
            assert!(store.family_stands("h").await.unwrap(), "another owner's");
        });
    }
}

#[test]
fn a_withdrawn_consent_a_removed_resource_and_a_removed_client_end_their_families() {
    everywhere(async |store| {
        let (agent, first) = begun(&store).await;
        let pending = code(&store, "g", &agent).await;
        assert!(store.withdraw_consent(&id("p"), "k".to_owned(), after(5)).await.unwrap());
        assert!(!store.family_stands("f").await.unwrap());
        assert_eq!(rotate(&store, &first, "c", "s", after(6)).await.0, Rotated::Unknown);
        assert_eq!(store.redeem_code(pending, None, after(6)).await.unwrap(), Redeemed::Unknown);
        let late = NewCode {
            hash: token(Holder::Code),
            grant: grant("late", &agent),
            redirect_uri: String::new(),
            challenge: String::new(),
            expires_at: after(61),
        };
        assert!(!store.add_code(late, after(6)).await.unwrap(), "no code without a consent");

        consented(&store, "k2", "p", URL, after(7)).await;
        code(&store, "h", &agent).await;
        assert!(store.remove_resource("r".to_owned(), after(8)).await.unwrap());
        assert!(!store.family_stands("h").await.unwrap());
        assert!(store.consents_of(&id("p")).await.unwrap().is_empty());

        assert_eq!(resource(&store, "r2", "s1", URL).await, ResourceRegistration::Done);
        let client = ClientRecord {
            id: "c".to_owned(),
            name: "Client".to_owned(),
            redirect_uris: Vec::new(),
            auth: ClientAuth::None,
            refresh_tokens: RefreshTokens::Given,
            agent: None,
            created_at: NOW,
            expires_at: Some(after(60)),
        };
        assert_eq!(store.register_client(client, 1).await.unwrap(), ClientRegistration::Done);
        consented(&store, "k3", "p", URL, after(8)).await;
        code(&store, "i", &agent).await;
        assert!(store.remove_client("c".to_owned(), after(9)).await.unwrap());
        assert!(!store.family_stands("i").await.unwrap());
        assert!(store.consents_of(&id("p")).await.unwrap().is_empty());
        assert_eq!(told(&store).await, [5, 8, 9].map(|secs| (agent.to_string(), after(secs), false)));
    });
}

#[test]
fn what_is_over_is_forgotten_and_what_may_yet_be_replayed_is_not() {
    everywhere(async |store| {
        let (_, first) = begun(&store).await;
        let (_, second) = rotate(&store, &first, "c", "s", after(10)).await;
        assert_eq!(store.forget_grants(after(3600)).await.unwrap(), 0);
        let day = 24 * 3600;
        assert_eq!(store.forget_grants(after(61 + day + 1)).await.unwrap(), 3, "the code and both refresh tokens");
        assert!(store.grant_by_refresh(&second).await.unwrap().is_none());
        assert!(store.family_stands("f").await.unwrap(), "the grant, a day after its end");
        assert_eq!(store.forget_grants(after(3610 + day + 1)).await.unwrap(), 1);
        assert!(!store.family_stands("f").await.unwrap());
    });
}
