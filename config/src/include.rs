//! `include = ["sites.d/*.toml"]`: sites in files of their own.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::gateway::SITE;
use crate::reader::{self, Key};
use crate::surroundings::Surroundings;
use crate::{ConfigError, Site, load};

/// Most files that are included.
const FILES_MAX: usize = 100_000;

/// What only the main file may hold.
const OF_THE_MAIN_FILE: [Key; 6] = [
    Key::new("version", "1"),
    Key::new("include", "[]"),
    Key::new("listen", ""),
    Key::new("server", ""),
    Key::new("issuer", ""),
    Key::new("policy", ""),
];

/// The files of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The one that was named.
    pub main: PathBuf,
    /// The folders that `include` looks into.
    pub folders: Vec<PathBuf>,
    /// The files that it found there, in order.
    pub included: Vec<PathBuf>,
    /// What [`Files::fingerprint`] said right before they were read.
    pub as_read: u64,
}

/// Files to include: a path whose last segment may hold one `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    folder: PathBuf,
    before: String,
    /// Behind the `*`; `None` where there is no star.
    behind: Option<String>,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        if name.is_empty() || folder.to_string_lossy().contains('*') || name.matches('*').count() > 1 {
            return Err(format!(
                "`{text}`: one `*` may stand in the name of the files: write it like \"sites.d/*.toml\""
            ));
        }
        let (before, behind) = name.split_once('*').map_or((name, None), |(before, behind)| (before, Some(behind)));
        Ok(Self { folder, before: before.to_owned(), behind: behind.map(str::to_owned) })
    }

    fn matches(&self, name: &str) -> bool {
        match &self.behind {
            None => name == self.before,
            // As in a shell: a star is no leading dot.
            Some(behind) => name
                .strip_prefix(&*self.before)
                .is_some_and(|rest| rest.ends_with(&**behind) && !(self.before.is_empty() && rest.starts_with('.'))),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.folder.join(&self.before).display())?;
        self.behind.as_ref().map_or(Ok(()), |behind| write!(f, "*{behind}"))
    }
}

impl Files {
    /// Finds what is included. A star that finds nothing is no mistake, a file that is not there is.
    pub(crate) fn find(main: &Path, patterns: &[Pattern]) -> Result<Self, ConfigError> {
        let home = main.parent().unwrap_or(Path::new(""));
        let folders = patterns.iter().map(|pattern| home.join(&pattern.folder)).collect();
        let mut files = Self { main: main.into(), folders, ..Self::default() };
        files.as_read = files.fingerprint();
        for pattern in patterns {
            let folder = home.join(&pattern.folder);
            let failed = |cause: &dyn fmt::Display| {
                let text =
                    format!("`include`: {} cannot be read ({cause}): write a folder that is there", folder.display());
                ConfigError::whole_file(main, text)
            };
            if pattern.behind.is_none() {
                files.included.push(folder.join(&pattern.before));
            } else {
                let readable = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
                let mut found = Vec::new();
                for entry in fs::read_dir(readable).map_err(|cause| failed(&cause))? {
                    let name = entry.map_err(|cause| failed(&cause))?.file_name();
                    if name.to_str().is_some_and(|name| pattern.matches(name)) {
                        found.push(folder.join(name));
                    }
                }
                found.sort();
                files.included.extend(found);
            }
        }
        let mut seen = std::collections::HashSet::new();
        files.included.retain(|file| file != main && seen.insert(file.clone()));
        if files.included.len() > FILES_MAX {
            return Err(ConfigError::whole_file(main, format!("`include`: more than {FILES_MAX} files")));
        }
        Ok(files)
    }

    /// A number that is another one when a file in the folders of `include` was added, removed, written or replaced.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for folder in &self.folders {
            let readable = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let entries = fs::read_dir(readable).into_iter().flatten().flatten();
            let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
            names.sort();
            for name in names {
                // Through links: what they lead to is what counts.
                let found = fs::metadata(folder.join(&name)).ok();
                let found = found.map(|found| (found.ino(), found.len(), found.mtime(), found.mtime_nsec()));
                (name, found).hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}

/// The sites of an included file. Nothing of it counts unless all of it does.
pub(crate) fn sites(file: &Path, surroundings: &mut Surroundings) -> Result<Vec<Site>, ConfigError> {
    let text = load::text(file)?;
    let claims = surroundings.claims();
    let read = reader::read(&text, file, &|_| None, |top| {
        for key in OF_THE_MAIN_FILE {
            if top.optional(key, |_| Ok(()))?.is_some() {
                let text = format!("`{}` belongs in the main file: an included one holds [[site]] alone", key.name);
                top.report(key, &text);
            }
        }
        top.sections(SITE, "in [[site]]", |table| Site::read(table, surroundings))
    });
    if read.is_err() {
        surroundings.give_back_all_but(claims);
    }
    read
}

#[cfg(test)]
mod tests;
