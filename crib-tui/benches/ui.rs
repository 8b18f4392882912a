//! The parts of a refresh of the terminal UI, on 19,600 and on 1,000,000 files that exist in
//! memory only: decoding, comparing with the reading before, sorting and filtering, drawing.

#[path = "synthetic/mod.rs"]
mod synthetic;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crib_tui::model::assemble::{IdKey, TableFiles};
use crib_tui::model::{File, FilesReading, FilesTable, History, Process, ProcessState, Source};
use crib_tui::tui::app::App;
use crib_tui::tui::arrangement::{ActiveFilter, Arrangement};
use crib_tui::tui::event::Event;
use crib_tui::tui::theme::Theme;
use crib_tui::tui::view;
use crib_tui::tui::view::files::COLUMNS;
use crib_tui::tui::widget::table::Sort;
use crib_tui::tui::worker::{FilesOutcome, Opened, Reply};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use synthetic::{World, records};

const SIZES: [u32; 2] = [19_600, 1_000_000];

/// What the reading thread keeps from one refresh to the next.
struct Keeper {
    table: TableFiles,
    ops: Arc<str>,
    key: IdKey,
}

impl Keeper {
    fn new() -> Self {
        let ops = "ext4_file_operations".into();
        Self { table: TableFiles::default(), ops, key: IdKey::default() }
    }

    fn decode(&mut self, bytes: &[u8]) -> Vec<Arc<File>> {
        let name = |_| Some(Arc::clone(&self.ops));
        self.table.read(bytes, name, &self.key).expect("sound records")
    }
}

fn reading(second: u64, files: Vec<Arc<File>>) -> FilesReading {
    FilesReading {
        source: Source::Bpf,
        time: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
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
        files,
        complete: true,
    }
}

fn table(count: u32) -> Arc<FilesTable> {
    let files = Keeper::new().decode(&records(World::Mixed, count, 0));
    History::default().observe(reading(0, files))
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.sample_size(10);
    for count in SIZES {
        let bytes = records(World::Mixed, count, 0);
        let changed = records(World::Mixed, count, 1);
        group.bench_function(BenchmarkId::new("the first reading", count), |bencher| {
            bencher.iter(|| Keeper::new().decode(&bytes));
        });
        let mut keeper = Keeper::new();
        keeper.decode(&bytes);
        group.bench_function(BenchmarkId::new("nothing changed", count), |bencher| {
            bencher.iter(|| keeper.decode(&bytes));
        });
        let mut rounds = [&bytes, &changed].into_iter().cycle();
        group.bench_function(BenchmarkId::new("one in a hundred changed", count), |bencher| {
            bencher.iter(|| rounds.next().map(|bytes| keeper.decode(bytes)));
        });
    }
    group.finish();
}

fn diff(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("diff");
    group.sample_size(10);
    for count in SIZES {
        for (name, round) in [("nothing changed", 0), ("one in a hundred changed", 1)] {
            let mut keeper = Keeper::new();
            let before = keeper.decode(&records(World::Mixed, count, 0));
            let after = keeper.decode(&records(World::Mixed, count, round));
            let mut history = History::default();
            history.observe(reading(0, before.clone()));
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter_batched(
                    || reading(1, after.clone()),
                    |reading| history.observe(reading),
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

fn arrangement(filter: &str, sort: Option<&str>) -> Arrangement {
    let filter = ActiveFilter::parse(filter).expect("a filter");
    let sort = sort.and_then(|title| {
        let column = COLUMNS.iter().position(|column| column.title == title)?;
        Some(Sort { column, direction: COLUMNS[column].first })
    });
    Arrangement { filter, sort }
}

fn sort_and_filter(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sort and filter");
    group.sample_size(10);
    for count in SIZES {
        let table = table(count);
        for (name, arrangement) in [
            ("as read", arrangement("", None)),
            ("by NAME", arrangement("", Some("NAME"))),
            ("by RECV-Q", arrangement("", Some("RECV-Q"))),
            ("filter by kind", arrangement("KIND == \"socket\"", None)),
            ("filter by a word", arrangement("segment-00", None)),
        ] {
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| arrangement.order(&table));
            });
        }
    }
    group.finish();
}

fn draw(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("draw");
    for count in SIZES {
        let table = table(count);
        let opened = Opened { source: Source::Bpf, reason: None };
        let delay = Duration::from_secs(1);
        let theme = Theme::new(true, false);
        let mut app = App::new(Some(4242), None, delay, opened, theme, TimeZone::UTC);
        app.update(Event::Resize(200, 50));
        app.update(Event::Tick);
        let arrangement = Arrangement::default();
        let order = arrangement.order(&table);
        let outcome = FilesOutcome::Read { table, arrangement, order };
        app.update(Event::Reply(Reply::Files { session: 1, outcome }));
        let mut terminal = Terminal::new(TestBackend::new(200, 50)).expect("in memory");
        group.bench_function(BenchmarkId::new("a frame", count), |bencher| {
            bencher.iter(|| {
                terminal.draw(|frame| view::draw(&app, frame)).expect("in memory");
                black_box(terminal.backend());
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode, diff, sort_and_filter, draw);
criterion_main!(benches);
