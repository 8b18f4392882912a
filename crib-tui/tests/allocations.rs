//! What a refresh of the terminal UI allocates, and what its rows take: neither depends on how
//! fast the machine is, so both are checked.

#[path = "../benches/synthetic/mod.rs"]
mod synthetic;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use allocation_counter::{AllocationInfo, measure};
use crib_tui::model::assemble::{IdKey, TableFiles};
use crib_tui::model::{FilesReading, FilesTable, History, Process, ProcessState, Source};
use crib_tui::tui::arrangement::{ActiveFilter, Arrangement};
use crib_tui::tui::view::files::COLUMNS;
use crib_tui::tui::widget::table::Sort;
use synthetic::{World, records};

const FILES: u32 = 19_600;

/// What the reading thread keeps, and what the screen was given last.
struct Refresh {
    table: TableFiles,
    history: History,
    arrangement: Arrangement,
    ops: Arc<str>,
    key: IdKey,
    shown: Option<(Arc<FilesTable>, Vec<u32>)>,
}

impl Refresh {
    fn new(filter: &str, sort: Option<&str>) -> Self {
        let filter = ActiveFilter::parse(filter).unwrap();
        let sort = sort.map(|title| {
            let column = COLUMNS.iter().position(|column| column.title == title).unwrap();
            Sort { column, direction: COLUMNS[column].first }
        });
        Self {
            table: TableFiles::default(),
            history: History::default(),
            arrangement: Arrangement { filter, sort },
            ops: "ext4_file_operations".into(),
            key: IdKey::default(),
            shown: None,
        }
    }

    /// From the kernel's records to the rows in their order.
    fn once(&mut self, records: &[u8]) {
        let name = |_| Some(Arc::clone(&self.ops));
        let reading = FilesReading {
            source: Source::Bpf,
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
            process: Process {
                pid: 4242,
                comm: "server".into(),
                uid: Some(0),
                user: Some("root".into()),
                fd_limit: Some(1 << 20),
                cmdline: "server".into(),
                start_ticks: 1,
                state: ProcessState::Alive,
            },
            files: self.table.read(records, name, &self.key).unwrap(),
            complete: true,
        };
        let table = self.history.observe(reading);
        let order = self.arrangement.order(&table);
        self.shown = Some((table, order));
    }
}

/// What one refresh allocates when a few have gone before.
fn in_a_refresh(filter: &str, sort: Option<&str>, changes: bool) -> AllocationInfo {
    let rounds = [0, 1].map(|round| records(World::Mixed, FILES, if changes { round } else { 0 }));
    let mut refresh = Refresh::new(filter, sort);
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
    assert!(steady.count_total < 20, "{steady:?}");
    for (filter, sort) in [
        ("", Some("NAME")),
        ("", Some("FLAGS")),
        ("", Some("RECV-Q")),
        ("", Some("AGE")),
        ("KIND == \"socket\" and SOCK.STATE != \"LISTEN\"", None),
        ("segment-00", None),
        ("NAME =~ \"0:443\" or FD =~ '^1' or TYPE == \"TCP\" or DEV == \"8:1\"", Some("NAME")),
    ] {
        let info = in_a_refresh(filter, sort, false);
        // Vectors and strings grow by doubling.
        assert!(info.count_total < 100, "filter {filter:?}, sort {sort:?}: {info:?}");
    }
    // Of every hundredth file something changes: the file, its path or addresses, a box.
    let changed = in_a_refresh("", None, true);
    assert!(changed.count_total < u64::from(FILES / 100) * 6, "{changed:?}");
}

#[test]
fn a_row_takes_at_most_300_bytes_with_its_history_and_its_place_in_the_view() {
    for world in [World::Files, World::Mixed] {
        let rounds = [0, 1].map(|round| records(world, FILES, round));
        let mut refresh = Refresh::new("", None);
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
