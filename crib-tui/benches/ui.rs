//! The parts of a refresh of the terminal UI, on 19,600 and on 1,000,000 files that exist in
//! memory only: decoding, comparing with the reading before, sorting and filtering, drawing.

#[path = "synthetic/mod.rs"]
mod synthetic;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use crib_tui::model::groups::Opening;
use crib_tui::model::{FilesTable, History, Source};
use crib_tui::tui::app::App;
use crib_tui::tui::arrangement::Arrangement;
use crib_tui::tui::event::Event;
use crib_tui::tui::theme::Theme;
use crib_tui::tui::view;
use crib_tui::tui::worker::{FilesOutcome, Opened, Reply};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use synthetic::refresh::{Refresh, SECOND, arrangement, reading};
use synthetic::{World, records};

const SIZES: [u32; 2] = [19_600, 1_000_000];

fn refresh() -> Refresh {
    Refresh::new(Arrangement::default())
}

fn table(count: u32) -> Arc<FilesTable> {
    let files = refresh().decode(&records(World::Mixed, count, 0));
    History::new(SECOND).observe(reading(files), Duration::ZERO, |_| Opening::default())
}

/// Not a time: what a million rows take, by what the system says. Nothing may have gone before,
/// since the allocator keeps what was freed.
fn memory(_: &mut Criterion) {
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        let kilobytes = line.split_whitespace().next().and_then(|number| number.parse().ok());
        kilobytes.map_or(0, |kilobytes: u64| kilobytes * 1024)
    };
    let count = 1_000_000;
    let rounds = [0, 1].map(|round| records(World::Files, count, round));
    let before = resident();
    let mut refresh = refresh();
    for round in 0..4 {
        refresh.once(&rounds[round % 2]);
    }
    let bytes = resident().saturating_sub(before) / u64::from(count);
    println!("memory: {bytes} resident bytes a row of {count}");
    assert!(refresh.shown.is_some());
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.sample_size(10);
    for count in SIZES {
        let bytes = records(World::Mixed, count, 0);
        let changed = records(World::Mixed, count, 1);
        group.bench_function(BenchmarkId::new("the first reading", count), |bencher| {
            bencher.iter(|| refresh().decode(&bytes));
        });
        let mut keeper = refresh();
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
            let mut keeper = refresh();
            let before = keeper.decode(&records(World::Mixed, count, 0));
            let after = keeper.decode(&records(World::Mixed, count, round));
            let mut history = History::new(SECOND);
            let mut at = Duration::ZERO;
            history.observe(reading(before.clone()), at, |_| Opening::default());
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter_batched(
                    || reading(after.clone()),
                    |reading| {
                        at += SECOND;
                        history.observe(reading, at, |_| Opening::default())
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
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
        let outcome = FilesOutcome::Read { table, arrangement, order, watched: Box::default() };
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

criterion_group!(benches, memory, decode, diff, sort_and_filter, draw);
criterion_main!(benches);
