//! Readings as text for people and as JSON for programs.

pub mod columns;
mod hex;
pub mod json;
pub mod leaks;
pub mod lint;
pub mod outline;
pub mod packets;
pub mod pcap;
pub mod table;
