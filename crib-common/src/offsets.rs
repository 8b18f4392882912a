//! Where members stand in the running kernel's structures.
//!
//! rustc writes no CO-RE relocations, so user space resolves each member by name in the
//! kernel's BTF and hands the numbers to the programs as a constant. A member that a kernel
//! lacks is [`ABSENT`]: the verifier then removes what would have read it, and the field is
//! reported as unknown.

use zerocopy::{Immutable, IntoBytes};

/// The offset of a member that this kernel does not have.
///
/// Small enough to be added to any pointer without making the verifier refuse the sum, larger
/// than any structure that is read.
pub const ABSENT: u16 = u16::MAX;

/// One thing to resolve in BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The offset of a member, found under the first of these names that exists, each
    /// `struct.member.member`; anonymous structures and unions are looked through.
    Member(&'static [&'static str]),
    /// The size of the first of these structures that exists.
    Size(&'static [&'static str]),
}

macro_rules! kernel_offsets {
    (@wanted member $($name:literal)+) => { Wanted::Member(&[$($name),+]) };
    (@wanted size $($name:literal)+) => { Wanted::Size(&[$($name),+]) };
    ($($(#[$meta:meta])* $field:ident: $what:ident $($name:literal)+;)+) => {
        /// Offsets of members and sizes of structures in bytes, [`ABSENT`] where a kernel has none.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, IntoBytes, Immutable)]
        pub struct KernelOffsets {
            $($(#[$meta])* #[doc = concat!($("`", $name, "` "),+)] pub $field: u16,)+
        }

        impl KernelOffsets {
            /// No member known.
            pub const NONE: Self = Self { $($field: ABSENT),+ };

            /// What to look up, with the name of the field it goes to.
            pub const WANTED: &'static [(&'static str, Wanted)] = &[
                $((stringify!($field), kernel_offsets!(@wanted $what $($name)+))),+
            ];

            /// Fills in every field with what `resolve` finds, [`ABSENT`] where it finds nothing
            /// or something that does not fit.
            pub fn resolve(mut resolve: impl FnMut(&Wanted) -> Option<u32>) -> Self {
                let mut find = |wanted: Wanted| {
                    resolve(&wanted)
                        .and_then(|offset| u16::try_from(offset).ok())
                        .unwrap_or(ABSENT)
                };
                Self { $($field: find(kernel_offsets!(@wanted $what $($name)+))),+ }
            }
        }
    };
}

kernel_offsets! {
    task_pid: member "task_struct.pid";
    task_tgid: member "task_struct.tgid";
    task_files: member "task_struct.files";
    task_group_leader: member "task_struct.group_leader";
    task_real_parent: member "task_struct.real_parent";
    task_fs: member "task_struct.fs";
    task_thread_pid: member "task_struct.thread_pid";
    pid_level: member "pid.level";
    pid_numbers: member "pid.numbers";
    upid_nr: member "upid.nr";
    upid_size: size "upid";

    files_fdt: member "files_struct.fdt";
    fdtable_max_fds: member "fdtable.max_fds";
    fdtable_fd: member "fdtable.fd";
    fdtable_close_on_exec: member "fdtable.close_on_exec";

    file_mode: member "file.f_mode";
    file_flags: member "file.f_flags";
    file_op: member "file.f_op";
    file_inode: member "file.f_inode";
    file_pos: member "file.f_pos";
    file_path: member "file.f_path" "file.__f_path";
    file_path_mnt: member "file.f_path.mnt" "file.__f_path.mnt";
    file_path_dentry: member "file.f_path.dentry" "file.__f_path.dentry";
    /// Until Linux 6.12 the count itself.
    file_count: member "file.f_count.counter";
    /// Since Linux 6.13 the count less one (include/linux/file_ref.h).
    file_ref: member "file.f_ref.refcnt.counter";

    file_private_data: member "file.private_data";

    rb_left: member "rb_node.rb_left";
    rb_right: member "rb_node.rb_right";
    rb_parent_color: member "rb_node.__rb_parent_color";
    eventpoll_root: member "eventpoll.rbr.rb_root.rb_node";
    epitem_rbn: member "epitem.rbn";
    epitem_rdllink: member "epitem.rdllink.next";
    epitem_fd: member "epitem.ffd.fd";
    epitem_file: member "epitem.ffd.file";
    epitem_events: member "epitem.event.events";
    epitem_data: member "epitem.event.data";

    inode_mode: member "inode.i_mode";
    inode_ino: member "inode.i_ino";
    inode_size: member "inode.i_size";
    inode_nlink: member "inode.i_nlink" "inode.__i_nlink";
    inode_rdev: member "inode.i_rdev";
    inode_sb: member "inode.i_sb";
    /// Until Linux 6.10 in a `struct timespec64`, renamed in 6.6.
    inode_ctime_sec: member "inode.i_ctime_sec" "inode.__i_ctime.tv_sec" "inode.i_ctime.tv_sec";
    inode_ctime_nsec: member "inode.i_ctime_nsec" "inode.__i_ctime.tv_nsec" "inode.i_ctime.tv_nsec";
    inode_pipe: member "inode.i_pipe";
    inode_private: member "inode.i_private";
    ns_ops: member "ns_common.ops";
    ns_ops_name: member "proc_ns_operations.name";

    super_dev: member "super_block.s_dev";
    super_magic: member "super_block.s_magic";
    super_flags: member "super_block.s_flags";

    fs_root_mnt: member "fs_struct.root.mnt";
    fs_root_dentry: member "fs_struct.root.dentry";
    vfsmount_root: member "vfsmount.mnt_root";
    mount_mnt: member "mount.mnt";
    mount_parent: member "mount.mnt_parent";
    mount_mountpoint: member "mount.mnt_mountpoint";

    dentry_hash_pprev: member "dentry.d_hash.pprev";
    dentry_name: member "dentry.d_name.name" "dentry.__d_name.name";
    dentry_name_len: member "dentry.d_name.len" "dentry.__d_name.len";
    dentry_parent: member "dentry.d_parent";

    fops_release: member "file_operations.release";
    fops_open: member "file_operations.open";
    fops_read_iter: member "file_operations.read_iter";
    fops_write_iter: member "file_operations.write_iter";
    fops_read: member "file_operations.read";
    fops_write: member "file_operations.write";
    fops_poll: member "file_operations.poll";
    fops_ioctl: member "file_operations.unlocked_ioctl";
    fops_mmap: member "file_operations.mmap" "file_operations.mmap_prepare";
    fops_iterate: member "file_operations.iterate_shared" "file_operations.iterate";
    fops_fdinfo: member "file_operations.show_fdinfo";
    fops_llseek: member "file_operations.llseek";

    pipe_head: member "pipe_inode_info.head";
    pipe_tail: member "pipe_inode_info.tail";
    pipe_ring_size: member "pipe_inode_info.ring_size";
    pipe_max_usage: member "pipe_inode_info.max_usage";
    pipe_readers: member "pipe_inode_info.readers";
    pipe_writers: member "pipe_inode_info.writers";
    pipe_bufs: member "pipe_inode_info.bufs";
    pipe_buffer_page: member "pipe_buffer.page";
    pipe_buffer_offset: member "pipe_buffer.offset";
    pipe_buffer_len: member "pipe_buffer.len";
    pipe_buffer_size: size "pipe_buffer";

    socket_sk: member "socket.sk";
    page_size: size "page";

    socket_alloc_ino: member "socket_alloc.vfs_inode.i_ino";

    sock_family: member "sock.__sk_common.skc_family";
    sock_state: member "sock.__sk_common.skc_state";
    sock_daddr: member "sock.__sk_common.skc_daddr";
    sock_rcv_saddr: member "sock.__sk_common.skc_rcv_saddr";
    sock_dport: member "sock.__sk_common.skc_dport";
    sock_v6_daddr: member "sock.__sk_common.skc_v6_daddr";
    sock_v6_rcv_saddr: member "sock.__sk_common.skc_v6_rcv_saddr";
    sock_net: member "sock.__sk_common.skc_net.net";
    sock_common_flags: member "sock.__sk_common.skc_flags";
    sock_type: member "sock.sk_type";
    sock_protocol: member "sock.sk_protocol";
    sock_shutdown: member "sock.sk_shutdown";
    sock_err: member "sock.sk_err";
    sock_rcvbuf: member "sock.sk_rcvbuf";
    sock_sndbuf: member "sock.sk_sndbuf";
    sock_drops: member "sock.sk_drops.counter";
    /// Since Linux 6.18 the counters of UDP sockets stand elsewhere.
    sock_drop_counters: member "sock.sk_drop_counters";
    sock_receive_queue: member "sock.sk_receive_queue";
    sock_error_queue: member "sock.sk_error_queue";
    sock_backlog_head: member "sock.sk_backlog.head";
    sock_write_queue: member "sock.sk_write_queue";
    sock_rtx_queue: member "sock.tcp_rtx_queue.rb_node";
    sock_rmem_alloc: member "sock.sk_backlog.rmem_alloc.counter";
    sock_wmem_alloc: member "sock.sk_wmem_alloc.refs.counter" "sock.sk_wmem_alloc.counter";
    sock_wmem_queued: member "sock.sk_wmem_queued";
    sock_ack_backlog: member "sock.sk_ack_backlog";
    sock_max_ack_backlog: member "sock.sk_max_ack_backlog";
    sock_socket: member "sock.sk_socket";
    net_inum: member "net.ns.inum";
    drops_0: member "numa_drop_counters.drops0.counter";
    drops_1: member "numa_drop_counters.drops1.counter";

    queue_next: member "sk_buff_head.next";
    queue_qlen: member "sk_buff_head.qlen";
    skb_size: size "sk_buff";
    skb_next: member "sk_buff.next";
    skb_prev: member "sk_buff.prev";
    skb_len: member "sk_buff.len";
    skb_data_len: member "sk_buff.data_len";
    skb_rbnode: member "sk_buff.rbnode";
    skb_head: member "sk_buff.head";
    skb_data: member "sk_buff.data";
    skb_end: member "sk_buff.end";
    skb_tstamp: member "sk_buff.tstamp";
    skb_protocol: member "sk_buff.protocol";
    skb_network_header: member "sk_buff.network_header";
    skb_transport_header: member "sk_buff.transport_header";
    shared_nr_frags: member "skb_shared_info.nr_frags";
    shared_frag_list: member "skb_shared_info.frag_list";
    shared_frags: member "skb_shared_info.frags";
    frag_page: member "skb_frag.netmem" "skb_frag.bv_page" "bio_vec.bv_page";
    frag_len: member "skb_frag.len" "skb_frag.bv_len" "bio_vec.bv_len";
    frag_offset: member "skb_frag.offset" "skb_frag.bv_offset" "bio_vec.bv_offset";
    frag_size: size "skb_frag" "bio_vec";
    skb_truesize: member "sk_buff.truesize";
    skb_sk: member "sk_buff.sk";
    skb_cb: member "sk_buff.cb";
    unix_cb_consumed: member "unix_skb_parms.consumed";
    unix_cb_files: member "unix_skb_parms.fp";
    flight_count: member "scm_fp_list.count";
    flight_files: member "scm_fp_list.fp";
    tcp_cb_seq: member "tcp_skb_cb.seq";
    tcp_cb_end_seq: member "tcp_skb_cb.end_seq";
    tcp_cb_flags: member "tcp_skb_cb.tcp_flags";
    mptcp_first: member "mptcp_sock.first";
    mptcp_out_of_order: member "mptcp_sock.out_of_order_queue.rb_node";
    mptcp_cb_offset: member "mptcp_skb_cb.offset";
    netlink_cb_portid: member "netlink_skb_parms.portid";
    netlink_cb_group: member "netlink_skb_parms.dst_group";
    packet_cb_sockaddr: member "packet_skb_cb.sa";

    inet_saddr: member "inet_sock.inet_saddr";
    inet_sport: member "inet_sock.inet_sport";
    tcp_rcv_nxt: member "tcp_sock.rcv_nxt";
    tcp_copied_seq: member "tcp_sock.copied_seq";
    tcp_write_seq: member "tcp_sock.write_seq";
    tcp_snd_una: member "tcp_sock.snd_una";
    tcp_snd_nxt: member "tcp_sock.snd_nxt";
    tcp_snd_wnd: member "tcp_sock.snd_wnd";
    tcp_rcv_wnd: member "tcp_sock.rcv_wnd";
    tcp_snd_cwnd: member "tcp_sock.snd_cwnd";
    tcp_snd_ssthresh: member "tcp_sock.snd_ssthresh";
    tcp_srtt: member "tcp_sock.srtt_us";
    tcp_rttvar: member "tcp_sock.rttvar_us";
    tcp_mss: member "tcp_sock.mss_cache";
    tcp_rcv_tstamp: member "tcp_sock.rcv_tstamp";
    tcp_total_retransmits: member "tcp_sock.total_retrans";
    tcp_out_of_order: member "tcp_sock.out_of_order_queue.rb_node";
    icsk_pending: member "inet_connection_sock.icsk_pending";
    icsk_timeout: member "inet_connection_sock.icsk_timeout"
        "sock.tcp_retransmit_timer.expires"
        "inet_connection_sock.icsk_retransmit_timer.expires";
    icsk_rto: member "inet_connection_sock.icsk_rto";
    icsk_retransmits: member "inet_connection_sock.icsk_retransmits";
    icsk_backoff: member "inet_connection_sock.icsk_backoff";
    icsk_probes: member "inet_connection_sock.icsk_probes_out";
    icsk_accept_head: member "inet_connection_sock.icsk_accept_queue.rskq_accept_head";
    request_next: member "request_sock.dl_next";
    request_sk: member "request_sock.sk";
    udp_reader_queue: member "udp_sock.reader_queue";
    udp_forward_deficit: member "udp_sock.forward_deficit";
    unix_addr: member "unix_sock.addr";
    unix_peer: member "unix_sock.peer";
    unix_scm_files: member "unix_sock.scm_stat.nr_fds.counter";
    unix_address_len: member "unix_address.len";
    unix_address_path: member "unix_address.name";
    netlink_portid: member "netlink_sock.portid";
    netlink_dst_portid: member "netlink_sock.dst_portid";
    netlink_dst_group: member "netlink_sock.dst_group";
    packet_ifindex: member "packet_sock.ifindex";
    packet_num: member "packet_sock.num";
    vsock_local_cid: member "vsock_sock.local_addr.svm_cid";
    vsock_local_port: member "vsock_sock.local_addr.svm_port";
    vsock_remote_cid: member "vsock_sock.remote_addr.svm_cid";
    vsock_remote_port: member "vsock_sock.remote_addr.svm_port";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_found_or_too_large_is_absent() {
        assert_eq!(KernelOffsets::resolve(|_| None), KernelOffsets::NONE);
        assert_eq!(KernelOffsets::resolve(|_| Some(70_000)), KernelOffsets::NONE);
        assert_eq!(KernelOffsets::resolve(|_| Some(8)).file_op, 8);
    }
}
