//! BPF objects by the bare system call, bpf(2).

use std::io;
use std::os::fd::OwnedFd;

use serde_json::json;

use crate::holder::Holder;
use crate::sys;

// enum bpf_cmd, bpf_map_type, bpf_prog_type (include/uapi/linux/bpf.h)
const BPF_MAP_CREATE: i32 = 0;
const BPF_PROG_LOAD: i32 = 5;
const BPF_RAW_TRACEPOINT_OPEN: i32 = 17;
const BPF_MAP_TYPE_ARRAY: u64 = 2;
const BPF_PROG_TYPE_SOCKET_FILTER: u64 = 1;
const BPF_PROG_TYPE_RAW_TRACEPOINT: u64 = 17;

/// An array of four numbers.
pub fn map(holder: &mut Holder) -> io::Result<()> {
    let mut attr = [0u64; 18];
    attr[0] = BPF_MAP_TYPE_ARRAY | (4 << 32); // map_type, key_size
    attr[1] = 8 | (4 << 32); // value_size, max_entries
    let fd = sys::bpf(BPF_MAP_CREATE, &mut attr)?;
    holder.add("bpf_map", "bpf_map", fd, json!({ "mode": "rw" }));
    Ok(())
}

/// A program that returns 0 and does nothing else.
fn load(prog_type: u64) -> io::Result<OwnedFd> {
    // mov64 r0, 0; exit
    let instructions: [u64; 2] = [0x0000_0000_0000_00b7, 0x0000_0000_0000_0095];
    let license = c"GPL";
    let mut attr = [0u64; 18];
    attr[0] = prog_type | ((instructions.len() as u64) << 32); // prog_type, insn_cnt
    attr[1] = instructions.as_ptr() as u64;
    attr[2] = license.as_ptr() as u64;
    sys::bpf(BPF_PROG_LOAD, &mut attr)
}

/// A socket filter that filters no socket.
pub fn prog(holder: &mut Holder) -> io::Result<()> {
    let fd = load(BPF_PROG_TYPE_SOCKET_FILTER)?;
    holder.add("bpf_prog", "bpf_prog", fd, json!({}));
    Ok(())
}

/// A link to a tracepoint that is seldom hit.
pub fn link(holder: &mut Holder) -> io::Result<()> {
    let prog = load(BPF_PROG_TYPE_RAW_TRACEPOINT)?;
    let name = c"sched_process_exec";
    let mut attr = [0u64; 18];
    attr[0] = name.as_ptr() as u64;
    attr[1] = std::os::fd::AsRawFd::as_raw_fd(&prog) as u64;
    let link = sys::bpf(BPF_RAW_TRACEPOINT_OPEN, &mut attr)?;
    holder.add("bpf_link", "bpf_link", link, json!({}));
    Ok(())
}
