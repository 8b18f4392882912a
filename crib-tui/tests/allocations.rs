//! What a refresh of the terminal UI allocates, and what its rows take: neither depends on how
//! fast the machine is, so both are checked.

#[path = "../benches/synthetic/mod.rs"]
mod synthetic;

use allocation_counter::{AllocationInfo, measure};
use synthetic::refresh::{Refresh, arrangement};
use synthetic::{World, records};

const FILES: u32 = 19_600;

/// What one refresh allocates when a few have gone before.
fn in_a_refresh(filter: &str, sort: Option<&str>, changes: bool) -> AllocationInfo {
    let rounds = [0, 1].map(|round| records(World::Mixed, FILES, if changes { round } else { 0 }));
    let mut refresh = Refresh::new(arrangement(filter, sort));
    for round in 0..6 {
        refresh.once(&rounds[round % 2]);
    }
    let info = measure(|| refresh.once(&rounds[0]));
    println!("filter {filter:?}, sort {sort:?}, changes: {changes}: {info:?}");
    info
}

#[test]
fn a_refresh_allocates_for_what_changed_and_not_for_each_row() {
    let steady = in_a_refresh("", None, false);
    assert!(steady.count_total < 40, "{steady:?}");
    for (filter, sort) in [
        ("", Some("NAME")),
        ("", Some("FLAGS")),
        ("", Some("RECV-Q")),
        ("", Some("AGE")),
        ("KIND == \"socket\" and SOCK.STATE != \"LISTEN\"", None),
        ("segment-00", None),
        ("LINT =~ 'unread' or LINT =~ 'close-wait'", None),
        ("NAME =~ \"0:443\" or FD =~ '^1' or TYPE == \"TCP\" or DEV == \"8:1\"", Some("NAME")),
    ] {
        let info = in_a_refresh(filter, sort, false);
        // Vectors and strings grow by doubling.
        assert!(info.count_total < 100, "filter {filter:?}, sort {sort:?}: {info:?}");
    }
    // Of every hundredth file something changes: the file, its path, what it is, its addresses.
    let changed = in_a_refresh("", None, true);
    assert!(changed.count_total < u64::from(FILES / 100) * 8, "{changed:?}");
}

#[test]
fn a_row_takes_at_most_300_bytes_with_its_history_and_its_place_in_the_view() {
    for world in [World::Files, World::Mixed] {
        let rounds = [0, 1].map(|round| records(world, FILES, round));
        let mut refresh = Refresh::new(arrangement("", None));
        let info = measure(|| {
            for round in 0..6 {
                refresh.once(&rounds[round % 2]);
            }
        });
        let bytes = info.bytes_current / i64::from(FILES);
        println!(
            "{world:?}: {bytes} bytes a row at rest, {} at most",
            info.bytes_max / u64::from(FILES)
        );
        if world == World::Files {
            assert!(bytes <= 300, "{bytes} bytes a row");
        }
    }
}
