//! The way back from a file to the epoll instances that watch it.

use std::sync::Arc;

use crate::model::{File, FileId, Kind};

/// What a file says of its watchers, as far as it can be known without a look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    /// That they are not known.
    Unknown,
    /// That there are none.
    Never,
    /// Which they are.
    Somewhere,
}

impl Watched {
    /// What this file says.
    pub(super) fn of(file: &File) -> Self {
        match &file.watched_by {
            None => Self::Unknown,
            Some(fds) if fds.is_empty() => Self::Never,
            Some(_) => Self::Somewhere,
        }
    }
}

/// Whether a file is an epoll instance, or could be one: before Linux 5.17 it can't be seen what
/// those watch.
pub(super) fn may_watch(file: &File) -> bool {
    match file.kind {
        Kind::Eventpoll => true,
        Kind::Anon | Kind::Unknown => file.path.is_none(),
        _ => false,
    }
}

/// Who watches which files of a process.
pub(super) struct Watchers {
    /// A watched file and a descriptor that watches it, by file.
    pairs: Vec<(FileId, u32)>,
    /// Whether every list is complete: only then does nobody watch the other files.
    all: bool,
    /// What those share.
    nobody: Arc<Vec<u32>>,
}

impl Watchers {
    /// Those among the files of a process.
    pub(super) fn among<'a>(files: impl Iterator<Item = &'a File>) -> Self {
        let mut pairs = Vec::new();
        let mut all = true;
        for file in files {
            all &= file.epoll.is_some() || !may_watch(file);
            let (Some(fd), Some(epoll)) = (file.fd, &file.epoll) else { continue };
            all &= epoll.complete && epoll.watches.iter().all(|watch| watch.file.is_some());
            pairs.extend(epoll.watches.iter().filter_map(|watch| Some((watch.file?, fd))));
        }
        pairs.sort_by_key(|&(file, _)| file);
        // One file may be watched under several descriptors.
        pairs.dedup();
        Self { pairs, all, nobody: Arc::default() }
    }

    /// Whether that is right of whatever file says it, so that none need be looked at; where
    /// something is watched, each is.
    pub(super) fn agree(&self, said: Watched) -> bool {
        let right = if self.all { Watched::Never } else { Watched::Unknown };
        self.pairs.is_empty() && said == right
    }

    /// What a file is to say of its watchers; none where it says that already.
    pub(super) fn correction(&self, file: &File) -> Option<Option<Arc<Vec<u32>>>> {
        let found = file.id.map_or(&[][..], |id| self.of(id));
        let known = file.id.is_some() && (self.all || !found.is_empty());
        let fds = || found.iter().map(|&(_, fd)| fd);
        let right = match &file.watched_by {
            Some(said) => known && said.iter().copied().eq(fds()),
            None => !known,
        };
        (!right).then(|| {
            known.then(|| match found {
                [] => Arc::clone(&self.nobody),
                _ => Arc::new(fds().collect()),
            })
        })
    }

    fn of(&self, id: FileId) -> &[(FileId, u32)] {
        let start = self.pairs.partition_point(|&(file, _)| file < id);
        let len = self.pairs[start..].iter().take_while(|&&(file, _)| file == id).count();
        &self.pairs[start..start + len]
    }
}
