//! What the dump says of a packet: its record, the name of who sent it, and its headers.

use crib_common::dump::{HeadersRecord, NameRecord, PacketRecord, kind, packet_known};
use crib_common::limits::HEADER_BYTES;
use crib_common::record::{RecordHeader, UnixRecord};

use crate::flight;
use crate::packet::{Details, Skb, cb, shared_info};
use crate::queues::is;
use crate::read::{Kptr, Members, Raw, Value, below, copy, copy_16, offset, within};
use crate::socket::{self, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX};

impl Details<'_> {
    /// Fills in its record.
    #[inline(always)]
    pub fn fill(&self, skb: &Skb, behind: Value<u32>, record: &mut PacketRecord) {
        let at = self.pointer;
        let mut known = 0;
        record.header = RecordHeader::of::<PacketRecord>(kind::PACKET, 0);
        record.address = at.address();
        record.index = self.index;
        record.time = 0;
        record.page = 0;
        record.consumed = 0;
        record.wrapping = 0;
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
            record.len = self.len(skb, behind).note(&mut known, packet_known::LEN);
        } else if self.is(is::REQUEST) {
            record.len = self.len(skb, behind).note(&mut known, packet_known::LEN);
            self.fill_request(record, &mut known);
        } else {
            self.fill_skb(skb, behind, record, &mut known);
        }
        record.known = known;
    }

    #[inline(always)]
    fn fill_skb(&self, skb: &Skb, behind: Value<u32>, record: &mut PacketRecord, known: &mut u32) {
        let len: Value<u32> = skb.read(offset!(skb_len));
        record.wrapping = self.wrapping(skb).or_zero();
        let of_len = self.bytes(skb).map(|len| self.taken_and_left(skb, len, behind));
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
                if received && let Some(files) = flight::list(skb) {
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
        let len = data.wrapping_sub(start).wrapping_add(self.wrapping(skb).or_zero().into());
        let Some(start) = Kptr::<Raw>::to(start) else { return false };
        if head == 0 || transport < network || len == 0 || len >= HEADER_BYTES as u64 {
            return false;
        }
        record.transport = u32::from(transport - network);
        record.len = len as u32;
        let len = below::<{ HEADER_BYTES as u32 }>(len as u32);
        // SAFETY: `len` is below the size of `bytes`.
        unsafe { copy(record.bytes.as_mut_ptr(), len, start) }.is_known()
    }

    /// Whether headers may stand in front of it: it came through the network's layers.
    #[inline(always)]
    pub fn has_headers(&self) -> bool {
        let family: u16 = self.queue.owner.get(offset!(sock_family)).or_zero();
        matches!(family, AF_INET | AF_INET6) && self.is(is::HEADED)
    }
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
