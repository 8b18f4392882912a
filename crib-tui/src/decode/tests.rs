use super::*;
use proptest::prelude::*;
use zerocopy::{FromZeros, IntoBytes};

fn file(fd: u32, path: &[u8]) -> Vec<u8> {
    let mut record = FileRecord::new_zeroed();
    record.header = RecordHeader::of::<FileRecord>(kind::FILE, path.len() as u32);
    record.fd = fd;
    record.path_len = path.len() as i32;
    let mut bytes = record.as_bytes().to_vec();
    bytes.extend(path);
    bytes.resize(bytes.len().next_multiple_of(ALIGN), 0xee);
    bytes
}

fn pipe() -> Vec<u8> {
    let mut record = PipeRecord::new_zeroed();
    record.header = RecordHeader::of::<PipeRecord>(kind::PIPE, 0);
    record.as_bytes().to_vec()
}

#[test]
fn records_follow_one_another_whatever_their_padding() {
    let bytes = [file(3, b"/tmp/x"), pipe(), file(4, b""), file(5, b"12345678")].concat();
    let records: Vec<_> = Records::new(&bytes).collect::<Result<_, _>>().unwrap();
    assert_eq!(records.len(), 4);
    assert!(matches!(&records[0], Record::File(file, b"/tmp/x") if file.fd == 3));
    assert!(matches!(&records[1], Record::Pipe(_)));
    assert!(matches!(&records[3], Record::File(file, b"12345678") if file.fd == 5));
}

#[test]
fn a_cut_record_is_an_error_and_the_end() {
    let bytes = file(3, b"/tmp/x");
    for len in 1..size_of::<FileRecord>() + 6 {
        let mut records = Records::new(&bytes[..len]);
        assert_eq!(records.next(), Some(Err(DecodeError::Cut(len))));
        assert_eq!(records.next(), None);
    }
}

#[test]
fn a_record_of_another_layout_is_an_error() {
    let mut bytes = pipe();
    bytes[2] = 99;
    let unknown = DecodeError::Unknown { kind: kind::PIPE, version: 99 };
    assert_eq!(Records::new(&bytes).next(), Some(Err(unknown)));
    let mut bytes = pipe();
    bytes[4] -= 1;
    assert!(matches!(Records::new(&bytes).next(), Some(Err(DecodeError::Length { .. }))));
}

/// Bytes that look like records: a plausible header before arbitrary bytes.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let record = (0_u16..8, 0_u16..3, 0_u32..400, prop::collection::vec(any::<u8>(), 0..400));
    prop::collection::vec(record, 0..6).prop_map(|records| {
        let mut bytes = Vec::new();
        for (kind, version, len, body) in records {
            bytes.extend_from_slice(RecordHeader { kind, version, len }.as_bytes());
            bytes.extend(body);
        }
        bytes
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_always_end(bytes: Vec<u8>) {
        prop_assert!(Records::new(&bytes).count() <= bytes.len());
    }

    #[test]
    fn plausible_bytes_never_panic_and_always_end(bytes in plausible()) {
        prop_assert!(Records::new(&bytes).count() <= bytes.len());
    }

    #[test]
    fn what_was_written_is_decoded(
        files in prop::collection::vec((any::<u32>(), prop::collection::vec(any::<u8>(), 0..300)), 0..20)
    ) {
        let bytes: Vec<u8> = files.iter().flat_map(|(fd, path)| file(*fd, path)).collect();
        let decoded: Vec<_> = Records::new(&bytes)
            .map(|record| match record {
                Ok(Record::File(file, path)) => (file.fd, path.to_vec()),
                other => panic!("{other:?}"),
            })
            .collect();
        prop_assert_eq!(decoded, files);
    }
}
