//! Programs in simulated time: each leak is found, each healthy program cleared.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::*;
use crate::model::groups::{OpenerId, Opening};
use crate::model::lint::Beside;
use crate::model::{File, FileId, FilesReading, History, Kind, Source, sample};

/// Numbers that look like chance and are the same in each run (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between 0 and 1, without either.
    fn fraction(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// The time to the next of events that have this mean time between two.
    fn exponential(&mut self, mean: f64) -> f64 {
        -self.fraction().ln() * mean
    }

    /// How many of such events fall into a time in which so many are expected.
    fn poisson(&mut self, expected: f64) -> usize {
        let mut time = 0.0;
        (0..)
            .take_while(|_| {
                time += self.exponential(1.0);
                time < expected
            })
            .count()
    }
}

/// One process's files of one group, watched reading by reading.
struct Program {
    chance: Chance,
    history: History,
    reading: FilesReading,
    /// When each of the reading's files is closed, in seconds.
    ends: Vec<f64>,
    seconds: f64,
    interval: f64,
    next: u64,
    /// From which second on it is traced who opens files: every third is another's.
    traced_from: f64,
}

const FOREVER: f64 = f64::INFINITY;

impl Program {
    fn new(seed: u64, interval: f64) -> Self {
        Self {
            chance: Chance(seed),
            history: History::new(Duration::from_secs_f64(interval)),
            reading: FilesReading {
                source: Source::Bpf,
                time: SystemTime::UNIX_EPOCH,
                process: sample::process(),
                files: Vec::new(),
                complete: true,
                beside: Beside::default(),
            },
            ends: Vec::new(),
            seconds: 0.0,
            interval,
            next: 0,
            traced_from: FOREVER,
        }
    }

    /// Opens a file that is closed after `life` seconds.
    fn open(&mut self, life: f64) {
        self.next += 1;
        self.reading.files.push(Arc::new(File {
            kind: Kind::Eventfd,
            id: Some(FileId::new(self.next)),
            path: Some("anon_inode:[eventfd]".into()),
            ..File::unknown(Some(self.next as u32 % 10_000))
        }));
        self.ends.push(self.seconds + life);
    }

    /// Reads, then lets the program live until the next reading is due.
    fn step(&mut self, live: impl FnOnce(&mut Self)) {
        let at = Duration::from_secs_f64(self.seconds);
        let traced = self.seconds > self.traced_from;
        let opener = |file: &File| {
            let other = file.fd.is_some_and(|fd| fd % 3 == 0);
            Opening { opener: traced.then_some(OpenerId(other.into())), at: None }
        };
        self.history.observe(self.reading.clone(), at, opener);
        live(self);
        self.seconds += self.interval;
        let mut index = 0;
        while index < self.ends.len() {
            if self.ends[index] <= self.seconds {
                self.ends.swap_remove(index);
                self.reading.files.swap_remove(index);
            } else {
                index += 1;
            }
        }
    }

    /// Watches for so many seconds a program that does `live` between two readings.
    fn watch(&mut self, seconds: f64, mut live: impl FnMut(&mut Self)) -> Verdict {
        let until = self.seconds + seconds + self.interval * 0.5;
        while self.seconds < until {
            self.step(&mut live);
        }
        self.verdict()
    }

    /// What the rule says of all files, by whomever they were opened.
    fn verdict(&self) -> Verdict {
        let watch = self.history.groups();
        match &watch.by(|key| (key.kind, key.label.clone()))[..] {
            [(_, course)] => judge(course, watch.timeline(), watch.ages()),
            groups => panic!("{} groups", groups.len()),
        }
    }

    /// What the rule says of the files of each opener, those last that nobody was seen to open.
    fn verdicts(&self) -> [Verdict; 3] {
        let watch = self.history.groups();
        let parts = watch.by(|key| key.opener);
        [Some(OpenerId(0)), Some(OpenerId(1)), None].map(|opener| {
            let course = parts.iter().find(|(key, _)| *key == opener);
            let course = course.map(|(_, course)| course.clone()).unwrap_or_default();
            judge(&course, watch.timeline(), watch.ages())
        })
    }

    fn count(&self) -> usize {
        self.ends.len()
    }
}

/// How many of so many seeds make the rule suspect a program.
fn suspected(seeds: u64, run: impl Fn(u64) -> Verdict) -> u64 {
    (0..seeds).filter(|&seed| run(seed).suspected).count() as u64
}

/// A leak by chance, so many files a second on the average.
fn leak(seed: u64, per_second: f64, seconds: f64, interval: f64) -> Verdict {
    let mut program = Program::new(seed, interval);
    program.open(FOREVER);
    program.watch(seconds, |program| {
        for _ in 0..program.chance.poisson(per_second * program.interval) {
            program.open(FOREVER);
        }
    })
}

#[test]
fn a_steady_leak_is_found_with_its_rate() {
    for (every, seconds, interval) in [(1.0, 10.0, 0.5), (1.0, 30.0, 1.0), (60.0, 900.0, 1.0)] {
        let mut program = Program::new(1, interval);
        program.open(FOREVER);
        let mut due = every;
        let verdict = program.watch(seconds, |program| {
            while due <= program.seconds + program.interval {
                program.open(FOREVER);
                due += every;
            }
        });
        assert!(verdict.suspected, "one every {every} s in {seconds} s: {verdict:?}");
        let rate = verdict.per_second * every;
        assert!((0.8..1.2).contains(&rate), "{verdict:?}, true rate {}", 1.0 / every);
    }
}

#[test]
fn a_leak_by_chance_is_found() {
    assert_eq!(suspected(200, |seed| leak(seed, 10.0, 30.0, 1.0)), 200);
    // Twelve files or so make no certainty.
    let found = suspected(200, |seed| leak(seed, 0.5, 30.0, 1.0));
    assert!(found > 130, "{found}");
}

/// A minute's worth of opened connections that are closed within a minute, 10,000 at a time,
/// and one an interval that is not.
fn one_a_minute_among_many(seed: u64, leaks: bool) -> (Verdict, usize) {
    const MEAN_LIFE: f64 = 15.0;
    let mut program = Program::new(seed, 10.0);
    for _ in 0..10_000 {
        let life = program.chance.exponential(MEAN_LIFE);
        program.open(life);
    }
    let mut least = usize::MAX;
    let verdict = program.watch(1200.0, |program| {
        for _ in 0..program.chance.poisson(10_000.0 / MEAN_LIFE * program.interval) {
            let life = program.chance.exponential(MEAN_LIFE);
            program.open(life);
        }
        least = least.min(program.count());
        if leaks && program.seconds % 60.0 == 0.0 {
            program.open(FOREVER);
        }
    });
    (verdict, least)
}

#[test]
fn one_a_minute_is_found_among_ten_thousand_that_come_and_go() {
    let (verdict, least) = one_a_minute_among_many(1, true);
    assert!(least > 9000, "{least}");
    assert!(verdict.suspected, "{verdict:?}");
    let rate = verdict.per_second * 60.0;
    assert!((0.8..1.2).contains(&rate), "{rate} a minute");
    let (verdict, _) = one_a_minute_among_many(1, false);
    assert!(!verdict.suspected, "{verdict:?}");
}

#[test]
fn a_pool_that_fills_up_and_levels_off_is_cleared() {
    for size in [10, 50, 400] {
        // It is full after this share of the watch.
        for share in [0.05, 0.2, 0.4, 0.6, 0.8] {
            let mut program = Program::new(size as u64, 1.0);
            program.open(FOREVER);
            let verdict = program.watch(60.0, |program| {
                let due = (program.seconds + 1.0) / 60.0 / share * size as f64;
                while program.count() < (due as usize).min(size) {
                    program.open(FOREVER);
                }
            });
            assert_eq!(program.count(), size);
            assert!(!verdict.suspected, "{size} in {share} of the watch: {verdict:?}");
        }
    }
}

#[test]
fn a_pool_that_fills_ever_slower_is_cleared() {
    // Each request finds a free connection the more easily the more there are.
    for (size, time_constant) in [(100.0, 10.0), (100.0, 20.0), (1000.0, 25.0)] {
        let found = suspected(50, |seed| {
            let mut program = Program::new(seed, 1.0);
            program.open(FOREVER);
            program.watch(60.0, |program| {
                let missing: f64 = size - program.count() as f64;
                for _ in 0..program.chance.poisson(missing / time_constant) {
                    program.open(FOREVER);
                }
            })
        });
        assert!(found <= 1, "{size} with {time_constant} s: {found} of 50");
    }
}

#[test]
fn a_pool_beside_files_that_come_and_go_is_cleared() {
    let found = suspected(50, |seed| {
        let mut program = Program::new(seed, 1.0);
        let verdict = program.watch(60.0, |program| {
            if program.seconds < 30.0 {
                program.open(FOREVER);
            }
            for _ in 0..program.chance.poisson(20.0) {
                let life = program.chance.exponential(1.0);
                program.open(life);
            }
        });
        assert!(program.count() >= 30);
        verdict
    });
    assert!(found <= 1, "{found} of 50");
}

#[test]
fn a_burst_at_the_start_is_cleared_and_hides_no_leak() {
    for burst in [1, 3, 10] {
        let run = |leaks: bool| {
            let mut program = Program::new(7, 1.0);
            program.open(FOREVER);
            program.watch(30.0, |program| {
                if program.seconds < f64::from(burst) {
                    (0..200).for_each(|_| program.open(FOREVER));
                }
                if leaks {
                    program.open(FOREVER);
                }
            })
        };
        assert!(!run(false).suspected, "{burst} s");
        let verdict = run(true);
        assert!(verdict.suspected, "{burst} s");
        assert!((0.8..1.2).contains(&verdict.per_second), "{verdict:?}");
    }
}

/// Whether a rate is within a fifth of the true one.
fn is_near(rate: f64, truth: f64) -> bool {
    (rate / truth - 1.0).abs() <= 0.2
}

/// A leak of ten files a second that begins so late in a watch of twenty seconds, with a burst, and
/// after `before` files a second.
fn late(begins: f64, burst: usize, before: f64) -> Verdict {
    let mut program = Program::new(1, 0.5);
    program.open(FOREVER);
    let mut due = 0.0;
    program.watch(20.0, |program| {
        let leaks = program.seconds >= begins;
        if program.seconds == begins {
            (0..burst).for_each(|_| program.open(FOREVER));
        }
        due += if leaks { 10.0 } else { before } * program.interval;
        while due >= 1.0 {
            program.open(FOREVER);
            due -= 1.0;
        }
    })
}

#[test]
fn a_leak_that_begins_late_has_its_own_rate() {
    for half_seconds in 0..=12 {
        let begins = f64::from(half_seconds) * 0.5;
        for burst in [0, 5, 10, 100, 1000] {
            for before in [0.0, 0.4, 2.0] {
                let verdict = late(begins, burst, before);
                assert!(
                    verdict.suspected && is_near(verdict.per_second, 10.0),
                    "after {begins} s, {burst} at once, {before} a second before: {verdict:?}"
                );
            }
        }
    }
    // A burst without a leak is none, whenever it comes.
    for begins in 0..20 {
        let mut program = Program::new(1, 0.5);
        program.open(FOREVER);
        let verdict = program.watch(20.0, |program| {
            if program.seconds == f64::from(begins) {
                (0..100).for_each(|_| program.open(FOREVER));
            }
        });
        assert!(!verdict.suspected, "{begins}: {verdict:?}");
    }
}

#[test]
fn a_burst_that_comes_with_a_late_beginning_is_no_rate() {
    // The leak begins at the end of the first third, and the burst is in the second.
    for burst in [10, 20, 40, 60, 80, 100, 200] {
        let mut program = Program::new(1, 1.0);
        program.open(FOREVER);
        let verdict = program.watch(90.0, |program| {
            if program.seconds >= 28.0 {
                (0..5).for_each(|_| program.open(FOREVER));
            }
            if program.seconds == 32.0 {
                (0..burst).for_each(|_| program.open(FOREVER));
            }
        });
        // Up to half as much again as the rest of the watch is no burst.
        let near = (4.9..=6.3).contains(&verdict.per_second);
        assert!(!verdict.suspected || near, "{burst}: {verdict:?}");
    }
}

#[test]
fn openers_have_their_own_rates_where_tracing_begins_late() {
    for (traced_from, seconds) in [(5.0, 20.0), (25.0, 87.0), (27.0, 90.0), (100.0, 400.0)] {
        let mut program = Program::new(1, 1.0);
        program.traced_from = traced_from;
        // Fifteen a second, of which five are the other's.
        let whole = program.watch(seconds, |program| {
            (0..15).for_each(|_| program.open(FOREVER));
        });
        assert!(whole.suspected && is_near(whole.per_second, 15.0), "{whole:?}");
        let [one, other, nobody] = program.verdicts();
        assert!(one.suspected && other.suspected && !nobody.suspected, "{traced_from} s");
        assert!(is_near(one.per_second, 10.0), "{traced_from} s: {one:?}");
        assert!(is_near(other.per_second, 5.0), "{traced_from} s: {other:?}");
        assert!(is_near(one.per_second + other.per_second, whole.per_second));
    }
}

/// A server whose load goes up and down with this period, with files that live this long.
fn busy(seed: u64, period: f64, life: f64) -> Verdict {
    let mut program = Program::new(seed, 1.0);
    let load = |seconds: f64| 50.0 * (1.0 + 0.9 * (seconds / period * std::f64::consts::TAU).sin());
    for _ in 0..(load(0.0) * life) as usize {
        let life = program.chance.exponential(life);
        program.open(life);
    }
    program.watch(120.0, |program| {
        for _ in 0..program.chance.poisson(load(program.seconds)) {
            let life = program.chance.exponential(life);
            program.open(life);
        }
    })
}

#[test]
fn a_busy_server_whose_count_swings_is_cleared() {
    for period in [7.0, 31.0, 60.0, 117.0, 240.0, 480.0] {
        for life in [0.5, 2.0, 5.0] {
            let found = suspected(4, |seed| busy(seed, period, life));
            assert_eq!(found, 0, "period {period} s, life {life} s: {found} of 4");
        }
    }
    for period in [7.0, 31.0, 60.0] {
        let found = suspected(2, |seed| busy(seed, period, 60.0));
        assert_eq!(found, 0, "period {period} s, life of a minute: {found} of 2");
    }
}

#[test]
fn files_that_live_long_and_come_as_often_as_they_go_are_cleared() {
    // Few, and none that dies in the watch by an age: only chance tells them from a leak.
    for (files, life) in [(10.0, 60.0), (100.0, 600.0), (400.0, 600.0), (200.0, 30.0)] {
        let found = suspected(120, |seed| {
            let mut program = Program::new(seed, 1.0);
            program.open(FOREVER);
            for _ in 0..files as usize {
                let life = program.chance.exponential(life);
                program.open(life);
            }
            program.watch(60.0, |program| {
                for _ in 0..program.chance.poisson(files / life) {
                    let life = program.chance.exponential(life);
                    program.open(life);
                }
            })
        });
        assert!(found <= 1, "{files} files of {life} s: {found} of 120");
    }
}

#[test]
fn files_that_are_rotated_are_cleared() {
    // A new log each five seconds, of which the last ten are kept open.
    let mut program = Program::new(1, 1.0);
    for n in 1..=10 {
        program.open(f64::from(n) * 5.0);
    }
    let verdict = program.watch(120.0, |program| {
        if program.seconds % 5.0 == 0.0 {
            program.open(50.0);
        }
    });
    assert!(!verdict.suspected, "{verdict:?}");
}

#[test]
fn a_leak_in_bursts_is_found() {
    let mut program = Program::new(1, 1.0);
    program.open(FOREVER);
    let verdict = program.watch(60.0, |program| {
        if program.seconds % 8.0 == 0.0 {
            (0..10).for_each(|_| program.open(FOREVER));
        }
    });
    assert!(verdict.suspected, "{verdict:?}");
}

#[test]
fn half_of_what_is_opened_leaks() {
    for seed in 0..20 {
        let mut program = Program::new(seed, 1.0);
        program.open(FOREVER);
        let verdict = program.watch(60.0, |program| {
            for _ in 0..program.chance.poisson(10.0) {
                let life = 1.0 + 4.0 * program.chance.fraction();
                let leaks = program.chance.fraction() < 0.5;
                program.open(if leaks { FOREVER } else { life });
            }
        });
        assert!(verdict.suspected, "{seed}: {verdict:?}");
        assert!((4.0..6.0).contains(&verdict.per_second), "{seed}: {verdict:?}");
    }
}

#[test]
fn too_little_is_not_judged() {
    let mut program = Program::new(1, 1.0);
    program.open(FOREVER);
    for n in 0..4 {
        assert!(
            !program.watch(0.0, |program| (0..50).for_each(|_| program.open(FOREVER))).suspected,
            "{n}"
        );
    }
    let mut counts = BTreeMap::new();
    for files in 0..12 {
        let mut program = Program::new(1, 1.0);
        program.open(FOREVER);
        let verdict = program.watch(24.0, |program| {
            if program.seconds % 2.0 == 0.0
                && program.seconds < 24.0
                && program.seconds / 2.0 < f64::from(files)
            {
                program.open(FOREVER);
            }
        });
        counts.insert(files, verdict.suspected);
    }
    assert!(!counts[&6], "six files may be chance");
    assert!(counts[&11], "{counts:?}");
}
