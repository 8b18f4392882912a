use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::super::left_out;
use super::super::{Reader, Wanted};
use super::*;
use crate::decode::file_runs;
use zerocopy::FromZeros;

/// Where the file under a descriptor of our own is, as a reading says.
fn path_of(reader: &mut Reader, file: &File) -> (PathBuf, Option<bool>) {
    let fd = file.as_raw_fd() as u32;
    let reading = reader.files(std::process::id()).unwrap();
    let file = reading.files.into_iter().find(|file| file.fd == Some(fd)).unwrap();
    let path = file.path.as_ref().map(|path| PathBuf::from(path.to_string())).unwrap();
    (path, file.deleted)
}

/// The bytes of these files' paths in the last reading; what was left out is missing there. Other
/// tests open and close files of this process meanwhile.
fn told_bytes(reader: &Reader, files: &[File]) -> usize {
    let fds: Vec<u32> = files.iter().map(|file| file.as_raw_fd() as u32).collect();
    let runs = file_runs(&reader.records).map(Result::unwrap);
    runs.filter(|run| fds.contains(&run.record.fd)).map(|run| run.path.len()).sum()
}

/// Files whose times of change are old enough that their paths are left out.
fn settled(directory: &Path) -> Vec<File> {
    fs::create_dir(directory).unwrap();
    let files = (0..50).map(|number| File::create(directory.join(format!("file-{number:03}"))));
    let files = files.collect::<Result<Vec<_>, _>>().unwrap();
    let changed = files.last().unwrap().metadata().unwrap().ctime();
    while super::super::table::now() < changed + 2 {
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
    let mut reader = Reader::open(Wanted::Files).unwrap();

    let first = path_of(&mut reader, &files[7]);
    assert_eq!(first, (directory.join("file-007"), Some(false)));
    assert_eq!(path_of(&mut reader, &files[7]), first);
    let all = told_bytes(&reader, &files);
    assert_eq!(path_of(&mut reader, &files[7]), first);
    let steady = told_bytes(&reader, &files);
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
    for number in [10, 49] {
        let at = root.join(format!("above/other/file-{number:03}"));
        assert_eq!(path_of(&mut reader, &files[number]).0, at);
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
    let mut reader = Reader::open(Wanted::Files).unwrap();
    for _ in 0..2 {
        path_of(&mut reader, &files[0]);
    }
    // Closed and opened again at once, the same memory and descriptor are likely.
    for name in ["file-001", "file-002", "file-003"] {
        drop(files.remove(0));
        files.insert(0, File::open(directory.join(name)).unwrap());
        assert_eq!(path_of(&mut reader, &files[0]).0, directory.join(name));
    }
}

fn told(parent: u64, path: &[u8]) -> FileRun<'_> {
    let record = FileRecord { parent, ..FileRecord::new_zeroed() };
    FileRun { record, path, parts: b"" }
}

#[test]
fn a_directory_that_is_called_something_else_was_moved() {
    let mut session = Told::default();
    assert_eq!(session.begin(1), (0, 0), "the first reading notes nothing");
    let first = session.begin(1);
    for file in [told(0x20, b"/a/three"), told(0x30, b"/b/four"), told(0, b"/c/five")] {
        assert_eq!(session.check(&file), Ok(()));
    }
    assert_eq!(session.begin(1), (first.0, first.1 + 1));
    assert_eq!(session.check(&told(0x20, b"/a/six (deleted)")), Ok(()));
    assert_eq!(session.check(&told(0, b"/elsewhere/seven")), Ok(()));
    assert_eq!(session.check(&told(0x30, b"/moved/four")), Err(Moved));
    session.forget();
    assert_eq!(session.begin(1), (0, 0));
    assert_ne!(session.begin(1).0, first.0);
    assert_eq!(session.check(&told(0x30, b"/moved/four")), Ok(()));
}

#[test]
fn another_process_has_a_session_of_its_own() {
    let mut session = Told::default();
    let first = [session.begin(1), session.begin(1)][1].0;
    assert_eq!(session.check(&told(0x20, b"/a/three")), Ok(()));
    assert_eq!(session.begin(2), (0, 0));
    assert_ne!(session.begin(2).0, first);
    assert_eq!(session.check(&told(0x20, b"/b/three")), Ok(()));
}
