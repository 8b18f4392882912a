//! `files -J` agrees with /proc and with the process itself, fd by fd and field by field.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::command::{file_rows, files, only_process};
use crate::support::differences::{self, MayBeNull, none_in_a_quiet_moment};
use crate::support::privilege::{has_loops, needs_bpf};
use crate::support::truth;
use crate::support::workload::Workload;

/// What no file of /proc tells about a descriptor.
pub const PROCFS_MAY_NOT_KNOW: MayBeNull = &["refs", "socket", "pipe", "epoll.watches.ready"];

/// Who holds the peer takes a walk over all processes.
const BPF_MAY_NOT_KNOW: MayBeNull = &["socket.peer.pid", "socket.peer.fd"];

/// What takes loops: sums over queues that hold something, and what an epoll instance watches.
const LOOPS_TELL: MayBeNull = &[
    "socket.peer.pid",
    "socket.peer.fd",
    "socket.recv.messages",
    "socket.recv.payload",
    "socket.send.messages",
    "socket.send.payload",
    "socket.inflight_files",
    "pipe.bytes",
    "epoll",
];

/// What the BPF programs that this kernel takes need not know.
pub fn bpf_may_not_know() -> MayBeNull {
    if has_loops() { BPF_MAY_NOT_KNOW } else { LOOPS_TELL }
}

/// Every difference between the document and the truth about the workload.
fn differences_in(workload: &Workload, source: &str, may_be_null: MayBeNull) -> Vec<String> {
    differences_of(workload.pid(), workload, source, may_be_null)
}

/// The same where it has another process id than whoever started it thinks.
pub fn differences_of(
    pid: u32,
    workload: &Workload,
    source: &str,
    may_be_null: MayBeNull,
) -> Vec<String> {
    let document = files(pid, source);
    let truth = truth::of_process(pid);
    let mut found = Vec::new();
    let mut rows: BTreeMap<u64, &Value> = BTreeMap::new();
    for row in file_rows(only_process(&document)) {
        let fd = row["fd"].as_u64().expect("a file in a table has an fd");
        if rows.insert(fd, row).is_some() {
            found.push(format!("fd {fd} is there twice"));
        }
    }
    for (fd, truth) in &truth {
        match rows.get(fd) {
            None => found.push(format!("fd {fd} ({:?}) is not there", truth.link)),
            Some(row) => {
                let differences = differences::from_proc(row, truth);
                found.extend(differences.iter().map(|d| format!("fd {fd} {}: {d}", row["kind"])));
            }
        }
    }
    for fd in rows.keys().filter(|fd| !truth.contains_key(fd)) {
        found.push(format!("fd {fd} is there, but not in /proc"));
    }
    for file in workload.files() {
        let Some(row) = rows.get(&file.fd) else { continue };
        let say = |d: &String| format!("fd {} {}: {d}", file.fd, file.label);
        if row["kind"] != file.kind {
            found.push(say(&format!("kind is {}, not {:?}", row["kind"], file.kind)));
        }
        let differences = differences::from_expectation(row, file.expect, may_be_null);
        found.extend(differences.iter().map(say));
        if source == "bpf" && !ops_fit(row) {
            found.push(say(&format!("ops {} are none of a {}", row["ops"], file.kind)));
        }
    }
    found
}

/// Whether the operations' name is one that files of this kind have.
fn ops_fit(row: &Value) -> bool {
    let Some(ops) = row["ops"].as_str() else {
        // The operations of O_PATH files have no functions, so only a kernel that tells the
        // names of its data can name them.
        return row["mode"] == "-";
    };
    if row["mode"] == "-" {
        return ops.contains("empty_fops");
    }
    let prefix = match row["kind"].as_str().unwrap_or_default() {
        "pipe" | "fifo" => &["pipefifo_", "pipeanon_", "pipe_", "fifo_"][..],
        "socket" => &["socket_", "sock_"],
        "eventpoll" => &["eventpoll_", "ep_"],
        "eventfd" => &["eventfd_"],
        "timerfd" => &["timerfd_"],
        "signalfd" => &["signalfd_"],
        "inotify" => &["inotify_"],
        "fanotify" => &["fanotify_"],
        "pidfd" => &["pidfd_", "pidfs_"],
        "io_uring" => &["io_uring_"],
        "userfaultfd" => &["userfaultfd_"],
        "perf_event" => &["perf_"],
        "bpf_map" => &["bpf_map_"],
        "bpf_prog" => &["bpf_prog_", "bpf_dummy_"],
        "bpf_link" => &["bpf_link_", "bpf_raw_tp_"],
        "dmabuf" => &["dma_buf_"],
        // File systems and drivers have their own.
        _ => return !ops.is_empty(),
    };
    prefix.iter().any(|prefix| ops.starts_with(prefix))
}

#[test]
fn files_by_bpf_agree_with_proc_and_the_process() {
    needs_bpf!("files_by_bpf_agree_with_proc_and_the_process");
    let workload = Workload::start(["all"]);
    let may_be_null = bpf_may_not_know();
    none_in_a_quiet_moment(|| differences_in(&workload, "bpf", may_be_null));
}

#[test]
fn files_by_procfs_agree_with_proc_and_the_process() {
    let workload = Workload::start(["all"]);
    none_in_a_quiet_moment(|| differences_in(&workload, "procfs", PROCFS_MAY_NOT_KNOW));
}

/// /proc/net tells addresses and states of the sockets that the kernel keeps in its tables.
#[test]
fn procfs_knows_the_addresses_of_hashed_sockets() {
    let workload = Workload::start([
        "tcp-listen,tcp-established,tcp-close-wait,tcp6-established,udp-unconnected,unix-listen",
    ]);
    none_in_a_quiet_moment(|| {
        let document = files(workload.pid(), "procfs");
        let rows = file_rows(only_process(&document));
        let mut found = Vec::new();
        for file in workload.files() {
            let row = rows.iter().find(|row| row["fd"] == file.fd).unwrap_or(&Value::Null);
            for field in ["local", "state"] {
                let (is, knows) = (&row["socket"][field], &file.expect["socket"][field]);
                if is != knows {
                    found.push(format!("{}: {field} is {is}, not {knows}", file.label));
                }
            }
        }
        found
    });
}

#[test]
fn the_process_itself_is_described() {
    let workload = Workload::start(["regular,pipe"]);
    let document = files(workload.pid(), "procfs");
    let process = only_process(&document);
    assert_eq!(process["pid"], workload.pid());
    assert_eq!(process["comm"], "workload");
    assert_eq!(process["fd_count"], truth::count(workload.pid()));
    assert_eq!(process["complete"], true);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", workload.pid()));
    let limits = limits.expect("our own child's limits can be read");
    let open_files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = open_files.and_then(|rest| rest.split_whitespace().next()).expect("a soft limit");
    assert_eq!(process["fd_limit"].to_string(), soft);
}

/// Looking consumes nothing: the same bytes, errors and connections are still there.
#[test]
fn a_second_reading_is_the_same() {
    needs_bpf!("a_second_reading_is_the_same");
    let workload = Workload::start([
        "pipe,fifo,unix-stream,unix-listen,udp-unconnected,udp-refused,tcp-established,tcp-reset,\
         tcp-listen,eventfd,eventpoll",
    ]);
    none_in_a_quiet_moment(|| {
        let (first, second) = (files(workload.pid(), "bpf"), files(workload.pid(), "bpf"));
        // What it inherited is open elsewhere too, and others may let go of it meanwhile.
        let own = |row: &&Value| workload.files().any(|file| row["fd"] == file.fd);
        let rows = |document| file_rows(only_process(document)).iter().filter(own);
        assert_eq!(rows(&first).count(), workload.files().count());
        let pairs = rows(&first).zip(rows(&second));
        pairs.filter(|(a, b)| a != b).map(|(a, b)| format!("first {a}\nthen  {b}")).collect()
    });
}
