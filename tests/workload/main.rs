//! workload: one process that holds files of chosen kinds open until its standard input ends.
//!
//! It prints one line of JSON that says which descriptor is what, and what it knows for sure
//! about each: `{"pid":..,"files":[{"fd":..,"kind":..,"label":..,"expect":{..}}],"skipped":[..]}`.
//! `expect` is a part of the FILE document that `crib-top files -J` gives. Where the bytes in a
//! file's queues are known, there is `queues` too (see `queues::told`). Some modes print a second
//! line when they are told to end, which says what became of what was there.

mod ends;
mod flux;
mod holder;
mod kinds;
mod leaks;
mod lints;
mod many;
mod measure;
mod modes;
#[allow(dead_code, reason = "the tests, which share it, use the rest")]
#[path = "../support/pattern.rs"]
mod pattern;
mod queues;
mod soak;
mod switching;
mod sys;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use kinds::KINDS;
use queues::{LARGE, QUEUES};

const USAGE: &str = "usage: workload list | all | KIND[,KIND...] | queues [NAME[,NAME...]] | \
                     flux NAME | leaks NAME | lints | soak | switching [close] | many SOCKETS MESSAGES LEN | \
                     fds N | million N | ends | threads [LAST] | hostile | zombie | exit-after MS";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever started it doesn't want to know.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("workload: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> io::Result<()> {
    match arguments {
        ["list"] => {
            KINDS.iter().for_each(|(name, _)| println!("{name}"));
            Ok(())
        }
        ["all"] => modes::kinds(&KINDS.iter().map(|&(name, _)| name).collect::<Vec<_>>()),
        ["queues"] => modes::queues(&QUEUES.iter().map(|&(name, _)| name).collect::<Vec<_>>()),
        ["queues", names] => {
            let names: Vec<&str> = names.split(',').collect();
            let known = |name: &str| QUEUES.iter().chain(LARGE).any(|(known, _)| *known == name);
            match names.iter().find(|name| !known(name)) {
                None => modes::queues(&names),
                Some(name) => Err(io::Error::other(format!("there are no queues {name:?}"))),
            }
        }
        ["ends"] => ends::run(),
        ["ends-child", channel] => ends::child(number(channel)?),
        ["flux", name] => flux::run(name),
        ["leaks", "leaderless"] => leaks::leaderless(),
        ["leaks", name] => leaks::run(name),
        ["lints"] => lints::run(),
        ["soak"] => soak::run(),
        ["lints-child", fd] => lints::child(number(fd)?),
        ["switching"] => switching::run(false),
        ["switching", "close"] => switching::run(true),
        ["many", sockets, messages, len] => {
            many::run(number(sockets)?, number(messages)?, number(len)?)
        }
        ["fds", count] => modes::fds(number(count)?),
        ["million", count] => modes::million(number(count)?),
        ["threads"] => modes::threads(),
        // In a pid namespace of its own: the next thread has the id behind LAST.
        ["threads", last] => {
            std::fs::write("/proc/sys/kernel/ns_last_pid", last)?;
            modes::threads()
        }
        ["hostile"] => modes::hostile(),
        ["zombie"] => modes::zombie(),
        ["exit-after", ms] => modes::exit_after(Duration::from_millis(number(ms)?)),
        [names] => {
            let names: Vec<&str> = names.split(',').collect();
            match names.iter().find(|name| KINDS.iter().all(|(known, _)| known != *name)) {
                None => modes::kinds(&names),
                Some(name) => Err(io::Error::other(format!("there is no kind {name:?}; {USAGE}"))),
            }
        }
        _ => Err(io::Error::other(USAGE)),
    }
}

fn number<N: std::str::FromStr>(text: &str) -> io::Result<N> {
    text.parse().map_err(|_| io::Error::other(format!("{text:?} is no number; {USAGE}")))
}
