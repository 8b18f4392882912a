//! Tests of how the state changes, key by key.

mod change;
mod drill;
mod ends;
mod watching;

use std::time::Duration;

use crossterm::event::KeyCode;

use super::*;
use crate::model::groups::Opening;
use crate::model::{Process, ProcessesReading, sample};
use crate::tui::stage::{Stage, reading_after};
use crate::tui::widget::table::Direction;
use crate::tui::worker::FilesOutcome;

fn processes() -> ProcessesReading {
    sample::processes()
}

/// The pids in the order in which they are shown.
fn pids(stage: &Stage) -> Vec<u32> {
    let picker = &stage.app.picker;
    picker.order.iter().map(|&row| picker.entries()[row as usize].process.pid).collect()
}

fn selected_pid(stage: &Stage) -> Option<u32> {
    stage.app.picker.selected().map(|entry| entry.process.pid)
}

fn files(stage: &Stage) -> &Files {
    stage.app.files.as_ref().unwrap()
}

/// The descriptors in the order in which they are shown.
fn fds(stage: &Stage) -> Vec<u32> {
    let files = files(stage);
    files.order.iter().filter_map(|&row| files.rows()[row as usize].file.fd).collect()
}

fn selected_fd(stage: &Stage) -> Option<u32> {
    files(stage).selected().and_then(|row| row.file.fd)
}

#[test]
fn the_list_is_read_first_and_then_at_each_tick() {
    let mut stage = Stage::new(None);
    assert_eq!(stage.pending, Some(Request::Processes));
    // A reading takes longer than the interval: nothing piles up.
    stage.tick();
    stage.tick();
    stage.list(processes());
    assert_eq!(stage.pending, None);
    stage.tick();
    assert_eq!(stage.pending, Some(Request::Processes));
}

#[test]
fn a_named_process_is_read_first_and_the_list_when_going_back() {
    let mut stage = Stage::new(Some(4242));
    assert_eq!(stage.files_request().pid, 4242);
    stage.app.update(Event::Reply(Reply::Files {
        session: 1,
        outcome: FilesOutcome::Failed("no".into()),
    }));
    stage.press(KeyCode::Esc);
    assert_eq!(stage.pending, Some(Request::Processes));
}

#[test]
fn what_was_opened_is_read_as_soon_as_the_awaited_answer_is_there() {
    let mut stage = Stage::of_processes(processes());
    stage.tick();
    stage.press(KeyCode::Enter);
    assert_eq!(stage.app.context(), Context::Files);
    stage.list(processes());
    let request = stage.files_request();
    assert_eq!((request.pid, request.start_ticks), (4242, Some(100)));
}

#[test]
fn an_answer_for_a_process_that_was_left_is_not_shown() {
    let mut stage = Stage::of_processes(processes());
    stage.press(KeyCode::Enter);
    let old = stage.files_request();
    stage.press(KeyCode::Esc);
    stage.press(KeyCode::Enter);
    let mut history = crate::model::History::new(Duration::from_secs(1));
    let table = history.observe(sample::reading(), Duration::ZERO, |_| Opening::default());
    let order = old.arrangement.order(&table);
    let outcome =
        FilesOutcome::Read { table, arrangement: old.arrangement, order, watched: Box::default() };
    stage.happen(Event::Reply(Reply::Files { session: old.session, outcome }));
    assert!(files(&stage).table.is_none());
    assert_ne!(stage.files_request().session, old.session);
}

#[test]
fn most_descriptors_come_first_and_the_selection_stays_with_its_process() {
    let mut stage = Stage::of_processes(processes());
    assert_eq!(pids(&stage), [4242, 2, 77]);
    stage.press(KeyCode::Down);
    assert_eq!(selected_pid(&stage), Some(2));
    let mut later = processes();
    later.processes[0].1.as_mut().unwrap().fd_count = 500;
    stage.tick();
    stage.list(later);
    assert_eq!(pids(&stage), [2, 4242, 77]);
    assert_eq!(selected_pid(&stage), Some(2));
    assert_eq!(stage.app.picker.cursor.index(), 0);
}

#[test]
fn movement_keys_move() {
    let mut stage = Stage::of_processes(ProcessesReading {
        processes: (1..=100).map(|pid| (Process { pid, ..sample::process() }, None)).collect(),
        ..processes()
    });
    let page = stage.app.regions().body.height;
    for (key, expected) in [
        (KeyCode::Char('j'), 1),
        (KeyCode::Down, 2),
        (KeyCode::Char('k'), 1),
        (KeyCode::Up, 0),
        (KeyCode::Up, 0),
        (KeyCode::PageDown, page),
        (KeyCode::PageUp, 0),
        (KeyCode::End, 99),
        (KeyCode::Down, 99),
        (KeyCode::Home, 0),
        (KeyCode::Char('G'), 99),
        (KeyCode::Char('g'), 0),
    ] {
        stage.press(key);
        assert_eq!(stage.app.picker.cursor.index(), usize::from(expected), "{key:?}");
    }
}

#[test]
fn a_search_narrows_the_list_with_each_key_and_enter_opens() {
    let mut stage = Stage::of_processes(processes());
    stage.keys("/kth");
    assert_eq!(pids(&stage), [2]);
    stage.press(KeyCode::Backspace);
    stage.press(KeyCode::Backspace);
    stage.press(KeyCode::Backspace);
    assert_eq!(pids(&stage).len(), 3);
    stage.keys("alice\n");
    assert_eq!((stage.app.context(), files(&stage).pid), (Context::Files, 4242));
    // Going back finds the list as it was left; Esc shows all of it again.
    stage.press(KeyCode::Backspace);
    assert_eq!((stage.app.context(), pids(&stage)), (Context::Picker, vec![4242]));
    stage.press(KeyCode::Esc);
    assert_eq!(pids(&stage).len(), 3);
}

#[test]
fn a_search_matches_pid_name_user_and_command_line() {
    let mut stage = Stage::of_processes(processes());
    for (query, expected) in [("4242", 4242), ("kthreadd", 2), ("alice", 4242), ("--now", 77)] {
        stage.keys("/");
        stage.keys(query);
        assert_eq!(pids(&stage), [expected], "{query}");
        stage.press(KeyCode::Esc);
    }
}

#[test]
fn a_letter_typed_into_a_search_is_no_command() {
    let mut stage = Stage::of_processes(processes());
    stage.keys("/q s?");
    assert!(stage.wishes.is_empty());
    assert_eq!(stage.app.prompt.as_ref().unwrap().input.value(), "q s?");
    stage.ctrl('c');
    assert_eq!(stage.wishes, [Action::Quit]);
}

#[test]
fn pasted_text_is_typed_and_its_line_breaks_are_no_keys() {
    let mut stage = Stage::of_processes(processes());
    stage.happen(Event::Paste("q".into()));
    assert!(stage.wishes.is_empty());
    stage.keys("/");
    stage.happen(Event::Paste("kth\nre\x1b".into()));
    assert_eq!(stage.app.prompt.as_ref().unwrap().input.value(), "kthre");
    assert_eq!(pids(&stage), [2]);
}

#[test]
fn sorting_by_number_by_turns_and_inverted() {
    let mut stage = Stage::of_processes(processes());
    stage.keys("1");
    assert_eq!(pids(&stage), [2, 77, 4242]);
    stage.keys("1");
    assert_eq!(pids(&stage), [4242, 77, 2]);
    stage.keys("I");
    assert_eq!(pids(&stage), [2, 77, 4242]);
    stage.keys("s");
    let sort = stage.app.picker.sort;
    assert_eq!((sort.column, sort.direction), (1, Direction::Ascending));
}

#[test]
fn best_matches_come_first_until_a_column_is_chosen() {
    let mut reading = processes();
    reading.processes[0].0.cmdline = "s e r v e r".into();
    let mut stage = Stage::of_processes(reading);
    stage.keys("/server");
    assert_eq!(pids(&stage)[0], 4242);
    stage.press(KeyCode::Esc);
    stage.keys("1/server\n");
    stage.press(KeyCode::Esc);
    stage.keys("1");
    assert_eq!(pids(&stage), [2, 4242]);
}

#[test]
fn pausing_stops_reading_and_going_on_reads_at_once() {
    let mut stage = Stage::of_files(sample::reading());
    stage.keys(" ");
    stage.tick();
    assert_eq!(stage.pending, None);
    stage.keys(" ");
    assert!(matches!(stage.pending, Some(Request::Files(_))));
}

#[test]
fn a_process_that_is_opened_while_paused_is_read_once() {
    let mut stage = Stage::of_processes(processes());
    stage.keys(" \n");
    stage.read(sample::reading());
    stage.tick();
    assert_eq!(stage.pending, None);
}

#[test]
fn the_selection_stays_with_its_file() {
    let mut stage = Stage::of_files(sample::reading());
    stage.press(KeyCode::Down);
    stage.press(KeyCode::Down);
    assert_eq!(selected_fd(&stage), Some(3));
    let mut later = reading_after(1);
    later.files.remove(0);
    stage.tick();
    stage.read(later);
    assert_eq!(selected_fd(&stage), Some(3));
    assert!(files(&stage).rows()[0].is_closed());
}

#[test]
fn files_are_sorted_by_the_columns_that_are_shown() {
    let mut stage = Stage::of_files(sample::reading());
    assert_eq!(fds(&stage), [0, 1, 3, 4, 5, 6, 7, 9, 2]);
    stage.keys("1");
    assert_eq!(fds(&stage), [0, 1, 3, 4, 5, 6, 7, 9, 2]);
    stage.keys("I");
    assert_eq!(fds(&stage), [2, 9, 7, 6, 5, 4, 3, 1, 0]);
    // RECV-Q is the third column that is shown in 80 columns: most bytes first, unknown last.
    stage.keys("3");
    assert_eq!(fds(&stage)[..2], [3, 1]);
    let sorted = fds(&stage);
    stage.tick();
    stage.read(reading_after(1));
    assert_eq!(fds(&stage), sorted);
}

#[test]
fn a_filter_is_applied_and_a_wrong_one_keeps_the_old() {
    let mut stage = Stage::of_files(sample::reading());
    stage.keys("fKIND == \"socket\"\n");
    assert_eq!(fds(&stage), [3, 4, 5, 6]);
    stage.tick();
    stage.read(reading_after(1));
    assert_eq!(fds(&stage), [3, 4, 5, 6]);
    // The line begins with the filter that is there.
    stage.keys("f and\n");
    let error = stage.app.prompt.as_ref().unwrap().error.clone().unwrap();
    assert!(error.starts_with("not a filter: ") && !error.contains('\n'), "{error}");
    assert_eq!(fds(&stage), [3, 4, 5, 6]);
    stage.press(KeyCode::Esc);
    assert_eq!(fds(&stage), [3, 4, 5, 6]);
    stage.keys("f");
    stage.ctrl('u');
    stage.keys("\n");
    assert_eq!(fds(&stage).len(), 9);
}

#[test]
fn an_answer_that_was_arranged_before_a_filter_was_typed_is_arranged_anew() {
    let mut stage = Stage::of_files(sample::reading());
    stage.tick();
    let before = stage.pending.clone();
    stage.keys("fKIND == \"socket\"\n");
    stage.pending = before;
    stage.read(reading_after(1));
    assert_eq!(fds(&stage), [3, 4, 5, 6]);
}

#[test]
fn a_search_goes_to_the_next_match_and_esc_goes_back() {
    let mut stage = Stage::of_files(sample::reading());
    stage.press(KeyCode::Down);
    stage.keys("/SOCK");
    assert_eq!(selected_fd(&stage), Some(3));
    stage.keys("\n");
    stage.keys("n");
    assert_eq!(selected_fd(&stage), Some(4));
    stage.keys("NN");
    assert_eq!(selected_fd(&stage), Some(6));
    stage.keys("n");
    assert_eq!(selected_fd(&stage), Some(3));
    stage.keys("/nowhere");
    assert_eq!(stage.app.prompt.as_ref().unwrap().error.as_deref(), Some("no file matches"));
    assert_eq!(selected_fd(&stage), Some(3));
    stage.keys("\n");
    assert!(stage.app.message.is_none());
    stage.keys("n");
    let no_match =
        |message: &Message| matches!(message, Message::Refused(text) if text == NO_MATCH);
    assert!(stage.app.message.as_ref().is_some_and(no_match));
    stage.keys("/pipe");
    assert!(stage.app.message.is_none());
    assert_eq!(selected_fd(&stage), Some(1));
    stage.press(KeyCode::Esc);
    assert_eq!(selected_fd(&stage), Some(3));
    assert_eq!(stage.app.context(), Context::Files);
}

#[test]
fn a_process_that_ended_keeps_its_table_and_is_not_read_again() {
    let mut stage = Stage::of_files(sample::reading());
    stage.tick();
    stage.fail(FilesOutcome::Ended { zombie: false });
    assert_eq!(fds(&stage).len(), 9);
    stage.tick();
    assert_eq!(stage.pending, None);
    // Everything else still works.
    stage.keys("I");
    assert_eq!(fds(&stage)[0], 2);
    stage.press(KeyCode::Esc);
    assert_eq!(stage.pending, Some(Request::Processes));
}

#[test]
fn a_reading_that_fails_is_tried_again() {
    let mut stage = Stage::of_files(sample::reading());
    stage.tick();
    stage.fail(FilesOutcome::Failed("no memory".into()));
    assert_eq!(files(&stage).error.as_deref(), Some("no memory"));
    assert_eq!(fds(&stage).len(), 9);
    stage.tick();
    stage.read(reading_after(2));
    assert_eq!(files(&stage).error, None);
}

#[test]
fn the_help_is_left_as_it_was_entered() {
    let mut stage = Stage::of_files(sample::reading());
    for enter in [KeyCode::Char('?'), KeyCode::F(1)] {
        for leave in [KeyCode::Esc, KeyCode::Backspace, KeyCode::Char('?'), KeyCode::F(1)] {
            stage.press(enter);
            assert_eq!(stage.app.context(), Context::Help);
            stage.press(leave);
            assert_eq!(stage.app.context(), Context::Files);
        }
    }
    stage.keys("?q");
    assert_eq!(stage.wishes, [Action::Quit]);
}

#[test]
fn the_help_scrolls_to_its_end_and_not_further() {
    let mut stage = Stage::of_files(sample::reading());
    stage.keys("?G");
    let end = stage.app.help.unwrap();
    stage.press(KeyCode::Down);
    assert_eq!(stage.app.help, Some(end));
    assert!(end > 0);
    stage.keys("g");
    assert_eq!(stage.app.help, Some(0));
    // A larger screen shows more: nothing is left empty below.
    stage.keys("G");
    stage.resize(80, 200);
    assert_eq!(stage.app.help, Some(0));
}

#[test]
fn stopping_and_quitting_are_left_to_the_loop() {
    let mut stage = Stage::of_files(sample::reading());
    stage.ctrl('z');
    stage.keys("f");
    stage.ctrl('z');
    stage.press(KeyCode::Esc);
    stage.keys("q");
    assert_eq!(stage.wishes, [Action::Suspend, Action::Suspend, Action::Quit]);
}

#[test]
fn the_first_filter_is_there_whenever_a_process_is_opened() {
    let filter = ActiveFilter::parse("KIND == \"pipe\"").unwrap();
    let opened = Opened { source: crate::model::Source::Bpf, reason: None };
    let theme = Theme::new(true, false);
    let app = App::new(None, filter, Duration::from_secs(1), opened, theme, TimeZone::UTC);
    let mut stage = Stage::new(None);
    stage.app = app;
    stage.pending = None;
    stage.tick();
    stage.list(processes());
    for _ in 0..2 {
        stage.keys("\n");
        stage.read(sample::reading());
        assert_eq!(fds(&stage), [1]);
        stage.press(KeyCode::Esc);
        stage.list(processes());
    }
}
