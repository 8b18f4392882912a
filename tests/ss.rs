//! Sockets have the addresses and states that ss(8) shows for them.

use std::collections::BTreeMap;
use std::process::Command;

use crate::support::command::{file_rows, files, only_process};
use crate::support::differences::none_in_a_quiet_moment;
use crate::support::privilege::needs_bpf;
use crate::support::workload::Workload;
use crate::support::{in_qemu, skipped};

/// By inode: state, local and remote address, in our notation.
fn ss() -> std::io::Result<BTreeMap<u64, (String, String, String)>> {
    let output = Command::new("ss").args(["-Hnatue"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(parse).collect())
}

fn parse(line: &str) -> Option<(u64, (String, String, String))> {
    let mut fields = line.split_whitespace();
    let (_, state) = (fields.next()?, fields.next()?);
    let mut addresses = fields.clone().skip(2);
    let (local, remote) = (addresses.next()?, addresses.next()?);
    let ino = fields.find_map(|field| field.strip_prefix("ino:"))?.parse().ok()?;
    let state = if state == "ESTAB" { "ESTABLISHED" } else { state };
    Some((ino, (state.to_owned(), address(local), address(remote))))
}

/// ss writes `*` for a port that is none, and for the address of a socket that takes both
/// IPv4 and IPv6.
fn address(text: &str) -> String {
    match text.rsplit_once(':') {
        Some((_, "*")) => String::new(),
        Some(("*", port)) => format!("[::]:{port}"),
        _ => text.to_owned(),
    }
}

#[test]
fn sockets_agree_with_ss() {
    const NAME: &str = "sockets_agree_with_ss";
    needs_bpf!("sockets_agree_with_ss");
    if let Err(error) = ss() {
        // It is part of every ordinary system, and of the one that CI prepares.
        assert!(in_qemu() || std::env::var_os("CI").is_none(), "ss: {error}");
        return skipped(NAME, format!("ss: {error}"));
    }
    let workload = Workload::start([
        "tcp-listen,tcp-established,tcp-close-wait,tcp-syn-sent,tcp6-established,udp-unconnected,\
         udp-connected,udp6",
    ]);
    none_in_a_quiet_moment(|| {
        let truth = ss().expect("it ran before");
        let document = files(workload.pid(), "bpf");
        let sockets = file_rows(only_process(&document)).iter().filter(|r| r["kind"] == "socket");
        let mut found = Vec::new();
        for row in sockets {
            let text = |field: &str| row["socket"][field].as_str().unwrap_or("null").to_owned();
            let ours = (text("state"), text("local"), text("remote"));
            match row["ino"].as_u64().and_then(|ino| truth.get(&ino)) {
                Some(theirs) if *theirs == ours => {}
                theirs => found.push(format!("fd {}: {ours:?}, ss: {theirs:?}", row["fd"])),
            }
        }
        found
    });
}
