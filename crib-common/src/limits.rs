//! Every cap on what a BPF program reads or loops over, in one place.
//!
//! A cap that is hit is never silent: the record that was cut says so.

/// Bytes of a path that `bpf_d_path` may fill in, a power of two: four times what readlink(2)
/// of /proc/PID/fd/N can give (PATH_MAX).
pub const PATH_BYTES: usize = 16 * 1024;

/// Bytes kept of a unix socket's name, a power of two over the 108 of `sockaddr_un.sun_path`.
pub const UNIX_NAME_BYTES: usize = 128;

/// Descriptors whose paths are remembered as told; those above are told every time.
pub const TOLD_FILES: u32 = 1 << 16;

/// Directories whose paths are remembered as told in one reading.
pub const TOLD_DIRECTORIES: u32 = 4096;

/// Functions of a `struct file_operations` that are looked at for a name.
///
/// With the structure itself as many as `bpf_snprintf` takes (MAX_BPRINTF_VARARGS).
pub const OPS_FUNCTIONS: usize = 11;

/// Bytes of the symbols of a `struct file_operations` and its functions, about 30 each.
pub const OPS_SYMBOL_BYTES: usize = 1024;

/// Distinct `struct file_operations` that are remembered as already sent to user space.
pub const OPS_KNOWN: u32 = 1024;

/// Packets of one queue that the table of files sums up; a longer queue's payload is unknown
/// there (its messages and memory are not).
pub const QUEUE_SUM_PACKETS: u32 = 4096;

/// Buffers of one pipe that are summed up: F_SETPIPE_SZ allows 1 MiB, 256 pages, to everyone
/// and more to root (pipe(7)).
pub const PIPE_BUFFERS: u32 = 4096;

/// Watches of one epoll instance that the table of files lists, a power of two; their records
/// must fit the 32 KiB that an iterator's step may write.
pub const EPOLL_WATCHES: u32 = 512;

/// Packets of one TCP retransmit queue that are counted.
pub const RETRANSMIT_COUNT: u32 = 4096;

/// Bytes of protocol headers that are kept of a packet, a power of two: an IP and a TCP header
/// with all their options.
pub const HEADER_BYTES: usize = 128;

/// Bytes of one chunk of payload, a power of two.
pub const CHUNK_BYTES: usize = 4096;

/// Packets of one queue that a dump walks over.
pub const QUEUE_PACKETS: u32 = 1 << 20;

/// Files in flight in one packet (`SCM_MAX_FD`, include/net/scm.h).
pub const FLIGHT_FILES: u32 = 253;

/// Page fragments of one packet that are looked at (`MAX_SKB_FRAGS` may be set up to 45).
pub const FRAGS: u32 = 45;

/// Packets of a packet's fragment list that are looked at.
pub const FRAG_LIST: u32 = 1024;

/// Names in a path that a dump walks through.
pub const PATH_NAMES: u32 = 256;

/// Bytes of the ring that a dump writes into, a power of two and so many pages: more than twice
/// [`RING_UNIT`].
pub const RING_BYTES: u32 = 1 << 20;

/// Bytes that a dump leaves free in the ring for what it writes in one piece: a file with its
/// path and all its watches.
pub const RING_UNIT: u32 = 48 * 1024;

/// Packets that one run of a dump looks at, so that it stays within a few milliseconds.
pub const RUN_PACKETS: u32 = 16 * 1024;

/// Descriptors that one run of a dump looks at.
pub const RUN_FDS: u32 = 64 * 1024;
