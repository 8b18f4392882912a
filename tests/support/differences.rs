//! Compares FILE documents with what /proc says and with what the workload knows.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::truth::Truth;

/// What a source need not know: paths into the FILE document, a path standing for all below.
pub type MayBeNull = &'static [&'static str];

/// Where the file's row disagrees with /proc. Every one of these fields has to be known.
pub fn from_proc(file: &Value, truth: &Truth) -> Vec<String> {
    let mut found = Vec::new();
    let mut same = |field: &str, expected: Value| {
        if file[field] != expected {
            found.push(format!("{field} is {}, /proc says {expected}", file[field]));
        }
    };
    same("pos", truth.pos.into());
    same("flags", json!(truth.flag_names()));
    same("cloexec", truth.cloexec().into());
    same("mode", truth.access().into());
    same("dev", truth.dev.clone().into());
    same("rdev", json!(truth.rdev));
    same("ino", truth.ino.into());
    same("size", truth.size.into());
    if let Some(link) = &truth.link {
        let path = file["path"].as_str();
        let shown = match file["deleted"].as_bool() {
            Some(true) => path.map(|path| format!("{path} (deleted)")),
            Some(false) => path.map(str::to_owned),
            None => None,
        };
        if shown.as_ref() != Some(link) {
            found.push(format!(
                "path {} and deleted {} don't make up the link {link:?}",
                file["path"], file["deleted"]
            ));
        }
    }
    let kind = file["kind"].as_str().unwrap_or_default();
    let (type_bits, kinds): (_, &[&str]) = match truth.mode & libc::S_IFMT {
        libc::S_IFREG => ("S_IFREG", &["regular", "memfd", "namespace", "pidfd", "dmabuf"]),
        libc::S_IFDIR => ("S_IFDIR", &["directory"]),
        libc::S_IFCHR => ("S_IFCHR", &["char"]),
        libc::S_IFBLK => ("S_IFBLK", &["block"]),
        libc::S_IFIFO => ("S_IFIFO", &["fifo", "pipe"]),
        libc::S_IFSOCK => ("S_IFSOCK", &["socket"]),
        libc::S_IFLNK => ("S_IFLNK", &["symlink"]),
        // Anonymous inodes had no type bits before Linux 6.17.
        _ => ("no type", &[]),
    };
    let anonymous = truth.link.as_ref().is_some_and(|link| link.starts_with("anon_inode:"));
    if !anonymous && !kinds.is_empty() && !kinds.contains(&kind) {
        found.push(format!("kind is {kind:?}, the inode is {type_bits}"));
    }
    found
}

/// Where `actual` lacks or contradicts what `expect`, a part of it, says.
pub fn from_expectation(actual: &Value, expect: &Value, may_be_null: MayBeNull) -> Vec<String> {
    let mut found = Vec::new();
    compare(actual, expect, may_be_null, "", &mut found);
    found
}

fn compare(
    actual: &Value,
    expect: &Value,
    may_be_null: MayBeNull,
    path: &str,
    found: &mut Vec<String>,
) {
    let free = |known: &&str| {
        path.strip_prefix(*known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if actual.is_null() && may_be_null.iter().any(free) {
        return;
    }
    match expect {
        Value::Object(expect) if actual.is_object() => {
            for (key, expect) in expect {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(&actual[key], expect, may_be_null, &below, found);
            }
        }
        Value::Array(_) if path == "epoll.watches" => {
            compare_watches(actual, expect, may_be_null, found);
        }
        _ if actual != expect => {
            found.push(format!("{path} is {actual}, the workload knows {expect}"));
        }
        _ => {}
    }
}

/// Watches come in the order of the kernel's tree, which no one can foresee.
fn compare_watches(
    actual: &Value,
    expect: &Value,
    may_be_null: MayBeNull,
    found: &mut Vec<String>,
) {
    let by_fd = |watches: &Value| {
        let mut watches = watches.as_array().cloned().unwrap_or_default();
        watches.sort_by_key(|watch| watch["fd"].as_u64());
        watches
    };
    let (actual, expect) = (by_fd(actual), by_fd(expect));
    if actual.len() != expect.len() {
        found.push(format!("epoll.watches has {}, not {} entries", actual.len(), expect.len()));
    }
    for (mut actual, expect) in actual.into_iter().zip(expect) {
        // The kernel always adds these two to what was asked for (epoll_ctl(2)).
        if let Some(events) = actual["events"].as_str() {
            let asked: Vec<&str> =
                events.split('|').filter(|name| !matches!(*name, "ERR" | "HUP")).collect();
            actual["events"] = asked.join("|").into();
        }
        compare(&actual, &expect, may_be_null, "epoll.watches", found);
    }
}

/// Fails with the differences, unless a reading comes out without any.
///
/// A few readings are tried: a reader elsewhere on the machine (another test's `ps`, a monitor)
/// holds a reference on each file for the moment in which it looks at it, and a test process
/// that was just started may still be settling.
#[track_caller]
pub fn none_in_a_quiet_moment(mut read: impl FnMut() -> Vec<String>) {
    let mut differences = Vec::new();
    for _ in 0..8 {
        differences = read();
        if differences.is_empty() {
            return;
        }
        sleep(Duration::from_millis(250));
    }
    panic!("{} differences:\n{}", differences.len(), differences.join("\n"));
}
