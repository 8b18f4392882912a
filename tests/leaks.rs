//! `leaks` finds the programs that leak, with group, rate and opener, and clears healthy ones.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::command::{Run, crib_top};
use crate::support::privilege::{bpf_works_or_is_proven_absent, needs_bpf};
use crate::support::workload::{Workload, workload_path};
use crate::support::{in_qemu, skipped};

/// How long to watch: emulated, crib-top takes seconds to start, and everything is slow.
fn seconds() -> u32 {
    if in_qemu() { 20 } else { 4 }
}

fn watch(pid: u32, more: &[&str]) -> Run {
    let (pid, time) = (pid.to_string(), format!("{}s", seconds()));
    let arguments = ["leaks", "-p", &pid, "--for", &time, "-J"];
    crib_top(arguments.into_iter().chain(more.iter().copied()))
}

/// The groups that are suspected.
fn suspected(document: &Value) -> Vec<&Value> {
    let groups = document["groups"].as_array().expect("groups is a list");
    groups.iter().filter(|group| group["suspected"] == true).collect()
}

fn open_files(pid: u32) -> usize {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("our own child's files");
    files.count()
}

/// Watches a program that leaks into one group, and returns the document after the checks that
/// all such programs have in common.
fn a_leak(name: &str, more: &[&str], kind: &str, label: impl Fn(&str) -> bool) -> Value {
    let workload = Workload::start(["leaks", name]);
    // Few files come and go beside those that leak, and as many as there will be are there after a
    // few turns: what is there after the watch, and was not before, is the truth.
    std::thread::sleep(Duration::from_millis(500));
    let (began, before) = (Instant::now(), open_files(workload.pid()));
    let document = watch(workload.pid(), more).expect_code(10).json();
    let (after, took) = (open_files(workload.pid()), began.elapsed());
    let true_rate = (after as f64 - before as f64) / took.as_secs_f64();
    workload.finish();
    assert_eq!(document["suspected"], true);
    let [group] = suspected(&document)[..] else {
        panic!("not one suspect but {:#?}", suspected(&document));
    };
    assert_eq!(*group, document["groups"][0], "what is suspected comes first");
    assert_eq!(group["kind"], kind);
    let text = group["label"].as_str().expect("a label is a string");
    assert!(label(text), "{text}");
    let number = |value: &Value, field: &str| {
        value[field].as_f64().unwrap_or_else(|| panic!("{field} in {value}"))
    };
    let rate = number(group, "per_second");
    assert!(
        (rate / true_rate - 1.0).abs() <= 0.2,
        "{name}: {rate} a second, and {true_rate} in truth: {group}"
    );
    assert!(!group["examples"].as_array().expect("a list").is_empty());
    let left = number(&document, "fd_limit") - number(&document, "fd_count");
    let to_limit = number(&document, "seconds_to_limit");
    assert!((to_limit * rate - left).abs() <= left * 0.01, "{to_limit} s at {rate}: {left} left");
    document
}

/// The stack of the one suspect; none, with a word, where openings can't be traced.
fn stack_of_the_suspect<'a>(test: &str, document: &'a Value) -> Option<&'a [Value]> {
    if document["traced"].is_null() {
        skipped(test, "who opens files can't be traced here");
        return None;
    }
    assert_eq!(document["traced"]["lost"], 0);
    let stack = suspected(document)[0]["stack"].as_array();
    Some(stack.unwrap_or_else(|| panic!("no stack: {document}")))
}

/// The stack of the one suspect must name a function, or where there are no symbols the program.
fn names_its_opener(test: &str, document: &Value, program: &str, function: &str) {
    let Some(stack) = stack_of_the_suspect(test, document) else { return };
    let of_program = |frame: &Value| frame["module"] == program && frame["offset"].is_u64();
    assert!(stack.iter().any(of_program), "{stack:#?}");
    // The binaries that run in other kernels are stripped.
    assert!(in_qemu() || stack.iter().any(|frame| is_named(frame, function)), "{stack:#?}");
}

fn is_named(frame: &Value, function: &str) -> bool {
    frame["symbol"].as_str().is_some_and(|symbol| symbol.contains(function))
}

#[test]
fn leaked_sockets_are_found_with_their_opener() {
    needs_bpf!("leaked_sockets_are_found_with_their_opener");
    let document = a_leak("socket", &[], "socket", |label| label == "inet dgram udp");
    assert_eq!(document["source"], "bpf");
    let test = "leaked_sockets_are_found_with_their_opener";
    names_its_opener(test, &document, "workload", "leak_a_socket");
}

#[test]
fn leaked_files_are_one_group_whatever_their_numbers() {
    needs_bpf!("leaked_files_are_one_group_whatever_their_numbers");
    let document = a_leak("file", &[], "regular", |label| label.ends_with("/log-*.txt"));
    let test = "leaked_files_are_one_group_whatever_their_numbers";
    names_its_opener(test, &document, "workload", "leak_a_file");
}

#[test]
fn leaked_files_are_found_by_procfs_without_stacks() {
    let more = ["--source", "procfs"];
    let document = a_leak("file", &more, "regular", |label| label.ends_with("/log-*.txt"));
    assert!(document["traced"].is_null() && suspected(&document)[0]["stack"].is_null());
}

#[test]
fn connections_that_were_accepted_are_one_group() {
    needs_bpf!("connections_that_were_accepted_are_one_group");
    let accepted = |label: &str| label.starts_with("inet stream tcp accepted at 127.0.0.1:");
    a_leak("accepted", &[], "socket", accepted);
}

/// Each has a label of its own, and no other file has it.
#[test]
fn leaked_connections_to_many_hosts_are_one_group() {
    let test = "leaked_connections_to_many_hosts_are_one_group";
    needs_bpf!("leaked_connections_to_many_hosts_are_one_group");
    let document = a_leak("hosts", &[], "socket", |label| label == "inet dgram udp *:5353");
    names_its_opener(test, &document, "workload", "leak_a_socket");
}

#[test]
fn leaked_files_in_many_directories_are_one_group() {
    let test = "leaked_files_in_many_directories_are_one_group";
    needs_bpf!("leaked_files_in_many_directories_are_one_group");
    let below = |label: &str| label.starts_with('/') && label.ends_with("/*");
    let document = a_leak("directories", &[], "regular", below);
    names_its_opener(test, &document, "workload", "leak_a_file");
}

#[test]
fn a_leak_is_found_among_sockets_that_come_and_go() {
    needs_bpf!("a_leak_is_found_among_sockets_that_come_and_go");
    let test = "a_leak_is_found_among_sockets_that_come_and_go";
    let document = a_leak("among", &[], "socket", |label| label == "inet dgram udp");
    names_its_opener(test, &document, "workload", "leak_a_socket");
}

/// Code of a just-in-time compiler has no file and no unwind information: its name is in the
/// process's perf map, and the way to its caller in the frame pointer.
#[test]
fn generated_code_has_its_name_and_its_callers() {
    let test = "generated_code_has_its_name_and_its_callers";
    needs_bpf!("generated_code_has_its_name_and_its_callers");
    let document = a_leak("generated", &[], "socket", |label| label == "inet dgram udp");
    let Some(stack) = stack_of_the_suspect(test, &document) else { return };
    let generated = stack.iter().position(|frame| is_named(frame, "generated_function"));
    let generated = generated.unwrap_or_else(|| panic!("{stack:#?}"));
    assert!(stack[generated]["offset"].is_null(), "{stack:#?}");
    for (part, what) in [(&stack[..generated], "callees"), (&stack[generated + 1..], "callers")] {
        assert!(part.iter().any(|frame| frame["module"] == "workload"), "no {what}: {stack:#?}");
    }
}

/// A program whose file can't be reached from here: it is on a file system that is mounted only
/// where the process is.
#[test]
fn code_in_another_mount_namespace_has_its_names() {
    let test = "code_in_another_mount_namespace_has_its_names";
    needs_bpf!("code_in_another_mount_namespace_has_its_names");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let script = "mount -t tmpfs none \"$DIR\" && cp \"$WORKLOAD\" \"$DIR/elsewhere\" && \
                  exec \"$DIR/elsewhere\" leaks socket";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).env("DIR", directory.path());
    let command = command.env("WORKLOAD", workload_path()).stdin(Stdio::piped());
    let Some(program) = Program::start(test, command, |line| line.starts_with('{')) else { return };
    assert_eq!(std::fs::read_dir(directory.path()).expect("it is ours").count(), 0);
    let document = watch(program.0.id(), &[]).expect_code(10).json();
    names_its_opener(test, &document, "elsewhere", "leak_a_socket");
}

/// /proc says nothing of the memory of a process whose first thread has ended, but in the
/// directories of the others.
#[test]
fn a_process_whose_first_thread_has_ended_has_its_opener() {
    let test = "a_process_whose_first_thread_has_ended_has_its_opener";
    needs_bpf!("a_process_whose_first_thread_has_ended_has_its_opener");
    let workload = Workload::start(["leaks", "leaderless"]);
    let directory = format!("/proc/{}", workload.pid());
    let has_ended = || std::fs::read_link(format!("{directory}/exe")).is_err();
    let patience = Instant::now() + Duration::from_secs(60);
    while !has_ended() {
        assert!(Instant::now() < patience, "its first thread does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    let document = watch(workload.pid(), &[]).expect_code(10).json();
    names_its_opener(test, &document, "workload", "leak_a_socket");
    workload.finish();
}

#[test]
fn without_tracing_there_is_no_stack() {
    needs_bpf!("without_tracing_there_is_no_stack");
    let document = a_leak("socket", &["--no-trace"], "socket", |label| label == "inet dgram udp");
    assert!(document["traced"].is_null() && suspected(&document)[0]["stack"].is_null());
}

/// More stacks than are told apart: those that have no room are counted, and the group is found
/// all the same.
#[test]
fn thousands_of_stacks_are_bounded_and_the_rest_is_counted() {
    let test = "thousands_of_stacks_are_bounded_and_the_rest_is_counted";
    needs_bpf!("thousands_of_stacks_are_bounded_and_the_rest_is_counted");
    let workload = Workload::start(["leaks", "stacks"]);
    let before = open_files(workload.pid());
    let document = watch(workload.pid(), &["-d", "250ms"]).json();
    let opened = open_files(workload.pid()) - before;
    workload.finish();
    let groups = document["groups"].as_array().expect("a list");
    let sockets: Vec<_> =
        groups.iter().filter(|group| group["label"] == "inet dgram udp").collect();
    assert!(!sockets.is_empty() && sockets.len() < 20, "{} groups", sockets.len());
    // Unless it has reached its limit.
    let limit = document["fd_limit"].as_u64().expect("there is a limit");
    if (opened as u64) < limit.min(12_000) - 1000 {
        assert_eq!(document["suspected"], true);
        assert_eq!(sockets[0]["suspected"], true);
    }
    if document["traced"].is_null() {
        return skipped(test, "who opens files can't be traced here");
    }
    let lost = document["traced"]["lost"].as_u64().expect("a number");
    // There is room for 4096 stacks. Emulated, readings are so far apart that most copies of stacks
    // are overwritten before they are looked at, and few stacks are told apart.
    assert!(in_qemu() || opened < 5000 || lost > 0, "{lost} lost of {opened}");
}

fn is_cleared(name: &str) {
    let workload = Workload::start(["leaks", name]);
    let document = watch(workload.pid(), &[]).expect_code(0).json();
    assert_eq!(document["suspected"], false, "{name}: {document}");
    assert!(document["seconds_to_limit"].is_null());
    workload.finish();
}

macro_rules! healthy {
    ($($test:ident: $name:literal;)*) => {
        $(#[test]
        fn $test() {
            if bpf_works_or_is_proven_absent(stringify!($test)) {
                is_cleared($name);
            }
        })*
    };
}

healthy! {
    sockets_that_come_and_go_are_cleared: "churn";
    a_pool_that_is_full_is_cleared: "pool";
    a_burst_is_cleared: "burst";
    a_count_that_swings_is_cleared: "swing";
}

/// Kills a program that is watched after so many seconds.
fn ends_after(seconds: u64) -> (u32, Run) {
    let mut workload = Workload::start(["leaks", "socket"]);
    let pid = workload.pid();
    let watching = std::thread::spawn(move || {
        let pid = pid.to_string();
        crib_top(["leaks", "-p", &pid, "--for", "1h", "-d", "100ms", "-J"])
    });
    std::thread::sleep(Duration::from_secs(seconds));
    workload.kill();
    (pid, watching.join().expect("crib-top was run").expect_code(1))
}

#[test]
fn a_program_that_ends_is_an_error_with_what_was_seen() {
    // How long crib-top takes to start is up to the machine.
    for seconds in [1, 2, 4, 8, 16, 32, 64] {
        let (pid, run) = ends_after(seconds);
        let last = run.stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with("crib-top: ") && last.contains(&pid.to_string()), "{last}");
        if !run.stdout.is_empty() {
            assert!(last.contains("ended after"), "{last}");
            let document = run.json();
            assert_eq!(document["pid"], pid);
            // What was suspected by then has the names that it had while it ran.
            if document["suspected"] == true {
                let test = "a_program_that_ends_is_an_error_with_what_was_seen";
                names_its_opener(test, &document, "workload", "leak_a_socket");
            }
            return;
        }
    }
    panic!("nothing was ever seen");
}

#[test]
fn a_program_that_becomes_another_is_an_error() {
    for command in ["leaks", "lint"] {
        let workload = Workload::start(["leaks", "exec"]);
        let pid = workload.pid().to_string();
        let rest = ["--for", "10m", "-d", "50ms", "--source", "procfs", "-J"];
        let run = crib_top([command, "-p", &pid].into_iter().chain(rest)).expect_code(1);
        let last = run.stderr.lines().last().unwrap_or_default();
        assert!(last.contains(&pid) && last.contains("by exec after"), "{command}: {}", run.stderr);
        // What was seen until then is told.
        assert_eq!(run.json()["pid"], workload.pid(), "{command}");
    }
}

#[test]
fn a_program_that_becomes_another_is_shown_with_its_own_functions() {
    let test = "a_program_that_becomes_another_is_shown_with_its_own_functions";
    needs_bpf!("a_program_that_becomes_another_is_shown_with_its_own_functions");
    // On a busy machine it may seem to have stopped to leak before it becomes another; emulated,
    // crib-top may start too late.
    for _ in 0..5 {
        let workload = Workload::start(["leaks", "socket-exec"]);
        let pid = workload.pid().to_string();
        let arguments = ["leaks", "-p", &pid, "--for", "10m", "-d", "100ms", "-J"];
        let run = crib_top(arguments).expect_code(1);
        let last = run.stderr.lines().last().unwrap_or_default();
        assert!(last.contains(&pid), "{}", run.stderr);
        if !run.stdout.is_empty() && run.json()["suspected"] == true {
            assert!(last.contains("by exec after"), "{}", run.stderr);
            return names_its_opener(test, &run.json(), "workload", "leak_a_socket");
        }
    }
    assert!(in_qemu(), "it was never suspected");
    skipped(test, "it was never suspected");
}

/// A program of others, ended when this is dropped.
struct Program(Child);

impl Program {
    /// Starts it, and waits for the line by which it says that it is ready. None, with a word, where
    /// there is no such program.
    fn start(test: &str, command: &mut Command, ready: fn(&str) -> bool) -> Option<Self> {
        let mut child = match command.stdout(Stdio::piped()).spawn() {
            Ok(child) => child,
            Err(error) => {
                skipped(test, format!("{}: {error}", command.get_program().display()));
                return None;
            }
        };
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("standard output is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("its words can be read");
        assert!(ready(&line), "{line:?}");
        Some(Self(child))
    }

    /// A Python program that says "ready".
    fn python(test: &str, script: &str) -> Option<Self> {
        let mut command = Command::new("python3");
        Self::start(test, command.args(["-c", script]).stdin(Stdio::null()), |line| {
            line == "ready\n"
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Opens twenty files a second, and closes them or not.
fn script(closes: bool) -> String {
    let close = if closes { "f.close()" } else { "kept.append(f)" };
    format!(
        "import time\nkept = []\nprint('ready', flush=True)\nbegan = time.monotonic()\n\
         for n in range(1000000):\n    f = open('/etc/hosts')\n    {close}\n    \
         time.sleep(max(0, began + n / 20 - time.monotonic()))\n"
    )
}

#[test]
fn a_leak_of_pythons_is_found_and_its_absence_too() {
    needs_bpf!("a_leak_of_pythons_is_found_and_its_absence_too");
    let test = "a_leak_of_pythons_is_found_and_its_absence_too";
    let Some(python) = Program::python(test, &script(false)) else { return };
    let document = watch(python.0.id(), &[]).expect_code(10).json();
    let [group] = suspected(&document)[..] else { panic!("{document}") };
    assert_eq!((&group["kind"], &group["label"]), (&"regular".into(), &"/etc/hosts".into()));
    let rate = group["per_second"].as_f64().expect("a number");
    assert!((16.0..24.0).contains(&rate), "{rate}");
    let Some(python) = Program::python(test, &script(true)) else { return };
    watch(python.0.id(), &[]).expect_code(0);
}
