//! Whether a name stands twice in an object.

use std::borrow::Cow;
use std::collections::HashSet;

use arrayvec::ArrayVec;

/// Members of an object that are compared one by one; of more of them a set is made.
const FEW: usize = 16;

/// The names of an object so far.
#[derive(Default)]
pub(super) struct Names<'a> {
    /// Written without escapes, as nearly all are.
    few: ArrayVec<&'a str, FEW>,
    many: Option<HashSet<Cow<'a, str>>>,
}

impl<'a> Names<'a> {
    /// Whether it is a new one.
    pub(super) fn insert(&mut self, name: Cow<'a, str>) -> bool {
        match (&mut self.many, name) {
            (Some(many), name) => many.insert(name),
            (None, Cow::Borrowed(name)) if !self.few.is_full() => {
                let is_new = !self.few.contains(&name);
                self.few.push(name);
                is_new
            }
            (None, name) => {
                // As many as most such objects have: else all of them are moved again and again.
                let many = self.many.insert(HashSet::with_capacity(4 * FEW));
                many.extend(self.few.iter().copied().map(Cow::Borrowed));
                many.insert(name)
            }
        }
    }
}
