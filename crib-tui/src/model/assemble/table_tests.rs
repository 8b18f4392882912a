//! Readings whose files are partly kept from the one before, beside readings made anew.

use std::time::{Duration, SystemTime};

use crib_common::record::{
    OpsRecord, PipeRecord, RecordHeader, SocketRecord, WatchEntry, WatchesRecord, file_known, kind,
    pipe_known, socket_known, watch_known,
};
use proptest::prelude::*;
use zerocopy::{FromZeros, Immutable, IntoBytes};

use super::*;
use crate::model::groups::Opening;
use crate::model::lint::Beside;
use crate::model::{FilesReading, History, Presence, Source, sample};

/// One open file: its thread, its descriptor, which file it is, its sort, and what may change.
type Open = (u32, u32, u64, u8, u8);

/// What the kernel would write of them.
fn records(open: &[Open]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &(tid, fd, file, sort, state) in open {
        let path = format!("/file-{file}");
        let record = FileRecord {
            file,
            table: tid.into(),
            tid,
            fd,
            ops: sort.into(),
            i_mode: libc::S_IFREG,
            pos: state.into(),
            path_len: path.len() as i32,
            known: file_known::POS | file_known::OPS | file_known::I_MODE,
            ..FileRecord::new_zeroed()
        };
        push(&mut bytes, kind::FILE, &record, path.as_bytes());
        match sort {
            1 => {
                let known = socket_known::RECV_PAYLOAD | socket_known::FAMILY;
                let recv_payload = state.into();
                let socket = SocketRecord { known, recv_payload, ..FromZeros::new_zeroed() };
                push(&mut bytes, kind::SOCKET, &socket, b"");
            }
            2 => {
                let bytes_known = pipe_known::BYTES;
                let pipe = PipeRecord {
                    bytes: state.into(),
                    known: bytes_known,
                    ..FromZeros::new_zeroed()
                };
                push(&mut bytes, kind::PIPE, &pipe, b"");
            }
            3 => {
                let known = watch_known::FD | watch_known::EVENTS | watch_known::DATA;
                let watched = u64::from(state);
                let entry = WatchEntry { file: watched, known, ..FromZeros::new_zeroed() };
                let watches = WatchesRecord { count: 1, whole: 1, ..FromZeros::new_zeroed() };
                push(&mut bytes, kind::WATCHES, &watches, entry.as_bytes());
            }
            4 => push(&mut bytes, kind::OPS, &OpsRecord::new_zeroed(), b""),
            _ => {}
        }
    }
    bytes
}

fn push<T: IntoBytes + Immutable>(bytes: &mut Vec<u8>, kind: u16, record: &T, tail: &[u8]) {
    let start = bytes.len();
    bytes.extend_from_slice(record.as_bytes());
    bytes.extend_from_slice(tail);
    let header = RecordHeader::of::<T>(kind, tail.len() as u32);
    bytes[start..start + size_of::<RecordHeader>()].copy_from_slice(header.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(crib_common::record::ALIGN), 0);
}

fn read(table: &mut TableFiles, key: &IdKey, open: &[Open]) -> Vec<Arc<File>> {
    table.read(&records(open), |ops| (ops != 0).then(|| "ops".into()), key).unwrap()
}

/// Some of a few files under a few descriptors of two threads, in the kernel's order.
fn any_open() -> impl Strategy<Value = Vec<Open>> {
    prop::collection::btree_map((1_u32..3, 0_u32..12), (0_u64..6, 0_u8..5, 0_u8..4), 0..20)
        .prop_map(|open| {
            open.into_iter().map(|((t, fd), (file, s, c))| (t, fd, file, s, c)).collect()
        })
}

proptest! {
    #[test]
    fn what_is_kept_is_what_would_be_made_anew(readings in prop::collection::vec(any_open(), 1..6)) {
        let key = IdKey::default();
        let mut table = TableFiles::default();
        let mut history = History::new(Duration::from_secs(1));
        for (open, second) in readings.iter().zip(0..) {
            let files = read(&mut table, &key, open);
            prop_assert_eq!(&files, &read(&mut TableFiles::default(), &key, open));
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            let process = sample::process();
            let reading =
                FilesReading { source: Source::Bpf, time, process, files, complete: true, beside: Beside::default() };
            let shown = history.observe(reading.clone(), Duration::from_secs(second), |_| Opening::default());
            let open = shown.rows.iter().filter(|row| !row.is_closed()).map(|row| &row.file);
            prop_assert!(open.eq(&reading.files), "{:?}", shown.rows);
        }
    }
}

/// 19,600 files, of which every seventh is closed, every fifth replaced and every third changed
/// before the next reading.
#[test]
fn a_large_table_shows_exactly_the_new_state() {
    let key = IdKey::default();
    let mut table = TableFiles::default();
    let mut history = History::new(Duration::from_secs(1));
    let mut shown = |second: u64, open: &[Open]| {
        let reading = FilesReading {
            source: Source::Bpf,
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
            process: sample::process(),
            files: read(&mut table, &key, open),
            complete: true,
            beside: Beside::default(),
        };
        history.observe(reading, Duration::from_secs(second), |_| Opening::default())
    };
    let before: Vec<Open> = (0..19_600).map(|fd| (1, fd, fd.into(), (fd % 3) as u8, 0)).collect();
    shown(0, &before);
    let mut after: Vec<Open> = before.iter().copied().filter(|open| open.1 % 7 != 0).collect();
    for (_, fd, file, _, state) in &mut after {
        *file += if *fd % 5 == 0 { 100_000 } else { 0 };
        *state = u8::from(*fd % 3 == 0);
    }
    let table = shown(1, &after);
    let open = || table.rows.iter().filter(|row| !row.is_closed());
    let expected = read(&mut TableFiles::default(), &key, &after);
    assert!(open().map(|row| &row.file).eq(&expected));
    for row in open() {
        let replaced = row.file.fd.unwrap() % 5 == 0;
        assert_eq!(matches!(row.presence, Presence::New { .. }), replaced, "{row:?}");
    }
    let closed = table.rows.len() - table.open;
    assert_eq!(closed, before.iter().filter(|open| open.1 % 7 == 0 || open.1 % 5 == 0).count());
}

#[test]
fn a_file_of_which_nothing_changes_is_kept_until_its_name_is_known() {
    let key = IdKey::default();
    let mut table = TableFiles::default();
    let open = [(1, 3, 7, 1, 0), (1, 4, 8, 2, 0)];
    let bytes = records(&open);
    let nameless = table.read(&bytes, |_| None, &key).unwrap();
    let still = table.read(&bytes, |_| None, &key).unwrap();
    assert!(nameless.iter().zip(&still).all(|(a, b)| Arc::ptr_eq(a, b)));
    // Something that no file shows.
    let mut other = bytes.clone();
    other[std::mem::offset_of!(FileRecord, parent)] = 1;
    let still = table.read(&other, |_| None, &key).unwrap();
    assert!(nameless.iter().zip(&still).all(|(a, b)| Arc::ptr_eq(a, b)));
    let named = read(&mut table, &key, &open);
    assert!(named.iter().all(|file| file.ops.as_deref() == Some("ops")));
    let mut moved = open;
    moved[1].4 = 1;
    let later = read(&mut table, &key, &moved);
    assert!(Arc::ptr_eq(&named[0], &later[0]) && !Arc::ptr_eq(&named[1], &later[1]));
}

#[test]
fn records_that_make_no_sense_are_an_error_and_leave_nothing() {
    let key = IdKey::default();
    let mut table = TableFiles::default();
    let open = [(1, 3, 7, 1, 0), (1, 4, 8, 2, 0)];
    let files = read(&mut table, &key, &open);
    let bytes = records(&open);
    let cut = &bytes[..bytes.len() - 9];
    let error = table.read(cut, |_| None, &key);
    assert!(matches!(error, Err(TableError::Decode(DecodeError::Cut(_)))));
    assert_eq!(files, read(&mut table, &key, &open));
}

/// The same without what the program leaves out of what it has told.
fn left_out(bytes: &[u8]) -> Vec<u8> {
    let mut left = Vec::new();
    for run in file_runs(bytes) {
        let run = run.unwrap();
        let record = FileRecord { bits: file_bits::TOLD, path_len: 0, ..run.record };
        push(&mut left, kind::FILE, &record, b"");
        left.extend_from_slice(run.parts);
    }
    left
}

#[test]
fn a_path_that_is_left_out_is_that_of_the_same_file() {
    let key = IdKey::default();
    let mut table = TableFiles::default();
    let open = [(1, 3, 7, 1, 0), (1, 4, 8, 2, 0)];
    let files = read(&mut table, &key, &open);
    let named = |_| Some("ops".into());
    let again = table.read(&left_out(&records(&open)), named, &key).unwrap();
    assert!(files.iter().zip(&again).all(|(a, b)| Arc::ptr_eq(a, b)));
    let mut moved = open;
    moved[1].4 = 1;
    let later = table.read(&left_out(&records(&moved)), named, &key).unwrap();
    assert_eq!(later, read(&mut TableFiles::default(), &key, &moved));
    // Another file under the descriptor, which was not told.
    moved[0].2 = 9;
    let stale = table.read(&left_out(&records(&moved)), named, &key);
    assert_eq!(stale, Err(TableError::Stale));
    assert_eq!(table.read(&left_out(&records(&open)), named, &key), Err(TableError::Stale));
}

/// Thread ids start again from below when the highest was given away: the kernel, which goes by
/// them, then shows a thread's own table before that of the process.
#[test]
fn the_common_table_is_the_leaders_also_where_that_comes_later() {
    let mut bytes = Vec::new();
    for (tid, fd) in [(5, 3), (5, 4), (10, 3), (10, 5), (11, 7)] {
        let (table, known) = (tid.into(), file_known::POS);
        let record = FileRecord { table, tgid: 10, tid, fd, known, ..FileRecord::new_zeroed() };
        push(&mut bytes, kind::FILE, &record, b"");
    }
    let (mut table, key) = (TableFiles::default(), IdKey::default());
    let first = table.read(&bytes, |_| None, &key).unwrap();
    let places = |files: &[Arc<File>]| -> Vec<_> {
        files.iter().map(|file| (file.tid, file.fd.unwrap())).collect()
    };
    let expected = [(None, 3), (None, 5), (Some(5), 3), (Some(5), 4), (Some(11), 7)];
    assert_eq!(places(&first), expected);
    assert_eq!(places(&table.read(&bytes, |_| None, &key).unwrap()), expected);
}
