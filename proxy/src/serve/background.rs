//! What goes on beside requests: a task for each key set, one for each credential. A reload ends those that are no longer
//! wanted and leaves the others alone.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use crate::issuer::Issuer;
use crate::issuer_link::Link;
use crate::key_refresh::keep_fresh;
use crate::key_source::KeySource;

/// How long a start waits for issuers before it serves without them.
const FIRST_CONTACT: Duration = Duration::from_secs(2);

/// What goes on beside requests.
#[derive(Debug, Default)]
pub(super) struct Background {
    tasks: JoinSet<()>,
    issuers: Vec<(Arc<Issuer>, [AbortHandle; 2])>,
    links: Vec<(Arc<Link>, AbortHandle)>,
}

impl Background {
    /// Starts what a first configuration asks for, and waits a moment for contact with every issuer.
    pub(super) async fn begin(&mut self, issuers: &[Arc<Issuer>], links: Vec<Link>, client: &reqwest::Client) {
        let (contact, mut contacts) = mpsc::channel::<Infallible>(1);
        self.follow(issuers, links, client, &contact);
        drop(contact);
        // All have let go of it: every issuer was reached.
        if timeout(FIRST_CONTACT, contacts.recv()).await.is_err() {
            tracing::warn!("not every issuer was reached: serving, degraded, with what was known last");
        }
    }

    /// Goes on with what another configuration asks for.
    pub(super) fn change(&mut self, issuers: &[Arc<Issuer>], links: Vec<Link>, client: &reqwest::Client) {
        let (contact, _) = mpsc::channel::<Infallible>(1);
        self.follow(issuers, links, client, &contact);
    }

    fn follow(
        &mut self,
        issuers: &[Arc<Issuer>],
        links: Vec<Link>,
        client: &reqwest::Client,
        contact: &mpsc::Sender<Infallible>,
    ) {
        let wanted = |known: &Arc<Issuer>| issuers.iter().any(|issuer| Arc::ptr_eq(issuer, known));
        self.issuers.retain(|(known, tasks)| {
            let stays = wanted(known);
            if !stays {
                tasks.iter().for_each(AbortHandle::abort);
            }
            stays
        });
        for issuer in issuers {
            if self.issuers.iter().any(|(known, _)| Arc::ptr_eq(known, issuer)) {
                continue;
            }
            let source = KeySource::new(client.clone(), Arc::clone(&issuer.config));
            let refresh = self.tasks.spawn(keep_fresh(Arc::clone(issuer), source, contact.clone()));
            let save = self.tasks.spawn(Arc::clone(issuer).save_changes());
            self.issuers.push((Arc::clone(issuer), [refresh, save]));
        }
        let mut before = std::mem::take(&mut self.links);
        for link in links {
            let known = before.iter().position(|(known, _)| known.is_same_as(&link));
            let kept = match known {
                Some(index) => before.swap_remove(index),
                None => {
                    let link = Arc::new(link);
                    // Counted before the one it replaces is let go: in between, nobody would follow the log.
                    let followed = link.issuer.follow_log();
                    let task = self.tasks.spawn(Arc::clone(&link).follow(followed, contact.clone()));
                    (link, task)
                }
            };
            self.links.push(kept);
        }
        for (_, task) in before {
            task.abort();
        }
    }

    /// Runs something else as long.
    pub(super) fn also(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Ends all of it.
    pub(super) async fn end(mut self) {
        self.tasks.shutdown().await;
    }

    /// Resolves when one of them has ended, which none does by itself.
    pub(super) async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
