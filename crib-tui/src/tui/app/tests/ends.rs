//! Tests of the way to a file's other end, on to another process, and back.

use std::sync::Arc;

use crossterm::event::KeyCode;

use super::drill::{stage, top};
use super::*;
use crate::model::{File, FilesReading, Held, Process, sample_ends, sample_queues};
use crate::tui::app::screens::EndsScreen;

fn ends(stage: &Stage) -> &EndsScreen {
    match &top(stage).body {
        Body::Ends(ends) => ends,
        _ => panic!("no other end is shown"),
    }
}

/// Presses `p` on the file with this descriptor, and has it looked for.
fn look(stage: &mut Stage, fd: u32) {
    select(stage, fd);
    stage.keys("p");
    stage.sweep(&sample_ends::held());
}

fn select(stage: &mut Stage, fd: u32) {
    let place = fds(stage).iter().position(|&other| other == fd).unwrap();
    stage.keys("g");
    (0..place).for_each(|_| stage.press(KeyCode::Down));
}

/// The files of a process of [`sample_ends`].
fn reading_of(pid: u32) -> FilesReading {
    let held = sample_ends::held().into_iter().filter(|held| held.pid == pid);
    let files: Vec<Arc<File>> = held.map(|held| held.file).collect();
    let process = Process { pid, comm: "other".into(), start_ticks: 7, ..sample::process() };
    FilesReading { process, files, ..sample_queues::reading() }
}

fn peers(stage: &Stage) -> Vec<(u32, Option<u32>)> {
    let reading = ends(stage).reading.as_ref().unwrap();
    reading.ends.peers.held().iter().map(|held| (held.pid, held.file.fd)).collect()
}

#[test]
fn p_shows_the_other_end_of_the_selected_file_and_back_returns_to_it() {
    let mut stage = stage();
    select(&mut stage, 4);
    stage.keys("p");
    assert_eq!(stage.app.context(), Context::Ends);
    assert!(stage.screen().contains("looking through  the open files of all processes"));
    stage.sweep(&sample_ends::held());
    assert_eq!(peers(&stage), [(4711, Some(7))]);
    stage.press(KeyCode::Esc);
    assert_eq!((stage.app.context(), selected_fd(&stage)), (Context::Files, Some(4)));
    stage.read(sample_queues::reading());
    assert_eq!(stage.pending, None);
}

#[test]
fn p_on_a_file_shows_its_other_end_and_it_is_looked_for_again_at_each_tick() {
    let mut stage = stage();
    stage.open(1);
    stage.keys("p");
    stage.sweep(&sample_ends::held());
    assert_eq!(peers(&stage), [(4300, Some(1))]);
    stage.tick();
    let mut held = sample_ends::held();
    held.retain(|held| held.pid != 4300);
    stage.sweep(&held);
    assert_eq!(peers(&stage), []);
    // Space freezes it.
    stage.keys(" ");
    stage.tick();
    assert_eq!(stage.pending, None);
    stage.keys(" ");
    stage.sweep(&sample_ends::held());
    assert_eq!(peers(&stage), [(4300, Some(1))]);
    stage.press(KeyCode::Esc);
    assert_eq!(stage.app.context(), Context::File);
}

#[test]
fn enter_opens_the_other_process_and_back_returns_with_everything_kept() {
    let mut stage = stage();
    stage.keys("fKIND == \"socket\"\n");
    look(&mut stage, 4);
    let before = files(&stage).session;
    stage.keys("j\n");
    assert_eq!((stage.app.context(), files(&stage).pid), (Context::File, 4711));
    // The table first: it tells whose pid that is, and what one goes back to.
    let request = stage.files_request();
    assert_eq!((request.pid, request.base), (4711, before));
    stage.pending = Some(Request::Files(request));
    stage.read(reading_of(4711));
    // Then at once the file.
    assert_eq!(stage.dump_request().dump.pid, 4711);
    let file = &top(&stage).file().unwrap().row.file;
    assert_eq!(file.fd, Some(7));
    stage.press(KeyCode::Esc);
    assert_eq!((stage.app.context(), selected_fd(&stage)), (Context::Files, Some(7)));
    // Back from the other process's table to where one came from.
    stage.press(KeyCode::Esc);
    assert_eq!((stage.app.context(), files(&stage).pid), (Context::Ends, 4242));
    assert_eq!(files(&stage).session, before);
    assert_eq!(peers(&stage), [(4711, Some(7))]);
    stage.press(KeyCode::Esc);
    assert_eq!((stage.app.context(), selected_fd(&stage)), (Context::Files, Some(4)));
    assert!(files(&stage).arrangement.filter.is_some());
    stage.press(KeyCode::Esc);
    assert_eq!(stage.app.context(), Context::Picker);
}

#[test]
fn a_holder_in_the_same_process_is_opened_upon_it() {
    let mut stage = stage();
    look(&mut stage, 4);
    // The first line is this file itself.
    stage.keys("\n");
    assert_eq!((stage.app.context(), files(&stage).pid), (Context::File, 4242));
    stage.dump();
    assert_eq!(top(&stage).file().unwrap().row.file.fd, Some(4));
    stage.press(KeyCode::Esc);
    assert_eq!(stage.app.context(), Context::Ends);
}

#[test]
fn the_selected_line_stays_selected_in_its_list() {
    let mut stage = stage();
    look(&mut stage, 4);
    // This file itself is there twice.
    stage.keys("jj");
    stage.tick();
    stage.sweep(&sample_ends::held());
    stage.keys("j\n");
    let child = (files(&stage).pid, top(&stage).file().unwrap().row.file.fd);
    assert_eq!(child, (4300, Some(4)));
}

#[test]
fn a_descriptor_that_is_closed_meanwhile_leaves_the_last_copy() {
    let mut stage = stage();
    look(&mut stage, 4);
    stage.tick();
    let others = |held: &Held| held.pid != 4242;
    let held: Vec<_> = sample_ends::held().into_iter().filter(others).collect();
    stage.sweep(&held);
    assert_eq!(top(&stage).standing, Standing::Closed);
    assert_eq!(peers(&stage), [(4711, Some(7))]);
    // The table tells whether the process is there at all; it is not asked without end.
    stage.read(sample_queues::reading());
    assert_eq!(stage.pending, None);
    stage.tick();
    stage.fail(FilesOutcome::Ended { zombie: false });
    assert!(matches!(files(&stage).phase, Phase::Ended { .. }));
    stage.tick();
    assert_eq!(stage.pending, None);
}

#[test]
fn what_is_closed_has_no_other_end_to_look_for() {
    let mut stage = stage();
    stage.tick();
    let mut reading = sample_queues::reading();
    reading.files.retain(|file| file.fd != Some(4));
    stage.read(reading);
    select(&mut stage, 4);
    stage.keys("p");
    assert_eq!(stage.app.message, Some(Message::Refused("fd 4 is closed".into())));
    assert_eq!(stage.app.context(), Context::Files);
}

#[test]
fn looks_upon_one_another_are_bounded() {
    let mut stage = stage();
    for _ in 0..40 {
        look(&mut stage, 4);
        let pid = files(&stage).pid;
        let held = ends(&stage).reading.as_ref().unwrap().ends.peers.held();
        let held = Held { pid: pid + 1, ..held[0].clone() };
        if let Err(refusal) = stage.app.open_held(&held) {
            assert!(refusal.contains("go back first"), "{refusal}");
            assert!(stage.app.below.len() < 40);
            return;
        }
        stage.tick();
        stage.read(FilesReading {
            process: Process { pid: pid + 1, ..sample::process() },
            ..sample_queues::reading()
        });
        stage.dump();
        stage.press(KeyCode::Esc);
        while stage.pending.is_some() {
            stage.read(sample_queues::reading());
        }
    }
    panic!("forty processes lie upon one another");
}
