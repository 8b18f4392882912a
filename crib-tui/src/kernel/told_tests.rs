use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::super::Reader;
use super::super::object::tests::left_out;
use super::*;

/// Where the file under a descriptor of our own is, as a reading says.
fn path_of(reader: &mut Reader, file: &File) -> (PathBuf, Option<bool>) {
    let fd = file.as_raw_fd() as u32;
    let reading = reader.files(std::process::id()).unwrap();
    let file = reading.files.into_iter().find(|file| file.fd == Some(fd)).unwrap();
    let path = file.path.map(|path| PathBuf::from(path.to_string())).unwrap();
    (path, file.deleted)
}

/// The bytes of the last reading; what was left out is missing there.
fn told_bytes(reader: &Reader) -> usize {
    reader.records.len()
}

/// Files whose times of change are old enough that their paths are left out.
fn settled(directory: &Path) -> Vec<File> {
    fs::create_dir(directory).unwrap();
    let files = (0..50).map(|number| File::create(directory.join(format!("file-{number:03}"))));
    let files = files.collect::<Result<Vec<_>, _>>().unwrap();
    let changed = files.last().unwrap().metadata().unwrap().ctime();
    while super::super::now() < changed + 2 {
        sleep(Duration::from_millis(50));
    }
    files
}

#[test]
fn what_was_told_is_left_out_and_stays_right() {
    if left_out("what_was_told_is_left_out_and_stays_right") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    let directory = root.join("directory");
    let files = settled(&directory);
    let mut reader = Reader::open().unwrap();

    let first = path_of(&mut reader, &files[7]);
    assert_eq!(first, (directory.join("file-007"), Some(false)));
    let all = told_bytes(&reader);
    assert_eq!(path_of(&mut reader, &files[7]), first);
    let steady = told_bytes(&reader);
    let left_out = 49 * directory.join("file-007").as_os_str().len();
    // ext4, XFS, Btrfs, F2FS, tmpfs: as `crib-ebpf/src/told.rs` has them.
    let noting = [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x0102_1994];
    let notes = noting.contains(&rustix::fs::statfs(&root).unwrap().f_type);
    assert_eq!(steady + left_out <= all, notes, "{steady} bytes of {all}");

    // Its own name.
    fs::rename(directory.join("file-007"), directory.join("renamed")).unwrap();
    assert_eq!(path_of(&mut reader, &files[7]).0, directory.join("renamed"));
    fs::remove_file(directory.join("renamed")).unwrap();
    assert_eq!(path_of(&mut reader, &files[7]), (directory.join("renamed"), Some(true)));
    // Another of its names.
    fs::hard_link(directory.join("file-008"), root.join("link")).unwrap();
    fs::rename(directory.join("file-008"), root.join("elsewhere")).unwrap();
    assert_eq!(path_of(&mut reader, &files[8]).0, root.join("elsewhere"));
    // That of its directory, and of one above.
    fs::rename(&directory, root.join("other")).unwrap();
    assert_eq!(path_of(&mut reader, &files[9]).0, root.join("other/file-009"));
    assert_eq!(path_of(&mut reader, &files[9]).0, root.join("other/file-009"));
    fs::create_dir(root.join("above")).unwrap();
    fs::rename(root.join("other"), root.join("above/other")).unwrap();
    for file in [&files[10], &files[49]] {
        let number = file.as_raw_fd() - files[0].as_raw_fd();
        let at = format!("above/other/file-{number:03}");
        assert_eq!(path_of(&mut reader, file).0, root.join(at));
    }
}

#[test]
fn another_file_under_the_descriptor_is_told() {
    if left_out("another_file_under_the_descriptor_is_told") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    let directory = root.join("directory");
    let mut files = settled(&directory);
    let mut reader = Reader::open().unwrap();
    path_of(&mut reader, &files[0]);
    // Closed and opened again at once, the same memory and descriptor are likely.
    for name in ["file-001", "file-002", "file-003"] {
        drop(files.remove(0));
        files.insert(0, File::open(directory.join(name)).unwrap());
        assert_eq!(path_of(&mut reader, &files[0]).0, directory.join(name));
    }
}

fn record(fd: u32, path: &[u8]) -> FileRecord {
    let mut record = FileRecord::read_from_bytes(&[0; size_of::<FileRecord>()]).unwrap();
    record.header = RecordHeader::of::<FileRecord>(kind::FILE, path.len() as u32);
    record.path_len = path.len() as i32;
    record.fd = fd;
    record.file = 0x1000 + u64::from(fd);
    record.parent = 0x2000;
    record.mount = 0x3000;
    record
}

fn bytes(fd: u32, path: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    push(&mut bytes, &record(fd, path), path);
    bytes
}

fn left_out_bytes(fd: u32) -> Vec<u8> {
    let mut record = record(fd, b"");
    record.bits = file_bits::TOLD;
    record.parent = 0;
    let mut bytes = Vec::new();
    push(&mut bytes, &record, b"");
    bytes
}

#[test]
fn paths_are_put_back() {
    let mut told = Told::default();
    told.begin(1);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    told.fill_in(&[bytes(3, b"/a/three"), bytes(4, b"/a/four")].concat(), &mut first).unwrap();
    told.fill_in(&[bytes(3, b"/a/three"), left_out_bytes(4)].concat(), &mut second).unwrap();
    let parsed = FileRecord::read_from_prefix(&second[bytes(3, b"/a/three").len()..]).unwrap();
    assert_eq!((parsed.0.path_len, parsed.0.bits), (7, 0));
    assert!(parsed.1.starts_with(b"/a/four"));
}

#[test]
fn what_is_not_known_or_moved_is_stale() {
    let mut told = Told::default();
    told.begin(1);
    assert_eq!(told.fill_in(&left_out_bytes(3), &mut Vec::new()), Err(Stale));
    told.fill_in(&bytes(3, b"/a/three"), &mut Vec::new()).unwrap();
    assert_eq!(told.fill_in(&bytes(4, b"/b/four"), &mut Vec::new()), Err(Stale));
    let before = told.begin(1).0;
    assert_ne!(told.begin(2).0, before, "another process has a session of its own");
    assert_eq!(told.fill_in(&left_out_bytes(3), &mut Vec::new()), Err(Stale));
}

#[test]
fn nonsense_is_passed_on() {
    let mut told = Told::default();
    for bytes in [&b""[..], b"\0", &[0; 24], &[0xff; 40]] {
        let mut whole = Vec::new();
        told.fill_in(bytes, &mut whole).unwrap();
        assert_eq!(whole, bytes);
    }
}
