//! Code that is made at run time, as a just-in-time compiler makes it, and its name in a perf map.

use std::ffi::c_long;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::ptr;

use super::owned;

/// What generated code calls, and what it is then: it opens a descriptor, which is its caller's, or
/// returns a negative number.
type Opens = extern "C" fn() -> c_long;

/// Bytes of the mapping that it has.
const BYTES: usize = 4096;

/// A function that was made at run time, and calls another one.
pub struct Generated {
    opens: Opens,
    /// Its name, where tools look for those of such code (tools/perf/Documentation/jit-interface.txt).
    map: PathBuf,
}

impl Generated {
    /// Makes one that calls `callee` and returns what that does.
    pub fn calling(callee: Opens, name: &str) -> io::Result<Self> {
        if !cfg!(target_arch = "x86_64") {
            return Err(io::Error::other("code is generated for x86-64 only"));
        }
        // push %rbp; mov %rsp,%rbp; mov $callee,%rax; call *%rax; pop %rbp; ret
        let mut code = vec![0x55, 0x48, 0x89, 0xe5, 0x48, 0xb8];
        code.extend((callee as usize as u64).to_le_bytes());
        code.extend([0xff, 0xd0, 0x5d, 0xc3]);
        let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping, wherever the kernel likes.
        let memory = unsafe { libc::mmap(ptr::null_mut(), BYTES, protection, flags, -1, 0) };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the mapping is ours alone, and larger than the code. It is never unmapped. What
        // is written to it is a function of this type, which keeps what a function has to keep.
        let opens = unsafe {
            ptr::copy_nonoverlapping(code.as_ptr(), memory.cast(), code.len());
            std::mem::transmute::<*mut libc::c_void, Opens>(memory)
        };
        let map = PathBuf::from(format!("/tmp/perf-{}.map", std::process::id()));
        std::fs::write(&map, format!("{:x} {:x} {name}\n", memory as usize, code.len()))?;
        Ok(Self { opens, map })
    }

    /// Calls it.
    pub fn call(&self) -> io::Result<OwnedFd> {
        owned((self.opens)())
    }
}

impl Drop for Generated {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.map);
    }
}
