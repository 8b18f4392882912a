//! What the BPF programs read of this very process.

use std::io::Write;
use std::os::fd::AsRawFd;

use std::sync::Arc;

use crib_tui::kernel::Reader;
use crib_tui::model::File;
use rustix::event::{EventfdFlags, epoll, eventfd};

fn own_file(fd: i32) -> File {
    let reading = Reader::open().unwrap().files(std::process::id()).unwrap();
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
