//! Owners who sign in: names are unique, failures lock, sessions end.

use super::*;
use crate::store::owner_access::OwnerSession;

async fn set(store: &Store, owner: &str, user: &str, phc: &str) -> PasswordSet {
    store.set_password(&id(owner), user.to_owned(), phc.to_owned(), after(1)).await.unwrap()
}

async fn with_access(store: &Store) {
    registered(store).await;
    store.register("p".to_owned(), NewSubject::Owner { name: "P".to_owned() }, NOW).await.unwrap();
    assert_eq!(set(store, "o", "Ada", "phc").await, PasswordSet::Done);
}

#[test]
fn a_user_name_is_one_owners_and_a_new_password_ends_its_sessions() {
    everywhere(async |store| {
        with_access(&store).await;
        assert_eq!(set(&store, "p", "aDA", "other").await, PasswordSet::UserTaken);
        assert_eq!(set(&store, "nobody", "eve", "other").await, PasswordSet::UnknownOwner);
        let access: AccessRecord = store.access("ADA").await.unwrap().unwrap();
        assert!(!format!("{access:?}").contains("phc"));
        assert_eq!(access.owner, id("o"));
        assert_eq!((access.phc.as_str(), access.suspended), ("phc", false));
        assert!(store.access("eve").await.unwrap().is_none());
        let session = token(Holder::OwnerSession);
        store.open_owner_session(session.clone(), &id("o"), after(100), after(2)).await.unwrap();
        assert!(store.owner_session(&session, after(3)).await.unwrap().is_some());
        assert_eq!(set(&store, "o", "lovelace", "new").await, PasswordSet::Done);
        assert!(store.owner_session(&session, after(3)).await.unwrap().is_none());
        assert!(store.access("ada").await.unwrap().is_none());
        assert_eq!(store.access("lovelace").await.unwrap().unwrap().phc, "new");
        assert_eq!(set(&store, "p", "ada", "other").await, PasswordSet::Done, "the name is free again");
    });
}

#[test]
fn failures_lock_for_longer_each_time_until_one_succeeds() {
    everywhere(async |store| {
        with_access(&store).await;
        let failed = async || store.note_failed_sign_in(&id("o"), NOW).await.unwrap();
        let zero = UnixMillis::new(0);
        let minutes = |minutes: u64| NOW.plus(Duration::from_secs(60 * minutes));
        for (nth, expected) in
            (1..).zip([zero, zero, zero, zero, minutes(1), minutes(2), minutes(4), minutes(8), minutes(16)])
        {
            assert_eq!(failed().await, expected, "failure {nth}");
        }
        assert_eq!([failed().await, failed().await, failed().await], [minutes(32), minutes(60), minutes(60)]);
        let access = store.access("ada").await.unwrap().unwrap();
        assert_eq!((access.failures.count, access.failures.locked_until), (12, minutes(60)));
        store.open_owner_session(token(Holder::OwnerSession), &id("o"), after(100), after(2)).await.unwrap();
        let access = store.access("ada").await.unwrap().unwrap();
        assert_eq!((access.failures.count, access.failures.locked_until), (0, zero));
        assert_eq!(store.note_failed_sign_in(&id("nobody"), NOW).await.unwrap(), NOW);
    });
}

#[test]
fn of_a_hundred_failures_at_once_each_counts() {
    everywhere(async |store| {
        with_access(&store).await;
        let calls = (0..100).map(|_| {
            let store = Arc::clone(&store);
            async move { store.note_failed_sign_in(&id("o"), NOW).await.unwrap() > NOW }
        });
        assert_eq!(yeses(calls).await, 96, "all but the first four lock");
        assert_eq!(store.access("ada").await.unwrap().unwrap().failures.count, 100);
    });
}

#[test]
fn failures_are_forgotten_after_a_day_without_one_and_by_a_new_password() {
    everywhere(async |store| {
        with_access(&store).await;
        let failed = async |secs| store.note_failed_sign_in(&id("o"), after(secs)).await.unwrap();
        for _ in 0..20 {
            failed(0).await;
        }
        let day = 24 * 3600;
        assert!(failed(day - 1).await > after(day), "the twenty-first");
        assert!(failed(2 * day - 1).await <= after(2 * day - 1), "the first again");
        for _ in 0..9 {
            failed(2 * day).await;
        }
        assert!(store.access("ada").await.unwrap().unwrap().failures.locked_until > after(2 * day));
        assert_eq!(set(&store, "o", "ada", "new").await, PasswordSet::Done);
        assert_eq!(store.access("ada").await.unwrap().unwrap().failures.locked_until, UnixMillis::new(0));
    });
}

#[test]
fn a_session_lasts_until_it_expires_is_closed_or_its_owner_is_suspended() {
    everywhere(async |store| {
        with_access(&store).await;
        let (first, second) = (token(Holder::OwnerSession), token(Holder::OwnerSession));
        store.open_owner_session(first.clone(), &id("o"), after(100), after(2)).await.unwrap();
        store.open_owner_session(second.clone(), &id("o"), after(200), after(2)).await.unwrap();
        let expected = OwnerSession { owner: id("o"), owner_name: "Owner".to_owned(), expires_at: after(100) };
        assert_eq!(store.owner_session(&first, after(99)).await.unwrap(), Some(expected));
        assert!(store.owner_session(&first, after(100)).await.unwrap().is_none());
        assert!(store.owner_session(&token(Holder::OwnerSession), NOW).await.unwrap().is_none());
        store.change_standing(Kind::Owner, "o".to_owned(), Change::Suspend, after(3)).await.unwrap();
        assert!(store.owner_session(&second, after(4)).await.unwrap().is_none());
        assert!(store.access("ada").await.unwrap().unwrap().suspended);
        store.change_standing(Kind::Owner, "o".to_owned(), Change::Resume, after(5)).await.unwrap();
        assert!(store.owner_session(&second, after(6)).await.unwrap().is_none(), "a resume opens none");
        let (third, fourth) = (token(Holder::OwnerSession), token(Holder::OwnerSession));
        for session in [&third, &fourth] {
            store.open_owner_session(session.clone(), &id("o"), after(100), after(7)).await.unwrap();
        }
        store.close_owner_session(&third).await.unwrap();
        assert!(store.owner_session(&third, after(8)).await.unwrap().is_none());
        assert!(store.owner_session(&fourth, after(8)).await.unwrap().is_some());
        assert_eq!(store.forget_owner_sessions(after(99)).await.unwrap(), 0);
        assert_eq!(store.forget_owner_sessions(after(100)).await.unwrap(), 1);
    });
}
