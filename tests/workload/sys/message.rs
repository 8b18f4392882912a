//! Messages with all that comes with them: recvmsg(2), sendto(2), accept4(2).

use std::ffi::{c_int, c_long, c_void};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use super::{check, owned};

/// One message that was received.
pub struct Received {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The sender's address, as the bytes of its structure.
    pub from: Vec<u8>,
    /// The files that came with it (SCM_RIGHTS).
    pub files: Vec<OwnedFd>,
    /// When it came, in nanoseconds since 1970, where SO_TIMESTAMPNS is set.
    pub time: Option<i128>,
}

/// Receives at most `room` bytes, without waiting; none when nothing is there.
pub fn receive(fd: BorrowedFd<'_>, flags: c_int, room: usize) -> io::Result<Option<Received>> {
    let mut bytes = vec![0u8; room];
    let mut from = vec![0u8; size_of::<libc::sockaddr_storage>()];
    // u64s, so that the control messages are aligned.
    let mut control = vec![0u64; 256];
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: a msghdr of zeroes is an empty message.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_name = from.as_mut_ptr().cast();
    message.msg_namelen = from.len() as libc::socklen_t;
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = control.len() * size_of::<u64>();
    // Packet sockets refuse MSG_CMSG_CLOEXEC; nothing is executed here anyway.
    let flags = flags | libc::MSG_DONTWAIT;
    // SAFETY: everything that `message` points to has the length it gives and outlives the call.
    let ret = unsafe { libc::recvmsg(fd.as_raw_fd(), &mut message, flags) };
    let len = match check(ret as c_long) {
        Ok(len) => len as usize,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    };
    bytes.truncate(len);
    from.truncate(message.msg_namelen as usize);
    let (files, time) = control_messages(&message);
    Ok(Some(Received { bytes, from, files, time }))
}

/// What a message that was just received says beside its bytes.
fn control_messages(message: &libc::msghdr) -> (Vec<OwnedFd>, Option<i128>) {
    let (mut files, mut time) = (Vec::new(), None);
    // SAFETY: the kernel has filled the control buffer in; these macros stay within it.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            let data = libc::CMSG_DATA(header);
            let len = (*header).cmsg_len - libc::CMSG_LEN(0) as usize;
            match ((*header).cmsg_level, (*header).cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                    for n in 0..len / size_of::<c_int>() {
                        let fd = ptr::read_unaligned(data.cast::<c_int>().add(n));
                        files.push(OwnedFd::from_raw_fd(fd));
                    }
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let stamp = ptr::read_unaligned(data.cast::<libc::timespec>());
                    let seconds = i128::from(stamp.tv_sec);
                    time = Some(seconds * 1_000_000_000 + i128::from(stamp.tv_nsec));
                }
                _ => {}
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    (files, time)
}

/// sendto(2) an address given as its structure's bytes.
pub fn send_to(fd: BorrowedFd<'_>, bytes: &[u8], address: &[u8]) -> io::Result<usize> {
    let (data, len) = (bytes.as_ptr().cast::<c_void>(), bytes.len());
    let (to, to_len) = (address.as_ptr().cast(), address.len() as libc::socklen_t);
    // SAFETY: the pointers and lengths are those of the two slices.
    let ret = unsafe { libc::sendto(fd.as_raw_fd(), data, len, 0, to, to_len) };
    check(ret as c_long).map(|n| n as usize)
}

/// Accepts a connection, without waiting: it and its peer's address; none when nobody waits.
pub fn accept(fd: BorrowedFd<'_>) -> io::Result<Option<(OwnedFd, Vec<u8>)>> {
    let flags = super::fcntl(fd, libc::F_GETFL, 0)?;
    super::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK)?;
    let mut from = vec![0u8; size_of::<libc::sockaddr_storage>()];
    let mut len = from.len() as libc::socklen_t;
    // SAFETY: the pointer and the length are those of `from`.
    let ret = unsafe {
        libc::accept4(fd.as_raw_fd(), from.as_mut_ptr().cast(), &mut len, libc::SOCK_CLOEXEC)
    };
    match owned(ret) {
        Ok(client) => {
            from.truncate(len as usize);
            Ok(Some((client, from)))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// read(2).
pub fn read(fd: BorrowedFd<'_>, room: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0u8; room];
    // SAFETY: the pointer and the length are those of `bytes`.
    let ret = unsafe { libc::read(fd.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) };
    bytes.truncate(check(ret as c_long)? as usize);
    Ok(bytes)
}
