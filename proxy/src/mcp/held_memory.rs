//! A bound on what all messages that are held take together, whoever sends them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// 256 MiB: as many messages of the longest usual length, or very many of the length that calls have.
const KIB_MAX: usize = 256 * 1024;

const KIB: usize = 1024;

/// What is left for messages.
#[derive(Clone, Debug)]
pub(crate) struct HeldMemory(Arc<Semaphore>);

/// What one message takes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    permit: OwnedSemaphorePermit,
}

impl Default for HeldMemory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(KIB_MAX)))
    }
}

impl HeldMemory {
    /// Room for a message that passes whether it is read or not, and whoever sends it: never out of the last half.
    pub(crate) fn take_spare(&self, bytes: usize) -> Option<Share> {
        let left = self.0.available_permits().saturating_sub(usize::try_from(kib(bytes)).unwrap_or(usize::MAX));
        if left < KIB_MAX / 2 { None } else { self.take(bytes) }
    }

    /// Room for so many bytes; `None` while there is not so much left.
    pub(crate) fn take(&self, bytes: usize) -> Option<Share> {
        let permit = Arc::clone(&self.0).try_acquire_many_owned(kib(bytes)).ok()?;
        Some(Share { permit })
    }
}

impl Share {
    /// Takes more, if it is not enough for so many bytes. Whether it is enough.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> bool {
        let lacks = kib(bytes).saturating_sub(u32::try_from(self.permit.num_permits()).unwrap_or(u32::MAX));
        let more = Arc::clone(self.permit.semaphore()).try_acquire_many_owned(lacks);
        more.map(|more| self.permit.merge(more)).is_ok()
    }
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_much_and_it_comes_back() {
        let memory = HeldMemory::default();
        let all = memory.take(KIB_MAX * KIB - KIB).unwrap();
        let mut last = memory.take(1).unwrap();
        assert!(memory.take(1).is_none());
        assert!(last.grow_to(KIB) && !last.grow_to(KIB + 1));
        drop(all);
        let half = memory.take_spare(KIB_MAX * KIB / 2 - KIB).unwrap();
        assert!(memory.take_spare(1).is_none() && memory.take(1).is_some(), "the rest is for who is known");
        drop(half);
        assert!(last.grow_to(KIB + 1) && memory.take(1).is_some());
    }
}
