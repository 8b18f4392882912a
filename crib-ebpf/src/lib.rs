//! What crib-top's BPF programs are made of: bounded reads of kernel memory, and iterators over
//! a process's files, a socket's queues, a queue's packets, a packet's bytes and files in flight, a
//! pipe's buffers and an epoll instance's watches that nest.
//!
//! ```text
//! TaskFiles::of(&task).for_each(|file| {
//!     file.queues().for_each(|queue| {
//!         queue.packets().for_each(|packet| {
//!             packet.files().for_each(|file| ...);
//!             packet.chunks().for_each(|chunk| ...)
//!         })
//!     })
//! })
//! ```
//!
//! The crate compiles for the host as well, where it can't run: for its documentation and for
//! the examples in it, which show which uses the compiler refuses.
#![no_std]
#![allow(missing_docs, reason = "a program's parts are documented where users of it can't see")]

pub mod chunks;
pub mod context;
pub mod dump;
pub mod emit;
pub mod epoll;
pub mod file;
pub mod flight;
pub mod identity;
pub mod level;
pub mod packet;
pub mod packet_record;
pub mod packets;
pub mod path;
pub mod pipe;
pub mod progress;
pub mod queue;
pub mod queues;
pub mod rbtree;
pub mod read;
pub mod repeat;
pub mod socket;
pub mod sweep;
pub mod table;
pub mod task;
pub mod task_file;
pub mod tcp;
pub mod told;
pub mod trace;
pub mod transport;
