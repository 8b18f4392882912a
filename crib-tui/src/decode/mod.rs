//! Wire records out of bytes: pure, and never panics, whatever the bytes are.

use crib_common::dump::{
    self, ChunkRecord, EndRecord, FileEndRecord, HeadersRecord, NameRecord, PacketEndRecord,
    PacketRecord, PathRecord, QueueEndRecord, QueueRecord, TcpRecord,
};
use crib_common::record::{
    ALIGN, FileRecord, OpsRecord, PipeRecord, RecordHeader, SocketRecord, TotalsRecord, UnixRecord,
    VERSION, WatchEntry, WatchesRecord, kind,
};
use zerocopy::FromBytes;

/// One decoded record.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one at a time, on the stack")]
pub enum Record<'a> {
    /// An open file and the bytes of its path.
    File(FileRecord, &'a [u8]),
    /// The socket behind the file before.
    Socket(SocketRecord),
    /// The names of the unix socket before.
    Unix(UnixRecord),
    /// The pipe behind the file before.
    Pipe(PipeRecord),
    /// What the epoll instance before watches, and whether that is all.
    Watches(Vec<WatchEntry>, bool),
    /// File operations that were met for the first time.
    Ops(Box<OpsRecord>),
    /// The sums over a descriptor table.
    Totals(TotalsRecord),
    /// The names of the path of the file before, as [`PathRecord`] has them.
    Path(PathRecord, &'a [u8]),
    /// What TCP knows of the socket before.
    Tcp(TcpRecord),
    /// A queue of the file before begins.
    Queue(QueueRecord),
    /// A packet of the queue before begins.
    Packet(PacketRecord),
    /// The sender of the packet before.
    Name(NameRecord),
    /// The protocol headers of the packet before.
    Headers(HeadersRecord),
    /// A file in flight in the packet before; records of its parts follow.
    Flight(FileRecord),
    /// Bytes of the packet before; none where they could not be read.
    Chunk(ChunkRecord, &'a [u8]),
    /// A packet ends.
    PacketEnd(PacketEndRecord),
    /// A queue ends.
    QueueEnd(QueueEndRecord),
    /// A file ends.
    FileEnd(FileEndRecord),
    /// A dump ends.
    End(EndRecord),
}

/// Why bytes could not be decoded further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end within a record.
    #[error("a record is cut after {0} bytes")]
    Cut(usize),
    /// A record claims a length that its kind can't have.
    #[error("a record of kind {kind} claims {len} bytes")]
    Length {
        /// Its kind.
        kind: u16,
        /// The length it claims.
        len: u32,
    },
    /// The record is not of a layout that this build knows.
    #[error("a record has kind {kind} and version {version}, which this build does not know")]
    Unknown {
        /// Its kind.
        kind: u16,
        /// Its version.
        version: u16,
    },
}

/// The records in a run of bytes, in order; ends after the first error.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// The records in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn decode(&mut self) -> Result<Record<'a>, DecodeError> {
        let cut = DecodeError::Cut(self.rest.len());
        let (header, _) = RecordHeader::read_from_prefix(self.rest).map_err(|_| cut)?;
        let len = usize::try_from(header.len).map_err(|_| cut)?;
        if header.version != VERSION {
            return Err(DecodeError::Unknown { kind: header.kind, version: header.version });
        }
        if len < size_of::<RecordHeader>() {
            return Err(DecodeError::Length { kind: header.kind, len: header.len });
        }
        let bytes = self.rest.get(..len).ok_or(cut)?;
        let record = body(header, bytes)?;
        // The padding behind the last record may be missing.
        let next = len.next_multiple_of(ALIGN).min(self.rest.len());
        self.rest = &self.rest[next..];
        Ok(record)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = self.decode();
        if record.is_err() {
            self.rest = &[];
        }
        Some(record)
    }
}

fn body(header: RecordHeader, bytes: &[u8]) -> Result<Record<'_>, DecodeError> {
    let wrong = DecodeError::Length { kind: header.kind, len: header.len };
    Ok(match header.kind {
        kind::FILE => {
            let (file, path) = FileRecord::read_from_prefix(bytes).map_err(|_| wrong)?;
            if usize::try_from(file.path_len).unwrap_or(0) != path.len() {
                return Err(wrong);
            }
            Record::File(file, path)
        }
        kind::SOCKET => Record::Socket(whole(bytes).ok_or(wrong)?),
        kind::UNIX => Record::Unix(whole(bytes).ok_or(wrong)?),
        kind::PIPE => Record::Pipe(whole(bytes).ok_or(wrong)?),
        kind::WATCHES => {
            let (record, entries) = WatchesRecord::read_from_prefix(bytes).map_err(|_| wrong)?;
            Record::Watches(watches(record, entries).ok_or(wrong)?, record.whole == 1)
        }
        kind::OPS => Record::Ops(Box::new(whole(bytes).ok_or(wrong)?)),
        kind::TOTALS => Record::Totals(whole(bytes).ok_or(wrong)?),
        dump::kind::PATH => {
            let (path, names) = PathRecord::read_from_prefix(bytes).map_err(|_| wrong)?;
            Record::Path(path, (path.len as usize == names.len()).then_some(names).ok_or(wrong)?)
        }
        dump::kind::TCP => Record::Tcp(whole(bytes).ok_or(wrong)?),
        dump::kind::QUEUE => Record::Queue(whole(bytes).ok_or(wrong)?),
        dump::kind::PACKET => Record::Packet(whole(bytes).ok_or(wrong)?),
        dump::kind::NAME => Record::Name(whole(bytes).ok_or(wrong)?),
        dump::kind::HEADERS => Record::Headers(whole(bytes).ok_or(wrong)?),
        dump::kind::FLIGHT => Record::Flight(whole(bytes).ok_or(wrong)?),
        dump::kind::CHUNK => {
            let (chunk, bytes) = ChunkRecord::read_from_prefix(bytes).map_err(|_| wrong)?;
            let follow = if chunk.captured == 0 { 0 } else { chunk.len as usize };
            Record::Chunk(chunk, (follow == bytes.len()).then_some(bytes).ok_or(wrong)?)
        }
        dump::kind::PACKET_END => Record::PacketEnd(whole(bytes).ok_or(wrong)?),
        dump::kind::QUEUE_END => Record::QueueEnd(whole(bytes).ok_or(wrong)?),
        dump::kind::FILE_END => Record::FileEnd(whole(bytes).ok_or(wrong)?),
        dump::kind::END => Record::End(whole(bytes).ok_or(wrong)?),
        kind => return Err(DecodeError::Unknown { kind, version: header.version }),
    })
}

fn whole<T: FromBytes>(bytes: &[u8]) -> Option<T> {
    T::read_from_bytes(bytes).ok()
}

/// The entries behind a record; none where there are not as many as it says.
fn watches(record: WatchesRecord, entries: &[u8]) -> Option<Vec<WatchEntry>> {
    let entries = entries.chunks(size_of::<WatchEntry>());
    if usize::try_from(record.count) != Ok(entries.len()) {
        return None;
    }
    entries.map(|entry| WatchEntry::read_from_bytes(entry).ok()).collect()
}

#[cfg(test)]
mod tests;
