//! Files without a place in a file system: what the *fd system calls make.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use serde_json::json;

use crate::holder::Holder;
use crate::sys;

/// An epoll instance that watches a ready eventfd, a pipe that isn't ready, and, since an
/// entry outlives its descriptor, nothing that was closed.
pub fn eventpoll(holder: &mut Holder) -> io::Result<()> {
    let epoll = sys::epoll()?;
    let ready = sys::eventfd(3, libc::EFD_NONBLOCK)?;
    let (silent, other_end) = sys::pipe(libc::O_CLOEXEC)?;
    let edge = (libc::EPOLLIN | libc::EPOLLET) as u32;
    let level = (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLONESHOT) as u32;
    sys::epoll_add(epoll.as_fd(), ready.as_fd(), edge, 0xfeed_0000_0001)?;
    sys::epoll_add(epoll.as_fd(), silent.as_fd(), level, u64::MAX)?;
    let watches = json!([
        { "fd": ready.as_raw_fd(), "events": "IN|ET", "data": 0xfeed_0000_0001u64, "ready": true },
        { "fd": silent.as_raw_fd(), "events": "IN|RDHUP|ONESHOT", "data": u64::MAX, "ready": false },
    ]);
    holder.add("eventpoll", "eventpoll", epoll, json!({ "epoll": { "watches": watches } }));
    holder.add("eventfd", "eventpoll-ready", ready, json!({}));
    holder.add("pipe", "eventpoll-silent", silent, json!({}));
    holder.add("pipe", "eventpoll-silent-write", other_end, json!({}));
    Ok(())
}

/// An eventfd with a count.
pub fn eventfd(holder: &mut Holder) -> io::Result<()> {
    let fd = sys::eventfd(7, libc::EFD_CLOEXEC | libc::EFD_SEMAPHORE)?;
    holder.add("eventfd", "eventfd", fd, json!({ "mode": "rw", "cloexec": true }));
    Ok(())
}

/// A timer that won't fire while anyone looks.
pub fn timerfd(holder: &mut Holder) -> io::Result<()> {
    holder.add("timerfd", "timerfd", sys::timerfd(86_400)?, json!({}));
    Ok(())
}

/// For a signal that nobody sends.
pub fn signalfd(holder: &mut Holder) -> io::Result<()> {
    holder.add("signalfd", "signalfd", sys::signalfd(libc::SIGUSR2)?, json!({}));
    Ok(())
}

/// Watches the workload's own directory.
pub fn inotify(holder: &mut Holder) -> io::Result<()> {
    let fd = sys::inotify(holder.dir())?;
    holder.add("inotify", "inotify", fd, json!({ "mode": "r" }));
    Ok(())
}

/// A notification group without marks.
pub fn fanotify(holder: &mut Holder) -> io::Result<()> {
    holder.add("fanotify", "fanotify", sys::fanotify()?, json!({}));
    Ok(())
}

/// The workload itself.
pub fn pidfd(holder: &mut Holder) -> io::Result<()> {
    holder.add("pidfd", "pidfd", sys::pidfd(std::process::id())?, json!({ "cloexec": true }));
    Ok(())
}

/// Memory with a name and a size.
pub fn memfd(holder: &mut Holder) -> io::Result<()> {
    let fd = sys::memfd(c"crib")?;
    sys::write(fd.as_fd(), b"remember")?;
    let expect = json!({ "path": "/memfd:crib", "size": 8, "pos": 8, "mode": "rw" });
    holder.add("memfd", "memfd", fd, expect);
    Ok(())
}

/// A ring that nothing was submitted to.
pub fn io_uring(holder: &mut Holder) -> io::Result<()> {
    holder.add("io_uring", "io_uring", sys::io_uring()?, json!({}));
    Ok(())
}

/// Without a registered range.
pub fn userfaultfd(holder: &mut Holder) -> io::Result<()> {
    holder.add("userfaultfd", "userfaultfd", sys::userfaultfd()?, json!({}));
    Ok(())
}

/// A counter that doesn't count.
pub fn perf_event(holder: &mut Holder) -> io::Result<()> {
    holder.add("perf_event", "perf_event", sys::perf_event()?, json!({}));
    Ok(())
}

/// The network namespace that the workload runs in.
pub fn namespace(holder: &mut Holder) -> io::Result<()> {
    let fd = sys::open(Path::new("/proc/self/ns/net"), libc::O_RDONLY)?;
    let ino = sys::stat(&fd)?.st_ino;
    let expect = json!({ "mode": "r", "ino": ino, "path": format!("net:[{ino}]") });
    holder.add("namespace", "namespace", fd, expect);
    Ok(())
}

/// A DMA buffer from a heap, or out of a memfd.
pub fn dmabuf(holder: &mut Holder) -> io::Result<()> {
    let fd = match sys::open(Path::new("/dev/dma_heap/system"), libc::O_RDONLY) {
        Ok(heap) => sys::dma_heap(heap.as_fd())?,
        Err(_) => {
            let device = sys::open(Path::new("/dev/udmabuf"), libc::O_RDWR)?;
            let memory = sealed_page(c"dmabuf")?;
            sys::udmabuf(device.as_fd(), memory.as_fd())?
        }
    };
    holder.add("dmabuf", "dmabuf", fd, json!({}));
    Ok(())
}

fn sealed_page(name: &CStr) -> io::Result<std::fs::File> {
    let file = std::fs::File::from(sys::memfd(name)?);
    file.set_len(4096)?;
    let borrowed: BorrowedFd<'_> = file.as_fd();
    sys::fcntl(borrowed, libc::F_ADD_SEALS, libc::F_SEAL_SHRINK)?;
    Ok(file)
}

/// A file system that is being configured: an anonymous inode with no kind of its own.
pub fn fscontext(holder: &mut Holder) -> io::Result<()> {
    let expect = json!({ "path": "anon_inode:[fscontext]" });
    holder.add("anon", "anon-fscontext", sys::fsopen(c"tmpfs")?, expect);
    Ok(())
}

/// A Landlock ruleset, which restricts nobody until it is used.
pub fn landlock(holder: &mut Holder) -> io::Result<()> {
    holder.add("anon", "anon-landlock", sys::landlock_ruleset()?, json!({}));
    Ok(())
}
