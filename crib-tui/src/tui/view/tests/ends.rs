//! How a file's other end looks.

use super::*;
use crate::model::{File, FileId, Held, sample_ends, sample_queues};

/// The other end of a file of the sample, among these descriptors.
fn ends(fd: u32, held: &[Held]) -> Stage {
    let mut stage = Stage::of_files(sample_queues::reading());
    stage.open(fd);
    stage.keys("p");
    stage.sweep(held);
    stage
}

#[test]
fn other_end_of_a_socket() {
    assert_snapshot!("ends_socket_100x24", at(ends(4, &sample_ends::held()), 100, 24));
    assert_snapshot!("ends_socket_80x24", at(ends(4, &sample_ends::held()), 80, 24));
    assert_snapshot!("ends_socket_20x5", at(ends(4, &sample_ends::held()), 20, 5));
}

#[test]
fn other_end_of_a_pipe() {
    assert_snapshot!(at(ends(1, &sample_ends::held()), 80, 16));
}

#[test]
fn no_other_end() {
    // A terminal, shared with a child; a connection to somewhere else.
    assert_snapshot!("ends_shared_80x16", at(ends(0, &sample_ends::held()), 80, 16));
    assert_snapshot!("ends_elsewhere_80x16", at(ends(3, &sample_ends::held()), 80, 16));
}

#[test]
fn other_end_is_looked_for() {
    let mut stage = Stage::of_files(sample_queues::reading());
    stage.keys("jp");
    assert_snapshot!(at(stage, 80, 10));
}

#[test]
fn more_holders_than_are_listed() {
    let file = |fd| File {
        fd: Some(fd),
        id: Some(FileId::new(1000)),
        refs: Some(130),
        ..sample_queues::files().remove(0)
    };
    let held: Vec<Held> = (0..120)
        .map(|fd| Held { pid: 4242, comm: "server".into(), file: Arc::new(file(fd)) })
        .collect();
    let mut stage = ends(0, &held);
    stage.keys("G");
    assert_snapshot!(at(stage, 80, 12));
}
