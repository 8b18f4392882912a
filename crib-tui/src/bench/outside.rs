//! Whole programs: from their start to their last word.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::BenchError;
use super::files::{PATHS, own_files};
use super::rounds::{Caller, Contender};
use super::tools::{Sample, Tools};
use super::workload::Workload;

/// A program that shows open files.
pub struct Program {
    name: &'static str,
    path: PathBuf,
    arguments: Vec<OsString>,
    blind: &'static [&'static str],
}

impl Program {
    /// One that is looked for as the shell does.
    pub fn new(name: &'static str, path: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(OsString::from).collect();
        Self { name, path: path.into(), arguments, blind: &[] }
    }

    /// With one more argument.
    pub fn argument(mut self, argument: impl ToString) -> Self {
        self.arguments.push(argument.to_string().into());
        self
    }

    /// What it can't see.
    pub fn blind(self, blind: &'static [&'static str]) -> Self {
        Self { blind, ..self }
    }

    /// The way of reading, which must show the path of each file of the workload.
    pub fn shows(self, workload: &Workload) -> Contender<'_> {
        Contender {
            name: self.name,
            blind: self.blind,
            caller: Caller::Started,
            read: Box::new(move |tools| self.read(tools, workload)),
        }
    }

    fn read(&self, tools: &mut Tools, workload: &Workload) -> Result<Sample, BenchError> {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env("LC_ALL", "C");
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let (sample, output) = tools.measure(|_| command.output());
        let output = output.map_err(|source| self.not_started(source))?;
        let directory = workload.directory().as_os_str().as_bytes();
        let seen = count(&output.stdout, &[directory, b"/file-"].concat());
        let expected = own_files(workload);
        if seen < expected {
            // What it said of it is worth more than the number.
            return Err(match self.complaint(&output) {
                Some(complaint) => complaint,
                None => BenchError::Wrong { way: self.name, what: PATHS, expected, seen },
            });
        }
        Ok(sample)
    }

    fn not_started(&self, source: io::Error) -> BenchError {
        if source.kind() == io::ErrorKind::NotFound {
            return BenchError::Unavailable(format!("{} is not installed", self.path.display()));
        }
        BenchError::Io { what: self.path.display().to_string(), source }
    }

    /// Why a program that failed did so: its first line on standard error.
    fn complaint(&self, output: &Output) -> Option<BenchError> {
        if output.status.success() {
            return None;
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let line = text.lines().next().unwrap_or("it said nothing of why");
        let line = crate::model::escape(line.as_bytes());
        Some(BenchError::Unavailable(format!("{} failed ({}): {line}", self.name, output.status)))
    }
}

/// How often `part` is in `bytes`.
fn count(bytes: &[u8], part: &[u8]) -> u64 {
    let Some((&first, rest)) = part.split_first() else { return 0 };
    let mut count = 0;
    let mut left = bytes;
    while let Some(at) = left.iter().position(|&byte| byte == first) {
        left = &left[at + 1..];
        if left.starts_with(rest) {
            count += 1;
            left = &left[rest.len()..];
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted() {
        assert_eq!(count(b"/tmp/a /tmp/b\n/tmpx", b"/tmp/"), 2);
        assert_eq!(count(b"//tmp/", b"/tmp/"), 1);
        assert_eq!(count(b"aaaa", b"aa"), 2);
        assert_eq!(count(b"", b"a"), 0);
        assert_eq!(count(b"a", b""), 0);
    }

    #[test]
    fn a_program_that_is_not_there_is_not_installed() {
        let program = Program::new("x", "/nonexistent/lsof", &[]);
        let error = Command::new(&program.path).output().unwrap_err();
        let error = program.not_started(error);
        assert!(matches!(error, BenchError::Unavailable(_)), "{error}");
        assert_eq!(error.to_string(), "/nonexistent/lsof is not installed");
    }
}
