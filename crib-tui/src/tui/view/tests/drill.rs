//! Tests of the screens below the table: how files, queues and packets look.

use super::*;
use crate::model::{Packet, Queue, QueueName, sample_queues};
use crate::tui::worker::DumpOutcome;

fn stage() -> Stage {
    Stage::of_files(sample_queues::reading())
}

/// A file of the sample, and what keys lead to from there.
fn open(fd: u32, keys: &str) -> Stage {
    walk(stage(), fd, keys)
}

fn walk(mut stage: Stage, fd: u32, keys: &str) -> Stage {
    stage.open(fd);
    for key in keys.chars() {
        stage.keys(&key.to_string());
        stage.dump();
    }
    stage
}

fn queue(stage: &mut Stage, fd: usize) -> &mut Queue {
    &mut stage.world[fd].socket.as_mut().unwrap().queues.as_mut().unwrap()[0]
}

fn turned(mut stage: Stage) -> Stage {
    stage.tick();
    stage.dump();
    stage
}

#[test]
fn socket() {
    assert_snapshot!("socket_120x40", at(open(3, "j"), 120, 40));
    assert_snapshot!("socket_80x24", at(open(3, ""), 80, 24));
    assert_snapshot!("socket_20x5", at(open(3, "j"), 20, 5));
}

#[test]
fn socket_scrolled_to_tcp() {
    let mut stage = open(3, "");
    stage.press(KeyCode::PageDown);
    stage.press(KeyCode::PageDown);
    assert_snapshot!(at(stage, 80, 24));
}

#[test]
fn socket_before_its_reading() {
    let mut stage = stage();
    stage.keys("jj\n");
    assert_snapshot!(at(stage, 80, 12));
}

#[test]
fn socket_in_ascii_without_colours() {
    let mut stage = Stage::with(Some(4242), Theme::new(false, true), None);
    stage.read(sample_queues::reading());
    let mut stage = walk(stage, 3, "");
    assert_snapshot!("socket_ascii", at_height(&mut stage, 14));
    assert_snapshot!("socket_monochrome_styles", stage.styles());
}

#[test]
fn socket_that_was_replaced() {
    let mut stage = open(3, "");
    stage.world[3].id = Some(FileId::new(1));
    assert_snapshot!(at(turned(stage), 80, 14));
}

#[test]
fn epoll() {
    assert_snapshot!("epoll_80x24", at(open(7, "j"), 80, 24));
    assert_snapshot!("epoll_20x5", at(open(7, "j"), 20, 5));
}

#[test]
fn pipe_80x24() {
    assert_snapshot!(at(open(1, ""), 80, 24));
}

#[test]
fn queue_of_tcp() {
    assert_snapshot!("queue_tcp_120x40", at(open(3, "\nj"), 120, 40));
    assert_snapshot!("queue_tcp_80x24", at(open(3, "\n"), 80, 24));
    assert_snapshot!("queue_tcp_20x5", at(open(3, "\n"), 20, 5));
}

#[test]
fn queue_of_messages() {
    assert_snapshot!("queue_udp_80x24", at(open(10, "\n"), 80, 24));
    assert_snapshot!("queue_unix_120x40", at(open(4, "\n"), 120, 40));
    assert_snapshot!("queue_pipe_80x24", at(open(1, "\n"), 80, 24));
}

#[test]
fn queue_in_other_states() {
    assert_snapshot!("queue_torn", at(open(3, "jjj\n"), 80, 10));
    assert_snapshot!("queue_incomplete", at(open(3, "jjjjj\n"), 80, 10));
    assert_snapshot!("queue_empty", at(open(3, "j\n"), 80, 10));
    let mut stage = open(3, "");
    stage.keys("\n");
    assert_snapshot!("queue_before_its_reading", at_height(&mut stage, 10));
    let mut stage = open(3, "\n");
    stage.tick();
    let request = stage.dump_request();
    stage.dumped(request, DumpOutcome::Failed("reading from the kernel: no memory".into()));
    assert_snapshot!("queue_that_could_not_be_read_again", at_height(&mut stage, 10));
}

#[test]
fn queue_in_ascii_without_colours() {
    let mut stage = Stage::with(Some(4242), Theme::new(false, true), None);
    stage.read(sample_queues::reading());
    let mut stage = walk(stage, 3, "\n2");
    assert_snapshot!("queue_ascii", at_height(&mut stage, 10));
    assert_snapshot!("queue_monochrome_styles", stage.styles());
    assert!(stage.screen().is_ascii());
}

#[test]
fn queue_of_accept() {
    let mut stage = stage();
    let connection = |id, from: &str| Packet {
        from: Some(from.into()),
        len: None,
        truesize: None,
        ..sample_queues::packet(id, b"")
    };
    let connections = vec![connection(1, "127.0.0.1:4711"), connection(2, "[::1]:4712")];
    *queue(&mut stage, 3) = sample_queues::queue(QueueName::Accept, connections);
    let mut stage = walk(stage, 3, "\n");
    assert_snapshot!("queue_accept", at_height(&mut stage, 10));
    stage.keys("\n");
    stage.dump();
    assert_snapshot!("packet_connection", at_height(&mut stage, 10));
}

#[test]
fn queue_that_is_long() {
    let mut stage = stage();
    let packets = (0..5000).map(|id| sample_queues::packet(id, format!("{id}").as_bytes()));
    *queue(&mut stage, 3) = sample_queues::queue(QueueName::Receive, packets.collect());
    let mut stage = walk(stage, 3, "\n");
    stage.keys("Gk");
    assert_snapshot!("queue_long_before_its_end_is_read", at_height(&mut stage, 10));
    stage.dump();
    stage.keys("s");
    assert_snapshot!("queue_long_at_its_end", at_height(&mut stage, 10));
}

#[test]
fn packet_of_tcp() {
    assert_snapshot!("packet_tcp_120x40", at(open(3, "\n\n"), 120, 40));
    assert_snapshot!("packet_tcp_80x24", at(open(3, "\n\n"), 80, 24));
    assert_snapshot!("packet_tcp_20x5", at(open(3, "\n\n"), 20, 5));
    let mut stage = open(3, "\n\n");
    stage.keys("G");
    stage.resize(80, 24);
    stage.keys("G");
    assert_snapshot!("packet_tcp_hex", stage.screen());
    stage.keys("x");
    assert_snapshot!("packet_tcp_text", stage.screen());
    stage.resize(30, 12);
    stage.keys("G");
    assert_snapshot!("packet_tcp_text_30x12", stage.screen());
}

#[test]
fn packet_of_which_bytes_came_twice() {
    let mut stage = stage();
    queue(&mut stage, 3).packets[0].consumed = 5;
    let screen = at(walk(stage, 3, "\n\n"), 80, 24);
    assert!(screen.contains(", behind 5 that were read already, or received twice"));
}

#[test]
fn packet_with_gaps() {
    let mut stage = open(3, "\nj\n");
    stage.resize(80, 30);
    assert_snapshot!("packet_gaps_hex", stage.screen());
    assert_snapshot!("packet_gaps_styles", stage.styles());
    stage.keys("x");
    assert_snapshot!("packet_gaps_text", stage.screen());
}

#[test]
fn packet_with_files() {
    assert_snapshot!("packet_files_80x24", at(open(4, "\n\nj"), 80, 24));
    assert_snapshot!("file_in_flight_80x24", at(open(4, "\n\nj\n"), 80, 24));
    let deep = "\n\nj\n\n\n\n\n\n\n\n\n\n";
    assert_snapshot!("packet_too_deep_120x20", at(open(4, deep), 120, 20));
    assert_snapshot!("packet_too_deep_60x14", at(open(4, deep), 60, 14));
}

#[test]
fn packet_of_other_sockets() {
    assert_snapshot!("packet_netlink", at(open(5, "\n\n"), 80, 24));
    assert_snapshot!("packet_udp", at(open(10, "\n\n"), 80, 24));
    assert_snapshot!("packet_pipe", at(open(1, "\n\n"), 80, 24));
}

#[test]
fn packet_that_is_gone() {
    let mut stage = open(3, "\n\n");
    queue(&mut stage, 3).packets.remove(0);
    let mut stage = turned(stage);
    assert_snapshot!("packet_gone", at_height(&mut stage, 14));
    stage.resize(20, 5);
    assert_snapshot!("packet_gone_20x5", stage.screen());
}

#[test]
fn packet_that_is_torn() {
    let mut stage = stage();
    queue(&mut stage, 3).packets[0].torn = true;
    let mut stage = walk(stage, 3, "\n");
    assert_snapshot!("queue_with_a_torn_packet", at_height(&mut stage, 10));
    stage.keys("\n ");
    stage.dump();
    assert_snapshot!("packet_torn", at_height(&mut stage, 14));
}

#[test]
fn process_that_ended_while_a_packet_is_shown() {
    let mut stage = open(3, "\n\n");
    stage.tick();
    let request = stage.dump_request();
    stage.dumped(request, DumpOutcome::Ended);
    assert_snapshot!(at_height(&mut stage, 14));
}
