//! What a run is to do: the command line and the environment, checked and resolved.

use std::time::Duration;

use crate::cli::{Cli, CliCommand, Flags};
use crate::model::column::{self, Column, ColumnError, Table};
use crate::model::filter::{Filter, FilterError, parse_number};
use crate::model::{Files, Processes, escape};
use crate::source::SourceChoice;

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
    pub payload: u64,
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
    /// What the kernel and the user allow.
    Doctor {
        /// How to print it.
        format: Format,
        /// Whether a table has headings.
        headings: bool,
    },
    /// The list of columns of the table of files.
    FileColumns,
    /// The list of columns of the table of processes.
    ProcessColumns,
}

/// The live view's settings.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The process to open; none to choose one.
    pub target: Option<Target>,
    /// Time from one reading to the next.
    pub delay: Duration,
    /// The filter that the table of files starts with, as it was written, which a person may
    /// go on editing; it is known to be one.
    pub filter: Option<String>,
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

/// What is wrong with the arguments. Each message is one line and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// `files` without a process.
    #[error("files needs a process: add -p PID or -p NAME")]
    NoTarget,
    /// An empty name in a list of processes.
    #[error("a process is missing in -p '{}'; give pids or names with a comma between two", escape(.0.as_bytes()))]
    EmptyTarget(String),
    /// More digits than any pid has.
    #[error("-p '{0}' is too large a number to be a pid")]
    PidTooLarge(String),
    /// Several processes for the live view.
    #[error("the live view shows one process, and -p names {0}; use crib-top files for several")]
    SeveralTargets(usize),
    /// A time that isn't one.
    #[error("-d '{}' is no time; write a number and a unit: 500ms, 1s or 2m", escape(.0.as_bytes()))]
    Delay(String),
    /// A time without its unit.
    #[error("-d '{0}' has no unit; write {0}s for seconds, {0}ms or {0}m")]
    DelayUnit(String),
    /// A time out of range.
    #[error("-d '{0}' is out of range; the delay is at least 10ms and at most 60m")]
    DelayRange(String),
    /// A number of bytes that isn't one.
    #[error("--payload '{}' is no number of bytes; write 0, 512 or 4K", escape(.0.as_bytes()))]
    Payload(String),
    /// A list of columns that can't be had.
    #[error("-o: {0}; see crib-top {1} -H for the list")]
    Columns(ColumnError, &'static str),
    /// A filter that can't be read.
    #[error("-Q '{text}': {1}", text = escape(.0.as_bytes()))]
    Filter(String, FilterError),
    /// Two flags that exclude one another.
    #[error("{0} and {1} exclude one another; leave one out")]
    Conflict(&'static str, &'static str),
    /// A flag for what is printed, on the way to the live view.
    #[error("the live view takes no {0}; leave it out, or use crib-top files")]
    Printed(&'static str),
    /// A flag that the command has no use for.
    #[error("{0} takes no {1}; leave it out")]
    Unused(&'static str, &'static str),
}

const DEFAULT_DELAY: Duration = Duration::from_secs(1);
const MIN_DELAY: Duration = Duration::from_millis(10);
const MAX_DELAY: Duration = Duration::from_secs(60 * 60);
const DEFAULT_PAYLOAD: u64 = 4096;

impl Settings {
    /// Checks the arguments and puts them together with the environment.
    ///
    /// # Errors
    /// [`SettingsError`] for each argument that can't be followed.
    pub fn resolve(cli: &Cli, environment: Environment) -> Result<Self, SettingsError> {
        let flags = &cli.flags;
        let delay = flags.delay.as_deref().map_or(Ok(DEFAULT_DELAY), parse_delay)?;
        let payload = flags.payload.as_deref().map_or(Ok(DEFAULT_PAYLOAD), parse_payload)?;
        Ok(Self {
            task: task(cli, environment, delay)?,
            source: flags.source,
            payload,
            style: Style { ascii: flags.ascii, color: !flags.no_color && !environment.no_color },
        })
    }
}

fn task(cli: &Cli, environment: Environment, delay: Duration) -> Result<Task, SettingsError> {
    let flags = &cli.flags;
    let live = environment.interactive && cli.command.is_none() && !flags.list_columns;
    if live && !flags.json && !flags.json_lines {
        watch(flags, delay).map(Task::Watch)
    } else {
        print(cli.command, flags).map(Task::Print)
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
    filter::<Files>(flags)?;
    Ok(Watch { target: targets.into_iter().next(), delay, filter: flags.filter.clone() })
}

fn print(command: Option<CliCommand>, flags: &Flags) -> Result<Print, SettingsError> {
    let format = format(flags)?;
    if flags.list_columns {
        return match command {
            Some(CliCommand::Doctor) => Err(SettingsError::Unused("doctor", "-H")),
            Some(CliCommand::Ps) => Ok(Print::ProcessColumns),
            Some(CliCommand::Files) | None => Ok(Print::FileColumns),
        };
    }
    let targets = targets(flags)?;
    match command {
        Some(CliCommand::Files) if targets.is_empty() => Err(SettingsError::NoTarget),
        // Without a terminal, what the live view would have begun with.
        None if targets.is_empty() => {
            Ok(Print::Processes { targets, output: output(flags, format, "ps")? })
        }
        Some(CliCommand::Files) | None => {
            Ok(Print::Files { targets, output: output(flags, format, "files")? })
        }
        Some(CliCommand::Ps) => {
            Ok(Print::Processes { targets, output: output(flags, format, "ps")? })
        }
        Some(CliCommand::Doctor) => {
            let unused = [
                ("-p", flags.pid.is_some()),
                ("-Q", flags.filter.is_some()),
                ("-o", flags.output.is_some()),
            ];
            match unused.into_iter().find(|&(_, given)| given) {
                Some((flag, _)) => Err(SettingsError::Unused("doctor", flag)),
                None => Ok(Print::Doctor { format, headings: !flags.noheadings }),
            }
        }
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
        filter: filter(flags)?,
        columns: columns.transpose()?,
        headings: !flags.noheadings,
    })
}

fn filter<T: Table>(flags: &Flags) -> Result<Option<Filter<T>>, SettingsError> {
    let parse = |text: &String| {
        Filter::parse(text).map_err(|error| SettingsError::Filter(text.clone(), error))
    };
    flags.filter.as_ref().map(parse).transpose()
}

fn targets(flags: &Flags) -> Result<Vec<Target>, SettingsError> {
    flags.pid.as_deref().map_or(Ok(Vec::new()), parse_targets)
}

fn parse_targets(list: &str) -> Result<Vec<Target>, SettingsError> {
    let mut targets = Vec::new();
    for item in list.split(',') {
        let target = if item.is_empty() {
            return Err(SettingsError::EmptyTarget(list.to_owned()));
        } else if item.bytes().all(|byte| byte.is_ascii_digit()) {
            let pid = item.parse();
            Target::Pid(pid.map_err(|_| SettingsError::PidTooLarge(item.to_owned()))?)
        } else {
            Target::Name(item.to_owned())
        };
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    Ok(targets)
}

fn parse_delay(text: &str) -> Result<Duration, SettingsError> {
    let not_a_time = || SettingsError::Delay(text.to_owned());
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().map_err(|_| not_a_time())?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        "" => return Err(SettingsError::DelayUnit(text.to_owned())),
        _ => return Err(not_a_time()),
    };
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|delay| (MIN_DELAY..=MAX_DELAY).contains(delay))
        .ok_or_else(|| SettingsError::DelayRange(text.to_owned()))
}

fn parse_payload(text: &str) -> Result<u64, SettingsError> {
    parse_number(text)
        .and_then(|number| u64::try_from(number).ok())
        .ok_or_else(|| SettingsError::Payload(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;

    const TERMINAL: Environment = Environment { interactive: true, no_color: false };
    const PIPE: Environment = Environment { interactive: false, no_color: false };

    fn resolve(arguments: &str, environment: Environment) -> Result<Settings, SettingsError> {
        let arguments = ["crib-top"].into_iter().chain(arguments.split_whitespace());
        Settings::resolve(&Cli::try_parse_from(arguments).unwrap(), environment)
    }

    fn task(arguments: &str, environment: Environment) -> Task {
        resolve(arguments, environment).unwrap().task
    }

    #[test]
    fn without_a_command_it_is_the_live_view_on_a_terminal_and_a_table_elsewhere() {
        let Task::Watch(watch) = task("-p 1 -d 500ms -Q socket", TERMINAL) else {
            panic!("no live view");
        };
        assert_eq!(watch.target, Some(Target::Pid(1)));
        assert_eq!(watch.delay, Duration::from_millis(500));
        assert!(watch.filter.as_deref() == Some("socket"));
        assert!(matches!(task("", TERMINAL), Task::Watch(Watch { target: None, .. })));

        assert!(matches!(task("-p 1", PIPE), Task::Print(Print::Files { .. })));
        assert!(matches!(task("-p 1 -J", TERMINAL), Task::Print(Print::Files { .. })));
        assert!(matches!(task("", PIPE), Task::Print(Print::Processes { .. })));
        assert!(matches!(task("-j", TERMINAL), Task::Print(Print::Processes { .. })));
    }

    #[test]
    fn targets_are_pids_and_names() {
        let Task::Print(Print::Files { targets, output }) = task("files -p 12,sshd,12,7z", PIPE)
        else {
            panic!("no files");
        };
        let name = |name: &str| Target::Name(name.into());
        assert_eq!(targets, [Target::Pid(12), name("sshd"), name("7z")]);
        assert_eq!(output.format, Format::Table);
        assert!(output.headings && output.columns.is_none() && output.filter.is_none());
    }

    #[test]
    fn a_filter_and_columns_are_those_of_the_command() {
        assert!(resolve("ps -Q FDS>9 -o PID,FDS", PIPE).is_ok());
        assert!(resolve("files -p1 -Q FDS>9", PIPE).is_err());
        assert!(matches!(task("ps -H", PIPE), Task::Print(Print::ProcessColumns)));
        assert!(matches!(task("files -H", PIPE), Task::Print(Print::FileColumns)));
        assert!(matches!(task("-H", TERMINAL), Task::Print(Print::FileColumns)));
    }

    #[test]
    fn colors_are_off_when_either_says_so() {
        let color = |arguments, environment| resolve(arguments, environment).unwrap().style.color;
        assert!(color("", TERMINAL));
        assert!(!color("--no-color", TERMINAL));
        assert!(!color("", Environment { no_color: true, ..TERMINAL }));
    }

    #[rstest]
    #[case("1s", 1000)]
    #[case("250ms", 250)]
    #[case("0.5s", 500)]
    #[case("60m", 3_600_000)]
    fn a_delay_has_a_unit(#[case] text: &str, #[case] milliseconds: u64) {
        assert_eq!(parse_delay(text), Ok(Duration::from_millis(milliseconds)));
    }

    #[test]
    fn a_payload_is_a_number_of_bytes() {
        assert_eq!(parse_payload("0"), Ok(0));
        assert_eq!(parse_payload("2K"), Ok(2048));
        assert!(parse_payload("-1").is_err());
    }

    #[test]
    fn each_bad_argument_has_a_message_that_says_what_to_do() {
        let errors: Vec<String> = [
            "files",
            "-p 1,2",
            "-p 1 -o +INO",
            "-n",
            "files -p 1,,2",
            "files -p 99999999999",
            "-d 5",
            "-d 5h",
            "-d soon",
            "-d 1.2.3s",
            "-d 0s",
            "-d 61m",
            "--payload lots",
            "files -p 1 -o FD,NAM",
            "ps -o FD",
            "files -p 1 -Q FD=",
            "files -p 1 -J -j",
            "files -p 1 -J -o FD",
            "doctor -p 1",
            "doctor -H",
        ]
        .map(|arguments| resolve(arguments, TERMINAL).unwrap_err().to_string())
        .into();
        insta::assert_snapshot!(errors.join("\n"));
    }
}
