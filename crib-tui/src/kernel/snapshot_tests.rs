use std::collections::BTreeMap;
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

use crib_common::record::{FileRecord, Request};
use rustix::event::{EventfdFlags, epoll, eventfd};
use zerocopy::IntoBytes;

use super::super::left_out;
use super::super::link::Scope;
use super::super::{Reader, Wanted};
use super::*;
use crate::decode::file_runs;
use crate::model::File as Model;
use crate::model::assemble::{IdKey, TableFiles};

/// Files of the kinds that have several records: together more than the kernel's buffer for an
/// iterator holds.
fn held(directory: &std::path::Path) -> Vec<OwnedFd> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let watched: Vec<OwnedFd> =
        (0..4).map(|_| eventfd(0, EventfdFlags::CLOEXEC).unwrap()).collect();
    for file in &watched {
        epoll::add(&epoll, file, epoll::EventData::new_u64(7), epoll::EventFlags::IN).unwrap();
    }
    let mut held: Vec<OwnedFd> = vec![epoll];
    held.extend(watched);
    for number in 0..25 {
        let path = directory.join(format!("{number:0200}"));
        held.push(std::fs::File::create(path).unwrap().into());
        let (one, other) = UnixDatagram::pair().unwrap();
        one.send(b"queued").unwrap();
        held.extend([OwnedFd::from(one), OwnedFd::from(other)]);
        held.push(UnixDatagram::bind(directory.join(number.to_string())).unwrap().into());
        let (reader, writer) = std::io::pipe().unwrap();
        held.extend([OwnedFd::from(reader), OwnedFd::from(writer)]);
        held.push(UdpSocket::bind("127.0.0.1:0").unwrap().into());
        held.push(TcpListener::bind("127.0.0.1:0").unwrap().into());
    }
    held
}

/// All that the iterator writes, in pieces of so many bytes at most; and how many there were.
fn read_by(link: &IterLink, bytes: usize) -> (Vec<u8>, usize) {
    let (mut iterator, mut piece) = (link.iterate().unwrap(), vec![0; bytes]);
    let (mut records, mut pieces) = (Vec::new(), 0);
    loop {
        match iterator.read(&mut piece) {
            Ok(0) => return (records, pieces),
            Ok(read) => {
                records.extend_from_slice(&piece[..read]);
                pieces += 1;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => panic!("in pieces of {bytes}: {error}"),
        }
    }
}

/// What is told of these files, byte for byte. Other tests open and close others meanwhile, and
/// start processes, which hold all of them for a moment: how many do is left out.
fn told(records: &[u8], held: &[OwnedFd]) -> BTreeMap<u32, Vec<u8>> {
    let is_held = |fd: u32| held.iter().any(|file| file.as_raw_fd() as u32 == fd);
    let mut told = BTreeMap::new();
    for run in file_runs(records) {
        let run = run.unwrap();
        if run.record.tid == std::process::id() && is_held(run.record.fd) {
            let record = FileRecord { refs: 0, ..run.record };
            let bytes = [record.as_bytes(), run.path, run.parts].concat();
            assert_eq!(told.insert(run.record.fd, bytes), None, "fd {} twice", run.record.fd);
        }
    }
    told
}

/// The same as files.
fn files(records: &[u8], held: &[OwnedFd], key: &IdKey) -> Vec<Model> {
    let files = TableFiles::default().read(records, |_| None, key).unwrap().into_iter();
    let is_held = |file: &Model| held.iter().any(|own| file.fd == Some(own.as_raw_fd() as u32));
    files
        .map(|file| Model { refs: None, ..Model::clone(&file) })
        .filter(|file| is_held(file))
        .collect()
}

/// What does not fit a read(2) stays in the kernel's buffer for the next one.
#[test]
fn a_reading_in_tiny_pieces_is_the_same() {
    if left_out("a_reading_in_tiny_pieces_is_the_same") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let held = held(directory.path());
    let reader = Reader::open(Wanted::Files).unwrap();
    reader.object.request(Request::default()).unwrap();
    let scope = Scope::Process(std::process::id());
    let link = IterLink::create(reader.first.as_fd(), scope).unwrap();
    // Names of file operations are told when they are first met.
    run(&link, &mut Vec::new()).unwrap();

    let mut whole = Vec::new();
    run(&link, &mut whole).unwrap();
    let (expected, key) = (told(&whole, &held), IdKey::default());
    assert_eq!(expected.len(), held.len());
    assert!(expected.values().map(Vec::len).sum::<usize>() > 32 * 1024, "it fits one buffer");
    for bytes in [1, 3, 7, 8, 100, 4096, 32 * 1024 - 1, 32 * 1024, READ_BYTES] {
        let (records, pieces) = read_by(&link, bytes);
        assert!(pieces >= records.len() / bytes.min(32 * 1024), "{pieces} pieces of {bytes}");
        assert!(told(&records, &held) == expected, "other records in pieces of {bytes}");
        assert!(files(&records, &held, &key) == files(&whole, &held, &key), "by {bytes}");
    }
}
