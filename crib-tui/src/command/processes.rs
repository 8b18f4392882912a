//! `crib-top ps`: every process with the sums over its open files, once.

use std::io::Write;

use super::{Streams, find_all, keep, kernel_release, open};
use crate::export::json::{self, Header};
use crate::export::table;
use crate::failure::Failure;
use crate::kernel::Wanted;
use crate::model::column::Table;
use crate::model::{ProcessRow, Processes, ReadError};
use crate::privileges::NOTHING;
use crate::settings::{Format, Output, Style, Target};
use crate::source::SourceChoice;

/// Prints the processes, or those of them that are targets.
pub(super) fn run<O: Write>(
    targets: &[Target],
    output: &Output<Processes>,
    source: SourceChoice,
    style: Style,
    streams: &mut Streams<'_, O>,
) -> Result<(), Failure> {
    let pids = find_all(targets)?;
    let mut reader = open(source, Wanted::Processes, streams.note)?;
    let reading = reader.processes()?;
    keep(NOTHING)?;
    if let Some(&gone) =
        pids.iter().find(|&&pid| reading.processes.iter().all(|(process, _)| process.pid != pid))
    {
        return Err(ReadError::NoProcess(gone).into());
    }
    let rows: Vec<ProcessRow<'_>> = reading
        .processes
        .iter()
        .filter(|(process, _)| pids.is_empty() || pids.contains(&process.pid))
        .map(|&(ref process, totals)| ProcessRow { process, totals })
        .filter(|row| output.filter.as_ref().is_none_or(|filter| filter.matches(row)))
        .collect();
    let out = &mut streams.out;
    match output.format {
        Format::Table => {
            let columns = output.columns.clone().unwrap_or_else(Processes::default_columns);
            let layout = streams.layout(output.headings, style);
            table::write(&mut streams.out, &columns, &rows, layout)?;
        }
        Format::Json => {
            let header = Header::new(reading.source, kernel_release(), reading.time)
                .because(reader.reason());
            json::processes(out, &header, &rows)?;
        }
        Format::JsonLines => json::process_lines(out, &rows)?,
    }
    if output.filter.is_some() && rows.is_empty() {
        return Err(Failure::NothingMatched(Processes::ROWS));
    }
    Ok(())
}
