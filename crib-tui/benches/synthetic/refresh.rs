//! What the reading thread does in a refresh, part by part.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crib_tui::model::assemble::{IdKey, TableFiles};
use crib_tui::model::groups::Opening;
use crib_tui::model::lint::Beside;
use crib_tui::model::{File, FilesReading, FilesTable, History, Process, ProcessState, Source};
use crib_tui::tui::arrangement::{ActiveFilter, Arrangement};
use crib_tui::tui::view::files::COLUMNS;
use crib_tui::tui::widget::table::Sort;

/// The time from one reading to the next.
pub const SECOND: Duration = Duration::from_secs(1);

/// What the reading thread keeps, and what the screen was given last.
pub struct Refresh {
    table: TableFiles,
    history: History,
    /// When the next reading is, counted from the first.
    at: Duration,
    arrangement: Arrangement,
    ops: Arc<str>,
    key: IdKey,
    pub shown: Option<(Arc<FilesTable>, Vec<u32>)>,
}

impl Refresh {
    pub fn new(arrangement: Arrangement) -> Self {
        Self {
            table: TableFiles::default(),
            history: History::new(SECOND),
            at: Duration::ZERO,
            arrangement,
            ops: "ext4_file_operations".into(),
            key: IdKey::default(),
            shown: None,
        }
    }

    /// From the kernel's records to files.
    pub fn decode(&mut self, records: &[u8]) -> Vec<Arc<File>> {
        let name = |_| Some(Arc::clone(&self.ops));
        self.table.read(records, name, &self.key).expect("sound records")
    }

    /// From the kernel's records to the rows in their order.
    pub fn once(&mut self, records: &[u8]) {
        let files = self.decode(records);
        let table = self.history.observe(reading(files), self.at, |_| Opening::default());
        self.at += SECOND;
        let order = self.arrangement.order(&table);
        self.shown = Some((table, order));
    }
}

/// A filter, and the title of the column to sort by.
pub fn arrangement(filter: &str, sort: Option<&str>) -> Arrangement {
    let filter = ActiveFilter::parse(filter).expect("a filter");
    let sort = sort.and_then(|title| {
        let column = COLUMNS.iter().position(|column| column.title == title)?;
        Some(Sort { column, direction: COLUMNS[column].first })
    });
    Arrangement { filter, sort, ..Arrangement::default() }
}

/// The files of a process that doesn't exist.
pub fn reading(files: Vec<Arc<File>>) -> FilesReading {
    FilesReading {
        source: Source::Bpf,
        time: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
        process: Process {
            pid: 4242,
            comm: "server".into(),
            uid: Some(0),
            user: Some("root".into()),
            fd_limit: Some(1 << 20),
            cmdline: "server".into(),
            other_mounts: None,
            start_ticks: 1,
            state: ProcessState::Alive,
        },
        files,
        complete: true,
        beside: Beside::default(),
    }
}
