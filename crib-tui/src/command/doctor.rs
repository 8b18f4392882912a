//! `crib-top doctor`: what this kernel and this user allow, and how to get the rest.

use std::io::{self, Write};
use std::time::SystemTime;

use serde::Serialize;

use super::{Streams, keep, kernel_release};
use crate::export::json::{self, Header};
use crate::export::table;
use crate::failure::{Code, Failure};
use crate::kernel::Wanted;
use crate::kernel::support::{self, Check, CheckState};
use crate::model::Source;
use crate::model::column::Align;
use crate::privileges::NOTHING;
use crate::settings::{Format, Style};
use crate::source::{Reader, SourceChoice};

/// The document of `doctor`.
#[derive(Serialize)]
struct Document<'a> {
    /// The source is the one that `--source auto` gets here.
    #[serde(flatten)]
    header: Header,
    /// Why it is not BPF.
    reason: Option<&'a str>,
    checks: &'a [Check],
}

/// Prints the checks, and what comes of them: whether the BPF programs really load, which no
/// list of checks proves.
pub(super) fn run<O: Write>(
    format: Format,
    headings: bool,
    style: Style,
    streams: &mut Streams<'_, O>,
) -> Result<(), Failure> {
    let time = SystemTime::now();
    let mut checks = support::checks();
    let reader = Reader::open(SourceChoice::Auto, Wanted::Files)?;
    let (source, reason) = (reader.source(), reader.reason());
    if source == Source::Bpf {
        checks.push(support::tracing());
    }
    keep(NOTHING)?;
    match format {
        Format::Table => {
            // Not cut at the screen's width: a remedy is there to be copied.
            let layout = table::Layout { width: None, ..streams.layout(headings, style) };
            print(&mut streams.out, &checks, source, reason, layout)?;
        }
        Format::Json => {
            let header = Header::new(source, kernel_release(), time);
            json::line(&mut streams.out, &Document { header, reason, checks: &checks })?;
        }
        Format::JsonLines => {
            checks.iter().try_for_each(|check| json::line(&mut streams.out, check))?;
        }
    }
    if source == Source::Bpf { Ok(()) } else { Err(Failure::Said(Code::Missing)) }
}

fn print(
    out: &mut impl Write,
    checks: &[Check],
    source: Source,
    reason: Option<&str>,
    layout: table::Layout,
) -> io::Result<()> {
    let headings = ["CHECK", "STATE", "FOUND"].map(|name| (name, Align::Left));
    let lines =
        checks.iter().map(|check| vec![check.name.into(), state(check), check.detail.clone()]);
    table::write_cells(out, &headings, lines.collect(), layout)?;
    let remedies = remedies(checks);
    if !remedies.is_empty() {
        writeln!(out, "\nTo get what is missing:")?;
    }
    for (remedy, needs) in remedies {
        writeln!(out, "  {}:\n    {remedy}", needs.join(", "))?;
    }
    writeln!(out)?;
    match (source, reason) {
        (Source::Bpf, _) => writeln!(out, "The BPF programs load: crib-top reads the kernel."),
        (Source::Procfs, None) => writeln!(out, "crib-top reads /proc, which knows less."),
        (Source::Procfs, Some(reason)) => {
            writeln!(out, "crib-top reads /proc, which knows less: {reason}")
        }
    }
}

/// Each remedy, with what it is for: one often mends several things.
fn remedies(checks: &[Check]) -> Vec<(&str, Vec<String>)> {
    let mut remedies: Vec<(&str, Vec<String>)> = Vec::new();
    for check in checks {
        let Some(remedy) = check.remedy.as_deref() else { continue };
        let need = format!("{} ({})", check.name, check.needed_for);
        match remedies.iter_mut().find(|(known, _)| *known == remedy) {
            Some((_, needs)) => needs.push(need),
            None => remedies.push((remedy, vec![need])),
        }
    }
    remedies
}

/// The state, with what would be missing without BPF told from what is merely less.
fn state(check: &Check) -> String {
    match check.state {
        CheckState::Missing if check.required => "MISSING".into(),
        state => state.name().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &'static str, required: bool, state: CheckState, remedy: Option<&str>) -> Check {
        let (needed_for, detail) = ("reading by BPF", format!("what was found of {name}"));
        Check { name, needed_for, required, state, detail, remedy: remedy.map(str::to_owned) }
    }

    fn checks() -> Vec<Check> {
        vec![
            check("privileges", true, CheckState::Missing, Some("sudo crib-top")),
            check("btf", true, CheckState::Ok, None),
            check("lockdown", false, CheckState::Unknown, Some("mount it")),
            check("tracing", false, CheckState::Missing, None),
            check("ptrace", false, CheckState::Missing, Some("sudo crib-top")),
        ]
    }

    #[test]
    fn checks_are_a_table_with_the_remedies_below() {
        let layout = table::Layout { headings: true, ..table::Layout::default() };
        let mut out = Vec::new();
        let reason = Some("BPF is not permitted");
        print(&mut out, &checks(), Source::Procfs, reason, layout).unwrap();
        print(&mut out, &checks()[1..2], Source::Bpf, None, layout).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn the_document_has_the_checks() {
        let header = Header::new(Source::Procfs, None, SystemTime::UNIX_EPOCH);
        let checks = checks();
        let document = Document { header, reason: Some("no BTF"), checks: &checks };
        let value = serde_json::to_value(document).unwrap();
        assert_eq!(value["schema"], 1);
        assert_eq!(value["source"], "procfs");
        assert_eq!(value["reason"], "no BTF");
        assert_eq!(
            value["checks"][0],
            serde_json::json!({
                "name": "privileges", "needed_for": "reading by BPF", "required": true,
                "state": "missing", "detail": "what was found of privileges",
                "remedy": "sudo crib-top",
            })
        );
    }
}
