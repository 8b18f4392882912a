//! Tests of what leads to the screens about all files, through them and back.

use super::*;
use crate::model::groups::Grouping;
use crate::tui::app::screens::Body;
use crate::tui::keys::Context;
use crate::tui::worker::Wish;

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
