//! What the workload holds open, and what it knows for sure about each file.

use std::any::Any;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
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
        fs::create_dir(&dir)?;
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
        self.held.push(Held { fd: fd.into(), kind, label: label.into(), expect });
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
        if self.kind == "socket" {
            merge(&mut expect, json!({ "socket": measure::socket(self.fd.as_fd())? }));
        }
        merge(&mut expect, self.expect.clone());
        Ok(json!({
            "fd": self.fd.as_raw_fd(),
            "kind": self.kind,
            "label": self.label,
            "expect": expect,
        }))
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
