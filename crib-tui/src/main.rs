//! The `crib-top` command.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use crib_tui::cli::{self, Cli};
use crib_tui::command::{self, Streams};
use crib_tui::failure::{Code, Failure};
use crib_tui::settings::{Environment, Settings};

fn main() -> ExitCode {
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
    let settings = Settings::resolve(cli, environment)?;
    let width = terminal_size::terminal_size_of(&stdout).map(|(width, _)| width.0.into());
    let mut streams =
        Streams { out: BufWriter::new(stdout.lock()), width, note: &mut |note| say(note) };
    command::run(&settings, &mut streams)
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
