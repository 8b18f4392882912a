//! The way back from a file to the epoll instances that watch it.

use std::collections::HashMap;

use crate::model::{File, FileId};

/// Notes for each file which of the process's epoll instances watch it.
///
/// That none does is only said where every list is complete.
pub(super) fn find(files: &mut [File]) {
    let mut watchers: HashMap<FileId, Vec<u32>> = HashMap::new();
    let mut all = true;
    for file in files.iter() {
        let (Some(fd), Some(epoll)) = (file.fd, &file.epoll) else { continue };
        all &= epoll.complete && epoll.watches.iter().all(|watch| watch.file.is_some());
        for id in epoll.watches.iter().filter_map(|watch| watch.file) {
            let fds = watchers.entry(id).or_default();
            // One file may be watched under several descriptors.
            if fds.last() != Some(&fd) {
                fds.push(fd);
            }
        }
    }
    for file in files {
        let fds = file.id.and_then(|id| watchers.get(&id));
        file.watched_by = fds.cloned().or(all.then(Vec::new)).filter(|_| file.id.is_some());
    }
}
