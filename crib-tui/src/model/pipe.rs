//! What sits in a pipe or FIFO.

use std::sync::Arc;

use serde::Serialize;

use super::{Peers, Queue};

/// The state of a pipe (`struct pipe_inode_info`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pipe {
    /// Bytes written and not yet read, as FIONREAD gives them; unknown when it changed as it
    /// was summed up.
    pub bytes: Option<u64>,
    /// Buffers in use.
    pub buffers: Option<u32>,
    /// Buffers there are (F_SETPIPE_SZ in pages).
    pub slots: Option<u32>,
    /// Open files that can read from it.
    pub readers: Option<u32>,
    /// Open files that can write to it.
    pub writers: Option<u32>,
    /// Its buffers, as one queue; only a dump reads them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queues: Option<Vec<Queue>>,
    /// Who has its other ends open; only a sweep over all processes tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peers: Option<Arc<Peers>>,
}
