//! How much waits in a socket, by what its family and protocol mean by "waits".
//!
//! Messages, payload and memory are three different things: a count of skbs, the bytes that a
//! reader would get, and what is charged (`truesize`, which counts whole buffers).

use crib_common::limits::RETRANSMIT_COUNT;
use crib_common::record::{SocketRecord, peer, socket_known};

use crate::queue::{Counted, Queue, Sum};
use crate::rbtree;
use crate::read::{Access, Kptr, Raw, Value, offset};
use crate::socket::{AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, TCP_CLOSE, TCP_LISTEN};

pub const IPPROTO_TCP: u16 = 6;
pub const IPPROTO_UDP: u16 = 17;
pub const IPPROTO_UDPLITE: u16 = 136;
pub const SOCK_STREAM: u16 = 1;
pub const SOCK_DGRAM: u16 = 2;
/// include/uapi/linux/in.h
pub const IPPROTO_MPTCP: u16 = 262;
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
    messages: Value<u32>,
    payload: Value<u64>,
    memory: Value<u64>,
}

impl Queued {
    /// No messages, no payload, and so much memory.
    #[inline(always)]
    fn nothing(memory: Value<u64>) -> Self {
        Self { messages: Value::of(0), payload: Value::of(0), memory }
    }

    #[inline(always)]
    fn counted(sum: Sum, messages: Value<u32>, memory: Value<u64>) -> Self {
        Self { messages, payload: Value::when(sum.whole, sum.payload), memory }
    }
}

/// Fills in the queues, a listener's backlog and the files in flight.
#[inline(always)]
pub fn fill<A: Access, const LOOPS: bool>(record: &mut SocketRecord, sk: Kptr<A>) {
    match (record.family, record.sock_type, record.protocol) {
        (AF_UNIX, ..) => fill_unix::<A, LOOPS>(record, sk),
        (AF_INET | AF_INET6, SOCK_STREAM, IPPROTO_TCP) => fill_tcp::<A, LOOPS>(record, sk),
        (AF_INET | AF_INET6, SOCK_DGRAM, IPPROTO_UDP | IPPROTO_UDPLITE) => {
            fill_udp::<A, LOOPS>(record, sk);
        }
        _ => fill_other::<A, LOOPS>(record, sk),
    }
}

/// As [`fill`], for a unix socket.
#[inline(always)]
pub fn fill_unix<A: Access, const LOOPS: bool>(record: &mut SocketRecord, sk: Kptr<A>) {
    let (recv, send) = unix::<A, LOOPS>(record, sk, sk.raw());
    note(record, recv, send);
}

/// As [`fill`], for TCP.
#[inline(always)]
pub fn fill_tcp<A: Access, const LOOPS: bool>(record: &mut SocketRecord, sk: Kptr<A>) {
    fill_tcp_received(record, sk);
    fill_tcp_sent::<A, LOOPS>(record, sk);
}

/// As [`fill_tcp`], what it received.
#[inline(always)]
pub fn fill_tcp_received<A: Access>(record: &mut SocketRecord, sk: Kptr<A>) {
    let received = tcp_received(record, sk, sk.raw());
    note_received(record, received);
}

/// As [`fill_tcp`], what it sent.
#[inline(always)]
pub fn fill_tcp_sent<A: Access, const LOOPS: bool>(record: &mut SocketRecord, sk: Kptr<A>) {
    let sent = tcp_sent::<A, LOOPS>(record.state, sk, sk.raw());
    note_sent(record, sent);
}

/// As [`fill`], for UDP.
#[inline(always)]
pub fn fill_udp<A: Access, const LOOPS: bool>(record: &mut SocketRecord, sk: Kptr<A>) {
    let recv = udp::<A, LOOPS>(sk, sk.raw());
    note(record, recv, sent(sk));
}

/// As [`fill`], for any other socket.
#[inline(always)]
pub fn fill_other<A: Access, const LOOPS: bool>(record: &mut SocketRecord, sk: Kptr<A>) {
    let recv = match (record.family, record.sock_type) {
        (AF_INET | AF_INET6, SOCK_RAW | SOCK_DGRAM) | (AF_NETLINK | AF_PACKET, _) => {
            received::<A, LOOPS>(sk)
        }
        // What another protocol's receive queue holds, and what of it a reader would get, is
        // not known here: messages and memory are, payload only where there is none.
        _ => received::<A, false>(sk),
    };
    note(record, recv, sent(sk));
}

#[inline(always)]
fn note(record: &mut SocketRecord, received: Queued, sent: Queued) {
    note_received(record, received);
    note_sent(record, sent);
}

#[inline(always)]
fn note_received(record: &mut SocketRecord, queued: Queued) {
    let known = &mut record.known;
    record.recv_messages = queued.messages.note(known, socket_known::RECV_MESSAGES);
    record.recv_payload = queued.payload.note(known, socket_known::RECV_PAYLOAD);
    record.recv_memory = queued.memory.note(known, socket_known::RECV_MEMORY);
}

#[inline(always)]
fn note_sent(record: &mut SocketRecord, queued: Queued) {
    let known = &mut record.known;
    record.send_messages = queued.messages.note(known, socket_known::SEND_MESSAGES);
    record.send_payload = queued.payload.note(known, socket_known::SEND_PAYLOAD);
    record.send_memory = queued.memory.note(known, socket_known::SEND_MEMORY);
}

/// The sum over a queue where the kernel can loop; else only over an empty one.
#[inline(always)]
fn sum<const LOOPS: bool>(queue: Option<Queue>, counted: Counted) -> Sum {
    let Some(queue) = queue else { return Sum::default() };
    if LOOPS { queue.sum(counted) } else { Sum { whole: queue.len().is(0), ..Sum::default() } }
}

#[inline(always)]
fn rmem_alloc<A: Access>(sk: Kptr<A>) -> Value<u64> {
    sk.get::<u32>(offset!(sock_rmem_alloc)).map(u64::from)
}

/// `sk_wmem_alloc_get()`: the count begins at 1 for the socket itself.
#[inline(always)]
fn wmem_alloc<A: Access>(sk: Kptr<A>) -> Value<u64> {
    sk.get::<u32>(offset!(sock_wmem_alloc)).map(|count| u64::from(count.saturating_sub(1)))
}

#[inline(always)]
fn receive_queue<A: Access>(sk: Kptr<A>) -> Option<Queue> {
    Queue::of(sk, offset!(sock_receive_queue))
}

#[inline(always)]
fn len(queue: Option<Queue>) -> Value<u32> {
    match queue {
        Some(queue) => queue.len(),
        None => Value::unknown(),
    }
}

/// A plain receive queue: whole messages, each read at once.
#[inline(always)]
fn received<A: Access, const LOOPS: bool>(sk: Kptr<A>) -> Queued {
    let queue = receive_queue(sk);
    Queued::counted(sum::<LOOPS>(queue, ALL), len(queue), rmem_alloc(sk))
}

/// What a datagram socket has sent is on its way through devices, in no queue of its own: its
/// memory is known, and that there is nothing where there is no memory.
#[inline(always)]
fn sent<A: Access>(sk: Kptr<A>) -> Queued {
    let memory = wmem_alloc(sk);
    if memory.is(0) { Queued::nothing(memory) } else { Queued { memory, ..Queued::default() } }
}

/// UDP keeps what it received in two queues: the reader takes over the whole receive queue at
/// once into its own (`__skb_recv_udp`), and pays back the memory later.
#[inline(always)]
fn udp<A: Access, const LOOPS: bool>(sk: Kptr<A>, raw: Kptr<Raw>) -> Queued {
    let arrived = receive_queue(sk);
    let reader = Queue::of(raw, offset!(udp_reader_queue));
    let messages = len(arrived).with(len(reader), u32::wrapping_add);
    let arrived = sum::<LOOPS>(arrived, ALL);
    let reader = sum::<LOOPS>(reader, ALL);
    let payload = Value::when(arrived.whole && reader.whole, arrived.payload + reader.payload);
    let deficit = raw.get::<u32>(offset!(udp_forward_deficit)).map(u64::from);
    let memory = rmem_alloc(sk).with(deficit, u64::saturating_sub);
    Queued { messages, payload, memory }
}

/// What TCP has received, by its sequence numbers (`tcp_inq`); of a listener the connections.
#[inline(always)]
fn tcp_received<A: Access>(record: &mut SocketRecord, sk: Kptr<A>, raw: Kptr<Raw>) -> Queued {
    let memory = rmem_alloc(sk);
    match record.state {
        TCP_LISTEN => {
            backlog(record, sk, sk.get(offset!(sock_ack_backlog)));
            Queued::nothing(memory)
        }
        TCP_SYN_SENT | TCP_SYN_RECV => Queued::nothing(memory),
        _ => Queued { messages: len(receive_queue(sk)), payload: unread(sk, raw), memory },
    }
}

/// What TCP has to send, by its sequence numbers (SIOCOUTQ in `tcp_ioctl`).
#[inline(always)]
fn tcp_sent<A: Access, const LOOPS: bool>(state: u8, sk: Kptr<A>, raw: Kptr<Raw>) -> Queued {
    let memory = sk.get::<u32>(offset!(sock_wmem_queued)).map(u64::from);
    match state {
        TCP_LISTEN => Queued::nothing(memory),
        // The SYN is a message, and no payload.
        TCP_SYN_SENT | TCP_SYN_RECV => {
            Queued { payload: Value::of(0), memory, ..Queued::default() }
        }
        _ => Queued { memory, ..unacknowledged::<A, LOOPS>(state, sk, raw) },
    }
}

/// The bytes that TCP has received in order and nobody has read, without the FIN.
#[inline(always)]
fn unread<A: Access>(sk: Kptr<A>, raw: Kptr<Raw>) -> Value<u64> {
    let fin = sk.get::<u64>(offset!(sock_common_flags)).map(|flags| flags & SOCK_DONE != 0);
    distance(raw, offset!(tcp_rcv_nxt), offset!(tcp_copied_seq))
        .with(fin, |bytes, fin| u64::from(bytes.saturating_sub(u32::from(fin))))
}

/// What TCP has to send, or to send again, without the FIN.
#[inline(always)]
fn unacknowledged<A: Access, const LOOPS: bool>(state: u8, sk: Kptr<A>, raw: Kptr<Raw>) -> Queued {
    let unsent = len(Queue::of(sk, offset!(sock_write_queue)));
    let sent: Value<u64> = sk.get(offset!(sock_rtx_queue));
    if unsent.is(0) && sent.is(0) {
        // After a reset the queues are gone, and the sequence numbers are not.
        return Queued::nothing(Value::unknown());
    }
    let fin = matches!(state, TCP_FIN_WAIT1 | TCP_LAST_ACK | TCP_CLOSING);
    let payload = distance(raw, offset!(tcp_write_seq), offset!(tcp_snd_una))
        .map(|bytes| u64::from(bytes.saturating_sub(u32::from(fin))));
    // The retransmit queue is a tree that keeps no count.
    let messages = unsent.with(retransmit_count::<LOOPS>(sent), u32::saturating_add);
    Queued { messages, payload, memory: Value::unknown() }
}

/// The packets in a retransmit queue with this top node; unknown where there are too many, or
/// where there are any and the kernel can't loop.
#[inline(always)]
fn retransmit_count<const LOOPS: bool>(root: Value<u64>) -> Value<u32> {
    let Some(root) = root.ok() else { return Value::unknown() };
    if root == 0 || !LOOPS {
        return Value::when(root == 0, 0);
    }
    rbtree::count(root, RETRANSMIT_COUNT)
}

/// The bytes from one sequence number to another.
#[inline(always)]
fn distance(tcp: Kptr<Raw>, to: u16, from: u16) -> Value<u32> {
    tcp.get::<u32>(to).with(tcp.get::<u32>(from), u32::wrapping_sub)
}

/// A listener's queue.
#[inline(always)]
fn backlog<A: Access>(record: &mut SocketRecord, sk: Kptr<A>, pending: Value<u32>) {
    let max = sk.get::<u32>(offset!(sock_max_ack_backlog));
    record.accept_max = max.or_zero();
    record.accept_pending =
        pending.with(max, |pending, _| pending).note(&mut record.known, socket_known::ACCEPT);
}

/// Unix sockets have no send queue: what one sends is in its peer's receive queue at once, and
/// charged to the sender until the peer has read it.
#[inline(always)]
fn unix<A: Access, const LOOPS: bool>(
    record: &mut SocketRecord,
    sk: Kptr<A>,
    raw: Kptr<Raw>,
) -> (Queued, Queued) {
    let inflight: Value<u32> = raw.get(offset!(unix_scm_files));
    record.inflight = inflight.note(&mut record.known, socket_known::INFLIGHT);
    let queue = receive_queue(sk);
    let messages = len(queue);
    let memory = wmem_alloc(sk);
    if record.state == TCP_LISTEN {
        // What waits in a listener's receive queue are connections.
        backlog(record, sk, messages);
        return (Queued::nothing(Value::of(0)), Queued::nothing(memory));
    }
    let unread = sum::<LOOPS>(queue, UNREAD);
    // The senders are charged for it, so the socket's own counter says nothing.
    let recv = Queued::counted(unread, messages, Value::when(unread.whole, unread.memory));
    let address = raw.get(offset!(unix_peer));
    let peer = if address.is(0) { Value::of(peer::NOBODY) } else { other_end(address.or_zero()) };
    record.peer_ino = peer.note(&mut record.known, socket_known::PEER_INO);
    if memory.is(0) {
        return (recv, Queued::nothing(memory));
    }
    // Without a peer it was sent to whom it was addressed, one message here and one there.
    let Some(peer) = Kptr::<Raw>::to(address.or_zero()) else {
        return (recv, Queued { memory, ..Queued::default() });
    };
    let mine = Counted { sender: sk.address(), less_consumed: true };
    let sum = sum::<LOOPS>(receive_queue(peer), mine);
    (recv, Queued::counted(sum, Value::when(sum.whole, sum.messages), memory))
}

/// The inode number of a unix socket's peer, or why it has none. Only what waits for accept(2) never
/// had a `struct socket`; what was closed has lost it, and then its state (`unix_release_sock`).
#[inline(always)]
fn other_end(peer: u64) -> Value<u64> {
    let Some(peer) = Kptr::<Raw>::to(peer) else { return Value::unknown() };
    if !peer.get::<u64>(offset!(sock_socket)).is(0) {
        return inode_number(peer);
    }
    let closed = |state: u8| if state == TCP_CLOSE { peer::CLOSED } else { peer::NOT_ACCEPTED };
    peer.get(offset!(sock_state)).map(closed)
}

/// The inode number of a socket: its `struct socket` and its inode are one allocation
/// (`struct socket_alloc`, in which the socket comes first).
#[inline(always)]
fn inode_number(sk: Kptr<Raw>) -> Value<u64> {
    match sk.follow(offset!(sock_socket)) {
        Some(socket) => socket.get(offset!(socket_alloc_ino)),
        None => Value::unknown(),
    }
}
