//! The table of kinds: each name with the function that makes such files.

mod anon;
mod bpf;
mod files;
mod inet;
mod other_sockets;
mod pipes;
mod unix;

use std::io;

use crate::holder::Holder;

/// Makes files of one kind and adds them to the holder. An error means that the machine
/// refuses this kind.
pub type Constructor = fn(&mut Holder) -> io::Result<()>;

/// Every kind there is. The names are labels; which `kind` of the interface a file is, its
/// constructor says.
pub const KINDS: &[(&str, Constructor)] = &[
    ("regular", files::regular),
    ("regular-append", files::append),
    ("regular-direct", files::direct),
    ("regular-tmpfile", files::tmpfile),
    ("regular-deleted", files::deleted),
    ("regular-named-deleted", files::named_deleted),
    ("regular-dup", files::duplicated),
    ("regular-mapped", files::mapped),
    ("regular-sparse", files::sparse),
    ("regular-path", files::path_only),
    ("directory", files::directory),
    ("symlink", files::symlink),
    ("char-null", files::null),
    ("char-pty", files::pty),
    ("block", files::block),
    ("fifo", pipes::fifo),
    ("pipe", pipes::pipe),
    ("pipe-empty", pipes::empty),
    ("pipe-packets", pipes::packets),
    ("pipe-full", pipes::full),
    ("pipe-widowed", pipes::widowed),
    ("eventpoll", anon::eventpoll),
    ("eventfd", anon::eventfd),
    ("timerfd", anon::timerfd),
    ("signalfd", anon::signalfd),
    ("inotify", anon::inotify),
    ("fanotify", anon::fanotify),
    ("pidfd", anon::pidfd),
    ("memfd", anon::memfd),
    ("io_uring", anon::io_uring),
    ("userfaultfd", anon::userfaultfd),
    ("perf_event", anon::perf_event),
    ("namespace", anon::namespace),
    ("dmabuf", anon::dmabuf),
    ("anon-fscontext", anon::fscontext),
    ("anon-landlock", anon::landlock),
    ("bpf_map", bpf::map),
    ("bpf_prog", bpf::prog),
    ("bpf_link", bpf::link),
    ("tcp-unbound", inet::tcp_unbound),
    ("tcp-listen", inet::tcp_listen),
    ("tcp-established", inet::tcp_established),
    ("tcp-unsent", inet::tcp_unsent),
    ("tcp-close-wait", inet::tcp_close_wait),
    ("tcp-reset", inet::tcp_reset),
    ("tcp-syn-sent", inet::tcp_syn_sent),
    ("tcp6-established", inet::tcp6_established),
    ("udp-unbound", inet::udp_unbound),
    ("udp-unconnected", inet::udp_unconnected),
    ("udp-connected", inet::udp_connected),
    ("udp-refused", inet::udp_refused),
    ("udp-dropped", inet::udp_dropped),
    ("udp6", inet::udp6),
    ("raw-icmp", inet::raw_icmp),
    ("unix-stream", unix::stream),
    ("unix-stream-orphan", unix::stream_orphan),
    ("unix-stream-shutdown", unix::stream_shutdown),
    ("unix-listen", unix::listener),
    ("unix-connected", unix::connected),
    ("unix-dgram-path", unix::dgram_path),
    ("unix-dgram-abstract", unix::dgram_abstract),
    ("unix-seqpacket", unix::seqpacket),
    ("unix-inflight", unix::inflight),
    ("netlink-route", other_sockets::netlink_route),
    ("packet", other_sockets::packet),
    ("vsock", other_sockets::vsock),
];
