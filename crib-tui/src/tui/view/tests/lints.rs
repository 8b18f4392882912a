//! Tests of what lints show: marks, the list of findings, and those of one file.

use super::*;
use crate::model::lint::{Inherited, LintSet};
use crate::model::{FilesReading, Queued, State, Tcp};
use crate::tui::keys::Context;

const BEFORE: Duration = Duration::from_secs(10);

/// The sample after some seconds, with a connection in CLOSE-WAIT of which 5 bytes are unread, and
/// a limit that is nearly reached.
fn in_trouble(seconds: u64) -> FilesReading {
    // Before the time of the dumps that follow.
    let mut reading = sample::reading();
    reading.time = reading.time - BEFORE + Duration::from_secs(seconds);
    reading.process.fd_limit = Some(10);
    let file = Arc::make_mut(&mut reading.files[3]);
    file.watched_by = Some(Arc::default());
    let socket = file.socket.as_mut().unwrap();
    socket.state = Some(State::Tcp(8));
    socket.recv = Some(Queued { messages: Some(2), payload: Some(5), memory: None });
    reading
}

/// Two readings so far apart that it has lasted for long.
fn stage() -> Stage {
    let mut stage = Stage::of_files(in_trouble(0));
    read_again(&mut stage, in_trouble(7));
    stage
}

/// The connection as a dump has it, with its queues and without its watchers.
fn dumped() -> File {
    let mut file = File::clone(&in_trouble(7).files[3]);
    file.watched_by = None;
    file.socket.as_mut().unwrap().queues = Some(Vec::new());
    file
}

fn read_again(stage: &mut Stage, reading: FilesReading) {
    stage.tick();
    stage.read(reading);
}

fn marks(stage: &mut Stage) -> Vec<String> {
    let screen = stage.screen();
    let marked = screen.lines().filter(|line| line.starts_with('!'));
    marked.map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect()
}

#[test]
fn rows_in_trouble_have_a_mark() {
    let mut stage = stage();
    assert_eq!(marks(&mut stage), ["3", "2"]);
    // One reading knows no time.
    assert_eq!(marks(&mut Stage::of_files(in_trouble(0))), ["2"]);
    // Something was read.
    let mut better = in_trouble(8);
    Arc::make_mut(&mut better.files[3]).socket.as_mut().unwrap().state = Some(State::ESTABLISHED);
    Arc::make_mut(&mut better.files[3]).watched_by = None;
    read_again(&mut stage, better);
    assert_eq!(marks(&mut stage), ["2"]);
}

#[test]
fn what_was_read_beside_the_table_speaks_in_marks_list_filter_and_file() {
    let mut reading = in_trouble(0);
    let mut file = File::clone(&reading.files[3]);
    file.socket.as_mut().unwrap().state = Some(State::ESTABLISHED);
    reading.files[3] = Arc::new(file.clone());
    let tcp = Tcp { retransmits: Some(4), ..Tcp::default() };
    file.socket.as_mut().unwrap().tcp = Some(Box::new(tcp));
    let mut stage = Stage::of_files(reading.clone());
    assert_eq!(marks(&mut stage), ["2"]);
    reading.beside.add_tcp(vec![file]);
    let parent = Inherited { pid: 17, comm: "init".into(), unused: Duration::from_secs(60) };
    reading.beside.add_inherited([(reading.files[4].key(), parent)]);
    Arc::make_mut(&mut reading.files[4]).cloexec = Some(false);
    read_again(&mut stage, reading);
    assert_eq!(marks(&mut stage), ["3", "4", "2"]);
    stage.keys("fLINT =~ 'retrans' or LINT =~ 'inherited'\n");
    assert_eq!(marks(&mut stage), ["3", "4"]);
    stage.keys("L");
    let list = at_height(&mut stage, 60);
    let texts = ["retransmitting: sent again 4 times", "inherited-fd: the same open file as fd 4"];
    assert!(texts.iter().all(|text| list.contains(text)), "{list}");
    stage.press(KeyCode::Esc);
    // Before it is read by itself.
    stage.keys("gj\n");
    assert!(stage.screen().contains("inherited-fd: the same"), "{}", stage.screen());
}

#[test]
fn lints_that_are_switched_off_leave_no_mark() {
    let mut stage = Stage::new(Some(4242));
    stage.app.set_lints(LintSet::NONE);
    stage.read(in_trouble(0));
    assert_eq!(marks(&mut stage), [""; 0]);
    stage.keys("L");
    assert!(stage.screen().contains("all lints are switched off"));
}

#[test]
fn the_list_of_findings() {
    for (name, (width, height)) in
        [("lints_80x40", (80, 40)), ("lints_120x40", (120, 40)), ("lints_20x5", (20, 5))]
    {
        let mut stage = stage();
        stage.keys("L");
        assert_snapshot!(name, at(stage, width, height));
    }
}

#[test]
fn findings_in_ascii_without_colours() {
    let mut stage = Stage::with(Some(4242), Theme::new(false, true), None);
    stage.read(in_trouble(0));
    stage.keys("L");
    let screen = at_height(&mut stage, 24);
    assert!(screen.is_ascii(), "{screen}");
    assert_snapshot!("lints_monochrome_styles", stage.styles());
}

#[test]
fn the_list_follows_the_readings_and_opens_files() {
    let mut stage = Stage::of_files(in_trouble(0));
    stage.keys("L");
    assert_eq!(stage.app.context(), Context::Lints);
    assert!(!stage.screen().contains("close-wait-unread"));
    stage.read(in_trouble(7));
    assert!(stage.screen().contains("close-wait-unread"));
    // The connection comes first: the other file is a thread's.
    stage.world[3] = dumped();
    stage.keys("g\n");
    stage.dump();
    assert_eq!(stage.app.context(), Context::File);
    let screen = stage.screen();
    assert!(screen.contains("fd 3") && screen.contains("close-wait-unread"), "{screen}");
    stage.press(KeyCode::Esc);
    assert_eq!(stage.app.context(), Context::Lints);
    stage.press(KeyCode::Esc);
    assert_eq!(stage.app.context(), Context::Files);
}

#[test]
fn a_process_without_trouble_has_none_listed() {
    let mut reading = reading_after(0);
    reading.files.truncate(2);
    let mut stage = Stage::of_files(reading);
    stage.keys("L");
    assert_snapshot!("lints_none", at_height(&mut stage, 8));
}

#[test]
fn a_file_tells_its_findings() {
    let mut stage = stage();
    stage.world[3] = dumped();
    stage.open(3);
    assert_snapshot!("file_in_trouble_80x40", at(stage, 80, 40));
}
