//! `crib-top bench`: ways of reading the same things, side by side.

use std::io::{self, IsTerminal, Write};
use std::time::SystemTime;

use serde::Serialize;

use super::{Streams, keep, kernel_release};
use crate::bench::workload::descriptor_limit;
use crate::bench::{self, Progress, Report, Section, Way};
use crate::export::json::{self, Header};
use crate::export::table::{self, Layout};
use crate::failure::{Code, Failure};
use crate::model::Source;
use crate::model::column::Align;
use crate::privileges::NOTHING;
use crate::settings::{Bench, Format, Style};

/// The document of `bench`.
#[derive(Serialize)]
struct Document<'a> {
    /// The source is the one that could be measured.
    #[serde(flatten)]
    header: Header,
    #[serde(flatten)]
    report: &'a Report,
}

/// One way, with the section that it is of.
#[derive(Serialize)]
struct Line<'a> {
    section: &'static str,
    #[serde(flatten)]
    way: &'a Way,
}

/// Measures, and prints what came of it.
pub(super) fn run<O: Write>(
    bench: &Bench,
    format: Format,
    headings: bool,
    style: Style,
    streams: &mut Streams<'_, O>,
) -> Result<(), Failure> {
    let time = SystemTime::now();
    let (plan, note) = bench.plan(descriptor_limit())?;
    if let Some(note) = note {
        (streams.note)(&note);
    }
    let mut teller = Teller::new(&mut *streams.note);
    let report = bench::run(plan, &mut |progress| teller.tell(progress));
    teller.end();
    let report = report?;
    keep(NOTHING)?;
    let lack = lacking(&report);
    let source = if lack.is_none() { Source::Bpf } else { Source::Procfs };
    match format {
        Format::Table => {
            // Not cut at the screen's width: what a way can't see stands at the end of its line.
            let layout = Layout { width: None, ..streams.layout(headings, style) };
            print(&mut streams.out, &report, layout)?;
        }
        Format::Json => {
            let header = Header::new(source, kernel_release(), time);
            json::line(&mut streams.out, &Document { header, report: &report })?;
        }
        Format::JsonLines => {
            for section in &report.sections {
                for way in &section.ways {
                    json::line(&mut streams.out, &Line { section: section.name, way })?;
                }
            }
        }
    }
    match lack {
        None => Ok(()),
        Some(lack) => {
            streams.out.flush()?;
            (streams.note)(&format!("crib-top's own ways were not measured: {lack}"));
            Err(Failure::Said(Code::Missing))
        }
    }
}

/// Why crib-top's own way did not run, in the first section where it didn't.
fn lacking(report: &Report) -> Option<&str> {
    let ours = |section: &Section| section.ways.iter().position(|way| way.name == section.ours);
    report.sections.iter().find_map(|section| section.ways[ours(section)?].skipped.as_deref())
}

/// Says on standard error how far the benchmark is: on a terminal in one line that is
/// rewritten, elsewhere in a line a section.
struct Teller<'a> {
    note: &'a mut dyn FnMut(&str),
    terminal: bool,
    title: &'static str,
}

impl<'a> Teller<'a> {
    fn new(note: &'a mut dyn FnMut(&str)) -> Self {
        Self { note, terminal: io::stderr().is_terminal(), title: "" }
    }

    fn tell(&mut self, progress: Progress) {
        let line = match progress {
            Progress::Workload => "making processes to look into".to_owned(),
            Progress::Turn { section, way, round: 0, .. } => {
                format!("{section}, warming up: {way}")
            }
            Progress::Turn { section, way, round, rounds, .. } => {
                format!("{section}, round {round} of {rounds}: {way}")
            }
        };
        if let Progress::Turn { title, .. } = progress
            && self.title != title
        {
            self.title = title;
            if !self.terminal {
                (self.note)(&format!("measuring {title}"));
            }
        }
        if self.terminal {
            self.rewrite(&line);
        }
    }

    fn end(&self) {
        if self.terminal {
            self.rewrite("");
        }
    }

    /// When standard error is closed, there is nowhere to say so.
    fn rewrite(&self, line: &str) {
        let mut out = io::stderr().lock();
        let _ = write!(out, "\r\x1b[K{line}").and_then(|()| out.flush());
    }
}

fn print(out: &mut impl Write, report: &Report, layout: Layout) -> io::Result<()> {
    for (index, section) in report.sections.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        print_section(out, section, layout)?;
    }
    if let Some(reason) = &report.calls_unknown {
        writeln!(out, "\nSystem calls were not counted: {reason}")?;
    }
    Ok(())
}

fn print_section(out: &mut impl Write, section: &Section, layout: Layout) -> io::Result<()> {
    if layout.headings {
        let mut title = section.title.to_owned();
        title[..1].make_ascii_uppercase();
        let (items, item) = (thousands(section.items), section.item);
        writeln!(out, "{title}: {items} {item}s")?;
        write!(out, "RATIO is to {}", section.base)?;
        if section.ours != section.base {
            write!(out, ", OURS to {}", section.ours)?;
        }
        writeln!(out)?;
    }
    let each = format!("NS/{}", section.item.to_ascii_uppercase());
    let mut headings = vec![
        ("WAY", Align::Left),
        ("MEDIAN ms", Align::Right),
        ("MIN", Align::Right),
        ("MAX", Align::Right),
        (&each, Align::Right),
        ("RATIO", Align::Right),
        ("OURS", Align::Right),
        ("SYSCALLS", Align::Right),
        ("CANNOT SEE", Align::Left),
    ];
    let mut lines: Vec<_> = section.ways.iter().map(cells).collect();
    if section.ours == section.base {
        headings.remove(6);
        for line in &mut lines {
            line.remove(6);
        }
    }
    table::write_cells(out, &headings, lines, layout)
}

fn cells(way: &Way) -> Vec<String> {
    let optional = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
    let time = |time: Option<u64>| optional(time.map(|ns| digits(ns as f64 / 1e6)));
    let remark = match &way.skipped {
        Some(reason) => format!("did not run: {reason}"),
        None => way.blind.join(", "),
    };
    vec![
        way.name.to_owned(),
        time(way.median_ns),
        time(way.min_ns),
        time(way.max_ns),
        optional(way.per_item_ns.map(digits)),
        optional(way.ratio.map(digits)),
        optional(way.ratio_to_ours.map(digits)),
        optional(way.syscalls.map(thousands)),
        remark,
    ]
}

/// A number with three digits that say something, or all before the point.
fn digits(number: f64) -> String {
    match number {
        100.0.. => thousands(number.round() as u64),
        10.0.. => format!("{number:.1}"),
        1.0.. => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

/// A number with a comma between thousands.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Plan;

    fn way(name: &'static str, median_ns: u64, blind: &[&'static str]) -> Way {
        Way {
            name,
            median_ns: Some(median_ns),
            min_ns: Some(median_ns * 9 / 10),
            max_ns: Some(median_ns * 2),
            rounds: 5,
            per_item_ns: Some(median_ns as f64 / 19_603.0),
            ratio: Some(median_ns as f64 / 3_200_000.0),
            ratio_to_ours: Some(median_ns as f64 / 16_000_000.0),
            syscalls: Some(median_ns / 60_000),
            blind: blind.to_vec(),
            skipped: None,
        }
    }

    fn absent(name: &'static str) -> Way {
        Way {
            median_ns: None,
            min_ns: None,
            max_ns: None,
            rounds: 0,
            per_item_ns: None,
            ratio: None,
            ratio_to_ours: None,
            syscalls: None,
            skipped: Some(format!("{name} is not installed")),
            ..way(name, 0, &["queues"])
        }
    }

    fn report() -> Report {
        let section = |name, title, base, ours, ways| Section {
            name,
            title,
            items: 19_603,
            item: "fd",
            base,
            ours,
            ways,
        };
        let files = vec![
            way("empty iterator", 3_200_000, &["anything"]),
            way("crib-top, steady", 16_000_000, &[]),
            way("lsof", 1_531_000_000, &["file operations", "queues"]),
            absent("lsfd"),
        ];
        let sockets = vec![
            way("nested, ring buffer", 16_000_000, &[]),
            Way { syscalls: None, ..way("staged, seq_file", 212_345_678, &["headers"]) },
        ];
        let nested = "nested, ring buffer";
        Report {
            plan: Plan { fds: 19_600, sockets: 1000, packets: 10, bytes: 1024, rounds: 5 },
            calls_unknown: Some("no raw tracepoints".into()),
            sections: vec![
                section("files", "the open files", "empty iterator", "crib-top, steady", files),
                section("sockets", "the packets", nested, nested, sockets),
            ],
        }
    }

    #[test]
    fn sections_are_tables() {
        let mut out = Vec::new();
        let layout = Layout { headings: true, ..Layout::default() };
        print(&mut out, &report(), layout).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn the_document_has_the_ways_and_null_for_what_is_not_known() {
        let header = Header::new(Source::Bpf, Some("6.18.44".into()), SystemTime::UNIX_EPOCH);
        let report = report();
        let value = serde_json::to_value(Document { header, report: &report }).unwrap();
        assert_eq!(value["schema"], 1);
        assert_eq!(value["workload"]["fds"], 19_600);
        let ways = &value["sections"][0]["ways"];
        assert_eq!(
            ways[3],
            serde_json::json!({
                "name": "lsfd", "median_ns": null, "min_ns": null, "max_ns": null, "rounds": 0,
                "per_item_ns": null, "ratio": null, "ratio_to_ours": null, "syscalls": null,
                "blind": ["queues"], "skipped": "lsfd is not installed",
            })
        );
        assert_eq!(ways[0]["ratio"], 1.0);
        assert!(ways[0]["skipped"].is_null());
    }

    #[test]
    fn what_crib_top_itself_lacks_is_said() {
        let mut report = report();
        assert_eq!(lacking(&report), None);
        report.sections[0].ways[1].skipped = Some("no BPF".into());
        assert_eq!(lacking(&report), Some("no BPF"));
    }

    #[test]
    fn numbers_have_three_digits_or_all_before_the_point() {
        let numbers = [0.0, 0.1234, 1.0, 12.345, 123.4, 1_234_567.8].map(digits);
        assert_eq!(numbers, ["0.000", "0.123", "1.00", "12.3", "123", "1,234,568"]);
        assert_eq!(["1", "999", "1,000"], [1, 999, 1000].map(thousands)[..]);
    }
}
