//! crib-top looks into a live process: its open files, its sockets, and what sits in their
//! queues, read from the running kernel by BPF iterators.
//!
//! Data flows one way: [`kernel`] (or [`procfs`]) → wire records → decode → [`model`] →
//! view or export. ARCHITECTURE.md tells why each part stands where it does.

pub mod bench;
pub mod cli;
pub mod command;
pub mod decode;
pub mod export;
pub mod failure;
pub mod kcmp;
pub mod kernel;
pub mod model;
pub mod privileges;
pub mod procfs;
pub mod settings;
pub mod source;
pub mod stacks;
pub mod tui;
pub mod watch;
