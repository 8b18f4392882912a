//! The columns of the table of processes.

use super::column::{Column, ColumnKind, Table, Value};
use super::{Process, ProcessState, ProcessTotals};

/// The table of all processes.
#[derive(Clone, Copy, Debug)]
pub struct Processes;

/// A process, with the sums over its open files where they are known.
#[derive(Clone, Copy, Debug)]
pub struct ProcessRow<'a> {
    /// The process.
    pub process: &'a Process,
    /// The sums over its open files.
    pub totals: Option<ProcessTotals>,
}

impl ProcessRow<'_> {
    /// Descriptors as a share of the limit, in whole percent.
    pub fn percent_of_limit(&self) -> Option<u64> {
        let limit = self.process.fd_limit.filter(|&limit| limit > 0)?;
        // In 128 bits, since no limit keeps a product from 64.
        let percent = u128::from(self.totals?.fd_count) * 100 / u128::from(limit);
        u64::try_from(percent).ok()
    }
}

impl Table for Processes {
    type Row<'a> = ProcessRow<'a>;

    const ROWS: &'static str = "processes";

    fn columns() -> &'static [Column<Self>] {
        COLUMNS
    }

    fn default_names() -> &'static [&'static str] {
        &["PID", "USER", "FDS", "LIMIT", "USE%", "SOCKETS", "RECVQ", "SENDQ", "COMMAND"]
    }
}

macro_rules! process {
    ($name:literal, $kind:ident, $help:literal, $value:expr) => {
        Column {
            name: $name,
            help: $help,
            kind: ColumnKind::$kind,
            value: |row, _| {
                let value: for<'a> fn(&'a Process) -> Value<'a> = $value;
                value(row.process)
            },
        }
    };
}

macro_rules! totals {
    ($name:literal, $kind:ident, $help:literal, $value:expr) => {
        Column {
            name: $name,
            help: $help,
            kind: ColumnKind::$kind,
            value: |row, _| {
                let value: fn(ProcessTotals) -> Option<u64> = $value;
                row.totals.and_then(value).into()
            },
        }
    };
}

static COLUMNS: &[Column<Processes>] = &[
    process!("PID", Number, "process id", |p| p.pid.into()),
    process!("USER", Text, "user, by number where it has no name", |p| match &p.user {
        Some(user) => user.as_str().into(),
        None => p.uid.map(|uid| uid.to_string()).into(),
    }),
    process!("UID", Number, "real user id", |p| p.uid.into()),
    process!("COMM", Text, "command name, at most 15 bytes", |p| (&p.comm).into()),
    process!("STATE", Text, "alive, zombie, or kernel for a kernel thread", |p| match p.state {
        ProcessState::Alive => "alive",
        ProcessState::Zombie => "zombie",
        ProcessState::KernelThread => "kernel",
    }
    .into()),
    totals!("FDS", Number, "open file descriptors", |t| Some(t.fd_count)),
    process!("LIMIT", Number, "soft limit on descriptors; unknown for unlimited", |p| {
        p.fd_limit.into()
    }),
    Column {
        name: "USE%",
        help: "descriptors as a share of the limit, in percent",
        kind: ColumnKind::Number,
        value: |row, _| row.percent_of_limit().into(),
    },
    totals!("SOCKETS", Number, "open sockets", |t| t.sockets),
    totals!("RECVQ", Bytes, "bytes that wait for a reader in its sockets", |t| t.recv_payload),
    totals!("SENDQ", Bytes, "bytes sent and not yet taken in its sockets", |t| t.send_payload),
    process!("COMMAND", Text, "command line; [name] where it has none", |p| {
        if p.cmdline.is_empty() { format!("[{}]", p.comm).into() } else { (&p.cmdline).into() }
    }),
];

#[cfg(test)]
mod tests {
    use super::super::column::find;
    use super::super::sample;
    use super::*;

    #[test]
    fn every_default_column_exists() {
        assert_eq!(Processes::default_columns().len(), Processes::default_names().len());
    }

    #[test]
    fn the_share_of_the_limit_is_unknown_where_one_of_the_two_is() {
        let mut process = sample::process();
        process.fd_limit = Some(1024);
        let totals = Some(ProcessTotals { fd_count: 512, ..ProcessTotals::default() });
        let percent = |process: &Process, totals| ProcessRow { process, totals }.percent_of_limit();
        assert_eq!(percent(&process, totals), Some(50));
        assert_eq!(percent(&process, None), None);
        process.fd_limit = None;
        assert_eq!(percent(&process, totals), None);
    }

    #[test]
    fn a_process_without_a_command_line_shows_its_name_in_brackets() {
        let mut process = sample::process();
        process.cmdline = "".into();
        let row = ProcessRow { process: &process, totals: None };
        assert_eq!(find::<Processes>("COMMAND").unwrap().text(&row), "[server]");
    }
}
