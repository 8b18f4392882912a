//! The state of the list of processes.

use std::cmp::Reverse;
use std::collections::HashMap;

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::Page;
use crate::model::trend::Trend;
use crate::model::{Process, ProcessTotals};
use crate::tui::view::picker::{self as view, COLUMNS};
use crate::tui::widget::arrange::arrange;
use crate::tui::widget::table::{Cursor, Direction, Sort};
use crate::tui::worker::ProcessList;

/// A row of the list.
#[derive(Clone, Debug)]
pub struct ProcessEntry {
    /// The process.
    pub process: Process,
    /// Sums over its files; none where they could not be read.
    pub totals: Option<ProcessTotals>,
    /// By how many its files grew in a second, in the last minute; none before there were two
    /// readings.
    pub per_second: Option<f64>,
    /// Seconds until its limit is reached if that goes on.
    pub seconds_to_limit: Option<f64>,
}

/// What tells one process from another that has its pid later: pid and start time.
pub type ProcessKey = (u32, u64);

/// The list of processes: what was read, and how it is looked at.
pub struct Picker {
    /// The latest reading, its processes taken out; none before the first.
    pub list: Option<ProcessList>,
    /// Why the last attempt to read failed.
    pub error: Option<String>,
    /// The places of the shown processes in the reading, in order.
    pub order: Vec<u32>,
    /// What they are sorted by, and how.
    pub sort: Sort,
    /// Whether the best matches come first, rather than by the sort.
    pub ranked: bool,
    /// The selected process.
    pub cursor: Cursor<ProcessKey>,
    /// How far long command lines are shifted to the left, in columns.
    pub shift: u16,
    entries: Vec<ProcessEntry>,
    trends: HashMap<ProcessKey, Trend>,
    query: String,
    /// What the query is matched with, one for each process of the reading.
    haystacks: Vec<String>,
    matcher: Matcher,
}

impl Default for Picker {
    fn default() -> Self {
        Self {
            list: None,
            error: None,
            order: Vec::new(),
            sort: Sort { column: view::FDS, direction: Direction::Descending },
            ranked: false,
            cursor: Cursor::default(),
            shift: 0,
            entries: Vec::new(),
            trends: HashMap::new(),
            query: String::new(),
            haystacks: Vec::new(),
            matcher: Matcher::new(Config::DEFAULT),
        }
    }
}

/// Long command lines are matched up to here: what tells one from another comes early, and
/// typing has to stay fluent.
const MATCHED_CHARACTERS: usize = 1000;

impl Picker {
    /// All processes that were read.
    pub fn entries(&self) -> &[ProcessEntry] {
        &self.entries
    }

    /// What the list is narrowed down to.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The selected process.
    pub fn selected(&self) -> Option<&ProcessEntry> {
        let &row = self.order.get(self.cursor.index())?;
        self.entries().get(row as usize)
    }

    /// Takes in a reading.
    pub fn set_list(&mut self, mut list: ProcessList, page: Page) {
        let processes = std::mem::take(&mut list.reading.processes);
        // Those that have ended are left behind.
        let mut before = std::mem::take(&mut self.trends);
        self.entries = processes
            .into_iter()
            .map(|(process, totals)| {
                let key = (process.pid, process.start_ticks);
                let mut trend = before.remove(&key).unwrap_or_default();
                if let Some(totals) = totals {
                    trend.note(list.uptime, totals.fd_count);
                }
                let limit = process.fd_limit;
                let (per_second, seconds_to_limit) =
                    (trend.per_second(), limit.and_then(|limit| trend.seconds_to(limit)));
                self.trends.insert(key, trend);
                ProcessEntry { process, totals, per_second, seconds_to_limit }
            })
            .collect();
        self.haystacks = self.entries.iter().map(haystack).collect();
        self.list = Some(list);
        self.error = None;
        self.arrange(page);
    }

    /// Narrows the list down, best matches first, and selects the best.
    pub fn set_query(&mut self, query: &str, page: Page) {
        if self.query == query {
            return;
        }
        query.clone_into(&mut self.query);
        self.ranked = !query.is_empty();
        self.arrange(page);
        if self.ranked {
            self.select(0, page);
        }
    }

    /// Sorts.
    pub fn set_sort(&mut self, sort: Sort, page: Page) {
        self.sort = sort;
        self.ranked = false;
        self.arrange(page);
    }

    fn arrange(&mut self, page: Page) {
        let mut order = arrange(self.entries(), COLUMNS, Some(self.sort), |_| true);
        if !self.query.is_empty() {
            let pattern = Pattern::parse(&self.query, CaseMatching::Smart, Normalization::Smart);
            let mut characters = Vec::new();
            let mut matches: Vec<(u32, u32)> = order
                .iter()
                .filter_map(|&row| {
                    let haystack = self.haystacks.get(row as usize)?;
                    let haystack = Utf32Str::new(haystack, &mut characters);
                    Some((pattern.score(haystack, &mut self.matcher)?, row))
                })
                .collect();
            if self.ranked {
                matches.sort_by_key(|&(score, _)| Reverse(score));
            }
            order = matches.into_iter().map(|(_, row)| row).collect();
        }
        self.order = order;
        self.with_cursor(|cursor, len, key| cursor.follow(len, page.0, key));
    }

    /// Selects the process at a place of the shown ones.
    pub fn select(&mut self, index: usize, page: Page) {
        self.with_cursor(|cursor, len, key| cursor.select(index, len, page.0, key));
    }

    /// Moves the selection.
    pub fn step(&mut self, by: isize, page: Page) {
        self.with_cursor(|cursor, len, key| cursor.step(by, len, page.0, key));
    }

    fn with_cursor(
        &mut self,
        change: impl FnOnce(&mut Cursor<ProcessKey>, usize, &dyn Fn(usize) -> ProcessKey),
    ) {
        let (entries, order) = (&self.entries, &self.order);
        let key = |index: usize| {
            let process = &entries[order[index] as usize].process;
            (process.pid, process.start_ticks)
        };
        change(&mut self.cursor, order.len(), &key);
    }
}

fn haystack(ProcessEntry { process, .. }: &ProcessEntry) -> String {
    let user = process.user.as_deref().unwrap_or_default();
    let text = format!("{} {} {user} {}", process.pid, process.comm, process.cmdline);
    match text.char_indices().nth(MATCHED_CHARACTERS) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}
