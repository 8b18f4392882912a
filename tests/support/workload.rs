//! Starts the workload, the process that the tests look into, and ends it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A running workload. It ends when this is dropped.
pub struct Workload {
    child: Child,
    /// What it printed about itself.
    pub report: Value,
}

/// One file that the workload told of.
pub struct Told<'a> {
    /// Its descriptor.
    pub fd: u64,
    /// Its kind, in the interface's words.
    pub kind: &'a str,
    /// The workload's name for it.
    pub label: &'a str,
    /// A part of the FILE document.
    pub expect: &'a Value,
    /// What is in its queues (tests/workload/queues/told.rs); null where that isn't known.
    pub queues: &'a Value,
}

/// The workload that is used: `CRIB_WORKLOAD`, else the example next to the built binary.
pub fn workload_path() -> PathBuf {
    if let Some(path) = std::env::var_os("CRIB_WORKLOAD") {
        return path.into();
    }
    let profile_dir = PathBuf::from(env!("CARGO_BIN_EXE_crib-top"));
    let path = profile_dir.with_file_name("examples").join("workload");
    assert!(
        path.exists(),
        "{} is not there: run `cargo build --example workload` first, or plain `cargo test`, \
         which builds it",
        path.display()
    );
    path
}

/// The next line of its standard output, on which nothing follows until it is told to end.
fn read_line(child: &mut Child) -> Value {
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("standard output is a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("the workload's words can be read");
    serde_json::from_str(&line).unwrap_or_else(|error| {
        panic!("the workload said {:?}: {error}", line.chars().take(500).collect::<String>())
    })
}

impl Workload {
    /// Starts it with these arguments and waits until everything is in place.
    pub fn start<A: ToString>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self::start_at(&workload_path(), arguments)
    }

    /// The same, from a copy of it.
    pub fn start_at<A: ToString>(path: &Path, arguments: impl IntoIterator<Item = A>) -> Self {
        let mut child = Command::new(path)
            .args(arguments.into_iter().map(|a| a.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} can't be started: {error}", path.display()));
        let report = read_line(&mut child);
        Self { child, report }
    }

    /// The file with this label.
    #[track_caller]
    pub fn file(&self, label: &str) -> Told<'_> {
        self.files()
            .find(|file| file.label == label)
            .unwrap_or_else(|| panic!("the workload has no {label}"))
    }

    /// Tells it to end, and returns what it has to say at its end.
    pub fn finish(mut self) -> Value {
        drop(self.child.stdin.take());
        read_line(&mut self.child)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it holds on purpose.
    pub fn files(&self) -> impl Iterator<Item = Told<'_>> {
        let files = self.report["files"].as_array().expect("the report has files");
        files.iter().map(|file| Told {
            fd: file["fd"].as_u64().expect("fd is a number"),
            kind: file["kind"].as_str().expect("kind is a string"),
            label: file["label"].as_str().expect("label is a string"),
            expect: &file["expect"],
            queues: &file["queues"],
        })
    }

    /// What it could not make here, and why.
    pub fn skipped(&self) -> impl Iterator<Item = (&str, &str)> {
        let skipped = self.report["skipped"].as_array().expect("the report has skipped");
        skipped.iter().filter_map(|s| Some((s["label"].as_str()?, s["why"].as_str()?)))
    }

    /// Kills it, as a process in trouble may be, and waits for its end.
    pub fn kill(&mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
        // It had no time to clean up.
        let dir = std::env::temp_dir().join(format!("crib-workload-{}", self.pid()));
        let _ = std::fs::remove_dir_all(dir);
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) {
        self.child.wait().expect("our own child can be waited for");
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Its end of standard input tells it to go; what it has to say then, nobody hears.
        drop(self.child.stdout.take());
        let _ = self.child.wait();
    }
}
