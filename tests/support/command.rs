//! Runs crib-top to its end and keeps what it said.

use std::process::{Command, Stdio};

use serde_json::Value;

/// What one run of crib-top left behind.
#[derive(Debug)]
pub struct Run {
    arguments: Vec<String>,
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

/// Runs `crib-top` with these arguments and an empty standard input.
pub fn crib_top<A: ToString>(arguments: impl IntoIterator<Item = A>) -> Run {
    let arguments: Vec<String> = arguments.into_iter().map(|a| a.to_string()).collect();
    let path = super::crib_top_path();
    let output = Command::new(&path)
        .args(&arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{} can't be started: {error}", path.display()));
    Run {
        arguments,
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Run {
    /// Fails unless it ended with this exit code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "exit code of crib-top {}\nstandard error: {}\nstandard output: {}",
            self.arguments.join(" "),
            self.stderr,
            String::from_utf8_lossy(&self.stdout[..self.stdout.len().min(2000)]),
        );
        self
    }

    /// Fails unless it said exactly one line, `crib-top: ...`, and gave no data.
    #[track_caller]
    pub fn expect_one_line_error(self, needle: &str) -> Self {
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert!(
            lines.len() == 1 && lines[0].starts_with("crib-top: ") && lines[0].contains(needle),
            "not one line that begins with \"crib-top: \" and contains {needle:?}:\n{}",
            self.stderr
        );
        assert!(!has_control(&self.stderr.replace('\n', "")), "controls in {:?}", self.stderr);
        assert!(self.stdout.is_empty(), "an error comes with no data");
        self
    }

    /// Standard output as text; fails where it isn't UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("standard output is UTF-8")
    }

    /// Standard output as one document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| {
            panic!("crib-top {}: not JSON: {error}\n{}", self.arguments.join(" "), self.stderr)
        })
    }
}

/// The document of `files -J` for one process.
#[track_caller]
pub fn files(pid: u32, source: &str) -> Value {
    let pid = pid.to_string();
    let arguments = ["files", "-p", &pid, "-J", "--source", source];
    let document = crib_top(arguments).expect_code(0).json();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["source"], source);
    document
}

/// The only process in a document of `files -J`.
#[track_caller]
pub fn only_process(document: &Value) -> &Value {
    let processes = document["processes"].as_array().expect("processes is a list");
    assert_eq!(processes.len(), 1, "one process was asked for");
    &processes[0]
}

/// The FILE documents of a process.
#[track_caller]
pub fn file_rows(process: &Value) -> &[Value] {
    process["files"].as_array().expect("files is a list")
}

/// Whether there is a character that a terminal acts on, or that turns text around.
pub fn has_control(text: &str) -> bool {
    // Written down here anew: a test that asked the program would ask the one it tests.
    let turns = ['\u{200e}'..='\u{200f}', '\u{061c}'..='\u{061c}', '\u{2066}'..='\u{2069}'];
    let separates_or_turns = '\u{2028}'..='\u{202e}';
    let is_one = |c: char| separates_or_turns.contains(&c) || turns.iter().any(|t| t.contains(&c));
    text.chars().any(|c| c.is_control() || is_one(c))
}
