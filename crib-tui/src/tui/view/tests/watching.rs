//! Tests of the screens about all files of a process: groups, and what grows.

use super::*;
use crate::model::groups::OpenerId;
use crate::model::leaks::{Frame, Traced, TracedAt};
use crate::tui::worker::Tracing;

/// The sample's files, and as many sockets of no address that nobody closes.
fn leaking(second: u64) -> FilesReading {
    let mut reading = reading_after(second);
    reading.process.fd_limit = Some(256);
    let bare = reading.files[3].clone();
    reading.files.extend((0..second).map(|n| {
        let mut file = File::clone(&bare);
        file.fd = Some(100 + n as u32);
        file.id = Some(FileId::new(1000 + n));
        file.ino = Some(1000 + n).into();
        let socket = file.socket.as_mut().unwrap();
        (socket.local, socket.remote) = (Some("".into()), Some("".into()));
        Arc::new(file)
    }));
    reading
}

fn frame(symbol: Option<&str>, module: &str, line: Option<u32>) -> Frame {
    Frame {
        address: 0x7f00_1234_5678,
        symbol: symbol.map(Into::into),
        module: Some(module.into()),
        offset: Some(0x1234),
        file: line.map(|_| "src/pool.rs".into()),
        line,
    }
}

/// After so many seconds and as many readings; each of `keys` is pressed after the first.
fn after(seconds: u64, keys: &str) -> Stage {
    let mut stage = Stage::new(Some(4242));
    stage.tracing = Tracing::On(Traced { at: TracedAt::FdInstall, lost: 0 });
    stage.opener = |fd| (fd >= 100).then_some(OpenerId(fd % 2));
    let stack = |name| -> Arc<[Frame]> {
        Arc::new([
            frame(Some("socket"), "libc.so.6", None),
            frame(Some(name), "server", Some(17)),
            frame(None, "server", None),
        ])
    };
    let frames = [(OpenerId(0), stack("pool::connect")), (OpenerId(1), stack("dns::\x1blookup"))];
    stage.frames = Arc::new(frames.into_iter().collect());
    stage.read(leaking(0));
    stage.keys(keys);
    for second in 1..=seconds {
        if stage.pending.is_none() {
            stage.tick();
        }
        stage.read(leaking(second));
    }
    stage
}

#[test]
fn groups() {
    assert_snapshot!("groups_120x20", at(after(12, "t"), 120, 20));
    assert_snapshot!("groups_80x12", at(after(12, "t"), 80, 12));
    assert_snapshot!("groups_20x5", at(after(12, "t"), 20, 5));
    assert_snapshot!("groups_styles", after(12, "t").styles());
    let mut stage = Stage::of_files(leaking(0));
    stage.keys("t");
    assert_snapshot!("groups_before_the_first_reading", at(stage, 80, 12));
}

#[test]
fn groups_by_other_things() {
    assert_snapshot!("groups_by_kind", at(after(12, "tt"), 120, 14));
    assert_snapshot!("groups_by_opener", at(after(12, "ottt"), 120, 14));
    assert_snapshot!("groups_by_namespace", at(after(12, "tttt"), 120, 14));
}

#[test]
fn the_files_of_a_group() {
    let mut stage = after(12, "t");
    stage.keys("g\n");
    assert_snapshot!(at(stage, 80, 12));
}

#[test]
fn leaks() {
    assert_snapshot!("leaks_suspected", at(after(12, "o"), 120, 40));
    assert_snapshot!("leaks_suspected_80x24", at(after(12, "l"), 80, 24));
    let mut quiet = Stage::of_files(reading_after(0));
    quiet.tick();
    quiet.keys("l");
    quiet.read(reading_after(1));
    quiet.read(reading_after(2));
    assert_snapshot!("leaks_none", at(quiet, 80, 16));
}

#[test]
fn leaks_without_stacks() {
    let mut stage = after(2, "o");
    stage.tracing = Tracing::Refused("who opens files can't be traced: no BTF".into());
    stage.tick();
    stage.read(leaking(3));
    assert_snapshot!("leaks_refused", at(stage, 80, 16));
    let mut stage = after(2, "l");
    stage.tracing = Tracing::On(Traced { at: TracedAt::SysExit, lost: 7 });
    stage.keys("o");
    stage.tick();
    stage.read(leaking(3));
    assert_snapshot!("leaks_lost", at(stage, 80, 16));
}

#[test]
fn a_file_whose_opening_was_traced() {
    let mut stage = after(12, "o");
    // The group, then its first file.
    stage.keys("j\n");
    stage.press(KeyCode::End);
    assert_snapshot!(at(stage, 80, 24));
}

#[test]
fn the_title_tells_where_the_count_is_going() {
    assert_snapshot!("title_growing_120x4", at(after(12, ""), 120, 4));
    assert_snapshot!("title_growing_60x4", at(after(12, ""), 60, 4));
}

#[test]
fn the_list_tells_which_processes_grow() {
    let mut stage = Stage::new(None);
    for n in 0..3 {
        let mut list = processes();
        for (process, totals) in &mut list.processes {
            if process.pid == 812 {
                totals.as_mut().unwrap().fd_count = 1000 + n * 4;
            }
        }
        if n > 0 {
            stage.tick();
        }
        stage.list_at(list, Duration::from_secs(7200 + 2 * n));
    }
    assert_snapshot!(at(stage, 140, 10));
}
