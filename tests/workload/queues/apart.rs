//! A network namespace of one's own, for what would meet others' packets or needs other settings.

use std::io;
use std::thread;

use crate::sys::net;

/// The loopback device's usual MTU.
pub const USUAL_MTU: i32 = 65_536;

/// Runs `make` in a new network namespace with a loopback device of this MTU. Sockets that it
/// makes stay there; the process itself doesn't go.
pub fn in_own_net<T: Send + 'static>(
    mtu: i32,
    make: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let made = thread::spawn(move || {
        net::unshare_net()?;
        net::loopback_up(mtu)?;
        make()
    });
    made.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
}
