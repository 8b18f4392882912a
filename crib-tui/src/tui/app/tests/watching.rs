//! Tests of what leads to the screens about all files, through them and back.

use super::*;
use crate::model::groups::Grouping;
use crate::model::leaks::{Traced, TracedAt};
use crate::tui::app::screens::Body;
use crate::tui::keys::Context;
use crate::tui::worker::{Tracing, Wish};

/// The table of the sample's files.
fn stage() -> Stage {
    let mut stage = Stage::of_files(reading_after(0));
    stage.tick();
    stage
}

/// Answers with the files of so long after the first reading, and gives what was wished for.
fn read(stage: &mut Stage, second: u64) -> Wish {
    if stage.pending.is_none() {
        stage.tick();
    }
    let Some(Request::Files(request)) = &stage.pending else { panic!("{:?}", stage.pending) };
    let wish = request.wish;
    stage.read(reading_after(second));
    wish
}

fn wish(groups: Option<Grouping>, leaks: bool, trace: bool) -> Wish {
    Wish { groups, leaks, trace }
}

#[test]
fn groups_go_round_and_back_leads_to_the_table() {
    let mut stage = stage();
    assert_eq!(read(&mut stage, 1), Wish::default());
    for (grouping, second) in Grouping::ALL.into_iter().cycle().take(5).zip(2..) {
        stage.keys("t");
        assert_eq!(read(&mut stage, second), wish(Some(grouping), false, false));
        assert_eq!(stage.app.context(), Context::Groups);
    }
    stage.press(KeyCode::Esc);
    assert_eq!(stage.app.context(), Context::Files);
    assert_eq!(read(&mut stage, 9), Wish::default());
}

#[test]
fn a_group_is_entered_and_left_with_everything_kept() {
    let mut stage = stage();
    read(&mut stage, 1);
    stage.keys("sj");
    let (before, arrangement) = (files(&stage).cursor.index(), files(&stage).arrangement.clone());
    stage.keys("tt");
    // One answer of a grouping that was left meanwhile.
    read(&mut stage, 2);
    read(&mut stage, 3);
    stage.keys("j");
    let Body::Groups(groups) = &files(&stage).screens[0].body else { panic!() };
    let group = groups.selected().unwrap().clone();
    stage.keys("\n");
    assert_eq!(stage.app.context(), Context::Files);
    let shown = files(&stage).order.len() as u64;
    assert!(shown == group.count && shown < files(&stage).rows().len() as u64);
    assert_eq!(files(&stage).arrangement.group, Some(group.name.clone()));
    // What is read meanwhile is of the group too.
    read(&mut stage, 4);
    assert_eq!(files(&stage).order.len() as u64, shown);
    stage.press(KeyCode::Esc);
    assert_eq!(stage.app.context(), Context::Groups);
    let Body::Groups(groups) = &files(&stage).screens[0].body else { panic!() };
    assert_eq!(groups.selected().unwrap().name, group.name);
    stage.press(KeyCode::Esc);
    assert_eq!((files(&stage).cursor.index(), &files(&stage).arrangement), (before, &arrangement));
    assert_eq!(files(&stage).order.len(), files(&stage).rows().len());
    stage.press(KeyCode::Esc);
    assert_eq!(stage.app.context(), Context::Picker);
}

#[test]
fn tracing_ends_with_the_last_view_of_it() {
    let mut stage = stage();
    read(&mut stage, 1);
    stage.keys("o");
    assert_eq!(read(&mut stage, 2), wish(None, true, true));
    assert_eq!(stage.app.context(), Context::Leaks);
    stage.keys("t");
    assert_eq!(read(&mut stage, 3), wish(Some(Grouping::Label), false, true));
    stage.keys("\n");
    assert_eq!(read(&mut stage, 4), wish(None, false, true), "the table lies above the groups");
    stage.press(KeyCode::Esc);
    assert_eq!(read(&mut stage, 5), wish(Some(Grouping::Label), false, true));
    stage.press(KeyCode::Esc);
    assert_eq!(read(&mut stage, 5), wish(None, true, true));
    stage.keys("o");
    assert_eq!(read(&mut stage, 6), wish(None, true, false), "once more ends it");
    stage.keys("o");
    assert_eq!(read(&mut stage, 7), wish(None, true, true));
    stage.press(KeyCode::Esc);
    assert_eq!(read(&mut stage, 8), Wish::default());
}

/// How often the reading thread was told to end the tracing since this was last asked.
fn ends(stage: &mut Stage) -> usize {
    std::mem::take(&mut stage.wishes).iter().filter(|&wish| *wish == Action::EndTrace).count()
}

/// A view in which it is traced who opens files.
fn tracing() -> Stage {
    let mut stage = stage();
    stage.tracing = Tracing::On(Traced { at: TracedAt::SysExit, lost: 0 });
    read(&mut stage, 1);
    stage.keys("lo");
    assert!(!read(&mut stage, 2).trace);
    assert!(read(&mut stage, 3).trace);
    assert_eq!(ends(&mut stage), 0);
    stage
}

#[test]
fn a_pause_ends_the_tracing_until_it_is_over() {
    let mut stage = tracing();
    stage.keys(" ");
    assert_eq!((ends(&mut stage), &stage.pending), (1, &None));
    // What is read all the same does not begin it again.
    stage.keys("t");
    assert_eq!(read(&mut stage, 4), wish(Some(Grouping::Label), false, false));
    assert!(stage.screen().contains("not traced while paused"), "{}", stage.screen());
    stage.keys(" ");
    assert_eq!(read(&mut stage, 5), wish(Some(Grouping::Label), false, true));
    assert_eq!(ends(&mut stage), 0);
    // It may be left meanwhile.
    stage.keys(" ");
    stage.press(KeyCode::Esc);
    stage.press(KeyCode::Esc);
    assert_eq!(ends(&mut stage), 1);
    stage.keys(" ");
    assert_eq!((read(&mut stage, 6), ends(&mut stage)), (Wish::default(), 0));
}

#[test]
fn the_end_of_the_process_ends_the_tracing() {
    for outcome in [FilesOutcome::Ended { zombie: false }, FilesOutcome::NoProcess] {
        let mut stage = tracing();
        stage.tick();
        stage.fail(outcome);
        assert_eq!(ends(&mut stage), 1);
        stage.press(KeyCode::Esc);
        assert_eq!((ends(&mut stage), &stage.pending), (0, &None));
    }
}

#[test]
fn an_answer_that_is_awaited_does_not_hold_up_the_end_of_the_tracing() {
    let mut stage = tracing();
    stage.tick();
    assert!(matches!(stage.pending, Some(Request::Files(_))));
    stage.press(KeyCode::Esc);
    assert_eq!(ends(&mut stage), 1);
    // The whole look may be left, too.
    let mut stage = tracing();
    stage.keys(" ");
    stage.keys(" ");
    assert_eq!(ends(&mut stage), 1);
    stage.press(KeyCode::Esc);
    stage.press(KeyCode::Esc);
    assert!(stage.app.files.is_none());
    assert_eq!(ends(&mut stage), 1);
}

#[test]
fn a_pause_does_not_keep_groups_from_being_read_once() {
    let mut stage = stage();
    read(&mut stage, 1);
    stage.keys(" t");
    assert_eq!(read(&mut stage, 2), wish(Some(Grouping::Label), false, false));
    stage.tick();
    assert_eq!(stage.pending, None);
    stage.keys("t");
    assert_eq!(read(&mut stage, 3), wish(Some(Grouping::Kind), false, false));
}

#[test]
fn an_end_of_the_process_leaves_the_last_groups() {
    let mut stage = stage();
    read(&mut stage, 1);
    stage.keys("t");
    read(&mut stage, 2);
    stage.tick();
    stage.fail(FilesOutcome::Ended { zombie: false });
    stage.keys("\n");
    assert!(files(&stage).order.len() == 1 && stage.pending.is_none());
    stage.press(KeyCode::Esc);
    assert_eq!(stage.app.context(), Context::Groups);
    assert!(stage.screen().contains("has ended"), "{}", stage.screen());
}
