//! What the BPF programs read of this very process.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use crib_tui::kernel::{Reader, Wanted};
use crib_tui::model::File;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn own_file(fd: i32) -> File {
    let reading = Reader::open(Wanted::Files).unwrap().files(std::process::id()).unwrap();
    let file = reading.files.into_iter().find(|file| file.fd == Some(fd as u32));
    file.map(Arc::unwrap_or_clone).unwrap()
}

/// Whether to leave out a test: only on a proven lack, said past the harness, never in CI.
fn left_out(test: &str) -> bool {
    if std::env::var_os("CI").is_some() || std::env::var_os("CRIB_REQUIRE_BPF").is_some() {
        return false;
    }
    let lacking = crib_tui::kernel::support::lacking();
    if let Some(check) = &lacking {
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {}", check.detail);
    }
    lacking.is_some()
}

/// The table lists so many watches; of more it says that there are more.
#[test]
fn a_long_interest_list_is_cut_and_says_so() {
    if left_out("a_long_interest_list_is_cut_and_says_so") {
        return;
    }
    const LISTED: usize = crib_common::limits::EPOLL_WATCHES as usize;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let watched: Vec<_> =
        (0..LISTED + 10).map(|_| eventfd(0, EventfdFlags::CLOEXEC).unwrap()).collect();
    let add = |index: usize| {
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&epoll, &watched[index], data, epoll::EventFlags::IN).unwrap();
    };

    (0..LISTED).for_each(add);
    let full = own_file(epoll.as_raw_fd()).epoll.unwrap();
    assert!(full.complete);
    let mut data: Vec<_> = full.watches.iter().map(|watch| watch.data).collect();
    data.sort_unstable();
    assert_eq!(data, (0..LISTED as u64).collect::<Vec<_>>());

    (LISTED..LISTED + 10).for_each(add);
    let cut = own_file(epoll.as_raw_fd()).epoll.unwrap();
    assert!(!cut.complete);
    assert_eq!(cut.watches.len(), LISTED);
}

/// 19,600 files, or nearly what the hard limit allows, of which many are closed, replaced, renamed or
/// written to between two readings: the second one, which keeps what it can of the first, tells
/// the same as one that begins anew.
#[test]
fn what_changes_between_two_readings_is_told_as_if_it_were_the_first() {
    if left_out("what_changes_between_two_readings_is_told_as_if_it_were_the_first") {
        return;
    }
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).unwrap();
    // Of the rest there must be enough for the other test.
    let count = hard.map_or(19_600, |hard| hard.saturating_sub(1_000).min(19_600));
    let directory = tempfile::tempdir().unwrap();
    let path = |number: u64| directory.path().join(format!("file-{number}"));
    let open = |number| Some(std::fs::File::create(path(number)).unwrap());
    let mut held: Vec<_> = (0..count).map(open).collect();
    let number = |file: &std::fs::File| file.as_raw_fd() as u32;
    let of_files = |reader: &mut Reader, fds: &[u32]| -> Vec<File> {
        let files = reader.files(std::process::id()).unwrap().files.into_iter();
        let ours = files.filter(|file| file.fd.is_some_and(|fd| fds.binary_search(&fd).is_ok()));
        // An identity is one reader's own; the other test has an epoll instance.
        ours.map(|file| File { id: None, watched_by: None, ..File::clone(&file) }).collect()
    };
    let mut fds: Vec<u32> = held.iter().flatten().map(number).collect();
    fds.sort_unstable();
    let mut reader = Reader::open(Wanted::Files).unwrap();
    assert_eq!(of_files(&mut reader, &fds).len() as u64, count);

    for (place, file) in (0..).zip(&mut held) {
        match place % 7 {
            0 => *file = None,
            // The same memory and descriptor are likely.
            1 => {
                *file = None;
                *file = open(place + count);
            }
            2 => file.as_mut().unwrap().write_all(b"twelve bytes").unwrap(),
            3 => std::fs::rename(path(place), path(place + 2 * count)).unwrap(),
            4 => std::fs::remove_file(path(place)).unwrap(),
            _ => {}
        }
    }
    let mut fds: Vec<u32> = held.iter().flatten().map(number).collect();
    fds.sort_unstable();
    let again = of_files(&mut reader, &fds);
    assert_eq!(again.len(), fds.len());
    let anew = of_files(&mut Reader::open(Wanted::Files).unwrap(), &fds);
    for (again, anew) in again.iter().zip(&anew) {
        assert_eq!(again, anew);
    }
    assert_eq!(again, of_files(&mut reader, &fds), "nothing has changed since");
}
