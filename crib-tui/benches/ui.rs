//! The parts of a refresh of the terminal UI, on 19,600 and on 1,000,000 files that exist in
//! memory only: decoding, comparing with the reading before, sorting and filtering, drawing.

#[path = "synthetic/mod.rs"]
mod synthetic;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crib_tui::decode::Records;
use crib_tui::model::assemble::{self, IdKey};
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

fn assembled(bytes: &[u8], key: &IdKey) -> Vec<File> {
    let ops: Arc<str> = "ext4_file_operations".into();
    assemble::files(Records::new(bytes), |_| Some(Arc::clone(&ops)), key).expect("sound records")
}

fn reading(second: u64, files: Vec<File>) -> FilesReading {
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
    let files = assembled(&records(World::Mixed, count, 0), &IdKey::default());
    History::default().observe(reading(0, files))
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.sample_size(10);
    for count in SIZES {
        let bytes = records(World::Mixed, count, 0);
        let key = IdKey::default();
        group.bench_function(BenchmarkId::new("anew", count), |bencher| {
            bencher.iter(|| assembled(&bytes, &key));
        });
    }
    group.finish();
}

fn diff(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("diff");
    group.sample_size(10);
    for count in SIZES {
        let key = IdKey::default();
        for (name, round) in [("nothing changed", 0), ("one in a hundred changed", 1)] {
            let before = assembled(&records(World::Mixed, count, 0), &key);
            let after = assembled(&records(World::Mixed, count, round), &key);
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
