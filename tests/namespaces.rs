//! crib-top looks into other namespaces, and out of namespaces of its own: ids are those that a
//! person there sees, and what can't be told is empty, with a reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::parity::{PROCFS_MAY_NOT_KNOW, bpf_may_not_know, differences_of};
use crate::ps::row_of;
use crate::support::command::{crib_top, file_rows, files, only_process};
use crate::support::differences::none_in_a_quiet_moment;
use crate::support::privilege::needs_bpf;
use crate::support::terminal::Terminal;
use crate::support::truth;
use crate::support::workload::{Workload, workload_path};
use crate::support::{crib_top_path, skipped};

/// Starts a workload and looks at it within a new pid namespace, whose processes end with it;
/// prints the workload's own words, the number of its descriptors by /proc, and two documents.
const SCRIPT: &str = r#"
    sleep 1000 | "$WORKLOAD" pipe,tcp-listen,udp-unconnected >"$DIR/told" &
    tries=0
    until [ -s "$DIR/told" ] || [ $tries -ge 600 ]; do sleep 0.1; tries=$((tries + 1)); done
    for pid in /proc/[0-9]*; do
        [ "$(cat "$pid/comm")" = workload ] && ls "$pid/fd" | wc -l
    done
    "$CRIB_TOP" ps -J --source bpf
    "$CRIB_TOP" files -J --source bpf -p workload
"#;

#[test]
fn processes_have_the_ids_of_our_pid_namespace() {
    const TEST: &str = "processes_have_the_ids_of_our_pid_namespace";
    needs_bpf!("processes_have_the_ids_of_our_pid_namespace");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new("unshare")
        .args(["-p", "-f", "--mount-proc", "sh", "-c", SCRIPT])
        .env("WORKLOAD", workload_path())
        .env("CRIB_TOP", crib_top_path())
        .env("DIR", directory.path())
        // Its small pid may have been another workload's, of another namespace.
        .env("TMPDIR", directory.path())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return skipped(TEST, format!("unshare(1): {error}")),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    let [descriptors, processes, files] = lines[..] else { panic!("{text}\n{errors}") };
    let descriptors: u64 = descriptors.trim().parse().expect("wc prints a number");
    let json = |text: &str| -> Value { serde_json::from_str(text).expect("a document") };

    let processes = json(processes);
    let rows = processes["processes"].as_array().expect("a list");
    assert!(rows.iter().any(|row| row["pid"] == 1), "the first process of the namespace: {rows:?}");
    let mut workloads = rows.iter().filter(|row| row["comm"] == "workload");
    let workload = workloads.next().expect("the workload is in the list");
    assert_eq!(workload["fd_count"], descriptors);

    let files = json(files);
    let process = &files["processes"][0];
    assert_eq!(process["pid"], workload["pid"]);
    assert_eq!(process["fd_count"], descriptors);
    assert!(process["files"].as_array().expect("a list").iter().all(|file| file["tid"].is_null()));
}

/// Whether unshare(1) can make such namespaces here; says so by name where it can't.
fn can_unshare(test: &str, options: &[&str]) -> bool {
    match Command::new("unshare").args(options).arg("true").output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            skipped(test, format!("unshare {}: {errors}", options.join(" ")));
            false
        }
        Err(error) => {
            skipped(test, format!("unshare(1): {error}"));
            false
        }
    }
}

/// Starts a workload by unshare(1), by a script whose last command becomes the workload.
fn start_unshared(options: &[&str], script: &str, directory: &Path, kinds: &str) -> Workload {
    let (directory, path) = (directory.display().to_string(), workload_path());
    let tail = ["sh", "-c", script, &directory, &path.display().to_string(), kinds];
    let arguments: Vec<String> =
        options.iter().chain(&tail).map(|word| (*word).to_owned()).collect();
    Workload::start_at(Path::new("unshare"), arguments)
}

/// The pid of unshare's child, which is the workload, in our own pid namespace.
fn child_of(parent: u32) -> u32 {
    let entries = fs::read_dir("/proc").expect("/proc is there");
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name| status.lines().find_map(|line: &str| line.strip_prefix(name));
        field("PPid:").is_some_and(|id| id.trim() == parent.to_string())
    };
    let children: Vec<u32> = pids.filter(is_child).collect();
    let [child] = children[..] else { panic!("unshare has children {children:?}") };
    child
}

/// A private file system, on which the workload's files are.
const PRIVATE: &str = r#"
    ip link set lo up
    mkdir "$0/private" && mount -t tmpfs private "$0/private" || exit
    TMPDIR="$0/private" exec "$1" "$2"
"#;

const ALL: [&str; 7] = ["-p", "-f", "-m", "-n", "-u", "-i", "--mount-proc"];

/// As from a host into a container: pids and sockets as they are, paths as that sees them.
fn a_process_in_other_namespaces(test: &str, source: &str) {
    if !can_unshare(test, &ALL) {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let workload = start_unshared(&ALL, PRIVATE, directory.path(), "all");
    assert_eq!(workload.report["pid"], 1, "it is the first of its namespace");
    let pid = child_of(workload.pid());
    let may_be_null = if source == "bpf" { bpf_may_not_know() } else { PROCFS_MAY_NOT_KNOW };
    none_in_a_quiet_moment(|| differences_of(pid, &workload, source, may_be_null));

    let document = files(pid, source);
    let process = only_process(&document);
    assert_eq!((&process["pid"], &process["comm"]), (&pid.into(), &"workload".into()));
    assert_eq!(process["other_mounts"], true);
    let private = directory.path().join("private").display().to_string();
    let regular = workload.file("regular").fd;
    let rows = file_rows(process);
    let row = rows.iter().find(|row| row["fd"] == regular).expect("the file is there");
    let path = row["path"].as_str().expect("it has a path");
    assert!(path.starts_with(&private) && !Path::new(path).exists(), "{path}");
    let link = fs::read_link(format!("/proc/{pid}/ns/net")).expect("we may look");
    for label in ["tcp-listen", "tcp-established", "udp-unconnected"] {
        let fd = workload.file(label).fd;
        let row = rows.iter().find(|row| row["fd"] == fd).expect("the socket is there");
        let netns = format!("net:[{}]", row["socket"]["netns"]);
        assert_eq!(Path::new(&netns), link, "{label}: {row}");
    }
    assert_eq!(row_of(pid, source)["fd_count"], rows.len());
    // Where it is read as text, somebody has to be told whose paths these are.
    let table = crib_top(["files", "-p", &pid.to_string(), "--source", source]).expect_code(0);
    assert!(table.stderr.contains("mounts of its own"), "{}", table.stderr);
    assert_eq!(table.stderr.lines().count(), 1, "{}", table.stderr);
    let mut terminal = Terminal::start(&["-p", &pid.to_string(), "--source", source], 120, 30);
    terminal.wait_for("mounts of its own");
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}

#[test]
fn a_process_in_other_namespaces_by_bpf() {
    const TEST: &str = "a_process_in_other_namespaces_by_bpf";
    needs_bpf!("a_process_in_other_namespaces_by_bpf");
    a_process_in_other_namespaces(TEST, "bpf");
}

#[test]
fn a_process_in_other_namespaces_by_procfs() {
    const TEST: &str = "a_process_in_other_namespaces_by_procfs";
    if !rustix::process::geteuid().is_root() {
        return skipped(TEST, "only root may make these namespaces");
    }
    a_process_in_other_namespaces(TEST, "procfs");
}

/// Users are those of the namespace that one looks from, whatever the process takes itself for.
#[test]
fn users_are_those_that_we_know() {
    const TEST: &str = "users_are_those_that_we_know";
    if !can_unshare(TEST, &["-U"]) {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let script = r#"TMPDIR="$0" exec "$1" "$2""#;
    for (options, shown) in [(&["-U"][..], "65534"), (&["-U", "-r"], "0")] {
        let own = Command::new("unshare").args(options).args(["id", "-u"]).output();
        assert_eq!(String::from_utf8_lossy(&own.expect("it was there").stdout).trim(), shown);
        let workload = start_unshared(options, script, directory.path(), "pipe");
        let row = row_of(workload.pid(), "procfs");
        assert_eq!(row["uid"], rustix::process::geteuid().as_raw(), "{options:?}");
    }
    // Whom the namespace does not know, it calls the overflow user, which is nobody.
    let script = r#""$0" ps -J --source procfs -p $$"#;
    let mut inside = Command::new("unshare");
    let output = inside.args(["-U", "sh", "-c", script]).arg(crib_top_path()).output();
    let output = output.expect("it was there");
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    let row = &document["processes"][0];
    assert_eq!((&row["uid"], &row["user"]), (&Value::Null, &Value::Null), "{row}");
}

/// In a user namespace nobody may load programs: what is done instead is said.
#[test]
fn in_a_user_namespace_proc_is_read_and_the_reason_said() {
    const TEST: &str = "in_a_user_namespace_proc_is_read_and_the_reason_said";
    let options = ["-U", "-r", "-p", "-f", "--mount-proc"];
    if !can_unshare(TEST, &options) {
        return;
    }
    let run = |arguments: &str| -> Output {
        let mut command = Command::new("unshare");
        command.args(options).args(["sh", "-c", &format!("\"$0\" {arguments}")]);
        command.arg(crib_top_path()).output().expect("it was there")
    };
    let output = run("files -p 1 -J");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("reading /proc") && errors.contains("user namespace"), "{errors}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(document["source"], "procfs");
    assert_eq!(document["processes"][0]["pid"], 1);
    for arguments in ["files -p 1 --source bpf", "dump -p 1"] {
        let output = run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{arguments}: {errors}");
        assert!(errors.contains("user namespace"), "{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
}

/// A container of its own: another root directory, own mounts, processes, network; a workload in
/// it, what /proc lists there, and what crib-top says from inside.
const CONTAINER: &str = r#"
    root="$0/root"
    mkdir "$root" "$0/private" && mount -o rbind / "$root" || exit
    mount -t proc proc "$root/proc" && mount -t tmpfs private "$root$0/private" || exit
    ip link set lo up
    exec chroot "$root" sh -c "$3" "$0" "$1" "$2"
"#;

const INSIDE: &str = r#"
    export TMPDIR="$0/private"
    sleep 1000 | "$1" regular,pipe,tcp-established,unix-stream,udp-unconnected >"$TMPDIR/told" &
    tries=0
    until [ -s "$TMPDIR/told" ] || [ $tries -ge 600 ]; do sleep 0.1; tries=$((tries + 1)); done
    for source in bpf procfs; do
        "$2" ps -J --source $source
        "$2" files -J --source $source -p workload
    done
    cat "$TMPDIR/told"
    echo /proc/[0-9]*
"#;

#[test]
fn from_within_a_container() {
    const TEST: &str = "from_within_a_container";
    needs_bpf!("from_within_a_container");
    let options = ["-p", "-f", "-m", "-n", "-u", "-i"];
    if !can_unshare(TEST, &options) {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new("unshare")
        .args(options)
        .args(["sh", "-c", CONTAINER])
        .args([directory.path(), &workload_path(), &crib_top_path(), Path::new(INSIDE)])
        .output()
        .expect("it was there");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    let [documents @ .., told, listed] = &lines[..] else { panic!("{text}\n{errors}") };
    assert_eq!(documents.len(), 4, "{text}\n{errors}");
    let json = |text: &str| -> Value { serde_json::from_str(text).expect("a document") };
    let told = json(told);
    let pids: BTreeSet<u64> =
        listed.split(' ').filter_map(|path| path.strip_prefix("/proc/")?.parse().ok()).collect();

    for pair in documents.chunks(2) {
        let (list, document) = (json(pair[0]), json(pair[1]));
        let rows = list["processes"].as_array().expect("a list");
        // Others than those that /proc shows here are not known here; its own end has come.
        let of_crib_top = |row: &&Value| row["comm"] != "crib-top";
        let shown = rows.iter().filter(of_crib_top).map(|row| row["pid"].as_u64().expect("a pid"));
        let shown: BTreeSet<u64> = shown.collect();
        assert!(shown.contains(&1) && shown.is_subset(&pids), "{shown:?} of {pids:?}");
        let process = only_process(&document);
        assert_eq!((&process["pid"], &process["other_mounts"]), (&told["pid"], &false.into()));
        assert_eq!(process["complete"], true);
        let files = file_rows(process);
        for file in told["files"].as_array().expect("a list") {
            let row = files.iter().find(|row| row["fd"] == file["fd"]).expect("it is there");
            assert_eq!((&row["kind"], &row["tid"]), (&file["kind"], &Value::Null), "{file}");
            let expected = &file["expect"];
            // What no table of /proc/net holds is not known from there.
            let addresses = ["local", "remote"].map(|field| (&row["socket"][field], field));
            for (address, field) in addresses.into_iter().filter(|(it, _)| it.is_string()) {
                let expected = &expected["socket"][field];
                assert!(expected.is_null() || address == expected, "{row}\n{file}");
            }
            if file["kind"] == "regular" {
                let path = row["path"].as_str().expect("it has a path");
                let private = directory.path().join("private");
                assert!(Path::new(path).starts_with(&private), "{path}");
            }
        }
    }
}

/// The host's /proc in a pid namespace of one's own, as in containers that are given it: the ids
/// that it has are not those that the kernel knows there.
#[test]
fn with_the_proc_of_another_pid_namespace_only_that_is_believed() {
    const TEST: &str = "with_the_proc_of_another_pid_namespace_only_that_is_believed";
    needs_bpf!("with_the_proc_of_another_pid_namespace_only_that_is_believed");
    let options = ["-p", "-f"];
    if !can_unshare(TEST, &options) {
        return;
    }
    let workload = Workload::start(["pipe,eventfd"]);
    let pid = workload.pid().to_string();
    let run = |arguments: &[&str]| -> Output {
        let mut command = Command::new("unshare");
        command.args(options).arg(crib_top_path()).args(arguments).output().expect("it was there")
    };
    let output = run(&["files", "-J", "-p", &pid]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.contains("pid namespace"), "{errors}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(document["source"], "procfs");
    assert_eq!(file_rows(only_process(&document)).len() as u64, truth::count(workload.pid()));
    // Ids that are small are those of processes here, and of others there.
    let output = run(&["ps", "-J"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    let rows = document["processes"].as_array().expect("a list");
    let row = rows.iter().find(|row| row["pid"] == workload.pid()).expect("it is in the list");
    assert_eq!(row["fd_count"], truth::count(workload.pid()));
    for arguments in [&["ps", "--source", "bpf"][..], &["dump", "-p", &pid]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("pid namespace"));
    }
}
