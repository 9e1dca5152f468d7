//! Watches the folders of `include`, and asks for a reload when something in them was changed.
//!
//! Looking is cheap and misses nothing: systems that swap a whole folder by a link, as Kubernetes does, tell watchers of files
//! about it in ways that differ.

use std::time::Duration;

use config::Files;
use tokio::sync::watch::Receiver;
use tokio::time::sleep;

use super::commands::Commands;

/// How often the folders are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Asks for a reload whenever the folders changed, for as long as it is polled. `files` are those of the configuration
/// that is served: a reload may name other folders.
pub(super) async fn watch(mut files: Receiver<Files>, commands: Commands) {
    // What was changed between the reading and now counts as well.
    let mut before = files.borrow_and_update().as_read;
    loop {
        sleep(EVERY).await;
        if files.has_changed().unwrap_or_default() {
            before = files.borrow_and_update().as_read;
        }
        let watched = files.borrow().clone();
        if watched.folders.is_empty() || look(&watched).await == before {
            continue;
        }
        // Whoever is writing still is waited for: half a file would be refused, and loudly.
        sleep(EVERY / 4).await;
        before = look(&watched).await;
        // What comes of it is logged and counted where it is done.
        drop(commands.reload().await);
    }
}

/// Off the threads that serve: a folder may be on a slow disk.
async fn look(files: &Files) -> u64 {
    let files = files.clone();
    tokio::task::spawn_blocking(move || files.fingerprint()).await.unwrap_or_default()
}
