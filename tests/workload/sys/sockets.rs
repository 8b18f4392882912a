//! Sockets: made, named, connected, asked and told by options, and sent files.

use std::ffi::{c_int, c_long, c_short, c_void};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use super::{check, owned};

/// socket(2).
pub fn socket(domain: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    owned(unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) })
}

/// socketpair(2).
pub fn socketpair(domain: c_int, kind: c_int) -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    let kind = kind | libc::SOCK_CLOEXEC;
    // SAFETY: `ends` has room for two descriptors.
    check(unsafe { libc::socketpair(domain, kind, 0, ends.as_mut_ptr()) }.into())?;
    Ok((owned(ends[0])?, owned(ends[1])?))
}

/// bind(2) to an address given as its structure's bytes.
pub fn bind(fd: BorrowedFd<'_>, address: &[u8]) -> io::Result<()> {
    let len = address.len() as libc::socklen_t;
    // SAFETY: the pointer and the length are those of `address`.
    check(unsafe { libc::bind(fd.as_raw_fd(), address.as_ptr().cast(), len) }.into()).map(drop)
}

/// connect(2) to an address given as its structure's bytes.
pub fn connect(fd: BorrowedFd<'_>, address: &[u8]) -> io::Result<()> {
    let len = address.len() as libc::socklen_t;
    // SAFETY: the pointer and the length are those of `address`.
    check(unsafe { libc::connect(fd.as_raw_fd(), address.as_ptr().cast(), len) }.into()).map(drop)
}

/// listen(2).
pub fn listen(fd: BorrowedFd<'_>, backlog: c_int) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) }.into()).map(drop)
}

/// shutdown(2).
pub fn shutdown(fd: BorrowedFd<'_>, how: c_int) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::shutdown(fd.as_raw_fd(), how) }.into()).map(drop)
}

/// Which end's address [`socket_address`] asks for.
#[derive(Clone, Copy)]
pub enum End {
    /// getsockname(2).
    Local,
    /// getpeername(2).
    Remote,
}

/// getsockname(2) or getpeername(2), as the bytes of the structure.
pub fn socket_address(fd: BorrowedFd<'_>, end: End) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0u8; size_of::<libc::sockaddr_storage>()];
    let mut len = bytes.len() as libc::socklen_t;
    let address = bytes.as_mut_ptr().cast();
    // SAFETY: the pointer and the length are those of `bytes`.
    let ret = unsafe {
        match end {
            End::Local => libc::getsockname(fd.as_raw_fd(), address, &mut len),
            End::Remote => libc::getpeername(fd.as_raw_fd(), address, &mut len),
        }
    };
    check(ret.into())?;
    bytes.truncate(len as usize);
    Ok(bytes)
}

/// A getsockopt(2) that fills in an array of 32-bit numbers; as many as the kernel gave.
pub fn socket_option(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Vec<u32>> {
    let mut values = vec![0u32; 64];
    let mut len = (values.len() * size_of::<u32>()) as libc::socklen_t;
    let pointer: *mut c_void = values.as_mut_ptr().cast();
    // SAFETY: the pointer and the length are those of `values`.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, pointer, &mut len) }.into())?;
    values.truncate((len as usize).div_ceil(size_of::<u32>()));
    Ok(values)
}

/// setsockopt(2) with an int.
pub fn set_socket_option(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: c_int,
) -> io::Result<()> {
    let len = size_of::<c_int>() as libc::socklen_t;
    let pointer = ptr::from_ref(&value).cast();
    // SAFETY: the pointer and the length are those of `value`.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, pointer, len) }.into()).map(drop)
}

/// poll(2) of one file: what it is ready for of `events`, and whether it has an error.
pub fn poll(fd: BorrowedFd<'_>, events: c_short, milliseconds: c_int) -> io::Result<c_short> {
    let mut asked = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: `asked` is the one entry that is announced, and outlives the call.
    check(unsafe { libc::poll(&mut asked, 1, milliseconds) }.into())?;
    Ok(asked.revents)
}

/// Whether poll(2) tells of an error, or of something in the error queue.
pub fn has_error(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(poll(fd, 0, 0)? & libc::POLLERR != 0)
}

/// SO_LINGER with a time of zero: closing the socket then resets the connection.
pub fn linger_zero(fd: BorrowedFd<'_>) -> io::Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let len = size_of::<libc::linger>() as libc::socklen_t;
    let pointer = ptr::from_ref(&linger).cast();
    // SAFETY: the pointer and the length are those of `linger`.
    check(
        unsafe {
            libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, pointer, len)
        }
        .into(),
    )
    .map(drop)
}

/// Sends `bytes` and, with them, `files` (SCM_RIGHTS, unix(7)).
pub fn send_files(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    files: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let fds: Vec<c_int> = files.iter().map(AsRawFd::as_raw_fd).collect();
    let len = size_of_val(fds.as_slice()) as u32;
    // SAFETY: a msghdr of zeroes is an empty message.
    let mut message: libc::msghdr = unsafe { zeroed() };
    let mut part = libc::iovec { iov_base: bytes.as_ptr() as *mut c_void, iov_len: bytes.len() };
    // u64s, so that the control message is aligned.
    let mut control = vec![0u64; 64];
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: these macros only compute.
    let (space, header_len) = unsafe { (libc::CMSG_SPACE(len), libc::CMSG_LEN(len)) };
    assert!(space as usize <= control.len() * 8, "too many files for one message");
    message.msg_controllen = space as usize;
    // SAFETY: `control` is aligned and has room for a header and the descriptors, as was just
    // asserted; everything that `message` points to outlives the call.
    let ret = unsafe {
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = header_len as usize;
        ptr::copy_nonoverlapping(fds.as_ptr(), libc::CMSG_DATA(header).cast(), fds.len());
        libc::sendmsg(socket.as_raw_fd(), &message, 0)
    };
    check(ret as c_long).map(drop)
}
