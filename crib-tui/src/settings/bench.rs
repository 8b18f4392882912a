//! How much `crib-top bench` is to read, and how often.

use super::SettingsError;
use crate::bench::Plan;
use crate::bench::workload::SPARE;
use crate::cli::BenchArgs;
use crate::model::filter::parse_number;

/// What `bench` was asked for, as far as the process's limits don't matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bench {
    fds: Option<u32>,
    plan: Plan,
}

/// Files that are opened where nobody says how many, and the limit allows it.
const FDS: u32 = 19_600;
const SOCKETS: u32 = 1000;
const PACKETS: u32 = 10;
const BYTES: u32 = 1024;
const ROUNDS: u32 = 5;

/// More descriptors than a process can have by default (`fs.nr_open`).
const MAX_FDS: u32 = 1 << 20;
const MAX_PACKETS: u32 = 10_000;
/// What an iterator gives of a packet in one piece, and a socket keeps in one.
const MAX_BYTES: u32 = 8192;
const MAX_ROUNDS: u32 = 1000;
/// Bytes that may wait in all sockets together.
const MAX_MEMORY: u64 = 1 << 30;

impl Bench {
    /// Checks the arguments.
    pub(super) fn resolve(args: &BenchArgs) -> Result<Self, SettingsError> {
        let fds = args.fds.as_deref().map(|text| number("--fds", text, MAX_FDS)).transpose()?;
        let or = |flag, text: &Option<String>, default, max| {
            text.as_deref().map_or(Ok(default), |text| number(flag, text, max))
        };
        let plan = Plan {
            fds: FDS,
            sockets: or("--sockets", &args.sockets, SOCKETS, MAX_FDS)?,
            packets: or("--packets", &args.packets, PACKETS, MAX_PACKETS)?,
            bytes: or("--bytes", &args.bytes, BYTES, MAX_BYTES)?,
            rounds: or("--rounds", &args.rounds, ROUNDS, MAX_ROUNDS)?,
        };
        let memory = [plan.packets, plan.bytes]
            .iter()
            .fold(u64::from(plan.sockets), |product, &factor| product * u64::from(factor));
        if memory > MAX_MEMORY {
            return Err(SettingsError::BenchMemory(memory >> 20));
        }
        Ok(Self { fds, plan })
    }

    /// What to do where a process may have so many descriptors; and what to say of it, where
    /// that is less than is meant.
    ///
    /// # Errors
    /// [`SettingsError::BenchLimit`] where more were asked for.
    pub fn plan(&self, limit: u64) -> Result<(Plan, Option<String>), SettingsError> {
        let allowed = u32::try_from(limit.saturating_sub(SPARE)).unwrap_or(u32::MAX);
        let within = |flag, number: u32| {
            if number > allowed {
                return Err(SettingsError::BenchLimit { flag, number, allowed });
            }
            Ok(number)
        };
        let sockets = within("--sockets", self.plan.sockets)?;
        let (fds, note) = match self.fds {
            Some(fds) => (within("--fds", fds)?, None),
            None if FDS > allowed => {
                let note = format!(
                    "opening {allowed} files instead of {FDS}: RLIMIT_NOFILE allows no more \
                     (ulimit -Hn)"
                );
                (allowed, Some(note))
            }
            None => (FDS, None),
        };
        Ok((Plan { fds, sockets, ..self.plan }, note))
    }
}

/// A number from 1 on.
fn number(flag: &'static str, text: &str, max: u32) -> Result<u32, SettingsError> {
    parse_number(text)
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| (1..=max).contains(number))
        .ok_or_else(|| SettingsError::BenchNumber { flag, text: text.to_owned(), max })
}
