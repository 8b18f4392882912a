//! The JSON documents of the manual page, written as they are put together.
//!
//! Numbers are numbers, what is unknown is null, and every string is valid UTF-8 without
//! control characters (see [`Text`]).

use std::io::{self, Write};
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use crate::model::lint::{Finding, LintSet, of_process};
use crate::model::{File, FileRow, Process, ProcessRow, Source, Text};

/// The version of the documents: a field's name and meaning don't change within it.
pub const SCHEMA: u32 = 1;

/// What every document begins with.
#[derive(Clone, Debug, Serialize)]
pub struct Header {
    schema: u32,
    source: Source,
    kernel: Option<Text>,
    #[serde(serialize_with = "crate::model::rfc3339")]
    time: SystemTime,
    /// Why /proc was read although nobody asked for it; left out otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Header {
    /// The header of a reading that was begun at `time` on a kernel of this release
    /// (uname(2)).
    pub fn new(source: Source, kernel: Option<Text>, time: SystemTime) -> Self {
        Self { schema: SCHEMA, source, kernel, time, reason: None }
    }

    /// The same, with why /proc had to be read.
    pub fn because(self, reason: Option<&str>) -> Self {
        Self { reason: reason.map(str::to_owned), ..self }
    }
}

/// One process of the document of `files`.
#[derive(Clone, Debug, Serialize)]
pub struct FilesOf<'a> {
    #[serde(flatten)]
    process: ProcessFields<'a>,
    complete: bool,
    other_mounts: Option<bool>,
    /// What lints found about the process as a whole.
    lints: Vec<Finding>,
    files: Vec<FileOf<'a>>,
}

/// One file of a process, with what lints found about it.
#[derive(Clone, Copy, Debug)]
struct FileOf<'a>(FileRow<'a>);

impl Serialize for FileOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            #[serde(flatten)]
            file: &'a File,
            lints: Vec<Finding>,
        }
        // Put together one by one: a table may have a million rows.
        Fields { file: self.0.file, lints: self.0.subject().findings() }.serialize(serializer)
    }
}

impl<'a> FilesOf<'a> {
    /// A process of which `fd_count` descriptors were found, and the files of them to show.
    pub fn new(
        process: &'a Process,
        fd_count: u64,
        complete: bool,
        files: Vec<FileRow<'a>>,
        lints: LintSet,
    ) -> Self {
        Self {
            process: ProcessFields::new(process, Some(fd_count)),
            complete,
            other_mounts: process.other_mounts,
            lints: of_process(process, fd_count, lints),
            files: files.into_iter().map(FileOf).collect(),
        }
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.process.pid
    }
}

/// What the documents say of a process.
#[derive(Clone, Copy, Debug, Serialize)]
struct ProcessFields<'a> {
    pid: u32,
    comm: &'a Text,
    uid: Option<u32>,
    user: Option<&'a str>,
    fd_count: Option<u64>,
    fd_limit: Option<u64>,
}

impl<'a> ProcessFields<'a> {
    fn new(process: &'a Process, fd_count: Option<u64>) -> Self {
        Self {
            pid: process.pid,
            comm: &process.comm,
            uid: process.uid,
            user: process.user.as_deref(),
            fd_count,
            fd_limit: process.fd_limit,
        }
    }
}

/// One process of the document of `ps`.
#[derive(Clone, Debug, Serialize)]
struct Totals<'a> {
    #[serde(flatten)]
    process: ProcessFields<'a>,
    sockets: Option<u64>,
    recv_payload: Option<u64>,
    send_payload: Option<u64>,
}

impl<'a> Totals<'a> {
    fn new(row: &ProcessRow<'a>) -> Self {
        let totals = row.totals;
        Self {
            process: ProcessFields::new(row.process, totals.map(|totals| totals.fd_count)),
            sockets: totals.and_then(|totals| totals.sockets),
            recv_payload: totals.and_then(|totals| totals.recv_payload),
            send_payload: totals.and_then(|totals| totals.send_payload),
        }
    }
}

#[derive(Serialize)]
struct Document<'a, P> {
    #[serde(flatten)]
    header: &'a Header,
    processes: P,
}

#[derive(Serialize)]
struct FileLine<'a> {
    pid: u32,
    #[serde(flatten)]
    file: FileOf<'a>,
}

/// Writes the document of `files`.
///
/// # Errors
/// Those of writing.
pub fn files(out: &mut impl Write, header: &Header, processes: &[FilesOf<'_>]) -> io::Result<()> {
    line(out, &Document { header, processes })
}

/// Writes one file a line, with the pid of its process.
///
/// # Errors
/// Those of writing.
pub fn file_lines(out: &mut impl Write, processes: &[FilesOf<'_>]) -> io::Result<()> {
    processes.iter().try_for_each(|process| {
        let pid = process.pid();
        process.files.iter().try_for_each(|&file| line(out, &FileLine { pid, file }))
    })
}

/// Writes the document of `ps`.
///
/// # Errors
/// Those of writing.
pub fn processes(out: &mut impl Write, header: &Header, rows: &[ProcessRow<'_>]) -> io::Result<()> {
    let processes: Vec<_> = rows.iter().map(Totals::new).collect();
    line(out, &Document { header, processes })
}

/// Writes one process a line.
///
/// # Errors
/// Those of writing.
pub fn process_lines(out: &mut impl Write, rows: &[ProcessRow<'_>]) -> io::Result<()> {
    rows.iter().try_for_each(|row| line(out, &Totals::new(row)))
}

/// Writes one value and ends the line.
///
/// # Errors
/// Those of writing.
pub fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    // The only errors of its own that serde_json knows here are those of writing.
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::model::FilesReading;
    use crate::model::{ProcessRow, sample};

    #[test]
    fn the_reason_for_reading_proc_is_told_and_otherwise_left_out() {
        let why = |reason| serde_json::to_value(header().because(reason)).unwrap();
        assert_eq!(why(Some("no BTF"))["reason"], "no BTF");
        assert!(why(None).get("reason").is_none());
    }

    fn header() -> Header {
        Header::new(Source::Bpf, Some("6.18.44".into()), sample::time())
    }

    fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn rows(reading: &FilesReading) -> Vec<FileRow<'_>> {
        reading.files.iter().map(|file| FileRow::new(&reading.process, file)).collect()
    }

    fn files_document() -> String {
        let reading = sample::reading();
        let process = FilesOf::new(&reading.process, 9, true, rows(&reading), LintSet::default());
        written(|out| files_of(out, &[process]))
    }

    fn files_of(out: &mut Vec<u8>, processes: &[FilesOf<'_>]) -> io::Result<()> {
        super::files(out, &header(), processes)
    }

    /// The names of an object's fields in their order.
    fn names(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
        names.into_iter().collect()
    }

    #[test]
    fn documents_have_the_fields_of_the_manual() {
        let text = files_document();
        let document: Value = serde_json::from_str(&text).unwrap();
        let top = ["schema", "source", "kernel", "time", "processes"];
        assert_eq!(set(names(&document)), set(top));
        assert_eq!(document["schema"], 1);
        assert_eq!(document["source"], "bpf");
        assert_eq!(document["time"], "2026-11-23T18:40:00.123456Z");

        let process = &document["processes"][0];
        let of_process = ["pid", "comm", "uid", "user", "fd_count", "fd_limit"];
        let more = ["complete", "other_mounts", "lints", "files"];
        assert_eq!(set(names(process)), set(of_process.into_iter().chain(more)));
        for file in process["files"].as_array().unwrap() {
            assert_eq!(
                set(names(file)),
                set("fd kind ops mode flags cloexec pos path deleted dev rdev ino size refs tid \
                     socket pipe epoll lints"
                    .split_whitespace())
            );
        }
        let lint = &process["files"][2]["lints"][0];
        assert_eq!(set(names(lint)), set(["name", "seen", "means", "look"]));
        assert_eq!(lint["name"], "deleted-open");
        let tcp = &process["files"][3]["socket"];
        assert_eq!(
            set(names(tcp)),
            set("family type protocol state local remote recv send accept rcvbuf sndbuf drops \
                 error shutdown peer inflight_files netns"
                .split_whitespace())
        );
        assert_eq!(set(names(&tcp["recv"])), set(["messages", "payload", "memory"]));
        assert_eq!(set(names(&tcp["send"])), set(["messages", "payload", "memory"]));
        let unix = &process["files"][4]["socket"];
        assert_eq!(set(names(&unix["accept"])), set(["pending", "max"]));
        assert_eq!(set(names(&unix["peer"])), set(["pid", "fd", "ino"]));
        let pipe = &process["files"][1]["pipe"];
        assert_eq!(set(names(pipe)), set(["bytes", "buffers", "slots", "readers", "writers"]));
        let watch = &process["files"][7]["epoll"]["watches"][0];
        assert_eq!(set(names(watch)), set(["fd", "events", "data", "ready"]));
        assert_eq!(watch["events"], "IN|ET");
    }

    #[test]
    fn queues_of_which_nothing_is_known_have_the_shape_of_others() {
        let queued = crate::model::Queued::default();
        let mut socket = sample::reading().files[3].socket.as_deref().unwrap().clone();
        (socket.recv, socket.send) = (None, None);
        let socket = serde_json::to_value(&socket).unwrap();
        for side in ["recv", "send"] {
            assert_eq!(socket[side], serde_json::to_value(queued).unwrap());
            assert_eq!(socket[side]["payload"], Value::Null);
        }
    }

    #[test]
    fn the_unknown_is_null() {
        let document: Value = serde_json::from_str(&files_document()).unwrap();
        let file = document["processes"][0]["files"][8].as_object().unwrap();
        for (name, value) in file {
            match name.as_str() {
                "fd" => assert_eq!(value, 9),
                "kind" => assert_eq!(value, "unknown"),
                "mode" | "flags" => {}
                "lints" => assert_eq!(value, &serde_json::json!([])),
                _ => assert!(value.is_null(), "{name}: {value}"),
            }
        }
    }

    #[test]
    fn the_document_of_files() {
        insta::assert_snapshot!(files_document());
    }

    #[test]
    fn a_process_without_files_has_an_entry_all_the_same() {
        let process = sample::process();
        let empty = FilesOf::new(&process, 0, true, Vec::new(), LintSet::default());
        let text = written(|out| files_of(out, &[empty.clone(), empty]));
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["processes"].as_array().unwrap().len(), 2);
        assert_eq!(document["processes"][1]["files"], serde_json::json!([]));
    }

    #[test]
    fn one_file_a_line_with_its_pid() {
        let reading = sample::reading();
        let process = FilesOf::new(&reading.process, 9, true, rows(&reading), LintSet::default());
        let text = written(|out| file_lines(out, &[process]));
        assert_eq!(text.lines().count(), 9);
        for (line, file) in text.lines().zip(&reading.files) {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["pid"], 4242);
            assert_eq!(line["fd"], file.fd.unwrap());
        }
    }

    #[test]
    fn the_document_and_the_lines_of_processes() {
        let reading = sample::processes();
        let rows: Vec<_> = reading
            .processes
            .iter()
            .map(|&(ref process, totals)| ProcessRow { process, totals })
            .collect();
        let document = written(|out| processes(out, &header(), &rows));
        let lines = written(|out| process_lines(out, &rows));
        insta::assert_snapshot!(format!("{document}{lines}"));
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(
            set(names(&document["processes"][0])),
            set("pid comm uid user fd_count fd_limit sockets recv_payload send_payload"
                .split_whitespace())
        );
    }
}
