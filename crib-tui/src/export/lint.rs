//! What lints found in one process, and which lints there are, as text or JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::json::{self, Header};
use super::table::{Layout, write_cells, write_line};
use crate::model::Text;
use crate::model::column::Align;
use crate::model::lint::{Found, Lint, Report};

/// The document of `lint`.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    header: &'a Header,
    pid: u32,
    comm: &'a Text,
    seconds: f64,
    readings: u64,
    fd_count: u64,
    fd_limit: Option<u64>,
    complete: bool,
    findings: &'a [Found],
}

/// One finding with the process that it is of, as a line of its own.
#[derive(Serialize)]
struct Line<'a> {
    pid: u32,
    #[serde(flatten)]
    found: &'a Found,
}

/// Writes the document.
///
/// # Errors
/// Those of writing.
pub fn document(out: &mut impl Write, header: &Header, report: &Report) -> io::Result<()> {
    let document = Document {
        header,
        pid: report.process.pid,
        comm: &report.process.comm,
        seconds: (report.seconds * 1000.0).round() / 1000.0,
        readings: report.readings,
        fd_count: report.fd_count,
        fd_limit: report.process.fd_limit,
        complete: report.complete,
        findings: &report.found,
    };
    json::line(out, &document)
}

/// Writes one finding a line.
///
/// # Errors
/// Those of writing.
pub fn lines(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let pid = report.process.pid;
    report.found.iter().try_for_each(|found| json::line(out, &Line { pid, found }))
}

/// Writes what was found, file by file. Its sentences are never cut: a terminal wraps them.
///
/// # Errors
/// Those of writing.
pub fn text(out: &mut impl Write, report: &Report, layout: Layout) -> io::Result<()> {
    write_line(out, &summary(report), layout)?;
    let whole = Layout { width: None, ..layout };
    let mut say = |line: &str| write_line(out, line, whole);
    let mut before = None;
    for found in &report.found {
        let place = (found.tid, found.fd);
        if before.replace(place) != Some(place) {
            say("")?;
            say(&title(found))?;
        }
        let finding = &found.finding;
        say(&format!("  {}", finding.lint.name()))?;
        say(&format!("    seen     {}", finding.seen))?;
        say(&format!("    means    {}", finding.means))?;
        say(&format!("    look at  {}", finding.look))?;
    }
    Ok(())
}

/// What was looked at, and how much was found.
fn summary(report: &Report) -> String {
    let process = &report.process;
    let limit = process.fd_limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    let how = match report.readings {
        1 => "read once; what lasts or grows is seen with --for only".to_owned(),
        readings => format!("{readings} readings in {:.1}s", report.seconds),
    };
    let found = match report.found.len() {
        0 => "nothing found".to_owned(),
        1 => "1 finding".to_owned(),
        many => format!("{many} findings"),
    };
    let (pid, comm, count) = (process.pid, &process.comm, report.fd_count);
    format!("{pid} ({comm}), {count}{limit} descriptors: {found} ({how})")
}

fn title(found: &Found) -> String {
    let Some(fd) = found.fd else { return "the process".to_owned() };
    let thread = found.tid.map(|tid| format!("thread {tid} ")).unwrap_or_default();
    let kind = found.kind.map_or("", |kind| kind.name());
    // A socket's label says that it is one.
    let label = found.label.as_deref().unwrap_or_default();
    format!("{thread}fd {fd} {kind} {label}").trim_end().to_owned()
}

/// One lint, as the list has it.
#[derive(Serialize)]
struct Entry {
    name: &'static str,
    summary: &'static str,
    means: &'static str,
}

fn entries() -> impl Iterator<Item = Entry> {
    Lint::ALL.into_iter().map(|lint| Entry {
        name: lint.name(),
        summary: lint.summary(),
        means: lint.means(),
    })
}

/// Writes all lints there are.
///
/// # Errors
/// Those of writing.
pub fn list(out: &mut impl Write, layout: Layout) -> io::Result<()> {
    let headings = [("LINT", Align::Left), ("WHAT IT FINDS", Align::Left)];
    let cells = entries().map(|entry| vec![entry.name.into(), entry.summary.into()]);
    write_cells(out, &headings, cells.collect(), Layout { width: None, ..layout })
}

/// The same as a document.
///
/// # Errors
/// Those of writing.
pub fn list_document(out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Lints {
        schema: u32,
        lints: Vec<Entry>,
    }
    json::line(out, &Lints { schema: json::SCHEMA, lints: entries().collect() })
}

/// The same with one lint a line.
///
/// # Errors
/// Those of writing.
pub fn list_lines(out: &mut impl Write) -> io::Result<()> {
    entries().try_for_each(|entry| json::line(out, &entry))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::model::filter::Filter;
    use crate::model::groups::Opening;
    use crate::model::lint::LintSet;
    use crate::model::{History, Process, Source, sample};

    fn report(filter: Option<&str>, wanted: LintSet) -> Report {
        let mut reading = sample::reading();
        reading.process = Process { fd_limit: Some(10), ..reading.process };
        let mut history = History::new(Duration::from_secs(1));
        let table = history.observe(reading, Duration::ZERO, |_| Opening::default());
        let filter = filter.map(|text| Filter::parse(text).unwrap());
        Report::new(&table, 1, filter.as_ref(), wanted)
    }

    fn printed(report: &Report, ascii: bool) -> String {
        let mut out = Vec::new();
        text(&mut out, report, Layout { headings: true, ascii, width: None }).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn findings_for_people() {
        insta::assert_snapshot!(printed(&report(None, LintSet::ALL), false));
        let mut report = report(None, LintSet::ALL);
        report.process.comm = "na\u{ef}ve".into();
        let text = printed(&report, true);
        assert!(text.is_ascii() && text.contains(r"(na\xc3\xafve)"), "{text}");
    }

    #[test]
    fn that_nothing_was_found_is_said() {
        let nothing = printed(&report(None, LintSet::NONE), false);
        assert!(nothing.contains("nothing found"), "{nothing}");
        assert_eq!(nothing.lines().count(), 1);
    }

    #[test]
    fn a_filter_picks_files_and_may_go_by_lints() {
        let names = |filter| -> Vec<&str> {
            let report = report(Some(filter), LintSet::ALL);
            report.found.iter().map(|found| found.finding.lint.name()).collect()
        };
        assert_eq!(names("KIND == 'socket'"), ["fd-limit"]);
        assert_eq!(names("LINT =~ 'deleted'"), ["fd-limit", "deleted-open"]);
        assert_eq!(names("not LINT"), ["fd-limit"]);
    }

    #[test]
    fn the_document_has_the_fields_of_the_manual() {
        let report = report(None, LintSet::ALL);
        let mut out = Vec::new();
        let header = Header::new(Source::Bpf, Some("6.18.44".into()), sample::time());
        document(&mut out, &header, &report).unwrap();
        let document: Value = serde_json::from_slice(&out).unwrap();
        let names = |value: &Value| -> BTreeSet<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        let set = |names: &str| names.split_whitespace().map(str::to_owned).collect();
        let fields: BTreeSet<String> = set("schema source kernel time pid comm seconds readings \
                                            fd_count fd_limit complete findings");
        assert_eq!(names(&document), fields);
        let [whole, file] = &document["findings"].as_array().unwrap()[..] else { panic!() };
        let fields: BTreeSet<String> = set("fd tid kind label name seen means look");
        assert_eq!((names(whole), names(file)), (fields.clone(), fields));
        assert_eq!((&whole["name"], &whole["fd"]), (&"fd-limit".into(), &Value::Null));
        assert_eq!((&file["name"], &file["fd"]), (&"deleted-open".into(), &2.into()));

        let mut out = Vec::new();
        lines(&mut out, &report).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.starts_with("{\"pid\":4242,")), "{text}");
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn all_lints_are_listed() {
        let mut out = Vec::new();
        list(&mut out, Layout { headings: true, ..Layout::default() }).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
        let mut out = Vec::new();
        list_document(&mut out).unwrap();
        let document: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(document["lints"].as_array().unwrap().len(), Lint::ALL.len());
    }
}
