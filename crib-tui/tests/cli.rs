//! The command line of the real binary: exit codes, diagnostics, and what scripts rely on.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use rstest::rstest;
use serde_json::Value;

/// No process has it: the kernel's pids are smaller than this limit (proc_sys_kernel(5)).
const NO_PID: &str = "4194304";

fn crib_top(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crib-top"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What a run said and how it ended.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }

    /// The one line on standard error, without the name of the program.
    fn diagnostic(&self) -> &str {
        let line = self.err.strip_suffix('\n').expect("a diagnostic");
        assert!(!line.contains('\n'), "more than one line: {line}");
        line.strip_prefix("crib-top: ").expect("the program's name")
    }
}

fn run(arguments: &[&str]) -> Run {
    crib_top(arguments).output().unwrap().into()
}

/// A run on this test's own process, from /proc.
fn run_on_self(arguments: &[&str]) -> Run {
    let pid = std::process::id().to_string();
    run(&[&["-p", &pid, "--source", "procfs"], arguments].concat())
}

/// A process with a name of its own, which waits until it is dropped.
struct Named {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Named {
    /// The name takes at most 15 bytes, which is where the kernel cuts it.
    fn new(name: &str) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", "printf %s \"$1\" > /proc/$$/comm; echo; read line", "sh", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let mut line = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        Self { child, stdin }
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        self.stdin.take();
        self.child.wait().unwrap();
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    for flag in ["--help", "-h", "--version", "-V"] {
        let run = run(&[flag]);
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{flag}");
        assert!(run.out.contains("crib-top"), "{flag}");
    }
    let version = format!("crib-top {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["--version"]).out, version);
    assert_eq!(run(&["files", "--help"]).code, Some(0));
}

#[rstest]
#[case::unknown_flag(&["--filtre"], "'--filtre'")]
#[case::unknown_command(&["flies"], "'files'")]
#[case::process_without_flag(&["1234"], "-p")]
#[case::missing_value(&["-p"], "'--pid <PID|NAME>'")]
#[case::unknown_source(&["--source", "ebpf"], "possible values: auto, bpf, procfs")]
#[case::no_process(&["files"], "-p PID")]
#[case::empty_process(&["files", "-p", ""], "-p ''")]
#[case::huge_pid(&["files", "-p", "99999999999"], "'99999999999'")]
#[case::delay_without_unit(&["-d", "5"], "-d '5' has no unit")]
#[case::delay_of_nothing(&["-d", "0s"], "at least 10ms")]
#[case::payload(&["--payload", "x"], "--payload 'x'")]
#[case::unknown_column(&["files", "-p", "1", "-o", "NAM"], "did you mean NAME?")]
#[case::unknown_ps_column(&["ps", "-o", "FD"], "did you mean FDS?")]
#[case::bad_filter(&["files", "-p", "1", "-Q", "FD =="], "at column 6")]
#[case::both_jsons(&["ps", "-J", "-j"], "-J and -j")]
#[case::columns_of_json(&["ps", "-J", "-o", "PID"], "-o and -J")]
#[case::packets_of_no_process(&["packets", "--fd", "3"], "packets needs a process")]
#[case::packets_of_no_file(&["packets", "-p", "1"], "--fd N")]
#[case::packets_of_several(&["packets", "-p", "1,2", "--fd", "3"], "names 2 processes")]
#[case::bad_descriptor(&["packets", "-p", "1", "--fd", "x"], "--fd 'x'")]
#[case::unknown_queue(&["packets", "-p", "1", "--fd", "3", "--queue", "rx"], "receive, reader, ")]
#[case::hex_of_json(&["packets", "-p", "1", "--fd", "3", "--hex", "-J"], "--hex and -J")]
#[case::pcap_of_json(&["packets", "-p", "1", "--fd", "3", "--pcap", "x", "-j"], "--pcap and -j")]
#[case::descriptor_elsewhere(&["files", "-p", "1", "--fd", "3"], "'--fd'")]
#[case::watch_of_no_process(&["leaks", "--for", "1s"], "leaks needs a process")]
#[case::watch_without_unit(&["leaks", "-p", "1", "--for", "30"], "--for '30' has no unit")]
#[case::watch_elsewhere(&["files", "-p", "1", "--for", "3s"], "'--for'")]
#[case::dump_of_no_process(&["dump"], "dump needs a process")]
#[case::escapes(&["-p", "1", "-Q", "FD == '\x1b[31m\n"], "\\x1b[31m\\x0a")]
fn a_bad_argument_is_said_in_one_line(#[case] arguments: &[&str], #[case] says: &str) {
    let run = run(arguments);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
    assert!(run.diagnostic().contains(says), "{}", run.err);
    assert!(!run.err.trim_end().contains(char::is_control), "{:?}", run.err);
}

#[test]
fn an_argument_that_is_not_utf8_is_said_in_one_line() {
    use std::os::unix::ffi::OsStrExt;
    let argument = std::ffi::OsStr::from_bytes(b"-p\xff");
    let run = Run::from(crib_top(&["files"]).arg(argument).output().unwrap());
    assert_eq!(run.code, Some(2));
    assert!(run.diagnostic().contains("UTF-8"));
}

#[test]
fn a_process_that_is_not_there_is_exit_code_1() {
    for source in ["auto", "procfs"] {
        let run = run(&["files", "-p", NO_PID, "--source", source]);
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
        let last = run.err.lines().last().unwrap();
        assert_eq!(last, format!("crib-top: no process with pid {NO_PID}"));
    }
    let run = run(&["files", "-p", "no-such-program"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert!(run.diagnostic().contains("'no-such-program'"));
}

#[test]
fn a_process_that_is_not_there_keeps_no_other_from_being_shown() {
    let list = format!("{},{NO_PID}", std::process::id());
    let run = run(&["files", "-p", &list, "--source", "procfs", "-J"]);
    assert_eq!(run.code, Some(1));
    assert!(run.diagnostic().contains(NO_PID));
    assert_eq!(run.json()["processes"].as_array().unwrap().len(), 1);
}

#[test]
fn a_name_finds_its_process_and_several_are_listed() {
    let (first, second) = (Named::new("crib-twin-1"), Named::new("crib-twin-2"));
    let run = |name| run(&["files", "-p", name, "--source", "procfs", "-J"]);

    let found = run("crib-twin-2");
    assert_eq!(found.code, Some(0), "{}", found.err);
    let process = &found.json()["processes"][0];
    assert_eq!(process["pid"].to_string(), second.pid());
    assert_eq!(process["comm"], "crib-twin-2");
    assert!(process["fd_count"].as_u64().unwrap() >= 3);

    let twins = run("crib-twin");
    assert_eq!((twins.code, twins.out.as_str()), (Some(2), ""));
    let line = twins.diagnostic();
    assert!(line.contains(&format!("{} (crib-twin-1)", first.pid())), "{line}");
    assert!(line.contains(&format!("{} (crib-twin-2)", second.pid())), "{line}");
}

#[test]
fn a_hostile_name_reaches_no_terminal() {
    let named = Named::new("\x1b[2J\n\u{9b}x");
    for arguments in [&["-J"][..], &[], &["-o", "COMM,NAME"]] {
        let pid = named.pid();
        let run = run(&[&["files", "-p", &pid, "--source", "procfs"], arguments].concat());
        assert_eq!(run.code, Some(0));
        assert!(!run.out.contains(|c: char| c.is_control() && c != '\n'), "{:?}", run.out);
    }
    let pid = named.pid();
    let run = run(&["files", "-p", &pid, "--source", "procfs", "-J"]);
    assert_eq!(run.json()["processes"][0]["comm"], "\\x1b[2J\\x0a\\xc2\\x9bx");
}

#[test]
fn a_hostile_path_is_one_escaped_row() {
    use std::os::unix::ffi::OsStrExt;
    let directory = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"a\x1b[31m\nb\xff (deleted)");
    let path = directory.path().join(name);
    let _file = File::create(&path).unwrap();
    let escaped = "a\\x1b[31m\\x0ab\\xff (deleted)";

    let table = run_on_self(&["files", "-n", "-o", "NAME", "-Q", "NAME =~ 'x1b'"]);
    assert_eq!(table.code, Some(0), "{}", table.err);
    assert_eq!(table.out, format!("{}/{escaped}\n", directory.path().display()));

    let document = run_on_self(&["files", "-J", "-Q", "NAME =~ 'x1b'"]).json();
    let file = &document["processes"][0]["files"][0];
    assert!(file["path"].as_str().unwrap().ends_with(escaped));
    assert_eq!(file["deleted"], false, "a name that ends so is not a deleted file");
}

#[test]
fn columns_can_be_listed_chosen_and_added() {
    let list = run(&["files", "-H"]);
    assert_eq!(list.code, Some(0));
    assert!(list.out.lines().any(|line| line.starts_with("SOCK.STATE ")));
    let list = run(&["ps", "--list-columns"]);
    assert!(list.out.lines().any(|line| line.starts_with("LIMIT ")));

    let heading = |arguments: &[&str]| {
        let run = run_on_self(arguments);
        let first = run.out.lines().next().unwrap();
        first.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(heading(&["files", "-o", "name,FD"]), ["NAME", "FD"]);
    let added = heading(&["files", "-o", "+INO,+REFS"]);
    assert!(added.starts_with(&["FD".into(), "KIND".into()]), "{added:?}");
    assert!(added.ends_with(&["INO".into(), "REFS".into(), "NAME".into()]), "{added:?}");

    let rows = run_on_self(&["files", "-n", "-o", "FD"]).out;
    assert!(rows.lines().all(|line| line.trim().parse::<u32>().is_ok()), "{rows}");
}

#[test]
fn a_filter_that_matches_nothing_is_exit_code_1_with_an_empty_document() {
    let run = run_on_self(&["files", "-J", "-Q", "FD > 1G"]);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.diagnostic(), "none of the open files match the filter");
    let process = &run.json()["processes"][0];
    assert_eq!(process["files"], serde_json::json!([]));
    assert!(process["fd_count"].as_u64().unwrap() > 0);
}

#[test]
fn without_a_terminal_the_table_is_printed_once() {
    let with = run_on_self(&["files", "-o", "FD,NAME", "-Q", "FD < 3"]);
    let without = run_on_self(&["-o", "FD,NAME", "-Q", "FD < 3"]);
    assert_eq!(without.code, Some(0));
    assert_eq!(with.out, without.out);
    assert_eq!(with.out.lines().count(), 4);
}

#[test]
fn several_processes_share_a_document_and_say_whose_a_row_is() {
    let other = Named::new("crib-other");
    let list = format!("{0},{1},{0}", other.pid(), std::process::id());
    let run =
        |flags: &[&str]| run(&[&["files", "-p", &list, "--source", "procfs"], flags].concat());
    let document = run(&["-J"]).json();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["source"], "procfs");
    assert!(document["kernel"].is_string());
    let pids: Vec<_> = document["processes"].as_array().unwrap().iter().collect();
    assert_eq!(pids.len(), 2);
    assert_eq!(pids[0]["pid"].to_string(), other.pid());
    assert_eq!(pids[1]["pid"], std::process::id());

    let table = run(&[]).out;
    assert!(table.trim_start().starts_with("PID COMM"), "{table}");

    for line in run(&["-j"]).out.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["pid"].is_u64() && line["fd"].is_u64() && line["kind"].is_string());
    }
}

#[test]
fn a_zombie_has_an_entry_without_files() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
    rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).unwrap();
    let name = child.id().to_string();
    let document = run(&["files", "-p", &name, "--source", "procfs", "-J"]);
    let table = run(&["files", "-p", &name, "--source", "procfs"]);
    child.wait().unwrap();
    assert_eq!(document.code, Some(0), "{}", document.err);
    let process = &document.json()["processes"][0];
    assert_eq!((&process["fd_count"], &process["files"]), (&0.into(), &serde_json::json!([])));
    assert_eq!((table.code, table.out.lines().count()), (Some(0), 1));
}

#[test]
fn ps_lists_every_process_or_those_asked_for() {
    let pid = std::process::id();
    let all = run(&["ps", "--source", "procfs", "-J"]).json();
    let all = all["processes"].as_array().unwrap();
    assert!(all.len() > 1);
    let own = all.iter().find(|process| process["pid"] == pid).expect("this process");
    assert!(own["fd_count"].as_u64().unwrap() >= 3);

    let one = run_on_self(&["ps", "-j"]);
    assert_eq!(one.out.lines().count(), 1);
    let one: Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(one["pid"], pid);

    let filtered = run(&["ps", "--source", "procfs", "-no", "PID", "-Q", &format!("PID == {pid}")]);
    assert_eq!(filtered.out, format!("{pid}\n"));
    assert_eq!(run(&["ps", "-p", NO_PID, "--source", "procfs"]).code, Some(1));
}

#[test]
fn a_closed_pipe_is_no_error() {
    for arguments in [&["ps"][..], &["ps", "-J"], &["files", "-H"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let run = crib_top(&[arguments, &["--source", "procfs"]].concat())
            .stdout(writer)
            .output()
            .unwrap();
        assert_eq!(Run::from(run).code, Some(0), "{arguments:?}");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let run = Run::from(crib_top(&["files", "-H"]).stdout(full).output().unwrap());
    assert_eq!(run.code, Some(1));
    assert!(run.diagnostic().starts_with("cannot write to standard output"));
}

#[test]
fn a_closed_standard_error_is_no_panic() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = crib_top(&["files", "-p", NO_PID]).stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn no_color_leaves_no_escape_sequence() {
    let pid = std::process::id().to_string();
    for arguments in [&["-p", &pid, "--source", "procfs"][..], &["--help"], &["--wrong"]] {
        let run = Run::from(crib_top(arguments).env("NO_COLOR", "1").output().unwrap());
        assert!(!run.out.contains('\x1b') && !run.err.contains('\x1b'), "{run:?}");
    }
}

/// The binary where another user can run it, too: the build's directory may be closed to them.
fn for_everyone() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), all.clone()).unwrap();
    let binary = directory.path().join("crib-top");
    // By another process, so that no test that forks meanwhile keeps it busy (ETXTBSY).
    let mut copy = std::process::Command::new("cp");
    let copied = copy.arg(env!("CARGO_BIN_EXE_crib-top")).arg(&binary).status();
    assert!(copied.unwrap().success());
    std::fs::set_permissions(&binary, all).unwrap();
    directory
}

/// A run on itself without privileges: $$ stays the same when the shell becomes crib-top.
fn run_unprivileged(arguments: &str) -> Run {
    let directory = for_everyone();
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("exec \"$0\" files -p $$ {arguments}"))
        .arg(directory.path().join("crib-top"))
        .current_dir("/")
        .stdin(Stdio::null());
    if rustix::process::geteuid().is_root() {
        shell.uid(65534).gid(65534);
    }
    shell.output().unwrap().into()
}

#[test]
fn without_privileges_proc_is_read_and_the_reason_said_once() {
    let run = run_unprivileged("-J");
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.diagnostic().starts_with("reading /proc"), "{}", run.err);
    assert_eq!(run.json()["source"], "procfs");
    assert!(run.json()["processes"][0]["fd_count"].as_u64().unwrap() >= 3);
}

#[test]
fn without_privileges_insisting_on_bpf_is_exit_code_3() {
    let run = run_unprivileged("--source bpf");
    assert_eq!((run.code, run.out.as_str()), (Some(3), ""));
    assert!(run.diagnostic().contains("sudo"), "{}", run.err);
}

#[rstest]
#[case::packets(&["packets", "--fd", "0"])]
#[case::dump(&["dump", "-J"])]
#[case::pcap(&["packets", "--fd", "0", "--pcap", "-"])]
fn queues_are_not_in_proc_which_is_exit_code_3(#[case] arguments: &[&str]) {
    let run = run_on_self(arguments);
    assert_eq!((run.code, run.out.as_str()), (Some(3), ""));
    assert!(run.diagnostic().contains("not in /proc"), "{}", run.err);
    assert!(run.diagnostic().contains("crib-top doctor"), "{}", run.err);
}

#[test]
fn asking_for_proc_gives_no_reason() {
    let run = run_unprivileged("--source procfs");
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
}

#[test]
fn doctor_lists_the_checks_and_says_what_comes_of_them() {
    let table = run(&["doctor"]);
    let document = run(&["doctor", "-J"]);
    assert_eq!(table.code, document.code);
    assert_eq!((table.err.as_str(), document.err.as_str()), ("", ""));
    let document = document.json();
    let checks = document["checks"].as_array().unwrap();
    assert!(!checks.is_empty());
    for check in checks {
        let name = check["name"].as_str().unwrap();
        assert!(table.out.lines().any(|line| line.starts_with(name)), "{name}");
    }
    let code = if document["source"] == "bpf" { 0 } else { 3 };
    assert_eq!(table.code, Some(code));
}

#[test]
fn a_watch_of_what_stays_as_it_is_suspects_nothing() {
    let named = Named::new("quiet");
    let arguments = ["leaks", "-p", &named.pid(), "--source", "procfs", "--for", "300ms"];
    let quiet = run(&[&arguments[..], &["-J"]].concat());
    assert_eq!((quiet.code, quiet.err.as_str()), (Some(0), ""));
    let document = quiet.json();
    assert_eq!((&document["schema"], &document["source"]), (&1.into(), &"procfs".into()));
    assert_eq!(document["pid"].to_string(), named.pid());
    assert_eq!(document["suspected"], false);
    assert!(document["seconds"].as_f64().unwrap() >= 0.3);
    assert!(document["seconds_to_limit"].is_null());
    let groups = document["groups"].as_array().unwrap();
    let count: u64 = groups.iter().map(|group| group["count"].as_u64().unwrap()).sum();
    assert_eq!(document["fd_count"], count);
    assert!(groups.iter().all(|group| group["opened"] == 0 && group["stack"].is_null()));
    let text = run(&arguments);
    assert_eq!(text.code, Some(0));
    assert!(text.out.contains("no leak is suspected"), "{}", text.out);
}
