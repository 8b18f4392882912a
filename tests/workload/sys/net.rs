//! Network namespaces, devices, filters, and pages that are handed to sockets and pipes.

use std::ffi::{c_int, c_long, c_short};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;

use super::check;

/// Gives the calling thread a network namespace of its own (unshare(2), CLONE_NEWNET).
pub fn unshare_net() -> io::Result<()> {
    // SAFETY: no memory is involved; other threads keep their namespace.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) }.into()).map(drop)
}

/// `struct ifreq` with a number in its union (netdevice(7)).
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    value: c_int,
    rest: [u8; 20],
}

fn interface_request(request: libc::Ioctl, value: c_int) -> io::Result<c_int> {
    let socket = super::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    let mut argument = InterfaceRequest { name: [0; 16], value, rest: [0; 20] };
    argument.name[..2].copy_from_slice(b"lo");
    // SAFETY: `argument` is as large as the structure that these requests read and write.
    check(unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), request, &mut argument) }.into())?;
    Ok(argument.value)
}

/// Sets the loopback device's MTU and brings it up.
pub fn loopback_up(mtu: c_int) -> io::Result<()> {
    interface_request(libc::SIOCSIFMTU as libc::Ioctl, mtu)?;
    let flags = libc::IFF_UP as c_short | libc::IFF_RUNNING as c_short;
    interface_request(libc::SIOCSIFFLAGS as libc::Ioctl, flags.into()).map(drop)
}

/// The loopback device's number.
pub fn loopback_index() -> io::Result<c_int> {
    interface_request(libc::SIOCGIFINDEX as libc::Ioctl, 0)
}

/// Lets a socket receive nothing more: a filter that keeps no byte of any packet.
pub fn drop_everything(fd: BorrowedFd<'_>) -> io::Result<()> {
    const BPF_RET_K: u16 = 0x06;
    let mut filter = libc::sock_filter { code: BPF_RET_K, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &mut filter };
    let len = size_of::<libc::sock_fprog>() as libc::socklen_t;
    let (raw, pointer) = (fd.as_raw_fd(), ptr::from_ref(&program).cast());
    let (level, name) = (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER);
    // SAFETY: `program` and the filter it points to outlive the call.
    check(unsafe { libc::setsockopt(raw, level, name, pointer, len) }.into()).map(drop)
}

/// Takes such a filter away.
pub fn drop_nothing(fd: BorrowedFd<'_>) -> io::Result<()> {
    super::set_socket_option(fd, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, 0)
}

/// vmsplice(2): puts the very pages of `parts` into a pipe, which see later changes of them.
pub fn vmsplice(pipe: BorrowedFd<'_>, parts: &[&'static [u8]]) -> io::Result<usize> {
    let parts: Vec<libc::iovec> = parts
        .iter()
        .map(|part| libc::iovec { iov_base: part.as_ptr() as *mut _, iov_len: part.len() })
        .collect();
    // SAFETY: `parts` describes memory that lasts for good.
    let ret = unsafe { libc::vmsplice(pipe.as_raw_fd(), parts.as_ptr(), parts.len(), 0) };
    check(ret as c_long).map(|n| n as usize)
}

/// splice(2): moves pages between a pipe and something else, from the latter's position.
pub fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    let (from, to) = (from.as_raw_fd(), to.as_raw_fd());
    // SAFETY: no offsets are given, so that no memory is involved.
    let ret = unsafe { libc::splice(from, ptr::null_mut(), to, ptr::null_mut(), len, 0) };
    check(ret as c_long).map(|n| n as usize)
}

/// dup2(2): `onto`, which may be in use, stands for the file of `fd` from now on.
pub fn dup2(fd: BorrowedFd<'_>, onto: c_int) -> io::Result<()> {
    // SAFETY: no memory is involved; the caller owns what `onto` stands for.
    check(unsafe { libc::dup2(fd.as_raw_fd(), onto) }.into()).map(drop)
}

/// close(2) of a descriptor that is about to be used anew.
pub fn close(fd: c_int) -> io::Result<()> {
    // SAFETY: no memory is involved; the caller owns the descriptor.
    check(unsafe { libc::close(fd) }.into()).map(drop)
}
