//! Tests of the screens below the table while what they show changes, moves and goes away.

use crossterm::event::KeyCode;

use super::drill::{file, go, packet, queue, stage, table_with, top, turn, world_queue};
use super::*;
use crate::model::{File, FileId, PacketId, Presence, QueueName, Source, sample_queues};
use crate::tui::worker::{Aim, DumpOutcome};

#[test]
fn an_answer_for_a_screen_that_was_left_is_not_shown() {
    let mut stage = stage();
    stage.open(3);
    stage.keys("\n");
    let old = stage.dump_request();
    stage.press(KeyCode::Esc);
    stage.keys("j\n");
    let reading = sample_queues::answer(&stage.world, &old.dump).unwrap();
    stage.dumped(old, DumpOutcome::Read { reading: Box::new(reading), elapsed: Duration::ZERO });
    assert!(queue(&stage).queue.is_none());
    // The one that is shown is asked for as soon as the awaited answer is there.
    assert_eq!(stage.dump_request().dump.queues, [QueueName::Write]);
}

#[test]
fn a_packet_is_followed_when_those_before_it_are_read() {
    let mut stage = stage();
    stage.open(3);
    go(&mut stage, "\nj\n");
    assert_eq!((packet(&stage).id, packet(&stage).packet.index), (PacketId(2), 1));
    world_queue(&mut stage, 3).packets.remove(0);
    stage.tick();
    stage.dump_once();
    // There is none in its place: it is looked for, and then read.
    let find = stage.dump_request();
    assert_eq!((find.ticket.aim, find.dump.payload), (Aim::Find { depth: 2 }, 0));
    stage.pending = Some(Request::Dump(find));
    stage.dump();
    assert_eq!((packet(&stage).id, packet(&stage).packet.index), (PacketId(2), 0));
    assert_eq!(top(&stage).standing, Standing::Present);
}

#[test]
fn a_datagram_is_followed_into_the_reader_queue() {
    let mut stage = stage();
    stage.open(10);
    go(&mut stage, "\nj\n");
    let udp = stage.world.iter_mut().find(|file| file.fd == Some(10)).unwrap();
    let queues = udp.socket.as_mut().unwrap().queues.as_mut().unwrap();
    queues[1].packets = queues[0].packets.split_off(1);
    (queues[0].messages, queues[1].messages) = (Some(1), Some(1));
    turn(&mut stage);
    let shown = packet(&stage);
    assert_eq!((shown.queue, shown.packet.index), (QueueName::Reader, 0));
    assert_eq!(top(&stage).standing, Standing::Present);
    assert!(stage.screen().contains("receive > packet 0 in reader"));
    turn(&mut stage);
    assert_eq!(top(&stage).standing, Standing::Present);
}

#[test]
fn a_packet_that_was_read_is_kept_and_said_to_be_gone() {
    let mut stage = stage();
    stage.open(3);
    go(&mut stage, "\n\n");
    let shown = packet(&stage).packet.clone();
    world_queue(&mut stage, 3).packets.remove(0);
    world_queue(&mut stage, 3).messages = Some(1);
    turn(&mut stage);
    assert_eq!(top(&stage).standing, Standing::Gone { queue: QueueName::Receive });
    assert_eq!(packet(&stage).packet, shown);
    // It does not come back; whether the process is there is asked nevertheless.
    stage.tick();
    stage.read(table_with(|_| {}, 5));
    assert_eq!(packet(&stage).packet, shown);
    stage.press(KeyCode::Esc);
    stage.dump();
    assert_eq!((queue(&stage).total, top(&stage).standing), (1, Standing::Present));
}

#[test]
fn a_queue_that_changes_too_fast_is_tried_again() {
    let mut stage = stage();
    stage.open(3);
    go(&mut stage, "\n\n");
    let queue = world_queue(&mut stage, 3);
    queue.packets.remove(0);
    queue.torn = true;
    turn(&mut stage);
    assert_eq!((top(&stage).standing, &stage.pending), (Standing::Present, &None));
    world_queue(&mut stage, 3).torn = false;
    turn(&mut stage);
    assert!(matches!(top(&stage).standing, Standing::Gone { .. }));
}

#[test]
fn a_descriptor_that_is_closed_and_used_again_keeps_the_last_copy() {
    let mut stage = stage();
    stage.open(3);
    go(&mut stage, "\n");
    let tcp = stage.world.remove(3);
    turn(&mut stage);
    assert_eq!((top(&stage).standing, queue(&stage).total), (Standing::Closed, 2));
    // The table is read to learn whether the process has ended.
    stage.read(table_with(|files| drop(files.remove(3)), 5));
    turn(&mut stage);
    stage.read(table_with(|files| drop(files.remove(3)), 6));
    stage.world.push(File { id: Some(FileId::new(77)), ..tcp });
    turn(&mut stage);
    assert_eq!((top(&stage).standing, queue(&stage).total), (Standing::Replaced, 2));
    stage.read(table_with(|files| files[3].id = Some(FileId::new(77)), 7));
    stage.press(KeyCode::Esc);
    assert_eq!(top(&stage).standing, Standing::Replaced);
    assert!(file(&stage).row.file.socket.as_ref().unwrap().queues.is_some());
}

#[test]
fn another_file_under_the_same_number_is_not_taken_for_it() {
    let mut stage = stage();
    stage.open(0);
    stage.world[0].id = Some(FileId::new(77));
    stage.world[0].pos = 5.into();
    turn(&mut stage);
    assert_eq!(top(&stage).standing, Standing::Replaced);
    assert!(file(&stage).row.is_closed());
    assert_eq!(file(&stage).row.file.pos, 0.into());
}

#[test]
fn a_process_that_ends_keeps_its_screens() {
    for keys in ["", "\n", "\n\n"] {
        let mut stage = stage();
        stage.open(3);
        go(&mut stage, keys);
        let context = stage.app.context();
        stage.tick();
        let request = stage.dump_request();
        stage.dumped(request, DumpOutcome::Ended);
        assert_eq!(files(&stage).phase, Phase::Ended { zombie: false });
        stage.tick();
        stage.keys("jkgG");
        assert_eq!((stage.app.context(), &stage.pending), (context, &None));
    }
}

#[test]
fn what_is_opened_after_the_end_says_that_it_was_not_read() {
    let mut stage = stage();
    stage.open(3);
    stage.tick();
    let request = stage.dump_request();
    stage.dumped(request, DumpOutcome::Ended);
    stage.keys("\n");
    assert!(stage.screen().contains("ended before its packets were read"));
    stage.press(KeyCode::Esc);
    stage.press(KeyCode::Esc);
    stage.keys("j\n");
    assert!(stage.screen().contains("not read"));
}

#[test]
fn a_dump_that_fails_is_tried_again() {
    let mut stage = stage();
    stage.open(3);
    stage.tick();
    let request = stage.dump_request();
    stage.dumped(request, DumpOutcome::Failed("no memory".into()));
    assert_eq!(files(&stage).error.as_deref(), Some("no memory"));
    turn(&mut stage);
    assert_eq!(files(&stage).error, None);
}

#[test]
fn where_dumps_cannot_be_had_a_file_is_shown_as_the_table_has_it() {
    let mut stage = stage();
    stage.keys("jj\n");
    let request = stage.dump_request();
    stage.dumped(request, DumpOutcome::Missing("no ring buffer".into()));
    stage.read(table_with(|files| files[3].pos = 99.into(), 2));
    assert_eq!(file(&stage).row.file.pos, 99.into());
    stage.tick();
    stage.read(table_with(|files| files[3].pos = 100.into(), 3));
    assert_eq!(file(&stage).row.file.pos, 100.into());
    for seconds in 4..9 {
        stage.tick();
        stage.read(table_with(|files| drop(files.remove(3)), seconds));
        assert!(matches!(file(&stage).row.presence, Presence::Closed { .. }));
        assert_eq!(file(&stage).row.file.pos, 100.into());
    }
    // There is no queue to open.
    stage.keys("\n");
    assert_eq!(stage.app.context(), Context::File);
}

#[test]
fn from_proc_no_dump_is_asked_for() {
    let mut stage = Stage::with(Some(4242), Theme::new(true, false), Some("no privileges"));
    stage.read(crate::model::FilesReading { source: Source::Procfs, ..sample::reading() });
    stage.keys("jj\n");
    assert!(matches!(stage.pending, Some(Request::Files(_))));
}
