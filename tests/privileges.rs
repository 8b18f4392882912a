//! What crib-top gives up, read from /proc/PID/task/*/status while it runs, and what it can do
//! for a user who is not root.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use caps::Capability;
use serde_json::Value;

use crate::support::command::{file_rows, only_process};
use crate::support::privilege::{counts_locked_memory, has_loops, needs_bpf, needs_loops};
use crate::support::terminal::Terminal;
use crate::support::workload::{Workload, workload_path};
use crate::support::{crib_top_path, skipped};

/// How long something may take to come about: it bounds a hang, and measures nothing.
const PATIENCE: Duration = Duration::from_secs(90);

/// A user and group that own nothing.
const NOBODY: u32 = 65534;

/// The capabilities of one thread, from its status.
#[derive(Debug, PartialEq, Eq)]
struct Thread {
    name: String,
    inheritable: u64,
    permitted: u64,
    effective: u64,
    bounding: u64,
    ambient: u64,
    no_new_privs: bool,
}

/// The threads of a process; none when it is gone.
fn threads(pid: u32) -> Vec<Thread> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let paths = tasks.flatten().map(|task| task.path().join("status"));
    let texts = paths.filter_map(|path| fs::read_to_string(path).ok());
    texts
        .map(|text| {
            let field = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
            };
            let mask = |name: &str| u64::from_str_radix(&field(name), 16).expect("hexadecimal");
            Thread {
                name: field("Name"),
                inheritable: mask("CapInh"),
                permitted: mask("CapPrm"),
                effective: mask("CapEff"),
                bounding: mask("CapBnd"),
                ambient: mask("CapAmb"),
                no_new_privs: field("NoNewPrivs") == "1",
            }
        })
        .collect()
}

fn mask(capabilities: &[Capability]) -> u64 {
    capabilities.iter().fold(0, |mask, capability| mask | capability.bitmask())
}

/// What each thread must keep to: no more than this in force and in reserve, and no way back.
fn keeps_to(threads: &[Thread], allowed: impl Fn(&Thread) -> (u64, u64)) -> Result<(), String> {
    if threads.is_empty() {
        return Err("it has ended".to_owned());
    }
    for thread in threads {
        let (effective, permitted) = allowed(thread);
        let kept = thread.effective & !effective == 0
            && thread.permitted & !permitted == 0
            && thread.inheritable | thread.ambient | thread.bounding == 0
            && thread.no_new_privs;
        if !kept {
            return Err(format!("{thread:x?} of {threads:x?}"));
        }
    }
    Ok(())
}

/// Waits until it is so.
#[track_caller]
fn wait_for(what: &str, mut is_so: impl FnMut() -> Result<(), String>) {
    let start = Instant::now();
    while let Err(not) = is_so() {
        assert!(start.elapsed() < PATIENCE, "never saw {what}: {not}");
        sleep(Duration::from_millis(5));
    }
}

/// Kills it when the test is over.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command whose output nobody reads, so that it waits for that in the middle of printing.
fn stuck(arguments: &[&str]) -> Running {
    let mut command = Command::new(crib_top_path());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    Running(command.spawn().expect("crib-top can be started"))
}

#[test]
fn nothing_is_left_of_root_when_a_command_prints() {
    needs_bpf!("nothing_is_left_of_root_when_a_command_prints");
    // More than a pipe holds.
    let workload = Workload::start(["fds", "2000"]);
    let pid = workload.pid().to_string();
    let queues = Workload::start(["many", "20", "8", "9000"]);
    let full = queues.pid().to_string();
    let fd = queues.report["files"][1]["fd"].as_u64().unwrap_or(3).to_string();
    let commands: [&[&str]; 5] = [
        &["files", "-p", &pid, "-J", "--source", "bpf"],
        &["files", "-p", &pid, "-J", "--source", "procfs"],
        &["dump", "-p", &full, "-J"],
        &["packets", "-p", &full, "--fd", &fd, "--payload", "9000", "-J"],
        &["packets", "-p", &full, "--fd", &fd, "--payload", "9000", "--pcap", "-"],
    ];
    let may = |command: &&[&str]| command[0] == "files" || has_loops();
    for command in commands.into_iter().filter(may) {
        let running = stuck(command);
        wait_for(&format!("{command:?} without capabilities"), || {
            keeps_to(&threads(running.0.id()), |_| (0, 0))
        });
        // It still waits to be read, and what it has to say is whole.
        let mut running = running;
        let mut out = Vec::new();
        let mut pipe = running.0.stdout.take().expect("it is piped");
        pipe.read_to_end(&mut out).expect("a pipe can be read");
        assert!(running.0.wait().expect("our child").success(), "{command:?}");
        assert!(out.len() > 65536, "{command:?} printed {} bytes only", out.len());
    }
}

#[test]
fn the_ui_keeps_what_it_reads_with_in_the_thread_that_reads() {
    needs_bpf!("the_ui_keeps_what_it_reads_with_in_the_thread_that_reads");
    let workload = Workload::start(["queues"]);
    let own = tempfile::tempdir().expect("a temporary directory");
    let others = tempfile::tempdir().expect("a temporary directory");
    ui_keeps(&workload, own.path(), &[]);
    // In reserve where root may not write in a directory by being its user.
    if is_root("the_ui_keeps_what_it_reads_with_in_the_thread_that_reads, in another's directory") {
        std::os::unix::fs::chown(others.path(), Some(NOBODY), None).expect("we are root");
        ui_keeps(&workload, others.path(), &[Capability::CAP_DAC_OVERRIDE]);
    }
}

fn ui_keeps(workload: &Workload, directory: &Path, reserved: &[Capability]) {
    let arguments = ["-p", &workload.pid().to_string()];
    let mut terminal = Terminal::start_in(directory, &arguments, 100, 30);
    terminal.wait_for("ESTABLISHED");
    let mut reading = mask(&[Capability::CAP_SYS_PTRACE, Capability::CAP_DAC_READ_SEARCH]);
    if !has_loops() {
        // Each reading asks for the right to use BPF (before 5.19), and names are looked up.
        reading |= mask(&[Capability::CAP_BPF, Capability::CAP_PERFMON, Capability::CAP_SYSLOG]);
    }
    // For who asks who opens files.
    let tracing = mask(&[
        Capability::CAP_BPF,
        Capability::CAP_PERFMON,
        Capability::CAP_SYS_RESOURCE,
        Capability::CAP_CHECKPOINT_RESTORE,
    ]);
    let allowed = |thread: &Thread| match thread.name.as_str() {
        "reader" => (reading, reading | tracing | mask(reserved)),
        _ => (0, 0),
    };
    let pid = terminal.pid();
    wait_for("the UI without capabilities", || keeps_to(&threads(pid), allowed));
    let now = threads(pid);
    assert!(now.iter().any(|thread| thread.name == "reader"), "{now:x?}");
    assert!(now.len() >= 2, "{now:x?}");
    // And everything works as before: tracing, the next processes' list.
    terminal.send("o");
    terminal.wait_until("whether it can be traced", |screen| screen.contains("openings  "));
    let screen = terminal.contents();
    assert!(!screen.contains("not permitted") && !screen.contains("denied"), "{screen}");
    wait_for("the UI without capabilities again", || keeps_to(&threads(pid), allowed));
    terminal.send("\x1b");
    terminal.wait_until("the table", |screen| !screen.contains("openings  "));
    terminal.send("\x1b");
    terminal.wait_for("COMMAND");
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}

#[test]
fn leaks_keeps_what_it_looks_up_code_with() {
    needs_bpf!("leaks_keeps_what_it_looks_up_code_with");
    let workload = Workload::start(["leaks", "pool"]);
    let pid = workload.pid().to_string();
    let running = stuck(&["leaks", "-p", &pid, "--for", "60s", "-J"]);
    let reading = mask(&[
        Capability::CAP_SYS_PTRACE,
        Capability::CAP_DAC_READ_SEARCH,
        Capability::CAP_CHECKPOINT_RESTORE,
    ]);
    wait_for("leaks without BPF", || keeps_to(&threads(running.0.id()), |_| (reading, reading)));
}

/// Its children may have what it has, and the processes that are looked into have nothing.
#[test]
fn bench_keeps_what_its_children_need_and_no_more() {
    needs_bpf!("bench_keeps_what_its_children_need_and_no_more");
    let plan = ["--fds", "200", "--sockets", "10", "--packets", "2", "--rounds", "500"];
    let running = stuck(&[&["bench"][..], &plan].concat());
    let reading = mask(&[
        Capability::CAP_BPF,
        Capability::CAP_PERFMON,
        Capability::CAP_SYS_RESOURCE,
        Capability::CAP_SYSLOG,
        Capability::CAP_SYS_PTRACE,
        Capability::CAP_DAC_READ_SEARCH,
    ]);
    let forcing = mask(&[Capability::CAP_NET_ADMIN]);
    let all = reading | forcing;
    wait_for("bench with what it needs", || {
        let threads = threads(running.0.id());
        let kept = |thread: &Thread| {
            thread.effective & !reading == 0
                && thread.permitted & !all == 0
                && thread.bounding & !all == 0
                && thread.inheritable | thread.ambient == 0
                && thread.no_new_privs
        };
        let kept = !threads.is_empty() && threads.iter().all(kept);
        if kept { Ok(()) } else { Err(format!("{threads:x?}")) }
    });
    wait_for("the processes that are looked into", || {
        let path = format!("/proc/{0}/task/{0}/children", running.0.id());
        let children = fs::read_to_string(path).unwrap_or_default();
        let masks = children.split_whitespace().filter_map(|pid| pid.parse().ok()).map(threads);
        let idle = |threads: &Vec<Thread>| {
            threads.iter().any(|thread| thread.no_new_privs && thread.permitted & !forcing == 0)
        };
        if masks.filter(idle).count() >= 2 { Ok(()) } else { Err(children) }
    });
}

/// crib-top and the workload where everybody can start them, and crib-top with these file
/// capabilities.
struct Installed {
    directory: tempfile::TempDir,
}

impl Installed {
    fn new(capabilities: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let all = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), all).expect("it is ours");
        let installed = Self { directory };
        fs::copy(crib_top_path(), installed.crib_top()).expect("it can be copied");
        fs::copy(workload_path(), installed.path("workload")).expect("it can be copied");
        if !capabilities.is_empty() {
            set_file_capabilities(&installed.crib_top(), capabilities);
        }
        installed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn crib_top(&self) -> PathBuf {
        self.path("crib-top")
    }

    /// Runs it as somebody who has nothing but that.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.crib_top());
        command.args(arguments).uid(NOBODY).gid(NOBODY).current_dir("/").stdin(Stdio::null());
        command.output().expect("crib-top can be started")
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

/// `setcap NAMES=ep FILE`, as `security.capability` (capabilities(7), "File capability
/// extended attribute versioning").
fn set_file_capabilities(path: &Path, names: &[&str]) {
    const VERSION_2: u32 = 0x0200_0000;
    const EFFECTIVE: u32 = 1;
    let parsed = names.iter().map(|name| name.to_uppercase().parse().expect("a capability"));
    let permitted = mask(&parsed.collect::<Vec<Capability>>());
    let words = [VERSION_2 | EFFECTIVE, permitted as u32, 0, (permitted >> 32) as u32, 0];
    let value: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(path, "security.capability", &value, flags)
        .unwrap_or_else(|error| panic!("{} takes no capabilities: {error}", path.display()));
}

fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skipped(test, "only root may give capabilities away");
    }
    root
}

/// The names in the command that the doctor advises for reading by BPF.
fn advised(installed: &Installed) -> Vec<String> {
    let output = installed.run(&["doctor", "-J"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let checks = report["checks"].as_array().expect("checks");
    let check = checks.iter().find(|check| check["name"] == "privileges").expect("privileges");
    let remedy = check["remedy"].as_str().expect("a remedy");
    let names = remedy.strip_prefix("sudo setcap ").and_then(|rest| rest.split_once("=ep "));
    let (names, path) = names.unwrap_or_else(|| panic!("{remedy}"));
    assert_eq!(Path::new(path), installed.crib_top());
    names.split(',').map(str::to_owned).collect()
}

#[test]
fn what_the_doctor_advises_reads_roots_processes_without_root() {
    const NAME: &str = "what_the_doctor_advises_reads_roots_processes_without_root";
    needs_bpf!("what_the_doctor_advises_reads_roots_processes_without_root");
    if !is_root(NAME) {
        return;
    }
    let names = advised(&Installed::new(&[]));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let installed = Installed::new(&names);
    let report = installed.json(&["doctor", "-J"]);
    assert_eq!(report["source"], "bpf");

    // Tables of threads are told apart by kcmp(2), which asks for more than BPF does.
    let threads = Workload::start(["threads"]);
    let of_root = crate::support::command::files(threads.pid(), "bpf");
    let of_nobody = installed.json(&["files", "-p", &threads.pid().to_string(), "-J"]);
    let rows = |document| file_rows(only_process(document)).to_vec();
    let (expected, found) = (rows(&of_root), rows(&of_nobody));
    assert!(expected.iter().any(|row| row["tid"].is_u64()), "{of_root}");
    let place = |row: &Value| (row["tid"].clone(), row["fd"].clone(), row["path"].clone());
    assert_eq!(
        found.iter().map(place).collect::<Vec<_>>(),
        expected.iter().map(place).collect::<Vec<_>>()
    );

    let queues = Workload::start(["queues"]);
    let pid = queues.pid().to_string();
    if has_loops() {
        let dump = installed.json(&["dump", "-p", &pid, "-J"]);
        let hello = "\"payload\":\"68656c6c6f";
        assert!(dump.to_string().contains(hello), "hello is in a queue: {dump}");
    }
    let ps = installed.json(&["ps", "-J"]);
    assert!(ps["processes"].as_array().is_some_and(|list| list.len() > 1), "{ps}");
    let leaks = installed.json(&["leaks", "-p", &pid, "--for", "1s", "-J"]);
    assert_eq!(leaks["source"], "bpf");
}

#[test]
fn two_capabilities_are_enough_to_read_and_fewer_are_not() {
    const NAME: &str = "two_capabilities_are_enough_to_read_and_fewer_are_not";
    needs_loops!("two_capabilities_are_enough_to_read_and_fewer_are_not");
    if !is_root(NAME) {
        return;
    }
    let workload = Workload::start(["queues"]);
    let pid = workload.pid().to_string();
    let arguments = ["dump", "-p", &pid, "-J", "--source", "bpf"];
    assert_eq!(Installed::new(&["cap_bpf", "cap_perfmon"]).json(&arguments)["source"], "bpf");
    for (alone, missing) in [("cap_bpf", "CAP_PERFMON"), ("cap_perfmon", "CAP_BPF")] {
        let output = Installed::new(&[alone]).run(&arguments);
        assert_eq!(output.status.code(), Some(3), "{alone}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&format!("lacks {missing}")), "{alone}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn nobodys_own_process_is_read_with_and_without_capabilities() {
    const NAME: &str = "nobodys_own_process_is_read_with_and_without_capabilities";
    needs_bpf!("nobodys_own_process_is_read_with_and_without_capabilities");
    if !is_root(NAME) {
        return;
    }
    let mut enough = vec!["cap_bpf", "cap_perfmon"];
    if counts_locked_memory() {
        enough.push("cap_sys_resource");
    }
    for (capabilities, source) in [(&enough[..], "bpf"), (&[][..], "procfs")] {
        let installed = Installed::new(capabilities);
        let mut command = Command::new("cat");
        command.uid(NOBODY).gid(NOBODY).stdin(Stdio::piped()).stdout(Stdio::null());
        let own = Running(command.spawn().expect("cat can be started"));
        let document = installed.json(&["files", "-p", &own.0.id().to_string(), "-J"]);
        assert_eq!(document["source"], source, "{document}");
        let process = only_process(&document);
        assert_eq!(process["uid"], NOBODY);
        assert_eq!(file_rows(process)[0]["kind"], "pipe", "{document}");
    }
}
