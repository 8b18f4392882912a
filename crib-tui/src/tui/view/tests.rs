//! Tests of the screens: how each looks in each state, and that none panics at any size.

mod drill;
mod ends;
mod lints;
mod session;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use insta::assert_snapshot;
use proptest::prelude::*;

use crate::model::{
    Accept, AccessMode, File, FileId, FilesReading, Kind, Process, ProcessState, ProcessTotals,
    ProcessesReading, Queued, State, sample,
};
use crate::tui::event::Event;
use crate::tui::stage::{Stage, reading_after};
use crate::tui::theme::Theme;
use crate::tui::worker::{FilesOutcome, Reply, Request};

/// Processes of all sorts: near its limit, with queues, of a kernel thread, unreadable, with
/// a hostile name.
fn processes() -> ProcessesReading {
    let process = |pid, comm: &str, user: &str, fd_limit, cmdline: &str| Process {
        pid,
        comm: comm.into(),
        user: Some(user.into()),
        fd_limit,
        cmdline: cmdline.into(),
        other_mounts: None,
        start_ticks: u64::from(pid) * 100,
        ..sample::process()
    };
    let totals = |fd_count, sockets, recv, send| {
        Some(ProcessTotals {
            fd_count,
            sockets: Some(sockets),
            recv_payload: Some(recv),
            send_payload: Some(send),
        })
    };
    let mut reading = sample::processes();
    reading.processes.extend([
        (
            process(812, "nginx", "www-data", Some(1024), "nginx: worker process"),
            totals(1003, 987, 73_216, 5_242_880),
        ),
        (
            process(640, "postgres", "postgres", Some(1024), "/usr/lib/postgresql/17/bin/postgres -D /var/lib/postgresql/17/main -c config_file=/etc/postgresql/17/main/postgresql.conf"),
            totals(870, 12, 0, 0),
        ),
        (
            process(1, "systemd", "root", Some(1_073_741_816), "/sbin/init"),
            totals(231, 96, 0, 0),
        ),
    ]);
    reading
}

/// The sample files in a second reading in which one is gone, two are new, and a queue moved.
fn changed() -> Stage {
    let mut stage = Stage::of_files(sample::reading());
    let mut later = reading_after(95);
    let socket = Arc::make_mut(&mut later.files[3]).socket.as_mut().unwrap();
    socket.recv = Some(Queued { messages: Some(40), payload: Some(163_840), memory: None });
    let mut listener = File { fd: Some(8), ..File::clone(&later.files[3]) };
    let socket = listener.socket.as_mut().unwrap();
    (socket.state, socket.recv) = (Some(State::LISTEN), Some(Queued::default()));
    (socket.local, socket.remote) = (Some("0.0.0.0:80".into()), Some("".into()));
    socket.accept = Some(Accept { pending: 3, max: 128 });
    socket.send = None;
    let log = File {
        kind: Kind::Regular,
        mode: Some(AccessMode { read: false, write: true }),
        path: Some("/var/log/a-rather-long-directory-name/with-many-parts/access.log".into()),
        size: 1_234_567.into(),
        pos: 1_234_567.into(),
        cloexec: Some(true),
        ..File::unknown(Some(11))
    };
    later.files.remove(1);
    later.files.extend([listener, log].map(Arc::new));
    stage.tick();
    stage.read(later);
    stage
}

fn at(mut stage: Stage, width: u16, height: u16) -> String {
    stage.resize(width, height);
    stage.screen()
}

#[test]
fn picker_before_the_first_reading() {
    assert_snapshot!(Stage::new(None).screen());
}

#[test]
fn picker_80x24() {
    assert_snapshot!(at(Stage::of_processes(processes()), 80, 24));
}

#[test]
fn picker_120x40() {
    assert_snapshot!(at(Stage::of_processes(processes()), 120, 40));
}

#[test]
fn picker_20x5() {
    assert_snapshot!(at(Stage::of_processes(processes()), 20, 5));
}

#[test]
fn picker_styles() {
    assert_snapshot!(Stage::of_processes(processes()).styles());
}

#[test]
fn picker_in_ascii_without_colours() {
    let mut stage = Stage::with(None, Theme::new(false, true), None);
    stage.list(processes());
    stage.resize(110, 12);
    assert_snapshot!(stage.screen());
}

#[test]
fn picker_search() {
    let mut stage = Stage::of_processes(processes());
    stage.keys("/ngin");
    assert_snapshot!("picker_search_typing", stage.screen());
    stage.keys("\n");
    stage.fail(FilesOutcome::Failed("not yet".into()));
    stage.press(KeyCode::Esc);
    assert_snapshot!("picker_search_kept", stage.screen());
    stage.keys("/xyz");
    assert_snapshot!("picker_search_without_match", stage.screen());
}

#[test]
fn picker_reading_error_and_procfs() {
    let reason = "CAP_BPF is missing; run: sudo crib-top";
    let mut stage = Stage::with(None, Theme::new(true, false), Some(reason));
    stage.list(sample::processes());
    assert_snapshot!("picker_procfs", at_height(&mut stage, 10));
    stage.tick();
    stage.pending = None;
    stage.happen(Event::Reply(Reply::Processes(Err("listing /proc: no memory".into()))));
    assert_snapshot!("picker_reading_error", at_height(&mut stage, 10));
}

fn at_height(stage: &mut Stage, height: u16) -> String {
    stage.resize(80, height);
    stage.screen()
}

#[test]
fn files_before_the_first_reading() {
    let mut stage = Stage::of_processes(processes());
    stage.keys("\n");
    assert_snapshot!(at_height(&mut stage, 12));
}

#[test]
fn files_80x24() {
    assert_snapshot!(at(changed(), 80, 24));
}

#[test]
fn files_120x40() {
    assert_snapshot!(at(changed(), 120, 40));
}

#[test]
fn files_200x20() {
    assert_snapshot!(at(changed(), 200, 20));
}

#[test]
fn files_20x5() {
    assert_snapshot!(at(changed(), 20, 5));
}

#[test]
fn files_styles() {
    assert_snapshot!(changed().styles());
}

#[test]
fn files_in_ascii_without_colours() {
    let mut stage = Stage::with(Some(4242), Theme::new(false, true), None);
    stage.read(sample::reading());
    assert_snapshot!("files_ascii", at_height(&mut stage, 14));
    assert_snapshot!("files_monochrome_styles", stage.styles());
    assert!(stage.screen().is_ascii());
}

#[test]
fn files_paused_sorted_and_filtered() {
    let mut stage = changed();
    stage.keys("fKIND == \"socket\"\n3 /tcp\n");
    assert_snapshot!(at_height(&mut stage, 14));
}

#[test]
fn files_filter_error() {
    let mut stage = changed();
    stage.keys("fKIND = 3\n");
    assert_snapshot!("files_filter_error", at_height(&mut stage, 14));
    stage.resize(20, 5);
    assert_snapshot!("files_filter_error_20x5", stage.screen());
}

#[test]
fn files_filter_without_match() {
    let mut stage = changed();
    stage.keys("fKIND == \"bpf_map\"\n");
    assert_snapshot!(at_height(&mut stage, 10));
}

#[test]
fn files_of_a_process_that_ended() {
    let mut stage = changed();
    stage.tick();
    stage.fail(FilesOutcome::Ended { zombie: false });
    assert_snapshot!("ended", at_height(&mut stage, 16));
    stage.resize(20, 5);
    assert_snapshot!("ended_20x5", stage.screen());
}

#[test]
fn files_of_a_zombie_that_was_opened() {
    let mut stage = Stage::of_processes(processes());
    stage.keys("\n");
    stage.fail(FilesOutcome::Ended { zombie: true });
    assert_snapshot!(at_height(&mut stage, 10));
}

#[test]
fn files_of_no_process() {
    let mut stage = Stage::new(Some(4711));
    stage.fail(FilesOutcome::NoProcess);
    assert_snapshot!(at_height(&mut stage, 10));
}

#[test]
fn files_of_an_empty_process() {
    let stage = Stage::of_files(FilesReading { files: vec![], ..sample::reading() });
    assert_snapshot!(at(stage, 80, 10));
}

#[test]
fn files_of_a_kernel_thread() {
    let thread =
        Process { state: ProcessState::KernelThread, ..sample::processes().processes[0].0.clone() };
    let reading = FilesReading { files: vec![], process: thread, ..sample::reading() };
    assert_snapshot!(at(Stage::of_files(reading), 80, 10));
}

#[test]
fn files_that_could_not_be_read_again() {
    let mut stage = changed();
    stage.tick();
    stage.fail(FilesOutcome::Failed("reading from the kernel: no memory".into()));
    assert_snapshot!(at_height(&mut stage, 10));
}

#[test]
fn files_that_could_not_be_read_at_all() {
    let mut stage = Stage::new(Some(1));
    let error = "the files of process 1 may not be read; run: sudo crib-top";
    stage.fail(FilesOutcome::Failed(error.into()));
    assert_snapshot!(at_height(&mut stage, 10));
}

#[test]
fn files_of_an_incomplete_reading() {
    let mut stage = Stage::of_files(sample::reading());
    let mut later = FilesReading { complete: false, ..reading_after(1) };
    later.files.truncate(5);
    stage.tick();
    stage.read(later);
    assert_snapshot!(at_height(&mut stage, 14));
}

#[test]
fn files_with_names_shifted_to_the_left() {
    let mut stage = changed();
    stage.keys("G");
    stage.press(KeyCode::Right);
    stage.press(KeyCode::Right);
    assert_snapshot!(at_height(&mut stage, 16));
}

#[test]
fn hostile_names_are_escaped_and_lose_no_row() {
    let mut reading = sample::reading();
    reading.process.comm = "a\x1b[2Jb\nc".into();
    reading.process.cmdline = "\u{202e}x\x07".into();
    let names: [&[u8]; 4] = [b"/tmp/\x1b]0;title\x07", b"/a\nb", b"/\xff\xfe", &[b'x'; 8000]];
    reading.files = (0..)
        .zip(names)
        .map(|(fd, name)| File { path: Some(name.into()), ..File::unknown(Some(fd)) })
        .map(Arc::new)
        .collect();
    let mut stage = Stage::of_files(reading);
    assert_snapshot!("hostile_names", at_height(&mut stage, 10));
    stage.keys("G\nG");
    assert_snapshot!("hostile_name_closely", at_height(&mut stage, 10));
}

fn closely(fd: u32) -> Stage {
    let mut stage = changed();
    // What a dump finds is what the table has.
    let files = stage.app.files.as_ref().unwrap();
    stage.world = files.rows().iter().map(|row| File::clone(&row.file)).collect();
    stage.open(fd);
    stage
}

#[test]
fn file_listener_80x40() {
    assert_snapshot!(at(closely(8), 80, 40));
}

#[test]
fn file_closed_pipe_80x24() {
    let mut stage = changed();
    stage.world.retain(|file| file.fd != Some(1));
    stage.open(1);
    assert_snapshot!(at(stage, 80, 24));
}

#[test]
fn file_20x5() {
    assert_snapshot!(at(closely(2), 20, 5));
}

#[test]
fn file_from_proc_80x24() {
    let mut stage = Stage::with(Some(4242), Theme::new(true, false), Some("no privileges"));
    stage.read(sample::reading());
    stage.keys("jj\n");
    assert_snapshot!(at(stage, 80, 24));
}

#[test]
fn help_80x60() {
    let mut stage = changed();
    stage.keys("?");
    assert_snapshot!(at_height(&mut stage, 60));
}

#[test]
fn help_40x8() {
    let mut stage = changed();
    stage.keys("?");
    stage.resize(40, 8);
    assert_snapshot!(stage.screen());
}

#[test]
fn a_million_files_are_one_table() {
    let files =
        (0..1_000_000).map(|fd| File { id: Some(FileId::new(1)), ..File::unknown(Some(fd)) });
    let files = files.map(Arc::new).collect();
    let mut stage = Stage::of_files(FilesReading { files, ..sample::reading() });
    stage.keys("G");
    let screen = stage.screen();
    assert!(
        screen.contains("999999 unknown") && screen.contains("1000000 of 1024 fds"),
        "{screen}"
    );
}

#[test]
fn typing_on_a_screen_without_rows_does_no_harm() {
    let mut stage = Stage::new(None);
    stage.resize(16, 0);
    stage.keys("/x");
    assert_eq!(stage.screen(), "");
}
