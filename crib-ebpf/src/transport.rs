//! How much waits in a socket, by what its family and protocol mean by "waits".
//!
//! Messages, payload and memory are three different things (see `docs/queues.md` of the
//! repository): a count of skbs, the bytes that a reader would get, and what is charged.

use crib_common::record::{SocketRecord, socket_known};

use crate::queue::{Counted, Queue, Sum};
use crate::read::{Access, Kptr, Raw, offset};
use crate::socket::{AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, TCP_LISTEN};

const IPPROTO_TCP: u16 = 6;
const IPPROTO_UDP: u16 = 17;
const IPPROTO_UDPLITE: u16 = 136;
const SOCK_STREAM: u16 = 1;
const SOCK_DGRAM: u16 = 2;
const SOCK_RAW: u16 = 3;

// include/net/tcp_states.h
const TCP_SYN_SENT: u8 = 2;
const TCP_SYN_RECV: u8 = 3;
const TCP_FIN_WAIT1: u8 = 4;
const TCP_LAST_ACK: u8 = 9;
const TCP_CLOSING: u8 = 11;

/// `SOCK_DONE` of `enum sock_flags` (include/net/sock.h): a FIN was received.
const SOCK_DONE: u64 = 1 << 1;

const ALL: Counted = Counted { sender: 0, less_consumed: false };
const UNREAD: Counted = Counted { sender: 0, less_consumed: true };

/// What is queued in one direction.
#[derive(Clone, Copy, Default)]
struct Queued {
    messages: Option<u32>,
    payload: Option<u64>,
    memory: Option<u64>,
}

impl Queued {
    const NOTHING: Self = Self { messages: Some(0), payload: Some(0), memory: Some(0) };

    #[inline(always)]
    fn counted(sum: Option<Sum>, messages: Option<u32>, memory: Option<u64>) -> Self {
        Self { messages, payload: sum.map(|sum| sum.payload), memory }
    }
}

/// Fills in the queues, a listener's backlog and the files in flight.
#[inline(always)]
pub fn fill<A: Access, const LOOPS: bool>(record: &mut SocketRecord, sk: Kptr<A>) {
    let raw = sk.raw();
    let (recv, send) = match (record.family, record.sock_type, record.protocol) {
        (AF_UNIX, ..) => unix::<A, LOOPS>(record, sk, raw),
        (AF_INET | AF_INET6, SOCK_STREAM, IPPROTO_TCP) => tcp(record, sk, raw),
        (AF_INET | AF_INET6, SOCK_DGRAM, IPPROTO_UDP | IPPROTO_UDPLITE) => {
            (udp::<A, LOOPS>(sk, raw), sent(sk))
        }
        (AF_INET | AF_INET6, SOCK_RAW | SOCK_DGRAM, _) | (AF_NETLINK | AF_PACKET, ..) => {
            (received::<A, LOOPS>(sk), sent(sk))
        }
        // What another protocol's receive queue holds, and what of it a reader would get, is
        // not known here: messages and memory are, payload only where there is none.
        _ => (received::<A, false>(sk), sent(sk)),
    };
    let known = &mut record.known;
    record.recv_messages = crate::file::note!(*known, socket_known::RECV_MESSAGES, recv.messages);
    record.recv_payload = crate::file::note!(*known, socket_known::RECV_PAYLOAD, recv.payload);
    record.recv_memory = crate::file::note!(*known, socket_known::RECV_MEMORY, recv.memory);
    record.send_messages = crate::file::note!(*known, socket_known::SEND_MESSAGES, send.messages);
    record.send_payload = crate::file::note!(*known, socket_known::SEND_PAYLOAD, send.payload);
    record.send_memory = crate::file::note!(*known, socket_known::SEND_MEMORY, send.memory);
}

/// The sum over a queue where the kernel can loop; else only over an empty one.
#[inline(always)]
fn sum<const LOOPS: bool>(queue: Option<Queue>, counted: Counted) -> Option<Sum> {
    let queue = queue?;
    if LOOPS { queue.sum(counted) } else { (queue.len()? == 0).then_some(Sum::default()) }
}

#[inline(always)]
fn rmem_alloc<A: Access>(sk: Kptr<A>) -> Option<u64> {
    sk.get::<u32>(offset!(sock_rmem_alloc)).map(u64::from)
}

/// `sk_wmem_alloc_get()`: the count begins at 1 for the socket itself.
#[inline(always)]
fn wmem_alloc<A: Access>(sk: Kptr<A>) -> Option<u64> {
    sk.get::<u32>(offset!(sock_wmem_alloc)).map(|count| u64::from(count.saturating_sub(1)))
}

#[inline(always)]
fn receive_queue<A: Access>(sk: Kptr<A>) -> Option<Queue> {
    Queue::of(sk, offset!(sock_receive_queue))
}

/// A plain receive queue: whole messages, each read at once.
#[inline(always)]
fn received<A: Access, const LOOPS: bool>(sk: Kptr<A>) -> Queued {
    let queue = receive_queue(sk);
    Queued::counted(sum::<LOOPS>(queue, ALL), queue.and_then(Queue::len), rmem_alloc(sk))
}

/// What a datagram socket has sent is on its way through devices, in no queue of its own: its
/// memory is known, and that there is nothing where there is no memory.
#[inline(always)]
fn sent<A: Access>(sk: Kptr<A>) -> Queued {
    match wmem_alloc(sk) {
        Some(0) => Queued::NOTHING,
        memory => Queued { memory, ..Queued::default() },
    }
}

/// UDP keeps what it received in two queues: the reader takes over the whole receive queue at
/// once into its own (`__skb_recv_udp`), and pays back the memory later.
#[inline(always)]
fn udp<A: Access, const LOOPS: bool>(sk: Kptr<A>, raw: Kptr<Raw>) -> Queued {
    let arrived = receive_queue(sk);
    let reader = Queue::of(raw, offset!(udp_reader_queue));
    let messages = match (arrived.and_then(Queue::len), reader.and_then(Queue::len)) {
        (Some(arrived), Some(reader)) => arrived.checked_add(reader),
        _ => None,
    };
    let payload = match (sum::<LOOPS>(arrived, ALL), sum::<LOOPS>(reader, ALL)) {
        (Some(arrived), Some(reader)) => Some(arrived.payload + reader.payload),
        _ => None,
    };
    let deficit = raw.get::<u32>(offset!(udp_forward_deficit));
    let memory = match (rmem_alloc(sk), deficit) {
        (Some(memory), Some(deficit)) => Some(memory.saturating_sub(u64::from(deficit))),
        _ => None,
    };
    Queued { messages, payload, memory }
}

/// TCP, by its sequence numbers (`tcp_inq`, and SIOCOUTQ in `tcp_ioctl`).
#[inline(always)]
fn tcp<A: Access>(record: &mut SocketRecord, sk: Kptr<A>, raw: Kptr<Raw>) -> (Queued, Queued) {
    let memory = rmem_alloc(sk);
    let wmem = sk.get::<u32>(offset!(sock_wmem_queued)).map(u64::from);
    match record.state {
        TCP_LISTEN => {
            backlog(record, sk, sk.get(offset!(sock_ack_backlog)));
            let nothing = Queued { memory, ..Queued::NOTHING };
            return (nothing, Queued { memory: wmem, ..Queued::NOTHING });
        }
        TCP_SYN_SENT | TCP_SYN_RECV => {
            let nothing = Queued { memory, ..Queued::NOTHING };
            // The SYN is a message, and no payload.
            let syn = Queued { memory: wmem, payload: Some(0), messages: None };
            return (nothing, syn);
        }
        _ => {}
    }
    let fin_received =
        sk.get::<u64>(offset!(sock_common_flags)).map(|flags| flags & SOCK_DONE != 0);
    let unread = distance(raw, offset!(tcp_rcv_nxt), offset!(tcp_copied_seq));
    let recv = Queued {
        messages: receive_queue(sk).and_then(Queue::len),
        payload: match (unread, fin_received) {
            (Some(unread), Some(fin)) => Some(u64::from(unread.saturating_sub(u32::from(fin)))),
            _ => None,
        },
        memory,
    };
    let unsent = Queue::of(sk, offset!(sock_write_queue)).and_then(Queue::len);
    let unacknowledged = sk.get::<u64>(offset!(sock_rtx_queue)).map(|root| root != 0);
    let send = match (unsent, unacknowledged) {
        // After a reset the queues are gone and the sequence numbers are not.
        (Some(0), Some(false)) => Queued { memory: wmem, ..Queued::NOTHING },
        (unsent, unacknowledged) => {
            let fin_sent = matches!(record.state, TCP_FIN_WAIT1 | TCP_LAST_ACK | TCP_CLOSING);
            let payload = distance(raw, offset!(tcp_write_seq), offset!(tcp_snd_una))
                .map(|bytes| u64::from(bytes.saturating_sub(u32::from(fin_sent))));
            // The retransmit queue is a tree that keeps no count.
            let messages = if unacknowledged == Some(false) { unsent } else { None };
            Queued { messages, payload, memory: wmem }
        }
    };
    (recv, send)
}

/// The bytes from one sequence number to another.
#[inline(always)]
fn distance(tcp: Kptr<Raw>, to: u16, from: u16) -> Option<u32> {
    Some(tcp.get::<u32>(to)?.wrapping_sub(tcp.get(from)?))
}

/// A listener's queue.
#[inline(always)]
fn backlog<A: Access>(record: &mut SocketRecord, sk: Kptr<A>, pending: Option<u32>) {
    if let Some(pending) = pending
        && let Some(max) = sk.get(offset!(sock_max_ack_backlog))
    {
        record.accept_pending = pending;
        record.accept_max = max;
        record.known |= socket_known::ACCEPT;
    }
}

/// Unix sockets have no send queue: what one sends is in its peer's receive queue at once, and
/// charged to the sender until the peer has read it.
#[inline(always)]
fn unix<A: Access, const LOOPS: bool>(
    record: &mut SocketRecord,
    sk: Kptr<A>,
    raw: Kptr<Raw>,
) -> (Queued, Queued) {
    if let Some(files) = raw.get(offset!(unix_scm_files)) {
        record.inflight = files;
        record.known |= socket_known::INFLIGHT;
    }
    let queue = receive_queue(sk);
    let messages = queue.and_then(Queue::len);
    let memory = wmem_alloc(sk);
    if record.state == TCP_LISTEN {
        // What waits in a listener's receive queue are connections.
        backlog(record, sk, messages);
        return (Queued::NOTHING, Queued { memory, ..Queued::NOTHING });
    }
    let unread = sum::<LOOPS>(queue, UNREAD);
    // The senders are charged for it, so the socket's own counter says nothing.
    let recv = Queued::counted(unread, messages, unread.map(|sum| sum.memory));
    let Some(peer) = raw.get::<u64>(offset!(unix_peer)) else {
        return (recv, Queued { memory, ..Queued::default() });
    };
    let peer = Kptr::<Raw>::to(peer);
    if let Some(ino) = peer.and_then(inode_number) {
        record.peer_ino = ino;
        record.known |= socket_known::PEER_INO;
    }
    let send = match (memory, peer) {
        (Some(0), _) => Queued::NOTHING,
        (memory, Some(peer)) => {
            let mine = Counted { sender: sk.address(), less_consumed: true };
            let sum = sum::<LOOPS>(receive_queue(peer), mine);
            Queued::counted(sum, sum.map(|sum| sum.messages), memory)
        }
        // Sent to whom it was addressed, one message here and one there.
        (memory, None) => Queued { memory, ..Queued::default() },
    };
    (recv, send)
}

/// The inode number of a socket: its `struct socket` and its inode are one allocation
/// (`struct socket_alloc`, in which the socket comes first).
#[inline(always)]
fn inode_number(sk: Kptr<Raw>) -> Option<u64> {
    let socket = sk.follow(offset!(sock_socket))?;
    socket.get(offset!(socket_alloc_ino))
}
