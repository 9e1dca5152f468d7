use std::os::unix::fs::{PermissionsExt as _, symlink};

use config::SecretSource;

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn files(&self, secret: &str) -> StateFiles {
        let file = self.0.path().join("secret");
        fs::write(&file, secret).unwrap();
        let secret = Secret::open(Some(&SecretSource::File(file)), self.0.path()).unwrap();
        StateFiles::new(self.0.path().to_owned(), &secret)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

const ONE: &str = "1111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222";

#[test]
fn what_is_stored_is_found_again_also_after_a_change_of_secret() {
    let folder = Folder::new();
    assert!(folder.files(ONE).load::<Vec<u8>>("a.json").unwrap().is_none());
    folder.files(ONE).store("a.json", &[1, 2]).unwrap();
    folder.files(ONE).store("a.json", &[1, 2, 3]).unwrap();
    assert_eq!(folder.files(ONE).load::<Vec<u8>>("a.json").unwrap().unwrap(), [1, 2, 3]);
    assert_eq!(folder.files(&format!("{TWO}\n{ONE}")).load::<Vec<u8>>("a.json").unwrap().unwrap(), [1, 2, 3]);
    assert_eq!(fs::metadata(folder.path("a.json")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(folder.files(TWO).load::<Vec<u8>>("a.json"), Err(StateError::Edited(_))));
}

#[track_caller]
fn check_refused(spoil: impl FnOnce(&Folder)) {
    let folder = Folder::new();
    folder.files(ONE).store("a.json", &["kid"]).unwrap();
    spoil(&folder);
    let refusal = folder.files(ONE).load::<Vec<String>>("a.json").unwrap_err();
    assert!(matches!(refusal, StateError::Edited(_) | StateError::NotOurs(_)), "{refusal}");
    assert!(refusal.to_string().contains("a.json"), "{refusal}");
}

#[test]
fn an_edited_file_is_refused() {
    check_refused(|folder| {
        let text = fs::read_to_string(folder.path("a.json")).unwrap();
        fs::write(folder.path("a.json"), text.replace("kid", "kit")).unwrap();
    });
    check_refused(|folder| fs::write(folder.path("a.json"), "[\"kid\"]\n").unwrap());
    check_refused(|folder| fs::write(folder.path("a.json"), "[\"kid\"]\nhmac-sha256 00\n").unwrap());
    check_refused(|folder| fs::write(folder.path("a.json"), "").unwrap());
}

#[test]
fn a_file_in_another_ones_place_is_refused() {
    check_refused(|folder| {
        folder.files(ONE).store("b.json", &["kid"]).unwrap();
        fs::rename(folder.path("b.json"), folder.path("a.json")).unwrap();
    });
}

#[test]
fn a_file_that_is_not_ours_alone_is_refused() {
    check_refused(|folder| fs::set_permissions(folder.path("a.json"), fs::Permissions::from_mode(0o620)).unwrap());
    check_refused(|folder| {
        fs::rename(folder.path("a.json"), folder.path("b.json")).unwrap();
        symlink(folder.path("b.json"), folder.path("a.json")).unwrap();
    });
    check_refused(|folder| {
        fs::remove_file(folder.path("a.json")).unwrap();
        fs::create_dir(folder.path("a.json")).unwrap();
        fs::set_permissions(folder.path("a.json"), fs::Permissions::from_mode(0o700)).unwrap();
    });
}

#[test]
fn a_folder_that_others_may_write_is_refused() {
    let folder = Folder::new();
    assert!(open_folder(&folder.path("state")).is_ok());
    assert_eq!(fs::metadata(folder.path("state")).unwrap().permissions().mode() & 0o777, 0o700);
    fs::set_permissions(folder.path("state"), fs::Permissions::from_mode(0o770)).unwrap();
    assert!(matches!(open_folder(&folder.path("state")), Err(StateError::FolderShared(_))));
}
