use std::path::Path;

use config::SecretSource;
use passport::{SigningKey, jwks_document};

use super::*;
use crate::metrics::Metrics;
use crate::secret::Secret;

const START: UnixTime = UnixTime::from_secs(1_795_532_400);

fn open(folder: &Path, now: UnixTime) -> Arc<Issuer> {
    let secret = folder.join("secret");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef").unwrap();
    let secret = Secret::open(Some(&SecretSource::File(secret)), folder).unwrap();
    let files = Arc::new(StateFiles::new(folder.to_owned(), &secret));
    let metrics = Metrics::new().unwrap().issuer("https://id.example");
    let place = config::Place { file: Path::new("lime.toml").into(), line: 7 };
    let config = Arc::new(TrustedIssuer::lime("https://id.example".parse().unwrap(), place));
    Arc::new(Issuer::open(config, files, metrics, Arc::default(), now))
}

fn key() -> &'static SigningKey {
    crate::tests::issuer::key(0)
}

fn fetch(issuer: &Issuer, now: UnixTime) {
    let document = jwks_document([key().jwk()]);
    issuer.took_keys(KeySet::from_jwks(document.as_bytes()).unwrap(), &document, now);
}

fn row(kind: SubjectKind, id: &str) -> RevocationRow {
    RevocationRow { kind, id: id.to_owned(), not_before: START, suspended: true }
}

#[test]
fn what_was_known_is_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = open(folder.path(), START);
    assert_eq!((issuer.view().contact, issuer.view().keys.len()), (Contact::Lost, 0));
    fetch(&issuer, START);
    issuer.took_rows(vec![row(SubjectKind::Agent, "a"), row(SubjectKind::Owner, "o")], 7, Rows::All { known: None });
    issuer.took_site_ids([("https://shop.example".to_owned(), "site-1".parse().unwrap())]);
    issuer.save();
    let again = open(folder.path(), START.plus(Duration::from_secs(60)));
    let view = again.view();
    assert_eq!((view.contact, view.keys.len(), view.last_contact), (Contact::Lost, 1, Some(START)));
    assert_eq!(view.revocations.rows().count(), 2);
    assert_eq!(again.position(), Some(7));
    assert_eq!(again.site_id(&"https://shop.example".parse().unwrap()).unwrap().as_str(), "site-1");
}

#[test]
fn keys_that_nobody_confirms_for_a_day_are_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = open(folder.path(), START);
    fetch(&issuer, START);
    issuer.save();
    let day = issuer.config.jwks.max_stale;
    assert_eq!(open(folder.path(), START.plus(day)).view().keys.len(), 1);
    assert_eq!(open(folder.path(), START.plus(day + Duration::from_secs(1))).view().keys.len(), 0);
    issuer.lost(START.plus(day));
    assert_eq!(issuer.view().keys.len(), 1);
    let generation = issuer.view().generation;
    issuer.lost(START.plus(day + Duration::from_secs(1)));
    assert_eq!(issuer.view().keys.len(), 0);
    assert!(issuer.view().generation > generation);
    fetch(&issuer, START.plus(day + Duration::from_secs(2)));
    assert_eq!(issuer.view().keys.len(), 1);
}

#[test]
fn the_same_keys_again_are_no_other_generation() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = open(folder.path(), START);
    fetch(&issuer, START);
    let generation = issuer.view().generation;
    fetch(&issuer, START.plus(Duration::from_secs(300)));
    assert_eq!(issuer.view().generation, generation);
}

#[test]
fn a_revoked_key_is_never_believed_again() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = open(folder.path(), START);
    fetch(&issuer, START);
    let generation = issuer.view().generation;
    issuer.took_rows(vec![row(SubjectKind::Key, key().kid().as_str())], 1, Rows::Further);
    assert!(issuer.view().keys.is_empty() && issuer.view().generation > generation);
    fetch(&issuer, START);
    issuer.took_rows(Vec::new(), 2, Rows::All { known: Some(1) });
    assert!(issuer.view().keys.is_empty(), "whatever the issuer publishes or forgets");
    issuer.save();
    assert!(open(folder.path(), START).view().keys.is_empty());
}

#[test]
fn rows_are_taken_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = open(folder.path(), START);
    issuer.took_rows(vec![row(SubjectKind::Agent, "a")], 5, Rows::Further);
    issuer.took_rows(vec![row(SubjectKind::Agent, "b")], 5, Rows::Further);
    issuer.took_rows(vec![row(SubjectKind::Agent, "c")], 4, Rows::Further);
    assert_eq!(issuer.view().revocations.rows().map(|row| row.id).collect::<Vec<_>>(), ["a"]);
    issuer.took_rows(vec![row(SubjectKind::Agent, "d")], 3, Rows::All { known: Some(5) });
    assert_eq!(issuer.view().revocations.rows().map(|row| row.id).collect::<Vec<_>>(), ["d"]);
    assert_eq!(issuer.position(), Some(3), "a log that was set back is followed");
    issuer.took_rows(Vec::new(), 5, Rows::All { known: Some(5) });
    assert_eq!((issuer.position(), issuer.view().revocations.is_empty()), (Some(3), false), "another was quicker");
}

#[test]
fn contact_with_a_followed_log_is_what_the_log_says() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = open(folder.path(), START);
    let _followed = issuer.follow_log();
    fetch(&issuer, START);
    assert_eq!((issuer.view().contact, issuer.view().last_contact), (Contact::Kept, None));
    issuer.heard(START);
    assert_eq!(issuer.view().last_contact, Some(START));
    issuer.lost(START.plus(Duration::from_secs(9)));
    assert_eq!((issuer.view().contact, issuer.view().last_contact), (Contact::Lost, Some(START)));
}

#[track_caller]
fn revocations_file(folder: &Path) -> std::path::PathBuf {
    let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("revocations-")).unwrap()
}

#[test]
fn with_the_revocation_file_gone_the_log_was_never_heard() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = open(folder.path(), START);
    fetch(&issuer, START);
    issuer.took_rows(vec![row(SubjectKind::Agent, "a")], 1, Rows::All { known: None });
    issuer.heard(START);
    issuer.save();
    std::fs::remove_file(revocations_file(folder.path())).unwrap();
    let again = open(folder.path(), START);
    let _followed = again.follow_log();
    let view = again.view();
    assert_eq!((view.keys.len(), view.last_contact, view.revocations.is_lost()), (1, None, false));
}

#[test]
fn an_edited_revocation_file_leaves_them_lost_until_the_log_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = open(folder.path(), START);
    fetch(&issuer, START);
    issuer.took_rows(vec![row(SubjectKind::Agent, "a")], 1, Rows::All { known: None });
    issuer.heard(START);
    issuer.save();
    let file = revocations_file(folder.path());
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("\"a\"", "\"b\"")).unwrap();
    assert!(!open(folder.path(), START).view().revocations.is_lost(), "nobody would read the log");
    let mut again = open(folder.path(), START);
    for _ in 0..2 {
        let _followed = again.follow_log();
        assert!(again.view().revocations.is_lost() && again.view().last_contact.is_none());
        again.took_site_ids([("https://shop.example".to_owned(), "site-1".parse().unwrap())]);
        again.save();
        again = open(folder.path(), START);
    }
    let _followed = again.follow_log();
    again.took_rows(Vec::new(), 1, Rows::All { known: None });
    let _followed = again.follow_log();
    assert!(!again.view().revocations.is_lost());
    again.save();
    let again = open(folder.path(), START);
    let _followed = again.follow_log();
    assert!(!again.view().revocations.is_lost());
}

#[test]
fn a_revoked_key_outlives_the_document_and_the_row_that_named_it() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = open(folder.path(), START);
    fetch(&issuer, START);
    issuer.took_rows(vec![row(SubjectKind::Key, key().kid().as_str())], 1, Rows::Further);
    issuer.took_rows(Vec::new(), 2, Rows::All { known: Some(1) });
    issuer.save();
    let later = START.plus(Duration::from_hours(48));
    let again = open(folder.path(), later);
    fetch(&again, later);
    assert!(again.view().keys.is_empty());
}

#[test]
fn a_revoked_key_outlives_its_row() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = open(folder.path(), START);
    let ended = RevocationRow { suspended: false, ..row(SubjectKind::Key, key().kid().as_str()) };
    issuer.took_rows(vec![ended], 1, Rows::Further);
    // Saved by the clock of this machine, to which the row is young or yet to come.
    issuer
        .files
        .store(
            &issuer.names.revocations,
            &StoredRevocations {
                issuer: "https://id.example".to_owned(),
                rows: issuer.view().revocations.rows().collect(),
                ..StoredRevocations::default()
            },
        )
        .unwrap();
    let later = START.plus(Duration::from_hours(48));
    let again = open(folder.path(), later);
    fetch(&again, later);
    assert!(again.view().keys.is_empty());
}

#[test]
fn stored_times_that_are_yet_to_come_tell_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = open(folder.path(), START);
    fetch(&issuer, START);
    issuer.took_rows(vec![row(SubjectKind::Agent, "a")], 1, Rows::All { known: None });
    issuer.heard(START);
    issuer.save();
    for (before, keys, heard) in [(CLOCK_LEEWAY, 1, Some(START)), (CLOCK_LEEWAY + Duration::from_secs(1), 0, None)] {
        let again = open(folder.path(), UnixTime::from_secs(START.as_secs() - before.as_secs()));
        let view = again.view();
        assert_eq!((view.keys.len(), view.last_contact, view.revocations.rows().count()), (keys, heard, 1));
    }
}
