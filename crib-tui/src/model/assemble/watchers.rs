//! The way back from a file to the epoll instances that watch it.

use std::sync::Arc;

use crate::model::{File, FileId};

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
            let (Some(fd), Some(epoll)) = (file.fd, &file.epoll) else { continue };
            all &= epoll.complete && epoll.watches.iter().all(|watch| watch.file.is_some());
            pairs.extend(epoll.watches.iter().filter_map(|watch| Some((watch.file?, fd))));
        }
        pairs.sort_by_key(|&(file, _)| file);
        // One file may be watched under several descriptors.
        pairs.dedup();
        Self { pairs, all, nobody: Arc::default() }
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
