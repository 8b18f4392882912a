//! workload: one process that holds files of chosen kinds open until its standard input ends.
//!
//! It prints one line of JSON that says which descriptor is what, and what it knows for sure
//! about each: `{"pid":..,"files":[{"fd":..,"kind":..,"label":..,"expect":{..}}],"skipped":[..]}`.
//! `expect` is a part of the FILE document that `crib-top files -J` gives.

mod holder;
mod kinds;
mod measure;
mod modes;
mod sys;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use kinds::KINDS;

const USAGE: &str = "usage: workload list | all | KIND[,KIND...] | fds N | threads | hostile | \
                     zombie | exit-after MS";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
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
        ["fds", count] => modes::fds(number(count)?),
        ["threads"] => modes::threads(),
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
