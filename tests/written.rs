//! The files that are written: whole or not there, and the user's alone.

use std::fs;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use crate::queues::workload;
use crate::support::command::{Run, crib_top};
use crate::support::privilege::needs_loops;
use crate::support::skipped;
use crate::support::terminal::Terminal;
use crate::support::workload::Workload;

/// A file system of 64 KiB, mounted as long as this lives.
struct Small(tempfile::TempDir);

impl Small {
    /// None where it can't be mounted, which only somebody who is not root may say.
    fn mount(test: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            skipped(test, "only root may mount a small file system");
            return None;
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(directory.path());
        assert!(mount.status().expect("mount can be started").success());
        Some(Self(directory))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("it is ours");
        entries.map(|entry| entry.expect("an entry").file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

/// Writes the queues of a file that holds more than 64 KiB.
fn capture(workload: &Workload, path: &Path) -> Run {
    let (pid, fd) = (workload.pid().to_string(), workload.report["files"][1]["fd"].to_string());
    let path = path.to_str().expect("a path of text");
    let arguments = ["packets", "-p", &pid, "--fd", &fd, "--payload", "9000", "--pcap", path];
    crib_top(arguments)
}

#[test]
fn a_full_disk_is_said_in_one_line_and_leaves_no_half_file() {
    const TEST: &str = "a_full_disk_is_said_in_one_line_and_leaves_no_half_file";
    needs_loops!("a_full_disk_is_said_in_one_line_and_leaves_no_half_file");
    let Some(small) = Small::mount(TEST) else { return };
    let workload = Workload::start(["many", "2", "8", "9000"]);
    let path = small.0.path().join("queues.pcapng");
    capture(&workload, &path).expect_code(1).expect_one_line_error("No space left on device");
    assert!(small.names().is_empty(), "{:?}", small.names());

    // One from before stays as it was.
    fs::write(&path, "from before").expect("it fits");
    capture(&workload, &path).expect_code(1).expect_one_line_error("cannot write");
    assert_eq!(fs::read(&path).expect("it is there"), b"from before");
    assert_eq!(small.names(), ["queues.pcapng"]);
}

/// Opens a queue in the UI, in a directory, and has it written.
fn write_in(directory: &Path, workload: &Workload, fd: u64, said: &str) {
    let mut terminal = queue_in(directory, workload.pid(), fd);
    terminal.send("w");
    terminal.wait_for(said);
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
}

/// Opens the first queue of a socket in the UI, in a directory.
fn queue_in(directory: &Path, pid: u32, fd: u64) -> Terminal {
    let (pid, filter) = (pid.to_string(), format!("FD == {fd}"));
    let arguments = ["-p", &pid, "-Q", &filter, "--source", "bpf"];
    let mut terminal = Terminal::start_in(directory, &arguments, 140, 40);
    terminal.wait_for(" FD KIND");
    terminal.wait_for(&format!(" {fd} socket"));
    terminal.send("\r");
    terminal.wait_for("MESSAGES");
    terminal.send("\r");
    terminal.wait_until("the packets", |screen| {
        screen.contains(" message") && !screen.contains("MESSAGES")
    });
    terminal
}

/// A socket in which this waits.
fn socket_with(text: &[u8]) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let at = socket.local_addr().expect("it has an address");
    let sent = UdpSocket::bind("127.0.0.1:0").and_then(|from| from.send_to(text, at));
    sent.expect("it is sent");
    socket
}

/// What is shown is older than what is written: the number may stand for another file by then.
#[test]
fn the_packets_of_a_file_that_came_in_the_shown_ones_place_are_not_written() {
    needs_loops!("the_packets_of_a_file_that_came_in_the_shown_ones_place_are_not_written");
    let directory = tempfile::tempdir().expect("a temporary directory");
    // The test is the process that is looked at.
    let (pid, other) = (std::process::id(), socket_with(b"second"));
    let mut shown = OwnedFd::from(socket_with(b"first"));
    let fd = u64::try_from(shown.as_raw_fd()).expect("an open file's number");
    let mut terminal = queue_in(directory.path(), pid, fd);
    terminal.send(" ");
    terminal.wait_until("the word", |screen| screen.to_lowercase().contains("paused"));
    rustix::io::dup2(&other, &mut shown).expect("both are open");
    terminal.send("w");
    let said = format!("fd {fd} stands for another file now: nothing was written");
    terminal.wait_for(&said);
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
    // They are when they are what is shown.
    let mut terminal = queue_in(directory.path(), pid, fd);
    terminal.send("w");
    terminal.wait_for("written to");
    terminal.send("q");
    assert_eq!(terminal.expect_end().code, 0);
    let written: Vec<_> = fs::read_dir(directory.path())
        .expect("it is ours")
        .map(|entry| fs::read(entry.expect("an entry").path()).expect("it is there"))
        .collect();
    let holds = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
    assert_eq!(written.len(), 1);
    assert!(holds(&written[0], b"second") && !holds(&written[0], b"first"));
}

#[test]
fn the_ui_says_that_the_disk_is_full() {
    const TEST: &str = "the_ui_says_that_the_disk_is_full";
    needs_loops!("the_ui_says_that_the_disk_is_full");
    let Some(small) = Small::mount(TEST) else { return };
    let workload = Workload::start(["many", "2", "8", "9000"]);
    let fd = workload.report["files"][1]["fd"].as_u64().expect("a descriptor");
    // Room for the first bytes only, however few of them the UI reads.
    fs::write(small.0.path().join("filler"), vec![0; 60 * 1024]).expect("it fits");
    write_in(small.0.path(), &workload, fd, "No space left on device");
    assert_eq!(small.names(), ["filler"]);
}

/// As with sudo at home: root has given up its power by then, but for this.
#[test]
fn root_writes_in_another_users_directory_and_follows_none_of_its_links() {
    const TEST: &str = "root_writes_in_another_users_directory_and_follows_none_of_its_links";
    needs_loops!("root_writes_in_another_users_directory_and_follows_none_of_its_links");
    if !rustix::process::geteuid().is_root() {
        return skipped(TEST, "only root may give a directory away");
    }
    let home = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &str| home.path().join(name);
    fs::write(at("precious"), "precious").expect("it is ours");
    let workload = workload(TEST, "udp");
    let (pid, fd) = (workload.pid(), workload.file("udp").fd);
    let own = format!("crib-top-{pid}-{fd}-receive");
    for name in ["link.pcapng".to_owned(), format!("{own}.pcapng")] {
        symlink(at("precious"), at(&name)).expect("it is ours");
    }
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).expect("it is ours");
    chown(home.path(), Some(65534), Some(65534)).expect("we are root");

    let capture = |name: &str| {
        let path = at(name).to_str().expect("a path of text").to_owned();
        let (pid, fd) = (pid.to_string(), fd.to_string());
        crib_top(["packets", "-p", &pid, "--fd", &fd, "--pcap", &path])
    };
    capture("new.pcapng").expect_code(0);
    capture("link.pcapng").expect_code(1).expect_one_line_error("symbolic link");
    write_in(home.path(), &workload, fd, "written to");

    let mut written = 0;
    for entry in fs::read_dir(home.path()).expect("we are root") {
        let path = entry.expect("an entry").path();
        let found = fs::symlink_metadata(&path).expect("it is there");
        if found.is_file() && path.extension().is_some_and(|extension| extension == "pcapng") {
            assert_eq!((found.mode() & 0o777, found.uid()), (0o600, 0), "{}", path.display());
            written += 1;
        }
    }
    assert_eq!(written, 2);
    assert_eq!(fs::read(at("precious")).expect("it is there"), b"precious");
}
