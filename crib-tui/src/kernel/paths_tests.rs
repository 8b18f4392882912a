use std::fs::{self, File};
use std::os::fd::AsRawFd;

use std::rc::Rc;

use super::super::left_out;
use super::super::object::Object;
use super::super::{FilesProgram, Reader, Wanted};
use super::*;
use crib_common::limits::RING_BYTES;

/// A reader as on kernels that have only the plain programs.
fn plain() -> Reader {
    let mut object = Object::open_with_ring(RING_BYTES).unwrap();
    let program = object.iterator("files_plain", super::super::programs::TASK_FILE).unwrap();
    let files = FilesProgram { program: Rc::clone(&program), plain: true };
    Reader::with(object, Wanted::Files, program, Some(files), RING_BYTES).unwrap()
}

#[test]
fn the_plain_program_has_the_same_files_with_the_same_paths() {
    if left_out("the_plain_program_has_the_same_files_with_the_same_paths") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let kept = File::create(directory.path().join("kept")).unwrap();
    let gone = File::create(directory.path().join("gone")).unwrap();
    fs::remove_file(directory.path().join("gone")).unwrap();
    let (_read, _write) = std::io::pipe().unwrap();
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();

    let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let of_child = plain().files(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(of_child.unwrap().files.iter().all(|file| file.path.is_some()), "another process");

    let mut full = Reader::open(Wanted::Files).unwrap();
    let mut reader = plain();
    for fd in [kept.as_raw_fd(), gone.as_raw_fd(), socket.as_raw_fd()] {
        let read = |reader: &mut Reader| {
            let reading = reader.files(std::process::id()).unwrap();
            reading.files.into_iter().find(|file| file.fd == Some(fd as u32)).unwrap()
        };
        let (expected, found) = (read(&mut full), read(&mut reader));
        assert!(expected.path.is_some());
        assert_eq!(found.path, expected.path);
        assert_eq!(found.deleted, expected.deleted);
        assert_eq!(found.kind, expected.kind);
        let local = |file: &crate::model::File| file.socket.as_ref().map(|it| it.local.clone());
        assert_eq!(local(&found), local(&expected));
    }
}

#[test]
fn a_link_goes_only_with_the_file_that_is_there_before_and_after() {
    use zerocopy::FromZeros;
    let mut before = FileRecord::new_zeroed();
    before.header =
        crib_common::record::RecordHeader::of::<FileRecord>(crib_common::record::kind::FILE, 0);
    (before.tid, before.fd, before.file, before.ino) = (7, 3, 0x1000, 12);
    let path = |later: &[u8]| {
        let mut links = Links(HashMap::from([(Place::of(&before), b"/a (deleted)".to_vec())]));
        links.keep_those_of(later);
        let records = links.put_into(before.as_bytes()).unwrap();
        let paths = decode::file_runs(&records).map(|run| run.unwrap().path.to_vec());
        paths.collect::<Vec<_>>()
    };
    assert_eq!(path(before.as_bytes()), [b"/a (deleted)".to_vec()]);
    assert_eq!(path(&[]), [Vec::<u8>::new()]);
    for other in [
        FileRecord { file: 0x2000, ..before },
        FileRecord { ino: 13, ..before },
        FileRecord { fd: 4, ..before },
        FileRecord { tid: 8, ..before },
    ] {
        assert_eq!(path(other.as_bytes()), [Vec::<u8>::new()]);
    }
    let links = Links(HashMap::new());
    assert!(links.put_into(&before.as_bytes()[..40]).is_err());
}

#[test]
fn operations_have_names_in_every_reading_of_the_plain_program() {
    if left_out("operations_have_names_in_every_reading_of_the_plain_program") {
        return;
    }
    let mut reader = plain();
    for _ in 0..2 {
        let reading = reader.files(std::process::id()).unwrap();
        assert!(reading.files.iter().all(|file| file.ops.is_some()), "{:?}", reading.files);
    }
}
