//! Rows of the table, and dumps, out of decoded records.

mod dump;
mod file;
#[cfg(test)]
mod fuzz_tests;
mod packet;
mod path;
mod payload;
mod sender;
mod socket;
mod sweep;
mod table;
mod tables;
mod tcp;
#[cfg(test)]
mod tests;
mod totals;
mod watchers;

use std::hash::{BuildHasher, RandomState};

use super::{FileId, PacketId};

pub use dump::{Dumped, dump};
pub use sweep::SweepFiles;
pub use table::{TableError, TableFiles};
pub use totals::totals;

/// Makes identities of kernel addresses: a keyed hash, whose key never leaves the program, so
/// that an identity tells files apart and gives no address away.
#[derive(Clone, Debug, Default)]
pub struct IdKey(RandomState);

impl IdKey {
    fn file(&self, address: u64) -> FileId {
        FileId::new(self.0.hash_one(address))
    }

    /// Of the address and of what stays the same for as long as the packet waits.
    fn packet(&self, address: u64, seq: u32, len: u64, time: i64) -> PacketId {
        PacketId(self.0.hash_one((address, seq, len, time)))
    }
}

/// `value` if its bit is set in `known`.
fn known<T>(known: u64, bit: u64, value: T) -> Option<T> {
    (known & bit != 0).then_some(value)
}
