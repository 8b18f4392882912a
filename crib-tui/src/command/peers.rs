//! Adds to some processes' files what is at their other ends, and who else holds them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{
    Ends, Family, File, FileId, FilesReading, Kind, Peer, ReadError, Search, Source,
};
use crate::source::Reader;

/// Finds the ends of all these files in one sweep over all processes.
///
/// # Errors
/// As [`Reader::sweep`].
pub(super) fn add(reader: &mut Reader, readings: &mut [FilesReading]) -> Result<(), ReadError> {
    let files = readings.iter().flat_map(|reading| &reading.files);
    let search = Search::of(files.map(|file| &**file));
    let sweep = reader.sweep(&search, None)?;
    // Descriptors of one open file have the same ends; there may be very many of them.
    let mut known: HashMap<FileId, Arc<Ends>> = HashMap::new();
    for reading in readings {
        let pid = reading.process.pid;
        for file in &mut reading.files {
            let same = file.id.filter(|_| sweep.source == Source::Bpf);
            // The other ends of an eventfd are the other descriptors of it.
            let same = same.filter(|_| file.kind != Kind::Eventfd);
            let ends = match same.and_then(|id| known.get(&id)) {
                Some(ends) => Arc::clone(ends),
                None => Arc::new(sweep.ends(pid, file)),
            };
            if let Some(id) = same {
                known.entry(id).or_insert_with(|| Arc::clone(&ends));
            }
            fill(Arc::make_mut(file), pid, ends);
        }
    }
    Ok(())
}

/// Says of a file what was found.
fn fill(file: &mut File, pid: u32, ends: Arc<Ends>) {
    if let Some(socket) = &mut file.socket {
        // One that others are connected to has other ends, and is itself connected to none.
        let is_connected = socket.family != Some(Family::UNIX) || socket.peer.is_some();
        if let Some(peer) = ends.peers.first_but(pid).filter(|_| is_connected) {
            let ino = peer.file.ino.get().or(socket.peer.and_then(|peer| peer.ino));
            socket.peer = Some(Peer { pid: Some(peer.pid), fd: peer.file.fd, ino });
        }
        socket.peers = Some(Arc::clone(&ends.peers));
    }
    if let Some(pipe) = &mut file.pipe {
        pipe.peers = Some(Arc::clone(&ends.peers));
    }
    file.ends = Some(ends);
}
