//! What each fuzz target does with its bytes: shared with `crib-tui/tests/fuzz_seeds.rs`, which
//! does the same with the seeds and with whatever was found, in every `cargo test`.
//!
//! None may panic, and what is asserted here must hold, whatever the bytes are.

use std::time::SystemTime;

use crib_common::dump::{
    self as wire, ChunkRecord, EndRecord, FileEndRecord, HeadersRecord, NameRecord,
    PacketEndRecord, PacketRecord, PathRecord, QueueEndRecord, QueueRecord, TcpRecord,
};
use crib_common::record::{
    ALIGN, FileRecord, OpsRecord, PipeRecord, RecordHeader, SocketRecord, TotalsRecord, UnixRecord,
    VERSION, WatchEntry, WatchesRecord, kind,
};
use crib_tui::decode::{self, Records};
use crib_tui::export::json::{self, FilesOf, Header};
use crib_tui::export::outline::Outline;
use crib_tui::export::packets::PacketsOf;
use crib_tui::export::pcap;
use crib_tui::export::table::{self, Layout};
use crib_tui::kernel::btf::Btf;
use crib_tui::kernel::support::names::{self, Named};
use crib_tui::model::assemble::{self, IdKey, TableFiles};
use crib_tui::model::column::{Align, Table};
use crib_tui::model::lint::LintSet;
use crib_tui::model::{
    Dump, DumpReading, File, FileRow, Files, Filter, Process, ProcessRow, ProcessState, Processes,
    Source, Text, escape,
};
use zerocopy::IntoBytes;

/// Wire records: decoded, made into tables, sums and dumps, and those into all that is printed.
///
/// Where the first byte is odd the rest tells what records there are, so that they are well
/// formed; else it is the records themselves.
pub fn records(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let framed;
    let bytes = if first % 2 == 1 {
        framed = frame(rest);
        &framed[..]
    } else {
        rest
    };
    let decoded = Records::new(bytes).map_while(Result::ok).count();
    assert!(decoded <= bytes.len() / size_of::<RecordHeader>());
    assert!(decode::met_ops(bytes).count() <= bytes.len() / size_of::<OpsRecord>());
    for run in decode::file_runs(bytes).map_while(Result::ok) {
        assert!(run.path.len() + run.parts.len() <= bytes.len());
    }

    let key = IdKey::default();
    let mut files = TableFiles::default();
    if let Ok(once) = files.read(bytes, |_| None, &key) {
        // A second reading of the same records finds nothing changed.
        let twice = files.read(bytes, |_| None, &key).expect("as before");
        assert_eq!(once, twice);
        let process = process();
        let rows: Vec<_> = once.iter().map(|file| FileRow::new(&process, file)).collect();
        let mut out = Vec::new();
        let columns: Vec<_> = Files::columns().iter().collect();
        table::write::<Files>(&mut out, &columns, &rows, Layout::default()).expect("memory");
        harmless(&out);
    }
    if let Ok(totals) = assemble::totals(Records::new(bytes)) {
        let process = process();
        let rows: Vec<_> = totals
            .into_values()
            .map(|totals| ProcessRow { process: &process, totals: Some(totals) })
            .collect();
        let mut out = Vec::new();
        json::process_lines(&mut out, &rows).expect("memory");
        let columns = Processes::default_columns();
        table::write::<Processes>(&mut out, &columns, &rows, Layout::default()).expect("memory");
        harmless(&out);
    }
    let request = Dump::everything(1);
    if let Ok(dumped) = assemble::dump(Records::new(bytes), |_| None, &key, &request) {
        dumped.files.iter().for_each(adds_up);
        print(DumpReading {
            time: SystemTime::UNIX_EPOCH,
            process: process(),
            files: dumped.files,
            complete: true,
            runs: 1,
        });
    }
}

/// Records as these bytes tell: a kind, how many bytes follow the record, and its body and those.
fn frame(mut data: &[u8]) -> Vec<u8> {
    const KINDS: [(u16, usize); 19] = [
        (kind::FILE, size_of::<FileRecord>()),
        (kind::SOCKET, size_of::<SocketRecord>()),
        (kind::UNIX, size_of::<UnixRecord>()),
        (kind::PIPE, size_of::<PipeRecord>()),
        (kind::OPS, size_of::<OpsRecord>()),
        (kind::TOTALS, size_of::<TotalsRecord>()),
        (kind::WATCHES, size_of::<WatchesRecord>()),
        (wire::kind::PATH, size_of::<PathRecord>()),
        (wire::kind::TCP, size_of::<TcpRecord>()),
        (wire::kind::QUEUE, size_of::<QueueRecord>()),
        (wire::kind::PACKET, size_of::<PacketRecord>()),
        (wire::kind::NAME, size_of::<NameRecord>()),
        (wire::kind::HEADERS, size_of::<HeadersRecord>()),
        (wire::kind::FLIGHT, size_of::<FileRecord>()),
        (wire::kind::CHUNK, size_of::<ChunkRecord>()),
        (wire::kind::PACKET_END, size_of::<PacketEndRecord>()),
        (wire::kind::QUEUE_END, size_of::<QueueEndRecord>()),
        (wire::kind::FILE_END, size_of::<FileEndRecord>()),
        (wire::kind::END, size_of::<EndRecord>()),
    ];
    let mut bytes = Vec::new();
    while let [which, tail, given, rest @ ..] = data {
        let (kind, size) = KINDS[usize::from(*which) % KINDS.len()];
        let tail = match kind {
            kind::FILE | wire::kind::PATH | wire::kind::CHUNK => usize::from(*tail),
            kind::WATCHES => usize::from(*tail % 8) * size_of::<WatchEntry>(),
            _ => 0,
        };
        let watches = (tail / size_of::<WatchEntry>()) as u32;
        let given = usize::from(*given).min(rest.len());
        let (body, rest) = rest.split_at(given);
        data = rest;
        let start = bytes.len();
        let header = RecordHeader { kind, version: VERSION, len: (size + tail) as u32 };
        bytes.extend(header.as_bytes());
        bytes.extend(body);
        bytes.resize(start + size + tail, 0);
        // Lengths that the program would have got right.
        let tail = (tail as u32).to_ne_bytes();
        let mut set = |at: usize, value: [u8; 4]| {
            if let Some(field) = bytes[start..].get_mut(at..at + 4) {
                field.copy_from_slice(&value);
            }
        };
        match kind {
            kind::FILE => set(size - 4, tail),
            wire::kind::PATH => set(size_of::<RecordHeader>(), tail),
            // Where it was captured the bytes follow.
            wire::kind::CHUNK if tail == [0; 4] => set(size - 8, tail),
            wire::kind::CHUNK => {
                set(size - 12, tail);
                set(size - 8, 1_u32.to_ne_bytes());
            }
            kind::WATCHES => set(size_of::<RecordHeader>(), watches.to_ne_bytes()),
            _ => {}
        }
        bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
    }
    bytes
}

/// A packet's bytes are what was captured and what could not be read.
fn adds_up(file: &File) {
    for packet in file.queues().into_iter().flatten().flat_map(|queue| &queue.packets) {
        assert_eq!(packet.payload.len() as u32, packet.captured + packet.unreadable);
        let gaps: usize = packet.gaps.iter().map(ExactSizeIterator::len).sum();
        assert_eq!(gaps as u32, packet.unreadable);
        assert!(packet.len.is_none_or(|len| packet.payload.len() as u32 <= len));
        packet.files.iter().for_each(adds_up);
    }
}

/// Everything that can be printed of a dump.
fn print(mut reading: DumpReading) {
    let header = Header::new(Source::Bpf, None, reading.time);
    let (mut text, mut capture) = (Vec::new(), Vec::new());
    let files: Vec<&File> = reading.files.iter().collect();
    for hex in [false, true] {
        let outline = Outline { hex, layout: Layout::default() };
        outline.process(&mut text, &reading, &files).expect("memory");
    }
    let count = files.len() as u64;
    let rows = files.iter().map(|file| FileRow::new(&reading.process, file)).collect();
    let process = FilesOf::new(&reading.process, count, reading.complete, rows, LintSet::ALL);
    json::files(&mut text, &header, &[process]).expect("memory");
    pcap::write(&mut capture, &reading).expect("memory");
    if let Some(file) = reading.files.pop() {
        PacketsOf::new(1, 2, file).write(&mut text, &header).expect("memory");
    }
    harmless(&text);
}

/// The kernel's BTF.
pub fn btf(data: &[u8]) {
    const NAMES: [Named; 4] = [
        Named::Function("bpf_iter_task"),
        Named::Constant("BPF_MAP_TYPE_RINGBUF"),
        Named::Structure("file"),
        Named::Member("file", "f_op"),
    ];
    if let Ok(btf) = Btf::parse(data) {
        btf.kernel_offsets();
        assert!(btf.iterators().len() <= data.len());
        for path in ["file.f_op", "sock.__sk_common.skc_daddr", "sk_buff.next", "", ".", "a.b.c"] {
            btf.member(path);
            btf.size(path);
        }
    }
    if let Some(found) = names::find(data, &NAMES) {
        assert_eq!(found.len(), NAMES.len());
    }
}

/// The filter language: a filter reads what it prints, and that matches the same.
pub fn filter(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    filter_of::<Processes>(&text);
    let Some((filter, again)) = filter_of::<Files>(&text) else { return };
    let process = process();
    let files = [File::unknown(Some(7)), File::unknown(None)];
    for file in &files {
        let row = FileRow::new(&process, file);
        assert_eq!(filter.matches(&row), again.matches(&row));
    }
}

/// The filter of a text, and that of what it prints.
fn filter_of<T: Table>(text: &str) -> Option<(Filter<T>, Filter<T>)> {
    match Filter::<T>::parse(text) {
        Ok(filter) => {
            let printed = filter.to_string();
            let again = Filter::<T>::parse(&printed)
                .unwrap_or_else(|error| panic!("{text:?} prints {printed:?}: {error}"));
            assert_eq!(again.to_string(), printed);
            Some((filter, again))
        }
        Err(error) => {
            assert!(error.column > 0 && error.column <= text.chars().count() + 1, "{error}");
            harmless(error.to_string().as_bytes());
            None
        }
    }
}

/// Other people's bytes as text, alone and in a table's cells.
pub fn text(data: &[u8]) {
    let escaped = escape(data);
    harmless(escaped.as_bytes());
    assert!(!escaped.contains('\n'));
    let text = Text::from(data);
    assert_eq!(text.escaped(), escaped);
    assert_eq!(escape(escaped.as_bytes()), escaped);
    assert_eq!(text.as_bytes(), data);
    if str::from_utf8(data).is_ok_and(|data| data == escaped) {
        assert!(matches!(text.escaped(), std::borrow::Cow::Borrowed(_)));
    }
    let mut json = Vec::new();
    json::line(&mut json, &text).expect("memory");
    harmless(&json);

    let headings = [("A", Align::Left), ("B", Align::Right)];
    let width = data.first().map(|&width| usize::from(width) % 80);
    for ascii in [false, true] {
        let cells = vec![vec![escaped.clone(), escaped.clone()]];
        let layout = Layout { headings: true, ascii, width };
        let mut out = Vec::new();
        table::write_cells(&mut out, &headings, cells, layout).expect("memory");
        harmless(&out);
        assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 2);
        assert!(!ascii || out.is_ascii());
    }
}

/// Nothing but the ends of lines acts on a terminal, or turns text around.
fn harmless(out: &[u8]) {
    let text = str::from_utf8(out).expect("valid UTF-8");
    let acts = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c,
                '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}'
                    | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(acts), "{text:?}");
}

fn process() -> Process {
    Process {
        pid: 1,
        comm: "x".into(),
        uid: None,
        user: None,
        fd_limit: None,
        cmdline: Text::default(),
        other_mounts: None,
        start_ticks: 0,
        state: ProcessState::Alive,
    }
}
