//! Tests of the screens below the table: down to a packet and back.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::KeyCode;

use super::*;
use crate::model::{
    DumpFiles, File, FileId, FlightHop, Packet, PacketId, Queue, QueueName, sample_queues,
};
use crate::tui::app::screens::{FileScreen, PacketScreen, QueueScreen};
use crate::tui::capture::{Content, WriteRequest};
use crate::tui::widget::bytes::Mode;

pub(super) fn stage() -> Stage {
    Stage::of_files(sample_queues::reading())
}

pub(super) fn top(stage: &Stage) -> &Screen {
    files(stage).screens.last().unwrap()
}

pub(super) fn file(stage: &Stage) -> &FileScreen {
    top(stage).file().unwrap()
}

pub(super) fn packet(stage: &Stage) -> &PacketScreen {
    top(stage).packet().unwrap()
}

pub(super) fn queue(stage: &Stage) -> &QueueScreen {
    match &top(stage).body {
        Body::Queue(queue) => queue,
        _ => panic!("no queue is shown"),
    }
}

/// Answers a request to write with what came of it, and gives what was to be written.
fn written(stage: &mut Stage, result: Result<String, String>) -> WriteRequest {
    let Some(Request::Write(request)) = stage.pending.take() else { panic!("nothing is written") };
    stage.happen(Event::Reply(Reply::Written(result)));
    request
}

#[test]
fn a_queue_is_written_as_it_is_and_a_packet_as_it_was_read() {
    let mut stage = stage();
    stage.open(3);
    go(&mut stage, "\nw");
    let request = written(&mut stage, Ok("done".into()));
    assert_eq!(request.stem, "crib-top-4242-3-receive");
    let Content::Queue(queue) = request.content else { panic!("not read first") };
    let dump = queue.dump;
    assert_eq!((dump.queues, dump.packets), (vec![QueueName::Receive], 0..=u32::MAX));
    // Of that very file, and of that very process.
    assert_eq!((queue.file.id, queue.start_ticks), (Some(FileId::new(1003)), 100));
    assert_eq!(stage.app.message, Some(Message::Done("done".into())));
    // The packet is gone by the time.
    go(&mut stage, "j\n");
    world_queue(&mut stage, 3).packets.clear();
    world_queue(&mut stage, 3).messages = Some(0);
    turn(&mut stage);
    // An answer is awaited: the file is written when that is there.
    stage.tick();
    stage.keys("w");
    stage.read(table_with(|_| {}, 5));
    let request = written(&mut stage, Err("disk full".into()));
    assert_eq!(request.stem, "crib-top-4242-3-receive-packet1");
    let Content::Copy(reading) = request.content else { panic!("read again") };
    let queues = reading.files[0].socket.as_ref().unwrap().queues.as_ref().unwrap();
    assert_eq!((queues.len(), queues[0].packets[0].id), (1, PacketId(2)));
    assert_eq!(stage.app.message, Some(Message::Refused("disk full".into())));
}

#[test]
fn a_queue_in_flight_has_its_way_in_the_name_and_one_that_is_gone_is_not_written() {
    let mut stage = stage();
    stage.open(4);
    go(&mut stage, "\n\nj\n\nw");
    let request = written(&mut stage, Ok("done".into()));
    assert_eq!(request.stem, "crib-top-4242-4-receive-packet0-file1-receive");
    let Content::Queue(queue) = request.content else { panic!("not read first") };
    assert_eq!(queue.file.id, Some(FileId::new(2001)));
    world_queue(&mut stage, 4).packets.clear();
    turn(&mut stage);
    stage.keys("w");
    assert!(matches!(stage.app.message, Some(Message::Refused(_))));
    assert_eq!(stage.pending, None);
}

/// Types keys, and has each dump answered that they lead to.
pub(super) fn go(stage: &mut Stage, keys: &str) {
    for key in keys.chars() {
        stage.keys(&key.to_string());
        stage.dump();
    }
}

pub(super) fn turn(stage: &mut Stage) {
    stage.tick();
    stage.dump();
}

pub(super) fn world_queue(stage: &mut Stage, fd: usize) -> &mut Queue {
    &mut stage.world[fd].socket.as_mut().unwrap().queues.as_mut().unwrap()[0]
}

/// A table in which a file is as in the sample, but under other circumstances.
pub(super) fn table_with(
    change: impl FnOnce(&mut Vec<File>),
    seconds: u64,
) -> crate::model::FilesReading {
    let mut reading = sample_queues::reading();
    reading.time += Duration::from_secs(seconds);
    let mut files = reading.files.into_iter().map(Arc::unwrap_or_clone).collect();
    change(&mut files);
    reading.files = files.into_iter().map(Arc::new).collect();
    reading
}

#[test]
fn enter_opens_a_file_and_back_returns_to_its_row() {
    let mut stage = stage();
    stage.keys("jj\n");
    assert_eq!(stage.app.context(), Context::File);
    stage.dump();
    stage.press(KeyCode::Esc);
    assert_eq!((stage.app.context(), selected_fd(&stage)), (Context::Files, Some(3)));
    // The table was not read meanwhile.
    stage.read(sample_queues::reading());
}

#[test]
fn each_level_asks_for_what_it_shows_and_no_more() {
    let mut stage = stage();
    stage.keys("jj\n");
    let request = stage.dump_request();
    let one = DumpFiles::One { fd: 3, tid: None, hops: vec![] };
    assert_eq!((&request.dump.files, request.dump.payload), (&one, 0));
    assert_eq!((request.dump.queues.len(), request.dump.packets.clone()), (9, 0..=1023));
    stage.pending = Some(Request::Dump(request));
    stage.dump();

    stage.keys("\n");
    let request = stage.dump_request();
    assert_eq!(request.dump.queues, [QueueName::Receive]);
    assert_eq!((request.dump.packets.clone(), request.dump.payload), (0..=1023, 64));
    stage.pending = Some(Request::Dump(request));
    stage.dump();

    stage.keys("j\n");
    let request = stage.dump_request();
    assert_eq!((request.dump.packets.clone(), request.dump.payload), (1..=1, 1 << 20));
    // What the queue's screen knew of it is there at once.
    assert_eq!(packet(&stage).packet.payload.len(), 64);
    stage.pending = Some(Request::Dump(request));
    stage.dump();
    assert_eq!(packet(&stage).packet.payload.len(), 4000);
}

#[test]
fn going_down_and_back_keeps_everything() {
    let mut stage = stage();
    stage.keys("fKIND == \"socket\"\n1I");
    let before = fds(&stage);
    stage.open(3);
    // The third queue, sorted, its only packet, and its bytes as text.
    go(&mut stage, "jj\n2I\nxG");
    assert_eq!(stage.app.context(), Context::Packet);
    assert_eq!((packet(&stage).queue, packet(&stage).mode), (QueueName::Retransmit, Mode::Text));
    turn(&mut stage);
    assert_eq!(packet(&stage).mode, Mode::Text);
    stage.press(KeyCode::Backspace);
    stage.dump();
    assert!(queue(&stage).sort.is_some());
    stage.press(KeyCode::Esc);
    stage.dump();
    assert_eq!(file(&stage).row.file.fd, Some(3));
    // The same queue is still selected.
    go(&mut stage, "\n");
    assert_eq!(queue(&stage).name, QueueName::Retransmit);
    stage.press(KeyCode::Esc);
    stage.dump();
    stage.press(KeyCode::Esc);
    stage.read(table_with(|_| {}, 9));
    assert_eq!((stage.app.context(), selected_fd(&stage)), (Context::Files, Some(3)));
    assert_eq!(fds(&stage), before);
    stage.press(KeyCode::Esc);
    assert_eq!(stage.app.context(), Context::Picker);
}

#[test]
fn what_is_shown_is_read_again_at_each_tick() {
    let mut stage = stage();
    stage.open(3);
    world_queue(&mut stage, 3).messages = Some(77);
    turn(&mut stage);
    let queues = file(&stage).row.file.socket.as_ref().unwrap().queues.as_ref().unwrap();
    assert_eq!(queues[0].messages, Some(77));
    go(&mut stage, "\n");
    stage.world[3].socket.as_mut().unwrap().queues.as_mut().unwrap()[0] =
        sample_queues::queue(QueueName::Receive, vec![sample_queues::packet(9, b"new")]);
    turn(&mut stage);
    assert_eq!(queue(&stage).total, 1);
    go(&mut stage, "\n");
    world_queue(&mut stage, 3).packets[0].payload = b"more".into();
    turn(&mut stage);
    assert_eq!(packet(&stage).packet.payload, b"more");
}

#[test]
fn pausing_freezes_each_level_but_what_is_opened_is_read_once() {
    let mut stage = stage();
    stage.open(3);
    stage.keys(" ");
    world_queue(&mut stage, 3).packets.pop();
    turn(&mut stage);
    assert_eq!(stage.pending, None);
    stage.keys("\n");
    stage.dump();
    assert_eq!(queue(&stage).slots.len(), 1);
    world_queue(&mut stage, 3).packets.clear();
    turn(&mut stage);
    assert_eq!(queue(&stage).slots.len(), 1);
    stage.press(KeyCode::Esc);
    assert_eq!(stage.pending, None);
    // Going on reads at once.
    stage.keys(" ");
    stage.dump();
    turn(&mut stage);
    go(&mut stage, "\n");
    assert_eq!(queue(&stage).slots.len(), 0);
}

#[test]
fn keys_without_a_meaning_do_nothing() {
    let mut stage = stage();
    stage.open(3);
    for keys in ["x123sIf/nNtlw", "\n", "x/nNftlp", "j\n", "sI123/nNftlp"] {
        for key in keys.chars().filter(|&key| key != '\n' && key != 'j') {
            let before = (stage.app.context(), files(&stage).screens.len());
            if !(stage.app.context() == Context::Packet && key == 'x') {
                stage.keys(&key.to_string());
            }
            assert_eq!((stage.app.context(), files(&stage).screens.len()), before, "{key}");
            assert!(stage.app.prompt.is_none(), "{key}");
        }
        go(&mut stage, keys.trim_matches(|key| key != '\n' && key != 'j'));
    }
}

#[test]
fn files_in_flight_are_opened_as_deep_as_dumps_go() {
    let mut stage = stage();
    stage.open(4);
    go(&mut stage, "\n\n");
    assert_eq!(packet(&stage).packet.files.len(), 2);
    // The second file is a socket in whose queue is a socket, and so on.
    go(&mut stage, "j\n");
    assert_eq!(file(&stage).row.file.id, Some(FileId::new(2001)));
    go(&mut stage, "\n\n\n\n\n\n");
    assert_eq!(file(&stage).row.file.id, Some(FileId::new(2003)));
    stage.tick();
    let hop = |file| FlightHop { queue: QueueName::Receive, packet: 0, file };
    let hops = vec![hop(1), hop(0), hop(0)];
    let request = stage.dump_request();
    assert_eq!(request.dump.files, DumpFiles::One { fd: 4, tid: None, hops });
    stage.pending = Some(Request::Dump(request));
    stage.dump();
    // Its queue and the packet in it can be seen; what is in flight in that lies too deep.
    go(&mut stage, "\n\n");
    assert_eq!(packet(&stage).id, PacketId(23));
    go(&mut stage, "\n");
    assert_eq!(stage.app.context(), Context::Packet);
    let Some(Message::Refused(text)) = &stage.app.message else { panic!("nothing is said") };
    assert!(text.contains("too deep"), "{text}");
    stage.keys("j");
    assert_eq!(stage.app.message, None);
    for _ in 0..11 {
        stage.press(KeyCode::Esc);
        stage.dump();
    }
    assert_eq!(file(&stage).row.file.fd, Some(4));
}

#[test]
fn a_file_in_flight_is_followed_with_its_message() {
    let mut stage = stage();
    stage.open(4);
    go(&mut stage, "\n\nj\n\n");
    let other = sample_queues::packet(70, b"sent before");
    world_queue(&mut stage, 4).packets.insert(0, other);
    turn(&mut stage);
    assert_eq!((top(&stage).standing, queue(&stage).total), (Standing::Present, 1));
    turn(&mut stage);
    assert_eq!(top(&stage).standing, Standing::Present);
    // The message is read: all that was in it is gone.
    world_queue(&mut stage, 4).packets.remove(1);
    turn(&mut stage);
    let gone = Standing::Gone { queue: QueueName::Receive };
    assert_eq!((top(&stage).standing, queue(&stage).total), (gone, 1));
    stage.press(KeyCode::Esc);
    assert_eq!((stage.app.context(), top(&stage).standing), (Context::File, gone));
}

#[test]
fn a_watch_opens_the_file_that_is_watched() {
    let mut stage = stage();
    stage.open(7);
    go(&mut stage, "j\n");
    assert_eq!(file(&stage).row.file.fd, Some(3));
    go(&mut stage, "\n");
    assert_eq!(queue(&stage).name, QueueName::Receive);
    stage.press(KeyCode::Esc);
    stage.dump();
    stage.press(KeyCode::Esc);
    stage.dump();
    // Nothing has this number any more, as far as the table knows: the next reading tells.
    go(&mut stage, "G\n");
    assert_eq!((file(&stage).row.file.fd, top(&stage).standing), (Some(44), Standing::Closed));
}

#[test]
fn a_watch_whose_number_stands_for_another_file_is_not_opened() {
    let mut stage = Stage::of_files(table_with(|files| files[3].id = Some(FileId::new(5)), 0));
    stage.open(7);
    go(&mut stage, "j\n");
    assert_eq!(file(&stage).row.file.fd, Some(7));
    assert!(matches!(&stage.app.message, Some(Message::Refused(_))));
}

fn long(count: u32) -> Vec<Packet> {
    (0..count).map(|id| sample_queues::packet(u64::from(id) + 1000, b"x")).collect()
}

#[test]
fn of_a_long_queue_the_packets_around_the_view_are_read() {
    let mut stage = stage();
    *world_queue(&mut stage, 3) = sample_queues::queue(QueueName::Receive, long(20_000));
    stage.open(3);
    go(&mut stage, "\n");
    assert_eq!((queue(&stage).total, queue(&stage).slots.len()), (20_000, 1024));
    // The end is asked for at once.
    stage.keys("G");
    let request = stage.dump_request();
    let window = request.dump.packets.clone();
    assert!(window.contains(&19_999) && window.contains(&19_980) && window.start() > &19_000);
    stage.pending = Some(Request::Dump(request));
    stage.dump();
    assert_eq!(queue(&stage).selected().unwrap().id, PacketId(20_999));
    go(&mut stage, "\n");
    assert_eq!(packet(&stage).id, PacketId(20_999));
    stage.press(KeyCode::Esc);
    stage.dump();
    // The selection stays with its packet while those before it are read.
    world_queue(&mut stage, 3).packets.drain(..300);
    world_queue(&mut stage, 3).messages = Some(19_700);
    turn(&mut stage);
    assert_eq!(queue(&stage).selected().unwrap().id, PacketId(20_999));
    go(&mut stage, "s");
    assert!(queue(&stage).sort.is_none());
    assert!(matches!(stage.app.message, Some(Message::Refused(_))));
}

#[test]
fn packets_are_sorted_by_the_columns_that_are_shown() {
    let mut stage = stage();
    let mut packets = long(3);
    (packets[0].len, packets[1].len, packets[2].len) = (Some(5), Some(500), None);
    *world_queue(&mut stage, 3) = sample_queues::queue(QueueName::Receive, packets);
    stage.open(3);
    go(&mut stage, "\n2");
    let shown = |stage: &Stage| -> Vec<u32> {
        (0..3).filter_map(|row| queue(stage).slot(row)).map(|slot| slot.index).collect()
    };
    assert_eq!(shown(&stage), [1, 0, 2]);
    go(&mut stage, "I");
    assert_eq!(shown(&stage), [0, 1, 2]);
    go(&mut stage, "gj\n");
    assert_eq!(packet(&stage).id, PacketId(1001));
}
