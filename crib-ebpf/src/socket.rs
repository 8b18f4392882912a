//! A socket (`struct sock`): addresses, state, buffers, and how much waits in it.

use aya_ebpf::helpers::generated::bpf_sock_from_file;
use crib_common::limits::UNIX_NAME_BYTES;
use crib_common::record::{RecordHeader, SocketRecord, UnixRecord, kind, socket_known};

use crate::read::{Access, Kptr, Raw, Typed, Value, below, copy, copy_16, offset};
use crate::transport;

// include/linux/socket.h
pub const AF_UNIX: u16 = 1;
pub const AF_INET: u16 = 2;
pub const AF_INET6: u16 = 10;
pub const AF_NETLINK: u16 = 16;
pub const AF_PACKET: u16 = 17;
pub const AF_VSOCK: u16 = 40;
// include/net/tcp_states.h
pub const TCP_CLOSE: u8 = 7;
pub const TCP_LISTEN: u8 = 10;

/// The socket behind a socket's file (`struct sock`), by the file's own word: for kernels that
/// lack [`of_file`]'s helper, and for files that nobody holds.
#[inline(always)]
pub fn of_socket_file<A: Access>(file: Kptr<A>) -> Option<Kptr<Raw>> {
    // `struct socket` (`sock_from_file`).
    let socket = Kptr::<Raw>::to(file.get(offset!(file_private_data)).or_zero())?;
    socket.follow(offset!(socket_sk))
}

/// The socket behind a file that the iterator holds (`struct sock`), if it is one. Linux 5.11.
#[inline(always)]
pub fn of_file(file: Kptr<Typed>) -> Option<Kptr<Typed>> {
    // SAFETY: the helper takes a file with a reference held and returns a socket or null.
    let socket = unsafe {
        Kptr::typed(bpf_sock_from_file(file.as_ptr().cast_mut().cast()).cast_const().cast())
    }?;
    socket.follow(offset!(socket_sk))
}

/// Fills in `record`; `LOOPS` says whether the kernel has `bpf_loop`, without which a queue
/// with packets in it can't be summed up.
#[inline(always)]
pub fn fill<A: Access, const LOOPS: bool>(record: &mut SocketRecord, sk: Kptr<A>) {
    fill_state(record, sk);
    addresses(record, sk);
    transport::fill::<A, LOOPS>(record, sk);
}

/// Fills in `record` but for the addresses and for what waits in the socket.
#[inline(always)]
pub fn fill_state<A: Access>(record: &mut SocketRecord, sk: Kptr<A>) {
    let mut known = 0;
    record.header = RecordHeader::of::<SocketRecord>(kind::SOCKET, 0);
    record.family = sk.get(offset!(sock_family)).note(&mut known, socket_known::FAMILY);
    record.sock_type = sk.get(offset!(sock_type)).note(&mut known, socket_known::TYPE);
    record.protocol = sk.get(offset!(sock_protocol)).note(&mut known, socket_known::PROTOCOL);
    record.state = sk.get(offset!(sock_state)).note(&mut known, socket_known::STATE);
    record.shutdown = sk.get(offset!(sock_shutdown)).note(&mut known, socket_known::SHUTDOWN);
    record.error = sk.get(offset!(sock_err)).note(&mut known, socket_known::ERROR);
    record.rcvbuf = sk.get(offset!(sock_rcvbuf)).note(&mut known, socket_known::RCVBUF);
    record.sndbuf = sk.get(offset!(sock_sndbuf)).note(&mut known, socket_known::SNDBUF);
    record.drops = drops(sk).note(&mut known, socket_known::DROPS);
    record.netns = 0;
    if let Some(net) = sk.follow(offset!(sock_net)) {
        let inum: Value<u32> = net.get(offset!(net_inum));
        record.netns = u64::from(inum.note(&mut known, socket_known::NETNS));
    }
    record.known = known;
    record.peer_ino = 0;
    record.accept_pending = 0;
    record.accept_max = 0;
    record.inflight = 0;
}

/// Messages dropped: since Linux 6.18 a protocol may keep them apart (`sk_drops_read`).
#[inline(always)]
fn drops<A: Access>(sk: Kptr<A>) -> Value<u32> {
    match Kptr::<Raw>::to(sk.get(offset!(sock_drop_counters)).or_zero()) {
        Some(counters) => counters
            .get::<u32>(offset!(drops_0))
            .with(counters.get::<u32>(offset!(drops_1)), u32::wrapping_add),
        None => sk.get(offset!(sock_drops)),
    }
}

/// Addresses as the socket itself holds them: the kernel's tables forget those of a TCP socket
/// that was reset, the socket keeps them. The bound port is therefore `inet_sport`, which
/// `inet_put_port` leaves, and not `skc_num`, which it clears.
#[inline(always)]
pub fn addresses<A: Access>(record: &mut SocketRecord, sk: Kptr<A>) {
    let raw = sk.raw();
    let mut known = 0;
    record.local = [0; 16];
    record.remote = [0; 16];
    record.local_port = 0;
    record.remote_port = 0;
    match record.family {
        AF_INET => {
            // What it is bound to; a socket that only sends has just a source address.
            let bound = sk.get::<u32>(offset!(sock_rcv_saddr));
            let source = raw.get::<u32>(offset!(inet_saddr));
            let local = if bound.is(0) { source } else { bound };
            put(&mut record.local, 0, local.note(&mut known, socket_known::LOCAL));
            let remote = sk.get::<u32>(offset!(sock_daddr));
            put(&mut record.remote, 0, remote.note(&mut known, socket_known::REMOTE));
            ports(record, &mut known, sk, raw);
        }
        AF_INET6 => {
            copy_16(&mut record.local, raw, offset!(sock_v6_rcv_saddr))
                .note(&mut known, socket_known::LOCAL);
            copy_16(&mut record.remote, raw, offset!(sock_v6_daddr))
                .note(&mut known, socket_known::REMOTE);
            ports(record, &mut known, sk, raw);
        }
        AF_NETLINK => {
            let portid = raw.get::<u32>(offset!(netlink_portid));
            put(&mut record.local, 0, portid.note(&mut known, socket_known::LOCAL));
            let remote = raw.get::<u32>(offset!(netlink_dst_portid));
            put(&mut record.remote, 0, remote.note(&mut known, socket_known::REMOTE));
            put(&mut record.remote, 4, raw.get(offset!(netlink_dst_group)).or_zero());
        }
        AF_PACKET => {
            let ifindex = raw.get::<u32>(offset!(packet_ifindex));
            put(&mut record.local, 0, ifindex.note(&mut known, socket_known::LOCAL));
            let number = raw.get::<u16>(offset!(packet_num)).map(u16::from_be);
            record.local_port = number.note(&mut known, socket_known::LOCAL_PORT);
        }
        AF_VSOCK => {
            let cid = raw.get::<u32>(offset!(vsock_local_cid));
            put(&mut record.local, 0, cid.note(&mut known, socket_known::LOCAL));
            put(&mut record.local, 4, raw.get(offset!(vsock_local_port)).or_zero());
            let cid = raw.get::<u32>(offset!(vsock_remote_cid));
            put(&mut record.remote, 0, cid.note(&mut known, socket_known::REMOTE));
            put(&mut record.remote, 4, raw.get(offset!(vsock_remote_port)).or_zero());
        }
        _ => {}
    }
    record.known |= known;
}

#[inline(always)]
fn ports<A: Access>(record: &mut SocketRecord, known: &mut u64, sk: Kptr<A>, raw: Kptr<Raw>) {
    let local = raw.get::<u16>(offset!(inet_sport)).map(u16::from_be);
    record.local_port = local.note(known, socket_known::LOCAL_PORT);
    let remote = sk.get::<u16>(offset!(sock_dport)).map(u16::from_be);
    record.remote_port = remote.note(known, socket_known::REMOTE_PORT);
}

/// Puts a number into an address, at a multiple of 4 bytes.
#[inline(always)]
pub fn put(bytes: &mut [u8; 16], at: usize, value: u32) {
    debug_assert!(at <= 12);
    // SAFETY: 4 bytes at `at` are within the array. Records are at multiples of 8, and their
    // addresses at multiples of 4 in them.
    unsafe { bytes.as_mut_ptr().add(at).cast::<u32>().write(value) };
}

/// Fills in the names of a unix socket and its peer.
#[inline(always)]
pub fn fill_unix(record: &mut UnixRecord, sk: Kptr<Raw>) {
    record.header = RecordHeader::of::<UnixRecord>(kind::UNIX, 0);
    record.local_len = unix_name(&mut record.local, sk);
    record.remote_len = match sk.get::<u64>(offset!(unix_peer)).ok() {
        None => UnixRecord::UNKNOWN,
        Some(peer) => match Kptr::<Raw>::to(peer) {
            None => 0,
            Some(peer) => unix_name(&mut record.remote, peer),
        },
    };
}

/// The bytes of `sun_path` in a unix socket's name; [`UnixRecord::UNKNOWN`] if it can't be read.
#[inline(always)]
pub fn unix_name(name: &mut [u8; UNIX_NAME_BYTES], sk: Kptr<Raw>) -> u32 {
    let Some(address) = sk.get::<u64>(offset!(unix_addr)).ok() else { return UnixRecord::UNKNOWN };
    let Some(address) = Kptr::<Raw>::to(address) else { return 0 };
    let Some(len) = address.get::<u32>(offset!(unix_address_len)).ok() else {
        return UnixRecord::UNKNOWN;
    };
    /// `sun_family`, which `len` counts.
    const FAMILY_BYTES: u32 = 2;
    let len = len.wrapping_sub(FAMILY_BYTES);
    if len == 0 {
        return 0;
    }
    if len >= UNIX_NAME_BYTES as u32 {
        return UnixRecord::UNKNOWN;
    }
    let Some(path) =
        address.member(offset!(unix_address_path)).and_then(|sun| sun.member(FAMILY_BYTES as u16))
    else {
        return UnixRecord::UNKNOWN;
    };
    let len = below::<{ UNIX_NAME_BYTES as u32 }>(len);
    // SAFETY: `len` is below the size of `name`.
    if unsafe { copy(name.as_mut_ptr(), len, path) }.is_known() { len } else { UnixRecord::UNKNOWN }
}
