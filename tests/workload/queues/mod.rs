//! Sockets and pipes whose queues hold bytes that are known one by one.
//!
//! Of a socket's queues one can't be held filled from outside: the backlog takes packets only
//! while a system call of the owner holds the socket, and is emptied before that call returns.

mod apart;
mod drain;
mod flight;
mod large;
mod netlink;
mod packet;
mod pipes;
mod segment;
mod tcp;
mod told;
mod udp;
mod unix;

use std::io;

use crate::kinds::Constructor;

pub use tcp::wait_for;

/// Every group of files there is.
pub const QUEUES: &[(&str, Constructor)] = &[
    ("tcp", tcp::received),
    ("tcp6", tcp::received_over_6),
    ("tcp-partly-read", tcp::partly_read),
    ("tcp-close-wait", tcp::close_wait),
    ("tcp-unread", tcp::unread),
    ("tcp-unacknowledged", tcp::unacknowledged),
    ("tcp-out-of-order", tcp::out_of_order),
    ("tcp-overlapping", tcp::overlapping),
    ("tcp-backlog", tcp::backlog),
    ("tcp-listen", tcp::listen),
    ("tcp6-listen", tcp::listen_on_6),
    ("udp", udp::received),
    ("udp6", udp::received_over_6),
    ("udp-reader", udp::reader),
    ("udp-stamped", udp::stamped),
    ("udp-error", udp::error),
    ("udp6-error", udp::error_over_6),
    ("udp-sent-stamp", udp::sent_stamp),
    ("unix-stream", unix::stream),
    ("unix-stream-partly-read", unix::partly_read),
    ("unix-dgram", unix::dgram),
    ("unix-seqpacket", unix::seqpacket),
    ("unix-listen", unix::listen),
    ("netlink", netlink::user),
    ("netlink-route", netlink::route),
    ("raw", packet::raw),
    ("raw6", packet::raw_over_6),
    ("ping", packet::ping),
    ("packet", packet::frames),
    ("vsock", packet::vsock),
    ("pipe", pipes::pipe),
    ("pipe-packets", pipes::packets),
    ("pipe-partly-read", pipes::partly_read),
    ("pipe-spliced", pipes::spliced),
    ("fifo", pipes::fifo),
    ("flight", flight::files),
    ("flight-nested", flight::nested),
    ("flight-repeated", flight::repeated),
    ("unix-large", large::unix_dgram),
    ("udp-large", large::udp),
    ("netlink-large", large::netlink),
    ("udp-fragments", large::udp_fragments),
    ("tcp-fragments", large::tcp_fragments),
];

/// Groups that are too large to be part of "all".
pub const LARGE: &[(&str, Constructor)] =
    &[("unix-100000", large::many), ("unix-20000", large::fewer)];

/// What a kernel may lack or keep from us.
fn missing(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, what)
}
