//! The `crib-top` command.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use crib_tui::bench::workload;
use crib_tui::cli::{self, Cli};
use crib_tui::command::{self, Streams};
use crib_tui::failure::{Code, Failure};
use crib_tui::model::ReadError;
use crib_tui::settings::{Environment, Settings, Style, Task, Watch};
use crib_tui::source::SourceChoice;
use crib_tui::{privileges, procfs, tui};

fn main() -> ExitCode {
    // Before anything else: this may be one of the processes that `crib-top bench` looks into.
    if let Some(code) = workload::run_if_asked(std::env::args_os().skip(1)) {
        return code;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error),
    };
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                say(&message);
            }
            failure.code().into()
        }
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let stdout = io::stdout();
    let environment = Environment {
        interactive: stdout.is_terminal(),
        no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
    };
    let Settings { task, source, style, .. } = Settings::resolve(cli, environment)?;
    let (needs, children) = match &task {
        Task::Watch(_) => (tui::needs(), privileges::NOTHING),
        Task::Print(print) => command::needs(print),
    };
    privileges::begin(needs, children).map_err(Failure::Privileges)?;
    match task {
        Task::Watch(settings) => watch(settings, source, style),
        Task::Print(print) => {
            let width = terminal_size::terminal_size_of(&stdout).map(|(width, _)| width.0.into());
            let out = BufWriter::new(stdout.lock());
            command::run(&print, source, style, &mut Streams { out, width, note: &mut say })
        }
    }
}

fn watch(settings: Watch, source: SourceChoice, style: Style) -> Result<(), Failure> {
    let pid = settings.target.as_ref().map(command::find).transpose()?;
    if let Some(pid) = pid {
        // Said before the screen is taken, where it would be gone with it.
        procfs::process(pid)?;
    }
    let options = tui::Options {
        pid,
        source,
        delay: settings.delay,
        payload: settings.payload,
        ascii: style.ascii,
        color: style.color,
        filter: settings.filter,
        lints: settings.lints,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Live(error.into()))?;
    runtime.block_on(tui::run(options)).map_err(|error| match error.downcast::<ReadError>() {
        Ok(error) => Failure::Read(error),
        Err(error) => Failure::Live(error),
    })
}

/// Help and the version go to standard output; everything else is an error in one line.
fn not_parsed(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Nobody is left to hear of an output that can't be written.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    say(&cli::one_line(error));
    Code::Usage.into()
}

/// One line on standard error; when that is closed, there is nowhere to say so.
fn say(message: &str) {
    let _ = writeln!(io::stderr(), "crib-top: {message}");
}
