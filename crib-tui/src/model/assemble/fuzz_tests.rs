use crib_common::dump::{
    self as wire, ChunkRecord, HeadersRecord, NameRecord, PacketEndRecord, PacketRecord,
    PathRecord, QueueEndRecord, QueueRecord, TcpRecord,
};
use crib_common::record::{FileRecord, PipeRecord, RecordHeader, SocketRecord, VERSION, kind};
use proptest::prelude::*;
use zerocopy::IntoBytes;

use super::*;
use crate::decode::Records;
use crate::model::{Dump, File};

/// One record of each kind, with arbitrary numbers where they matter.
fn any_record() -> impl Strategy<Value = Vec<u8>> {
    fn bytes<T: IntoBytes + zerocopy::Immutable>(
        kind: u16,
        mut body: Vec<u8>,
        tail: &[u8],
    ) -> Vec<u8> {
        body.resize(size_of::<T>(), 0);
        let header = RecordHeader { kind, version: VERSION, len: (body.len() + tail.len()) as u32 };
        body[..size_of::<RecordHeader>()].copy_from_slice(header.as_bytes());
        body.extend(tail);
        body.resize(body.len().next_multiple_of(8), 0);
        body
    }
    let body = prop::collection::vec(prop_oneof![Just(0), Just(1), Just(0xff), any::<u8>()], 160);
    (0_usize..16, body, prop::collection::vec(any::<u8>(), 0..40)).prop_map(
        |(which, mut body, tail)| {
            let first = u32::from(body[8]) % 12;
            body[8..12].copy_from_slice(&first.to_ne_bytes());
            match which {
                0 => {
                    body[128..132].fill(0);
                    let mut record = bytes::<FileRecord>(kind::FILE, body, b"");
                    let len = record.len();
                    record[len - 4..].fill(0);
                    record
                }
                1 => bytes::<SocketRecord>(kind::SOCKET, body, b""),
                2 => bytes::<PipeRecord>(kind::PIPE, body, b""),
                3 => {
                    body[8..12].copy_from_slice(&(tail.len() as u32).to_ne_bytes());
                    bytes::<PathRecord>(wire::kind::PATH, body, &tail)
                }
                4 => bytes::<TcpRecord>(wire::kind::TCP, body, b""),
                5 | 6 => bytes::<QueueRecord>(wire::kind::QUEUE, body, b""),
                7 | 8 => bytes::<PacketRecord>(wire::kind::PACKET, body, b""),
                9 => bytes::<NameRecord>(wire::kind::NAME, body, b""),
                10 => bytes::<HeadersRecord>(wire::kind::HEADERS, body, b""),
                11 => bytes::<FileRecord>(wire::kind::FLIGHT, body, b""),
                12 | 13 => {
                    body[12..16].copy_from_slice(&(tail.len() as u32).to_ne_bytes());
                    let captured = body[16] % 2 == 1;
                    let tail = if captured { &tail[..] } else { b"" };
                    bytes::<ChunkRecord>(wire::kind::CHUNK, body, tail)
                }
                14 => bytes::<PacketEndRecord>(wire::kind::PACKET_END, body, b""),
                _ => bytes::<QueueEndRecord>(wire::kind::QUEUE_END, body, b""),
            }
        },
    )
}

fn holds(file: &File) {
    let queues = file.socket.iter().filter_map(|socket| socket.queues.as_ref());
    let queues = queues.chain(file.pipe.iter().filter_map(|pipe| pipe.queues.as_ref()));
    for packet in queues.flatten().flat_map(|queue| &queue.packets) {
        assert_eq!(packet.payload.len() as u32, packet.captured + packet.unreadable);
        let gaps: usize = packet.gaps.iter().map(ExactSizeIterator::len).sum();
        assert_eq!(gaps as u32, packet.unreadable);
        assert!(packet.len.is_none_or(|len| packet.payload.len() as u32 <= len));
        packet.files.iter().for_each(holds);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn records_in_any_order_never_panic(records in prop::collection::vec(any_record(), 0..40)) {
        let bytes = records.concat();
        let key = IdKey::default();
        if let Ok(dumped) = dump(Records::new(&bytes), |_| None, &key, &Dump::everything(1)) {
            dumped.files.iter().for_each(holds);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let _ = dump(Records::new(&bytes), |_| None, &IdKey::default(), &Dump::everything(1));
    }
}
