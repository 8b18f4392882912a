//! What the workload holds open, and what it knows for sure about each file.

use std::any::Any;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::measure;

/// A file that is held open on purpose.
struct Held {
    fd: OwnedFd,
    kind: &'static str,
    label: String,
    /// Fields of the FILE document, as far as the maker knows them.
    expect: Value,
    /// What is in its queues, where that is known byte by byte.
    queued: Option<Queued>,
}

/// How the files' content is taken out in the end.
pub type Drain = Box<dyn FnMut(BorrowedFd<'_>) -> io::Result<Value>>;

/// What is in the queues of a file.
pub struct Queued {
    /// By the queue's name; see `queues::told`.
    pub queues: Value,
    /// Takes it out.
    pub drain: Drain,
}

/// All that is held until the process ends, and a directory of its own.
pub struct Holder {
    dir: PathBuf,
    held: Vec<Held>,
    skipped: Vec<Value>,
    /// Kept alive, not reported.
    props: Vec<Box<dyn Any>>,
}

impl Holder {
    /// An empty holder with a new, empty directory.
    pub fn new() -> io::Result<Self> {
        let dir = std::env::temp_dir().join(format!("crib-workload-{}", std::process::id()));
        // One that was killed could not clean up, and its pid is ours now.
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(&dir)?,
        }
        Ok(Self { dir, held: Vec::new(), skipped: Vec::new(), props: Vec::new() })
    }

    /// The directory for files with names; removed in the end.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Holds `fd` and reports it as a file of this kind, with what is known about it.
    pub fn add(
        &mut self,
        kind: &'static str,
        label: impl Into<String>,
        fd: impl Into<OwnedFd>,
        expect: Value,
    ) {
        self.held.push(Held { fd: fd.into(), kind, label: label.into(), expect, queued: None });
    }

    /// Holds `fd` and reports what is in its queues.
    pub fn add_queued(
        &mut self,
        kind: &'static str,
        label: impl Into<String>,
        fd: impl Into<OwnedFd>,
        queued: Queued,
    ) {
        let (fd, label, expect) = (fd.into(), label.into(), json!({}));
        self.held.push(Held { fd, kind, label, expect, queued: Some(queued) });
    }

    /// Takes everything out of the queues that were reported, and tells what came.
    pub fn drain(&mut self) -> Value {
        let drained = self.held.iter_mut().filter_map(|held| {
            let content = match (held.queued.as_mut()?.drain)(held.fd.as_fd()) {
                Ok(content) => content,
                Err(error) => json!({ "error": error.to_string() }),
            };
            Some(json!({ "fd": held.fd.as_raw_fd(), "label": held.label, "drained": content }))
        });
        drained.collect()
    }

    /// Keeps something alive without reporting it.
    pub fn keep(&mut self, prop: impl Any) {
        self.props.push(Box::new(prop));
    }

    /// Says that a kind could not be made here.
    pub fn skip(&mut self, label: &str, why: &io::Error) {
        self.skipped.push(json!({ "label": label, "why": why.to_string() }));
    }

    /// The document that tells a test what is here.
    pub fn report(&self) -> io::Result<Map<String, Value>> {
        let files = self.held.iter().map(Held::report).collect::<io::Result<Vec<_>>>()?;
        let mut report = Map::new();
        report.insert("pid".into(), std::process::id().into());
        report.insert("files".into(), files.into());
        report.insert("skipped".into(), self.skipped.clone().into());
        Ok(report)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // Best effort: the directory is in the system's place for temporary files.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Held {
    fn report(&self) -> io::Result<Value> {
        // A file that is held by one descriptor alone, unless its maker knows better.
        let mut expect = json!({ "refs": 1 });
        // What is known of queues is told apart from the rest, and asked of nobody else.
        if self.kind == "socket" && self.queued.is_none() {
            merge(&mut expect, json!({ "socket": measure::socket(self.fd.as_fd())? }));
        }
        merge(&mut expect, self.expect.clone());
        let mut report = json!({
            "fd": self.fd.as_raw_fd(),
            "kind": self.kind,
            "label": self.label,
            "expect": expect,
        });
        if let Some(queued) = &self.queued {
            report["queues"] = queued.queues.clone();
        }
        Ok(report)
    }
}

/// Lays `over` on `base`, object by object.
pub fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}
