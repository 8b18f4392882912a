//! What a run is to do: the command line and the environment, checked and resolved.

mod bench;
mod error;
mod leaks;
mod lint;
mod packets;
#[cfg(test)]
mod tests;
mod values;

use std::time::Duration;

use crate::cli::{Cli, CliCommand, Flags};
use crate::model::column::{self, Column, Table};
use crate::model::filter::{Filter, FilterError};
use crate::model::lint::LintSet;
use crate::model::{Dump, Files, Processes};
use crate::source::SourceChoice;

pub use bench::Bench;
pub use error::SettingsError;
pub use leaks::Leaks;
pub use lint::LintWatch;
pub use packets::{Packets, PacketsOutput, PcapTarget};

/// What the program learns from its surroundings rather than from its arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Whether standard output is a terminal, so that a person sees the live view.
    pub interactive: bool,
    /// Whether NO_COLOR is set and not empty (no-color.org).
    pub no_color: bool,
}

/// A run, ready to go.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What to do.
    pub task: Task,
    /// Where to read from.
    pub source: SourceChoice,
    /// Bytes of each queued message to read at most.
    pub payload: u32,
    /// How to draw.
    pub style: Style,
}

/// What to do.
#[derive(Clone, Debug)]
pub enum Task {
    /// Show the live view.
    Watch(Watch),
    /// Print something once and end.
    Print(Print),
}

/// What to print.
#[derive(Clone, Debug)]
pub enum Print {
    /// The files of some processes, once.
    Files {
        /// Whose: at least one.
        targets: Vec<Target>,
        /// Whether to look through all processes for those at the other ends.
        peers: bool,
        /// How to print them.
        output: Output<Files>,
    },
    /// The list of processes, once.
    Processes {
        /// Which; all where there is none.
        targets: Vec<Target>,
        /// How to print them.
        output: Output<Processes>,
    },
    /// What is queued in one socket or pipe.
    Packets {
        /// Whose file it is.
        target: Target,
        /// Which file, and what of it.
        packets: Packets,
        /// How to print it.
        output: PacketsOutput,
    },
    /// The files of some processes with all that is queued in them, once.
    Dump {
        /// Whose: at least one.
        targets: Vec<Target>,
        /// Bytes of each message at most.
        payload: u32,
        /// How to print them.
        output: Output<Files>,
    },
    /// Ways of reading, side by side.
    Bench {
        /// How much to read, and how often.
        bench: Bench,
        /// How to print it.
        format: Format,
        /// Whether tables have headings.
        headings: bool,
    },
    /// What grows in one process while it is watched.
    Leaks {
        /// Which process.
        target: Target,
        /// How to watch it.
        leaks: Leaks,
        /// As what to print it.
        format: Format,
        /// Whether a table has headings.
        headings: bool,
    },
    /// What lints find in one process.
    Lint {
        /// Which process.
        target: Target,
        /// How to watch it; none for a single reading.
        watch: Option<LintWatch>,
        /// Which files, and how to print what was found.
        output: Output<Files>,
    },
    /// The list of lints.
    Lints {
        /// As what to print it.
        format: Format,
        /// Whether a table has headings.
        headings: bool,
    },
    /// What the kernel and the user allow.
    Doctor {
        /// How to print it.
        format: Format,
        /// Whether a table has headings.
        headings: bool,
    },
    /// The list of columns of the table of files.
    FileColumns {
        /// As what to print them.
        format: Format,
        /// Whether a table has headings.
        headings: bool,
    },
    /// The list of columns of the table of processes.
    ProcessColumns {
        /// As what to print them.
        format: Format,
        /// Whether a table has headings.
        headings: bool,
    },
}

/// The live view's settings.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The process to open; none to choose one.
    pub target: Option<Target>,
    /// Time from one reading to the next.
    pub delay: Duration,
    /// Bytes of each queued message to read at most; as many as the screen shows where there is
    /// none.
    pub payload: Option<u32>,
    /// The filter that the table of files starts with, as it was written, which a person may
    /// go on editing; it is known to be one.
    pub filter: Option<String>,
    /// Which lints are wanted.
    pub lints: LintSet,
}

/// How rows are printed.
#[derive(Clone, Debug)]
pub struct Output<T: Table> {
    /// As what.
    pub format: Format,
    /// Which rows; all where there is none.
    pub filter: Option<Filter<T>>,
    /// The columns of a table, where they were chosen.
    pub columns: Option<Vec<&'static Column<T>>>,
    /// Whether a table has headings.
    pub headings: bool,
    /// Which lints are wanted.
    pub lints: LintSet,
}

/// As what something is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Aligned text for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    JsonLines,
}

/// How things are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// With ASCII characters only.
    pub ascii: bool,
    /// With colors.
    pub color: bool,
}

/// A process, as the user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By its pid.
    Pid(u32),
    /// By its command name or a part of it.
    Name(String),
}

/// The time from one reading to the next where nobody says.
pub const DEFAULT_DELAY: Duration = Duration::from_secs(1);

impl Settings {
    /// Checks the arguments and puts them together with the environment.
    ///
    /// # Errors
    /// [`SettingsError`] for each argument that can't be followed.
    pub fn resolve(cli: &Cli, environment: Environment) -> Result<Self, SettingsError> {
        let flags = &cli.flags;
        let delay = flags.delay.as_deref().map_or(Ok(DEFAULT_DELAY), values::delay)?;
        let payload = flags.payload.as_deref().map_or(Ok(Dump::PAYLOAD), values::payload)?;
        Ok(Self {
            task: task(cli, environment, delay, payload)?,
            source: flags.source,
            payload,
            style: Style { ascii: flags.ascii, color: !flags.no_color && !environment.no_color },
        })
    }
}

fn task(
    cli: &Cli,
    environment: Environment,
    delay: Duration,
    payload: u32,
) -> Result<Task, SettingsError> {
    let flags = &cli.flags;
    let lists = flags.list_columns || flags.list_lints;
    let live = environment.interactive && cli.command.is_none() && !lists;
    if live && !flags.json && !flags.json_lines {
        watch(flags, delay).map(Task::Watch)
    } else {
        print(cli.command.as_ref(), flags, environment, payload).map(Task::Print)
    }
}

fn watch(flags: &Flags, delay: Duration) -> Result<Watch, SettingsError> {
    let printed = [("-o", flags.output.is_some()), ("-n", flags.noheadings)];
    if let Some(&(flag, _)) = printed.iter().find(|&&(_, given)| given) {
        return Err(SettingsError::Printed(flag));
    }
    let targets = targets(flags)?;
    if targets.len() > 1 {
        return Err(SettingsError::SeveralTargets(targets.len()));
    }
    filter(flags, Filter::parse_without_sweep)?;
    Ok(Watch {
        target: targets.into_iter().next(),
        delay,
        payload: flags.payload.as_deref().map(values::payload).transpose()?,
        filter: flags.filter.clone(),
        lints: lint::wanted(flags)?,
    })
}

fn print(
    command: Option<&CliCommand>,
    flags: &Flags,
    environment: Environment,
    payload: u32,
) -> Result<Print, SettingsError> {
    let format = format(flags)?;
    lint::wanted(flags)?;
    let headings = !flags.noheadings;
    if flags.list_lints {
        return Ok(Print::Lints { format, headings });
    }
    if flags.list_columns {
        return match command {
            Some(CliCommand::Doctor) => Err(SettingsError::Unused("doctor", "-H")),
            Some(CliCommand::Bench(_)) => Err(SettingsError::Unused("bench", "-H")),
            Some(CliCommand::Packets(_)) => Err(SettingsError::Unused("packets", "-H")),
            Some(CliCommand::Leaks(_)) => Err(SettingsError::Unused("leaks", "-H")),
            Some(CliCommand::Lint(_)) => Err(SettingsError::Unused("lint", "-H")),
            Some(CliCommand::Ps) => Ok(Print::ProcessColumns { format, headings }),
            Some(CliCommand::Files(_) | CliCommand::Dump) | None => {
                Ok(Print::FileColumns { format, headings })
            }
        };
    }
    match command {
        Some(CliCommand::Files(args)) => {
            let targets = some_targets(flags, "files")?;
            let mut output = output(flags, format, "files")?;
            if args.peers && format == Format::Table && output.columns.is_none() {
                let columns = column::select(PEERS_COLUMNS);
                let columns = columns.map_err(|error| SettingsError::Columns(error, "files"));
                output.columns = Some(columns?);
            }
            Ok(Print::Files { targets, peers: args.peers || wants_peers(&output), output })
        }
        Some(CliCommand::Packets(args)) => {
            refuse("packets", &[("-Q", flags.filter.is_some()), ("-o", flags.output.is_some())])?;
            let targets = some_targets(flags, "packets")?;
            packets::print(args, targets, format, environment, (payload, !flags.noheadings))
        }
        Some(CliCommand::Dump) => {
            refuse("dump", &[("-o", flags.output.is_some())])?;
            let targets = some_targets(flags, "dump")?;
            filter(flags, Filter::parse_without_sweep)?;
            Ok(Print::Dump { targets, payload, output: output(flags, format, "files")? })
        }
        Some(CliCommand::Bench(args)) => {
            let used = [
                ("-p", flags.pid.is_some()),
                ("-Q", flags.filter.is_some()),
                ("-o", flags.output.is_some()),
                ("--source", flags.source == SourceChoice::Procfs),
            ];
            refuse("bench", &used)?;
            let bench = Bench::resolve(args)?;
            Ok(Print::Bench { bench, format, headings: !flags.noheadings })
        }
        Some(CliCommand::Leaks(args)) => {
            refuse("leaks", &[("-Q", flags.filter.is_some()), ("-o", flags.output.is_some())])?;
            let targets = some_targets(flags, "leaks")?;
            leaks::print(args, flags.delay.as_deref(), targets, format, !flags.noheadings)
        }
        Some(CliCommand::Lint(args)) => {
            refuse("lint", &[("-o", flags.output.is_some())])?;
            let targets = some_targets(flags, "lint")?;
            filter(flags, Filter::parse_without_sweep)?;
            lint::print(args, flags.delay.as_deref(), targets, output(flags, format, "files")?)
        }
        Some(CliCommand::Doctor) => {
            let used = [
                ("-p", flags.pid.is_some()),
                ("-Q", flags.filter.is_some()),
                ("-o", flags.output.is_some()),
            ];
            refuse("doctor", &used)?;
            Ok(Print::Doctor { format, headings: !flags.noheadings })
        }
        // Without a terminal, what the live view would have begun with.
        None if flags.pid.is_some() => {
            let targets = targets(flags)?;
            let output = output(flags, format, "files")?;
            Ok(Print::Files { targets, peers: wants_peers(&output), output })
        }
        Some(CliCommand::Ps) | None => {
            let targets = targets(flags)?;
            Ok(Print::Processes { targets, output: output(flags, format, "ps")? })
        }
    }
}

/// What `files --peers` shows beside the usual, where no columns were chosen.
const PEERS_COLUMNS: &str = "+PEER,+HOLDERS";

/// Whether a column is shown or asked about that only a sweep over all processes fills.
fn wants_peers(output: &Output<Files>) -> bool {
    let swept = |column: &Column<Files>| Files::SWEPT.contains(&column.name);
    output.columns.iter().flatten().any(|column| swept(column))
        || output.filter.as_ref().is_some_and(|filter| filter.mentions(swept))
}

/// Refuses a flag that a command has no use for.
fn refuse(command: &'static str, given: &[(&'static str, bool)]) -> Result<(), SettingsError> {
    match given.iter().find(|&&(_, given)| given) {
        Some(&(flag, _)) => Err(SettingsError::Unused(command, flag)),
        None => Ok(()),
    }
}

fn format(flags: &Flags) -> Result<Format, SettingsError> {
    let (format, name) = match (flags.json, flags.json_lines) {
        (false, false) => return Ok(Format::Table),
        (true, true) => return Err(SettingsError::Conflict("-J", "-j")),
        (true, false) => (Format::Json, "-J"),
        (false, true) => (Format::JsonLines, "-j"),
    };
    // The fields of the documents are fixed: to print others than asked for would be wrong.
    if flags.output.is_some() { Err(SettingsError::Conflict("-o", name)) } else { Ok(format) }
}

fn output<T: Table>(
    flags: &Flags,
    format: Format,
    command: &'static str,
) -> Result<Output<T>, SettingsError> {
    let columns = flags
        .output
        .as_deref()
        .map(|list| column::select(list).map_err(|error| SettingsError::Columns(error, command)));
    Ok(Output {
        format,
        filter: filter(flags, Filter::parse)?,
        columns: columns.transpose()?,
        headings: !flags.noheadings,
        lints: lint::wanted(flags)?,
    })
}

fn filter<T: Table>(
    flags: &Flags,
    parse: impl Fn(&str) -> Result<Filter<T>, FilterError>,
) -> Result<Option<Filter<T>>, SettingsError> {
    let parse =
        |text: &String| parse(text).map_err(|error| SettingsError::Filter(text.clone(), error));
    flags.filter.as_ref().map(parse).transpose()
}

fn targets(flags: &Flags) -> Result<Vec<Target>, SettingsError> {
    flags.pid.as_deref().map_or(Ok(Vec::new()), values::targets)
}

fn some_targets(flags: &Flags, command: &'static str) -> Result<Vec<Target>, SettingsError> {
    let targets = targets(flags)?;
    if targets.is_empty() { Err(SettingsError::NoTarget(command)) } else { Ok(targets) }
}
