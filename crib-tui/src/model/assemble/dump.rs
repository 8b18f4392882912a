//! Files with their queues, packets and bytes out of a dump's records.

use std::collections::HashMap;
use std::sync::Arc;

use crib_common::dump::{
    ChunkRecord, FileEndRecord, HeadersRecord, NameRecord, PacketEndRecord, PacketRecord,
    PathRecord, QueueEndRecord, QueueRecord, UNKNOWN_LEN, end_bits, queue,
};
use crib_common::record::FileRecord;

use super::file::{self, Name};
use super::payload::Room;
use super::tables::Tables;
use super::watchers::Watchers;
use super::{IdKey, packet, sender, socket, tcp};
use crate::decode::{DecodeError, Record};
use crate::model::{Dump, DumpFiles, File, Packet, PacketId, Queue, QueueName};

/// What the records of a dump tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dumped {
    /// The files, in the order of their records.
    pub files: Vec<File>,
    /// The descriptors that stood for another file, or none, before their file was read to the
    /// end: what `files` has under them may be mixed of two, and is to be read again.
    pub changed: Vec<u32>,
    /// Whether the last record says that the dump is complete.
    pub ended: bool,
    /// Entries into the kernel that it took, as far as complete dumps tell.
    pub runs: u32,
    /// Records that were lost on the way.
    pub lost: u32,
}

/// Puts together what a dump was asked for.
///
/// Records that have no place where they stand are passed over; files, queues and packets whose
/// end is missing are there as far as they go, marked torn or incomplete. A socket in flight
/// has no queues and is marked as deeper: no record of its queues follows it.
///
/// # Errors
/// The first record that could not be decoded.
pub fn dump<'a>(
    records: impl Iterator<Item = Result<Record<'a>, DecodeError>>,
    ops_name: impl Fn(u64) -> Option<Arc<str>>,
    key: &IdKey,
    request: &Dump,
) -> Result<Dumped, DecodeError> {
    let mut assembly = Assembly {
        ops_name,
        key,
        own_table: match request.files {
            DumpFiles::One { tid, .. } => tid,
            DumpFiles::All | DumpFiles::Bare(_) => None,
        },
        room: Room::new(request.payload),
        tables: Tables::default(),
        dumped: Dumped::default(),
        last: None,
        open: Open::default(),
    };
    for record in records {
        assembly.add(record?);
    }
    assembly.close_file();
    let mut dumped = assembly.dumped;
    if request.files == DumpFiles::All {
        let watchers = Watchers::among(dumped.files.iter());
        for file in &mut dumped.files {
            if let Some(right) = watchers.correction(file) {
                file.watched_by = right;
            }
        }
    }
    Ok(dumped)
}

/// The state between two records.
struct Assembly<'k, N> {
    ops_name: N,
    key: &'k IdKey,
    /// The thread whose own table was asked for.
    own_table: Option<u32>,
    room: Room,
    tables: Tables,
    dumped: Dumped,
    /// The record of the file that a path may follow.
    last: Option<FileRecord>,
    open: Open,
}

/// What has begun and not yet ended.
#[derive(Default)]
struct Open {
    file: Option<File>,
    queue: Option<OpenQueue>,
    packet: Option<Packet>,
    /// Whether the records that follow tell of the packet's last file in flight.
    flight: bool,
}

struct OpenQueue {
    /// By the kernel's own count.
    len: Option<u64>,
    queue: Queue,
}

impl<N: Fn(u64) -> Option<Arc<str>>> Assembly<'_, N> {
    fn add(&mut self, record: Record<'_>) {
        self.dumped.ended = false;
        match record {
            Record::File(record, path) => self.file(record, path),
            Record::Path(record, names) => self.path(&record, names),
            Record::Flight(record) => self.flight(record),
            Record::Socket(record) => self.with_file(|file, in_flight| {
                let mut socket = socket::socket(&record);
                socket.queues = (!in_flight).then(Vec::new);
                socket.deeper = in_flight;
                file.socket = Some(Box::new(socket));
            }),
            Record::Unix(record) => self.with_file(|file, _| {
                if let Some(socket) = &mut file.socket {
                    socket::add_names(socket, &record);
                }
            }),
            Record::Tcp(record) => self.with_file(|file, _| {
                if let Some(socket) = &mut file.socket {
                    socket.tcp = Some(Box::new(tcp::tcp(&record)));
                }
            }),
            Record::Pipe(record) => self.with_file(|file, in_flight| {
                let mut pipe = file::pipe(&record);
                pipe.queues = (!in_flight).then(Vec::new);
                file.pipe = Some(Box::new(pipe));
            }),
            Record::Watches(entries, whole) => {
                let key = self.key;
                self.with_file(|file, _| {
                    file.epoll = Some(Box::new(file::epoll(&entries, whole, key)))
                });
            }
            Record::Queue(record) => self.queue(&record),
            Record::Packet(record) => self.packet(&record),
            Record::Name(record) => self.name(&record),
            Record::Headers(record) => self.headers(&record),
            Record::Chunk(record, bytes) => self.chunk(&record, bytes),
            Record::PacketEnd(record) => self.packet_end(&record),
            Record::QueueEnd(record) => self.queue_end(&record),
            Record::FileEnd(record) => self.file_end(&record),
            Record::End(record) => {
                self.close_file();
                self.dumped.ended = true;
                self.dumped.runs = self.dumped.runs.saturating_add(record.runs);
                self.dumped.lost = self.dumped.lost.saturating_add(record.lost);
            }
            Record::Ops(_) | Record::Totals(_) => {}
        }
    }

    fn file(&mut self, record: FileRecord, path: &[u8]) {
        self.close_file();
        self.last = None;
        if self.tables.first_owner(record.table, record.tid) != record.tid {
            return;
        }
        let tid = self.tables.own_thread(&record).or(self.own_table);
        let name = if path.is_empty() { Name::Walked(None) } else { Name::Told(path) };
        self.open.file = Some(file::file(&record, name, tid, &self.ops_name, self.key));
        self.last = Some(record);
    }

    fn flight(&mut self, record: FileRecord) {
        let Some(packet) = &mut self.open.packet else { return };
        let name = Name::Walked(None);
        let mut file = file::file(&record, name, None, &self.ops_name, self.key);
        (file.fd, file.cloexec) = (None, None);
        packet.files.push(file);
        self.open.flight = true;
        self.last = Some(record);
    }

    /// A path, which the kind depends on, too.
    fn path(&mut self, record: &PathRecord, names: &[u8]) {
        let Some(last) = self.last.take() else { return };
        let name = Name::Walked((record.whole == 1).then_some(names));
        let named = file::file(&last, name, None, &self.ops_name, self.key);
        self.with_file(|file, _| {
            file.path = named.path;
            file.deleted = named.deleted;
            file.kind = named.kind;
            file.rdev = named.rdev;
        });
    }

    /// Changes the file that a record is about, which is told whether it is in flight.
    fn with_file(&mut self, change: impl FnOnce(&mut File, bool)) {
        match &mut self.open {
            Open { packet: Some(packet), flight: true, .. } => {
                if let Some(file) = packet.files.last_mut() {
                    change(file, true);
                }
            }
            // What follows a packet and is no file in flight belongs to nothing.
            Open { file: Some(file), queue: None, .. } => change(file, false),
            _ => {}
        }
    }

    fn queue(&mut self, record: &QueueRecord) {
        self.close_queue(None);
        let Some(name) = queue_name(record.queue).filter(|_| self.open.file.is_some()) else {
            return;
        };
        let len = (record.len != UNKNOWN_LEN).then_some(record.len.into());
        let queue = Queue {
            name,
            messages: None,
            payload: None,
            memory: None,
            torn: false,
            complete: false,
            packets: Vec::new(),
        };
        self.open.queue = Some(OpenQueue { len, queue });
    }

    fn packet(&mut self, record: &PacketRecord) {
        self.close_packet(None);
        if self.open.queue.is_some() {
            self.open.packet = Some(packet::packet(record, self.key));
        }
    }

    fn name(&mut self, record: &NameRecord) {
        if let Some(packet) = &mut self.open.packet {
            packet.from = socket::unix_name(record.len, &record.name);
        }
    }

    fn headers(&mut self, record: &HeadersRecord) {
        if let Some(packet) = &mut self.open.packet {
            let len = (record.len as usize).min(record.bytes.len());
            packet.headers = record.bytes[..len].into();
        }
    }

    fn chunk(&mut self, record: &ChunkRecord, bytes: &[u8]) {
        self.open.flight = false;
        if let Some(packet) = &mut self.open.packet {
            self.room.add(packet, record, bytes);
        }
    }

    fn packet_end(&mut self, record: &PacketEndRecord) {
        if self.open.packet.as_ref().is_some_and(|packet| packet.index == record.index) {
            self.close_packet(Some(record.bits));
        }
    }

    fn close_packet(&mut self, bits: Option<u32>) {
        self.open.flight = false;
        let (Some(mut packet), Some(open)) = (self.open.packet.take(), &mut self.open.queue) else {
            return;
        };
        // One whose end is missing may be whole, but nobody says so.
        packet.torn |= bits.is_none_or(|bits| bits & end_bits::TORN != 0);
        // A pipe's buffer has no bytes only after they were read and before it is given back
        // (pipe_read, fs/pipe.c).
        packet.torn |= open.queue.name == QueueName::Pipe && packet.len == Some(0);
        if packet.from.is_none() {
            let socket = self.open.file.as_ref().and_then(|file| file.socket.as_ref());
            packet.from = socket.and_then(|socket| sender::by_headers(&packet, socket));
        }
        open.queue.packets.push(packet);
    }

    fn queue_end(&mut self, record: &QueueEndRecord) {
        self.close_queue(Some(record));
    }

    fn close_queue(&mut self, end: Option<&QueueEndRecord>) {
        self.close_packet(None);
        let (Some(OpenQueue { len, mut queue }), Some(file)) =
            (self.open.queue.take(), &mut self.open.file)
        else {
            return;
        };
        queue.messages = len;
        if let Some(end) = end {
            queue.torn = end.bits & end_bits::TORN != 0;
            let walked = end.bits & (end_bits::TORN | end_bits::CUT) == 0;
            if walked {
                queue.messages = Some(end.packets.into());
            }
            queue.complete = walked && queue.packets.len() as u64 == u64::from(end.packets);
            if walked {
                // A sum of unknown numbers is unknown. Memory is never 0 where it is known: a
                // pipe's buffers are not charged.
                let all = |known: fn(&Packet) -> bool| queue.packets.iter().all(known);
                queue.payload = all(|packet| packet.len.is_some()).then_some(end.payload);
                queue.memory = (end.memory > 0 || end.packets == 0).then_some(end.memory);
            }
        }
        let pipe = file.pipe.as_mut().map(|pipe| &mut pipe.queues);
        let queues = file.socket.as_mut().map(|socket| &mut socket.queues).or(pipe);
        if let Some(queues) = queues {
            let queues = queues.get_or_insert_default();
            // One that was torn may have been read again.
            match queues.iter_mut().find(|earlier| earlier.name == queue.name) {
                Some(earlier) => *earlier = queue,
                None => queues.push(queue),
            }
        }
    }

    fn file_end(&mut self, record: &FileEndRecord) {
        if self.open.file.is_some() && record.bits & end_bits::TORN != 0 {
            self.dumped.changed.push(record.fd);
        }
        self.close_file();
    }

    fn close_file(&mut self) {
        self.close_queue(None);
        if let Some(socket) = self.open.file.as_mut().and_then(|file| file.socket.as_mut()) {
            note_moved(socket.queues.as_deref_mut().unwrap_or_default());
        }
        self.dumped.files.extend(self.open.file.take());
    }
}

/// Marks queues that have a packet in common: it went from the one to the other after the first was
/// read, and before the second was.
fn note_moved(queues: &mut [Queue]) {
    // Of most sockets one queue holds something, if any.
    if queues.iter().filter(|queue| !queue.packets.is_empty()).count() < 2 {
        return;
    }
    let mut places: HashMap<PacketId, usize> = HashMap::new();
    let mut moved = vec![false; queues.len()];
    for (place, queue) in queues.iter().enumerate() {
        for packet in &queue.packets {
            if let Some(before) = places.insert(packet.id, place).filter(|&before| before != place)
            {
                (moved[before], moved[place]) = (true, true);
            }
        }
    }
    queues.iter_mut().zip(moved).for_each(|(queue, moved)| queue.torn |= moved);
}

fn queue_name(queue: u32) -> Option<QueueName> {
    Some(match queue {
        queue::RECEIVE => QueueName::Receive,
        queue::READER => QueueName::Reader,
        queue::WRITE => QueueName::Write,
        queue::RETRANSMIT => QueueName::Retransmit,
        queue::OUT_OF_ORDER => QueueName::OutOfOrder,
        queue::ERROR => QueueName::Error,
        queue::BACKLOG => QueueName::Backlog,
        queue::ACCEPT => QueueName::Accept,
        queue::PIPE => QueueName::Pipe,
        _ => return None,
    })
}
