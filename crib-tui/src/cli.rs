//! The command line as it is written: nothing is checked here that needs more than clap.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use crate::model::escape;
use crate::source::SourceChoice;

/// See a live process's open files and what waits in its sockets
///
/// Reads a process's open files, sockets and queues from the running kernel by BPF
/// iterators, without stopping it or consuming anything. Without a command it opens a live
/// view; without a terminal it prints the table once.
#[derive(Clone, Debug, Parser)]
#[command(name = "crib-top", bin_name = "crib-top", version, args_override_self = true)]
#[command(subcommand_help_heading = "Commands", subcommand_value_name = "COMMAND")]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
Exit codes: 0 done; 1 the target doesn't exist, went away, or nothing matched; 2 usage;
3 a privilege or kernel feature is missing (see crib-top doctor); 10 leaks suspects a leak.")]
#[command(max_term_width = 100)]
pub struct Cli {
    /// What to do; the live view where it is left out.
    #[command(subcommand)]
    pub command: Option<CliCommand>,
    /// What every command takes.
    #[command(flatten)]
    pub flags: Flags,
}

/// The commands.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum CliCommand {
    /// Print the table of open files, once
    Files(FilesArgs),
    /// Print what is queued in one socket or pipe, message by message
    #[command(after_help = "packets takes no -Q, -o or -H; -p names one process.")]
    Packets(PacketsArgs),
    /// Print everything: the files with what is queued in them, message by message
    #[command(after_help = "dump takes no -o.")]
    Dump,
    /// Watch a process for a while, and print what grows and who opens it
    #[command(after_help = "leaks takes no -Q, -o or -H; -p names one process.")]
    Leaks(LeaksArgs),
    /// Print what is in trouble about a process's files, or looks like it: what was seen, what it
    /// means, and what to look at
    #[command(after_help = "lint takes no -o or -H; -p names one process.")]
    Lint(LintArgs),
    /// Print every process with its descriptors, limit, sockets and queued bytes
    Ps,
    /// Measure ways of reading side by side, on processes of its own
    #[command(after_help = "bench takes no -p, -Q, -o or -H.")]
    Bench(BenchArgs),
    /// Print what this kernel and this user allow, and how to get the rest
    #[command(after_help = "doctor takes no -p, -Q, -o or -H.")]
    Doctor,
}

/// The flags of `files` alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub struct FilesArgs {
    /// Find who has the other end of each file, and who else has it open, among all processes
    #[arg(long, help_heading = "What to show")]
    pub peers: bool,
}

/// The flags of `packets` alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct PacketsArgs {
    /// The descriptor of the socket or pipe
    #[arg(long, value_name = "N", help_heading = "What to show")]
    pub fd: Option<String>,
    /// Only this queue: receive, reader, write, retransmit, out_of_order, error, backlog, accept
    /// or pipe
    #[arg(long, value_name = "NAME", help_heading = "What to show")]
    pub queue: Option<String>,
    /// Print the bytes of each message, in hexadecimal and as text
    #[arg(long, help_heading = "How to show it")]
    pub hex: bool,
    /// Write the messages to a file for Wireshark (pcapng) instead; - is standard output
    #[arg(long, value_name = "FILE", help_heading = "How to show it")]
    pub pcap: Option<PathBuf>,
}

/// The flags of `bench` alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct BenchArgs {
    /// Files that a process has open [default: 19600, or what RLIMIT_NOFILE allows]
    #[arg(long, value_name = "N", help_heading = "What to measure")]
    #[arg(allow_negative_numbers = true)]
    pub fds: Option<String>,
    /// Sockets that another one has open [default: 1000]
    #[arg(long, value_name = "N", help_heading = "What to measure")]
    #[arg(allow_negative_numbers = true)]
    pub sockets: Option<String>,
    /// Packets that wait in each socket [default: 10]
    #[arg(long, value_name = "N", help_heading = "What to measure")]
    #[arg(allow_negative_numbers = true)]
    pub packets: Option<String>,
    /// Bytes of each packet, at most 8K [default: 1K]
    #[arg(long, value_name = "N", help_heading = "What to measure")]
    #[arg(allow_negative_numbers = true)]
    pub bytes: Option<String>,
    /// How often each way is measured [default: 5]
    #[arg(long, value_name = "N", help_heading = "What to measure")]
    #[arg(allow_negative_numbers = true)]
    pub rounds: Option<String>,
}

/// The flags of `leaks` alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct LeaksArgs {
    /// How long to watch, with its unit: 30s, 5m, 1h [default: 30s]
    #[arg(long = "for", value_name = "TIME", help_heading = "How to read")]
    pub duration: Option<String>,
    /// Don't trace which calls open files, which slows down every system call a little
    #[arg(long, help_heading = "How to read")]
    pub no_trace: bool,
}

/// The flags of `lint` alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct LintArgs {
    /// Watch for so long, with its unit: what lasts or grows shows over time only
    /// [default: one reading]
    #[arg(long = "for", value_name = "TIME", help_heading = "How to read")]
    pub duration: Option<String>,
}

/// The flags, which may stand before and after a command.
#[derive(Clone, Debug, Default, Args)]
pub struct Flags {
    /// The process, by pid or by command name; several are separated by commas
    #[arg(short, long, global = true, value_name = "PID|NAME", help_heading = "What to show")]
    pub pid: Option<String>,
    /// Show only the rows that match, e.g. 'KIND == "socket" and RECVQ > 4K'
    #[arg(short = 'Q', long, global = true, value_name = "EXPR", help_heading = "What to show")]
    #[arg(allow_hyphen_values = true)]
    pub filter: Option<String>,
    /// Columns of the table, e.g. FD,NAME; with a + they are added to the usual ones
    #[arg(short, long, global = true, value_name = "COL,+COL", help_heading = "What to show")]
    pub output: Option<String>,
    /// Lints not to look for, separated by commas; all for none of them
    #[arg(long, global = true, value_name = "NAME,...", help_heading = "What to show")]
    pub no_lint: Option<String>,
    /// List the lints, with what each is recognised by and what it means
    #[arg(long, global = true, help_heading = "What to show")]
    pub list_lints: bool,
    /// List the columns
    #[arg(short = 'H', long, global = true, help_heading = "What to show")]
    pub list_columns: bool,
    /// Print one JSON document
    #[arg(short = 'J', long, global = true, help_heading = "How to show it")]
    pub json: bool,
    /// Print one JSON object a line
    #[arg(short = 'j', long, global = true, help_heading = "How to show it")]
    pub json_lines: bool,
    /// Print no headings
    #[arg(short, long, global = true, help_heading = "How to show it")]
    pub noheadings: bool,
    /// Draw with ASCII characters only; others in names appear as \xNN
    #[arg(long, global = true, help_heading = "How to show it")]
    pub ascii: bool,
    /// Use no colors, as with NO_COLOR in the environment
    #[arg(long, global = true, help_heading = "How to show it")]
    pub no_color: bool,
    /// Time between two readings of the live view, of leaks or of lint, with its unit: 500ms, 1s,
    /// 2m [default: 1s]
    #[arg(short, long, global = true, value_name = "TIME", help_heading = "How to read")]
    pub delay: Option<String>,
    /// Where to read from
    #[arg(long, global = true, value_name = "SOURCE", help_heading = "How to read")]
    #[arg(value_enum, default_value_t)]
    pub source: SourceChoice,
    /// Bytes to read of each queued message at most; 0 for none [default: 4K, in the live view what
    /// is shown]
    #[arg(long, global = true, value_name = "N", help_heading = "How to read")]
    pub payload: Option<String>,
}

/// clap's message as the one line that a diagnostic has here: its paragraphs joined, without
/// the usage, and with what the user wrote made safe to show.
pub fn one_line(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::InvalidUtf8 {
        return "an argument is not valid UTF-8; give a process by its pid".into();
    }
    let text = error.render().to_string();
    let parts: Vec<String> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .filter(|line| !line.is_empty())
        .map(|line| {
            let line = line.strip_prefix("error: ").unwrap_or(line);
            let line = line.strip_prefix("tip: ").unwrap_or(line);
            let line = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')).unwrap_or(line);
            escape(line.as_bytes())
        })
        .collect();
    let hint = match error.kind() {
        // What looks like a command is mostly the process that was meant.
        ErrorKind::InvalidSubcommand => "a process is named with -p; see crib-top --help",
        _ => "see crib-top --help",
    };
    format!("{}; {hint}", parts.join("; "))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn error(arguments: &[&str]) -> String {
        let arguments = ["crib-top"].iter().chain(arguments);
        one_line(&Cli::try_parse_from(arguments).unwrap_err())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_stand_before_and_after_the_command() {
        for arguments in [["crib-top", "files", "-J", "-p1"], ["crib-top", "-p1", "-J", "files"]] {
            let cli = Cli::try_parse_from(arguments).unwrap();
            assert_eq!(cli.command, Some(CliCommand::Files(FilesArgs::default())));
            assert!(cli.flags.json);
            assert_eq!(cli.flags.pid.as_deref(), Some("1"));
        }
    }

    #[test]
    fn errors_are_one_line_that_quotes_the_value_and_names_the_flag() {
        insta::assert_snapshot!(
            [
                error(&["--source", "ebpf"]),
                error(&["--filtre", "x"]),
                error(&["flies"]),
                error(&["1234"]),
                error(&["files", "1234"]),
                error(&["-p"]),
                error(&["-p", "-5"]),
                error(&["files", "--fd", "3"]),
                error(&["--json=x"]),
                error(&["-\x1b[31m"]),
            ]
            .join("\n")
        );
    }
}
