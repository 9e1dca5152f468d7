//! Watches the folders of `include`, and asks for a reload when something in them was changed.
//!
//! Looking is cheap and misses nothing: systems that swap a whole folder by a link, as Kubernetes does, tell watchers of files
//! about it in ways that differ.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use config::Files;
use tokio::time::sleep;

use super::commands::Commands;

/// How often the folders are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Asks for a reload whenever the folders changed, for as long as it is polled.
pub(super) async fn watch(files: Files, commands: Commands) {
    if files.folders.is_empty() {
        return;
    }
    let mut before = look(&files.folders).await;
    loop {
        sleep(EVERY).await;
        let found = look(&files.folders).await;
        if found == before {
            continue;
        }
        // Whoever is writing still is waited for: half a file would be refused, and loudly.
        sleep(EVERY / 4).await;
        before = look(&files.folders).await;
        // What comes of it is logged and counted where it is done.
        drop(commands.reload().await);
    }
}

/// A number that is another one when a file was added, removed, written or replaced.
async fn look(folders: &[PathBuf]) -> u64 {
    let folders = folders.to_vec();
    tokio::task::spawn_blocking(move || fingerprint(&folders)).await.unwrap_or_default()
}

fn fingerprint(folders: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for folder in folders {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names {
            // Through links: what they lead to is what counts.
            let found = std::fs::metadata(folder.join(&name)).ok();
            let found = found.map(|found| (found.ino(), found.len(), found.mtime(), found.mtime_nsec()));
            (name, found).hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn whatever_is_changed_in_a_folder_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let sites = home.path().join("sites.d");
        for (folder, text) in [("one", "a"), ("two", "b")] {
            fs::create_dir(home.path().join(folder)).unwrap();
            fs::write(home.path().join(folder).join("a.toml"), text).unwrap();
        }
        symlink("one", &sites).unwrap();
        let look = || fingerprint(std::slice::from_ref(&sites));
        let mut seen = vec![look()];
        assert_eq!(look(), seen[0]);
        fs::write(sites.join("b.toml"), "x").unwrap();
        seen.push(look());
        fs::write(sites.join("b.toml"), "xy").unwrap();
        seen.push(look());
        fs::remove_file(sites.join("b.toml")).unwrap();
        // The whole folder, in one step.
        symlink("two", home.path().join("new")).unwrap();
        fs::rename(home.path().join("new"), &sites).unwrap();
        seen.push(look());
        let distinct: std::collections::HashSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len());
    }
}
