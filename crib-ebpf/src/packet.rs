//! One packet (`struct sk_buff`), buffer of a pipe, or connection that waits: what the dump says
//! of it, and by what it is known again.

use core::marker::PhantomData;

use crib_common::dump::{HeadersRecord, NameRecord, PacketRecord, kind, packet_known};
use crib_common::limits::{FLIGHT_FILES, HEADER_BYTES};
use crib_common::record::{RecordHeader, UnixRecord};

use crate::chunks::Chunks;
use crate::emit;
use crate::packets::keeps_place;
use crate::queues::{Queue, is};
use crate::read::{Image, Kptr, Members, Raw, Value, below, copy, copy_16, offset, within};
use crate::repeat::{Step, repeat};
use crate::socket::{self, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX};

/// Room for a copy of a `struct sk_buff`, which takes 216 to 240 bytes. Of one that is larger, what
/// lies behind these is unknown.
pub type Skb = Image<256>;

/// A packet, for as long as one step of a walk.
pub struct Packet<'a> {
    /// The `sk_buff`, `request_sock` or `pipe_buffer`.
    pub pointer: Kptr<Raw>,
    /// Its place in the queue.
    pub index: u32,
    step: PhantomData<&'a ()>,
}

impl<'a> Packet<'a> {
    /// The packet at this address, in this place of the queue that is kept in the map.
    #[inline(always)]
    pub fn at(address: u64, index: u32) -> Option<Self> {
        Some(Self { pointer: Kptr::<Raw>::to(address)?, index, step: PhantomData })
    }

    /// What there is to say of it.
    #[inline(always)]
    pub fn details(&self) -> Option<Details<'_>> {
        Details::of(self.pointer.address(), self.index)
    }

    /// The files in flight in it.
    #[inline(always)]
    pub fn files(&self) -> FlightFiles<'_> {
        FlightFiles { carrier: self.pointer.address(), first: 0, packet: PhantomData }
    }
}

/// A packet and the queue that it is in.
pub struct Details<'a> {
    /// The queue it is in.
    pub queue: Queue<'a>,
    /// The `sk_buff`, `request_sock` or `pipe_buffer`.
    pub pointer: Kptr<Raw>,
    /// Its place in the queue.
    pub index: u32,
    packet: PhantomData<&'a ()>,
}

/// What a packet is known by: it changes when the packet is taken out, or its memory is used
/// for another one.
///
/// The very same values can come back only with a packet of the same length in the same memory;
/// that its bytes are those of one packet is shown by reading them twice.
#[repr(C)]
pub struct Identity {
    address: u64,
    before: u64,
    head: u64,
    data: u64,
    len: u32,
    data_len: u32,
    seq: u32,
    end_seq: u32,
    /// A pipe's buffer was taken, or nothing is in it yet: what it says may be another one's.
    gone: u32,
    reserved: u32,
}

impl Identity {
    /// The packet's address.
    #[inline(always)]
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Whether it was there when it was noted: a pipe's buffer is used again when its reader
    /// has taken it.
    #[inline(always)]
    pub fn is_there(&self) -> bool {
        self.gone == 0
    }

    /// The TCP sequence number that it begins with, 0 for others.
    #[inline(always)]
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// The TCP sequence number behind it, 0 for others.
    #[inline(always)]
    pub fn end_seq(&self) -> u32 {
        self.end_seq
    }
}

impl<'a> Details<'a> {
    /// Those of the packet at this address, in this place of the queue that is kept in the map.
    #[inline(always)]
    pub fn of(address: u64, index: u32) -> Option<Self> {
        let (queue, pointer) = (emit::kept_queue()?, Kptr::to(address)?);
        Some(Self { queue, pointer, index, packet: PhantomData })
    }
}

impl Details<'_> {
    /// Whether this is true of it: one of [`is`].
    #[inline(always)]
    pub fn is(&self, bit: u32) -> bool {
        self.queue.is(bit)
    }

    /// Copies its `struct sk_buff`, if it is one, for what is read of it from there.
    #[inline(always)]
    pub fn copy_into(&self, skb: &mut Skb) {
        if self.is(is::SKB) {
            skb.take(self.pointer, offset!(skb_size));
        }
    }

    /// The TCP sequence number that it begins with.
    #[inline(always)]
    pub fn seq(&self, skb: &impl Members) -> Value<u32> {
        if self.is(is::NUMBERED) { skb.read(cb(offset!(tcp_cb_seq))) } else { Value::unknown() }
    }

    /// Notes what it is known by now.
    #[inline(always)]
    pub fn identify(&self, skb: &Skb, identity: &mut Identity) {
        let at = self.pointer;
        identity.address = at.address();
        identity.before = 0;
        identity.head = 0;
        identity.data = 0;
        identity.len = 0;
        identity.data_len = 0;
        identity.seq = 0;
        identity.end_seq = 0;
        identity.gone = 0;
        if self.is(is::BUFFER) {
            identity.head = at.get(offset!(pipe_buffer_page)).or_zero();
            identity.data_len = at.get(offset!(pipe_buffer_offset)).or_zero();
            identity.len = at.get(offset!(pipe_buffer_len)).or_zero();
            // Last, so that it holds for what was read before. A writer takes a buffer first and
            // fills it then, a reader empties it first and gives it back then.
            let there = identity.len != 0 && keeps_place(&self.queue, at.address(), self.index);
            identity.gone = u32::from(!there);
        } else if self.is(is::REQUEST) {
            identity.head = at.get(offset!(request_sk)).or_zero();
        } else {
            identity.gone = u32::from(!skb.is_known());
            identity.head = skb.read(offset!(skb_head)).or_zero();
            identity.data = skb.read(offset!(skb_data)).or_zero();
            identity.len = skb.read(offset!(skb_len)).or_zero();
            identity.data_len = skb.read(offset!(skb_data_len)).or_zero();
            if self.is(is::LISTED) {
                identity.before = skb.read(offset!(skb_prev)).or_zero();
            }
            if self.is(is::NUMBERED) {
                identity.seq = self.seq(skb).or_zero();
                identity.end_seq = skb.read(cb(offset!(tcp_cb_end_seq))).or_zero();
            }
        }
    }

    /// Whether what it is known by `now` is what it was `known` by: then it is the packet that
    /// it was, and still in its queue. Packets before it may have been taken out: it is the
    /// first then.
    #[inline(always)]
    pub fn is_same(&self, known: &Identity, now: &Identity) -> bool {
        let is_first = now.before == self.queue.head.address();
        // A writer appends to a pipe's last buffer.
        let has_grown = self.is(is::BUFFER) && now.len > known.len;
        (now.before == known.before || is_first)
            && (now.len == known.len || has_grown)
            && now.address == known.address
            && now.head == known.head
            && now.data == known.data
            && now.data_len == known.data_len
            && now.seq == known.seq
            && now.end_seq == known.end_seq
            && known.is_there()
            && now.is_there()
    }

    /// Bytes that its reader has taken already: unix streams note them in the packet, TCP in
    /// the socket.
    #[inline(always)]
    fn consumed(&self, skb: &impl Members, len: u32) -> u32 {
        let consumed = if self.is(is::TAKEN_UNIX) {
            skb.read(cb(offset!(unix_cb_consumed))).or_zero()
        } else if self.is(is::TAKEN_TCP) {
            let copied: Value<u32> = self.queue.owner.get(offset!(tcp_copied_seq));
            let first = skb.read(cb(offset!(tcp_cb_seq)));
            // Negative, and so huge, for all but the packet that is being read.
            copied.with(first, u32::wrapping_sub).or_zero()
        } else if self.is(is::TAKEN_MPTCP) {
            skb.read(cb(offset!(mptcp_cb_offset))).or_zero()
        } else {
            0
        };
        if consumed <= len { consumed } else { 0 }
    }

    /// Bytes that a reader would get of it.
    #[inline(always)]
    pub fn len(&self, skb: &Skb) -> Value<u32> {
        if self.is(is::BUFFER) {
            return self.pointer.get(offset!(pipe_buffer_len));
        }
        // A connection that waits is no payload.
        if self.is(is::CONNECTION) {
            return Value::of(0);
        }
        let len = skb.read::<u32>(offset!(skb_len));
        len.map(|len| len - self.consumed(skb, len))
    }

    /// Memory that is charged for it.
    #[inline(always)]
    pub fn truesize(&self, skb: &Skb) -> Value<u32> {
        if self.is(is::SKB) { skb.read(offset!(skb_truesize)) } else { Value::unknown() }
    }

    /// Fills in its record.
    #[inline(always)]
    pub fn fill(&self, skb: &Skb, record: &mut PacketRecord) {
        let at = self.pointer;
        let mut known = 0;
        record.header = RecordHeader::of::<PacketRecord>(kind::PACKET, 0);
        record.address = at.address();
        record.index = self.index;
        record.time = 0;
        record.page = 0;
        record.consumed = 0;
        record.linear = 0;
        record.paged = 0;
        record.frags = 0;
        record.seq = 0;
        record.end_seq = 0;
        record.tcp_flags = 0;
        record.files = 0;
        record.protocol = 0;
        record.from_family = 0;
        record.from_port = 0;
        record.packet_type = 0;
        record.from = [0; 16];
        record.len = 0;
        record.truesize = self.truesize(skb).note(&mut known, packet_known::TRUESIZE);
        if self.is(is::BUFFER) {
            record.page = at.get(offset!(pipe_buffer_page)).or_zero();
            record.len = self.len(skb).note(&mut known, packet_known::LEN);
        } else if self.is(is::REQUEST) {
            record.len = self.len(skb).note(&mut known, packet_known::LEN);
            self.fill_request(record, &mut known);
        } else {
            self.fill_skb(skb, record, &mut known);
        }
        record.known = known;
    }

    #[inline(always)]
    fn fill_skb(&self, skb: &Skb, record: &mut PacketRecord, known: &mut u32) {
        let len: Value<u32> = skb.read(offset!(skb_len));
        let of_len = len.map(|len| self.taken_and_left(skb, len));
        (record.consumed, record.len) = of_len.note(known, packet_known::LEN);
        let paged: Value<u32> = skb.read(offset!(skb_data_len));
        record.paged = paged.or_zero();
        record.linear = len.with(paged, u32::wrapping_sub).note(known, packet_known::PARTS);
        if let Some(shared) = shared_info(skb) {
            record.frags = u32::from(shared.get::<u8>(offset!(shared_nr_frags)).or_zero());
        }
        // Of what is sent it is another clock's, or a plan for when to send.
        if self.is(is::STAMPED) {
            let time: i64 = skb.read(offset!(skb_tstamp)).or_zero();
            record.time = Value::when(time > 0, time).note(known, packet_known::TIME);
        }
        if self.is(is::NUMBERED) {
            let end = skb.read(cb(offset!(tcp_cb_end_seq)));
            record.seq = skb
                .read(cb(offset!(tcp_cb_seq)))
                .with(end, |seq: u32, _: u32| seq)
                .note(known, packet_known::SEQ);
            record.end_seq = end.or_zero();
            // A byte until Linux 6.15, then two, of which the low one is the same.
            let flags: Value<u8> = skb.read(cb(offset!(tcp_cb_flags)));
            record.tcp_flags = u32::from(flags.note(known, packet_known::TCP_FLAGS));
        }
    }

    /// Fills in what the family of a socket says of who sent a packet to it.
    #[inline(always)]
    pub fn fill_sender(&self, skb: &Skb, record: &mut PacketRecord) {
        let mut known = record.known;
        self.sender(skb, record, &mut known);
        record.known = known;
    }

    #[inline(always)]
    fn sender(&self, skb: &Skb, record: &mut PacketRecord, known: &mut u32) {
        let family: u16 = self.queue.owner.get(offset!(sock_family)).or_zero();
        let received = self.is(is::RECEIVED);
        match family {
            AF_UNIX if received || self.is(is::CONNECTION) => {
                record.from_family = AF_UNIX;
                *known |= packet_known::FROM;
                if received && let Some(files) = flight(skb) {
                    record.files = u32::from(files.get::<u16>(offset!(flight_count)).or_zero());
                }
                *known |= packet_known::FILES;
            }
            AF_NETLINK if received => {
                record.from_family = AF_NETLINK;
                let portid = skb.read(cb(offset!(netlink_cb_portid)));
                socket::put(&mut record.from, 0, portid.note(known, packet_known::FROM));
                let group = skb.read(cb(offset!(netlink_cb_group)));
                socket::put(&mut record.from, 4, group.or_zero());
            }
            AF_PACKET if received => fill_link_layer(skb, record, known),
            AF_INET | AF_INET6 if received => {
                let protocol = skb.read::<u16>(offset!(skb_protocol)).map(u16::from_be);
                record.protocol = protocol.note(known, packet_known::PROTOCOL);
            }
            _ => {}
        }
    }

    /// A connection that waits: its other end.
    #[inline(always)]
    fn fill_request(&self, record: &mut PacketRecord, known: &mut u32) {
        let Some(sk) = self.pointer.follow(offset!(request_sk)) else { return };
        let family: u16 = sk.get(offset!(sock_family)).or_zero();
        record.from_family = family;
        let port = sk.get::<u16>(offset!(sock_dport)).map(u16::from_be);
        record.from_port = port.or_zero();
        if family == AF_INET {
            let address = sk.get::<u32>(offset!(sock_daddr));
            socket::put(&mut record.from, 0, address.note(known, packet_known::FROM));
        } else {
            copy_16(&mut record.from, sk, offset!(sock_v6_daddr)).note(known, packet_known::FROM);
        }
    }

    /// The name of the unix socket that sent it; of one that waits to be accepted, its client's.
    #[inline(always)]
    pub fn fill_name(&self, skb: &Skb, record: &mut NameRecord) {
        record.header = RecordHeader::of::<NameRecord>(kind::NAME, 0);
        record.reserved = 0;
        record.len = UnixRecord::UNKNOWN;
        let Some(sk) = skb.read::<u64>(offset!(skb_sk)).ok() else { return };
        let Some(sender) = Kptr::<Raw>::to(sk) else { return };
        let sender = if self.is(is::CONNECTION) {
            // The packet is charged to the new socket, whose peer is the client.
            sender.follow(offset!(unix_peer))
        } else {
            Some(sender)
        };
        if let Some(sender) = sender {
            record.len = socket::unix_name(&mut record.name, sender);
        }
    }

    /// The headers that the layers below have left in front of the payload; false where there
    /// are none.
    #[inline(always)]
    pub fn fill_headers(&self, skb: &Skb, record: &mut HeadersRecord) -> bool {
        record.header = RecordHeader::of::<HeadersRecord>(kind::HEADERS, 0);
        record.len = 0;
        let head: u64 = skb.read(offset!(skb_head)).or_zero();
        let data: u64 = skb.read(offset!(skb_data)).or_zero();
        let Some(network) = skb.read::<u16>(offset!(skb_network_header)).ok() else { return false };
        let transport: u16 = skb.read(offset!(skb_transport_header)).or_zero();
        let start = head.wrapping_add(u64::from(network));
        let len = data.wrapping_sub(start);
        let Some(start) = Kptr::<Raw>::to(start) else { return false };
        if head == 0 || transport < network || len == 0 || len >= HEADER_BYTES as u64 {
            return false;
        }
        record.transport = u32::from(transport - network);
        record.len = len as u32;
        let len = below::<{ HEADER_BYTES as u32 }>(len as u32);
        // SAFETY: `len` is below the size of `bytes`.
        unsafe { copy(record.bytes.as_mut_ptr(), len, start) }
    }

    /// Whether headers may stand in front of it: it came through the network's layers.
    #[inline(always)]
    pub fn has_headers(&self) -> bool {
        let family: u16 = self.queue.owner.get(offset!(sock_family)).or_zero();
        matches!(family, AF_INET | AF_INET6) && self.is(is::HEADED)
    }

    /// The file in flight in this place.
    #[inline(always)]
    fn file(&self, place: u32) -> Option<Kptr<Raw>> {
        if !self.is(is::CARRIER) {
            return None;
        }
        let list = flight(&self.pointer)?;
        if place >= u32::from(list.get::<u16>(offset!(flight_count)).or_zero()) {
            return None;
        }
        let files = list.member(offset!(flight_files))?;
        let slot = Kptr::<Raw>::to(files.address().wrapping_add(u64::from(place) * 8))?;
        Kptr::to(slot.get(0).or_zero())
    }

    /// Of a packet of this length, how much its reader has taken and how much is left: looked at
    /// once, so that the two go together.
    #[inline(always)]
    fn taken_and_left(&self, skb: &impl Members, len: u32) -> (u32, u32) {
        // A connection that waits is no payload.
        if self.is(is::CONNECTION) {
            return (0, 0);
        }
        let taken = self.consumed(skb, len);
        (taken, len - taken)
    }

    /// Its payload as it is now, `most` bytes at most.
    #[inline(always)]
    pub fn payload(&self, most: u32) -> Chunks<'_> {
        let len = self.pointer.get(offset!(skb_len)).or_zero();
        let (taken, left) = self.taken_and_left(&self.pointer, len);
        Chunks::of(self, taken, left.min(most))
    }

    /// Bytes of its payload: `len` behind those that its record says were taken. Those that its
    /// reader takes from now on stay where they are until it has taken the last.
    #[inline(always)]
    pub fn chunks(&self, record: &PacketRecord, len: u32) -> Chunks<'_> {
        Chunks::of(self, record.consumed, record.len.min(len))
    }
}

/// The offset of a member of the socket layer's scratch space in a packet (`skb->cb`).
#[inline(always)]
fn cb(member: u16) -> u16 {
    within(offset!(skb_cb), member)
}

/// The files in flight in a unix socket's packet (`struct scm_fp_list`).
#[inline(always)]
fn flight(skb: &impl Members) -> Option<Kptr<Raw>> {
    Kptr::to(skb.read(cb(offset!(unix_cb_files))).or_zero())
}

/// `struct sockaddr_ll`, which `packet_rcv` leaves in the packet (packet(7)).
#[inline(always)]
fn fill_link_layer(skb: &Skb, record: &mut PacketRecord, known: &mut u32) {
    let member = |offset| cb(within(offset!(packet_cb_sockaddr), offset));
    record.from_family = AF_PACKET;
    let protocol = skb.read::<u16>(member(2)).map(u16::from_be);
    record.protocol = protocol.note(known, packet_known::PROTOCOL);
    let ifindex = skb.read::<u32>(member(4));
    socket::put(&mut record.from, 0, ifindex.note(known, packet_known::FROM));
    record.from_port = skb.read(member(8)).or_zero();
    record.packet_type = u16::from(skb.read::<u8>(member(10)).or_zero());
}

/// The shared part of a packet (`skb_shinfo`): where its fragments are.
#[inline(always)]
pub fn shared_info(skb: &impl Members) -> Option<Kptr<Raw>> {
    let head: u64 = skb.read(offset!(skb_head)).or_zero();
    // An offset from the head, as all 64-bit kernels have it (NET_SKBUFF_DATA_USES_OFFSET).
    let end: u32 = skb.read::<u32>(offset!(skb_end)).ok()?;
    if head == 0 {
        return None;
    }
    Kptr::to(head.wrapping_add(u64::from(end)))
}

/// The files in flight in a packet, for as long as the packet is looked at.
pub struct FlightFiles<'a> {
    carrier: u64,
    first: u32,
    packet: PhantomData<&'a ()>,
}

impl FlightFiles<'_> {
    /// Those from this place on.
    #[inline(always)]
    pub fn resume(self, first: u32) -> Self {
        Self { first, ..self }
    }

    /// The one in this place.
    #[inline(always)]
    pub fn get(&self, place: u32) -> Option<Kptr<Raw>> {
        let progress = &emit::dump()?.progress;
        crib_flight_at(self.carrier, place);
        Kptr::to(progress.flight_file)
    }

    /// Calls `step` with the place of each and the file itself.
    #[inline(always)]
    pub fn for_each(self, mut step: impl FnMut(u32, Kptr<Raw>) -> Step) {
        let first = self.first;
        repeat(FLIGHT_FILES, |index| {
            let place = first.wrapping_add(index);
            match self.get(place) {
                Some(file) => step(place, file),
                None => Step::Break,
            }
        });
    }
}

/// Notes the file in flight in this place of a packet; nothing where there is none. A global
/// function: see [`crate::level`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_flight_at(carrier: u64, place: u32) -> u32 {
    let Some(dump) = emit::dump() else { return 0 };
    let file = Packet::at(carrier, 0)
        .and_then(|packet| packet.details().and_then(|details| details.file(place)));
    dump.progress.flight_file = file.map_or(0, Kptr::address);
    0
}
