//! The commands that print something once and end.

mod bench;
mod doctor;
mod dump;
mod files;
mod leaks;
mod lint;
mod packets;
mod pause;
mod peers;
mod processes;
mod target;
mod watched;

use std::io::Write;

use crate::export;
use crate::export::table::Layout;
use crate::failure::Failure;
use crate::kernel::Wanted;
use crate::model::column::Table;
use crate::model::{Files, Process, Processes, Text};
use crate::privileges::{self, FORCING, LOADING, NOTHING, Needs, PROCFS, STACKS, SYMBOLS, WRITING};
use crate::settings::{Format, PacketsOutput, PcapTarget, Print, Style};
use crate::source::{Reader, SourceChoice};

pub use target::{find, find_all};

/// Where a command prints: what is standard output and standard error outside of tests.
pub struct Streams<'a, O: Write> {
    /// For what was asked for.
    pub out: O,
    /// The width of the terminal behind `out`, if there is one.
    pub width: Option<usize>,
    /// Takes a diagnostic of one line.
    pub note: &'a mut dyn FnMut(&str),
}

impl<O: Write> Streams<'_, O> {
    fn layout(&self, headings: bool, style: Style) -> Layout {
        Layout { headings, ascii: style.ascii, width: self.width }
    }
}

/// What a command needs to begin with, and what the programs that it starts need.
pub fn needs(print: &Print) -> (Needs, Needs) {
    let reading = LOADING | SYMBOLS | PROCFS;
    match print {
        Print::Packets { output: PacketsOutput::Pcap(PcapTarget::File(_)), .. } => {
            (reading | WRITING, NOTHING)
        }
        Print::Files { .. }
        | Print::Processes { .. }
        | Print::Packets { .. }
        | Print::Dump { .. }
        | Print::Lint { .. }
        | Print::Doctor { .. } => (reading, NOTHING),
        Print::Leaks { .. } => (reading | STACKS, NOTHING),
        Print::Bench { .. } => (reading, reading | FORCING),
        Print::FileColumns { .. } | Print::ProcessColumns { .. } | Print::Lints { .. } => {
            (NOTHING, NOTHING)
        }
    }
}

/// Gives up all that is not needed any more.
fn keep(needs: Needs) -> Result<(), Failure> {
    keep_with(needs, NOTHING)
}

/// As [`keep`], with something in reserve.
fn keep_with(needs: Needs, reserved: Needs) -> Result<(), Failure> {
    privileges::keep_with(needs, reserved).map_err(Failure::Privileges)
}

/// Prints what the settings ask for.
///
/// # Errors
/// [`Failure`], of which some are only known after something was printed.
pub fn run<O: Write>(
    print: &Print,
    source: SourceChoice,
    style: Style,
    streams: &mut Streams<'_, O>,
) -> Result<(), Failure> {
    let result = match print {
        Print::Files { targets, peers, output } => {
            files::run(targets, *peers, output, source, style, streams)
        }
        Print::Processes { targets, output } => {
            processes::run(targets, output, source, style, streams)
        }
        Print::Packets { target, packets, output } => {
            packets::run(target, packets, output, source, style, streams)
        }
        Print::Dump { targets, payload, output } => {
            dump::run(targets, *payload, output, source, style, streams)
        }
        Print::Bench { bench, format, headings } => {
            bench::run(bench, *format, *headings, style, streams)
        }
        Print::Leaks { target, leaks, format, headings } => {
            let style = (style, *headings);
            leaks::run(target, leaks, *format, source, style, streams)
        }
        Print::Lint { target, watch, output } => {
            lint::run(target, *watch, output, source, style, streams)
        }
        Print::Doctor { format, headings } => doctor::run(*format, *headings, style, streams),
        Print::Lints { format, headings } => lint::list(*format, *headings, style, streams),
        Print::FileColumns { format, headings } => {
            list_columns::<Files, O>(*format, *headings, style, streams)
        }
        Print::ProcessColumns { format, headings } => {
            list_columns::<Processes, O>(*format, *headings, style, streams)
        }
    };
    // What was printed before a failure is printed all the same.
    let flushed = streams.out.flush();
    result.and(flushed.map_err(Failure::Write))
}

/// Opens the source and keeps what reading from it needs; says why /proc is read where nobody
/// asked for it.
fn open(
    source: SourceChoice,
    wanted: Wanted,
    note: &mut dyn FnMut(&str),
) -> Result<Reader, Failure> {
    let mut reader = Reader::open(source, wanted)?;
    keep(reader.prepare()?)?;
    say_source(&reader, note);
    Ok(reader)
}

/// Says why /proc is read where nobody asked for it.
fn say_source(reader: &Reader, note: &mut dyn FnMut(&str)) {
    if let Some(reason) = reader.reason() {
        note(&format!("reading /proc, which knows less: {reason}"));
    }
}

/// Says whose paths those of a process are, where they are not those that one sees here.
fn say_mounts(process: &Process, note: &mut dyn FnMut(&str)) {
    if process.other_mounts == Some(true) {
        let pid = process.pid;
        note(&format!(
            "process {pid} has mounts of its own: paths are as it sees them, from here they are \
             below /proc/{pid}/root"
        ));
    }
}

/// The kernel's release (uname(2)).
fn kernel_release() -> Option<Text> {
    sysinfo::System::kernel_version().ok().map(Text::from)
}

fn list_columns<T: Table, O: Write>(
    format: Format,
    headings: bool,
    style: Style,
    streams: &mut Streams<'_, O>,
) -> Result<(), Failure> {
    let layout = streams.layout(headings, style);
    match format {
        Format::Table => export::columns::list::<T>(&mut streams.out, layout)?,
        Format::Json => export::columns::document::<T>(&mut streams.out)?,
        Format::JsonLines => export::columns::lines::<T>(&mut streams.out)?,
    }
    Ok(())
}
