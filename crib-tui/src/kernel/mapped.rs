//! A BPF array that is mapped into this process: reading it takes no system call.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;

use aya::maps::{Map, MapData};
use zerocopy::{FromBytes, Immutable};

use super::object::LoadError;

/// An array map of so many `T`, made with `BPF_F_MMAPABLE`.
pub struct Mapped<T> {
    address: NonNull<T>,
    len: usize,
    bytes: usize,
    /// Keeps the map's descriptor open.
    _map: MapData,
    of: PhantomData<T>,
}

impl<T: FromBytes + Immutable> Mapped<T> {
    /// Maps the first `len` values of a map that has as many.
    ///
    /// # Errors
    /// [`LoadError::Mmap`] when the kernel refuses.
    pub fn new(map: Map, name: &'static str, len: u32) -> Result<Self, LoadError> {
        // The kernel rounds each value up to 8 bytes (`bpf_array.elem_size`).
        const { assert!(size_of::<T>().is_multiple_of(8)) };
        let Map::Array(map) = map else { return Err(LoadError::Stale(name)) };
        let len = len as usize;
        let bytes = (len * size_of::<T>()).next_multiple_of(rustix::param::page_size());
        // SAFETY: a new mapping, wherever the kernel likes; the map is that large, since its
        // memory is whole pages.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ,
                libc::MAP_SHARED,
                map.fd().as_fd().as_raw_fd(),
                0,
            )
        };
        let failed = || LoadError::Mmap { map: name, source: io::Error::last_os_error() };
        if address == libc::MAP_FAILED {
            return Err(failed());
        }
        let address = NonNull::new(address.cast()).ok_or_else(failed)?;
        Ok(Self { address, len, bytes, _map: map, of: PhantomData })
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// A copy of one value as it is now; none past the end. Of a value that a program is
    /// changing meanwhile, some fields may be older than others.
    pub fn get(&self, index: usize) -> Option<T> {
        // SAFETY: the value lies in the mapping, which is aligned to a page, and any bits are
        // valid. Volatile, since programs change it.
        (index < self.len).then(|| unsafe { self.address.add(index).read_volatile() })
    }

    /// The first `len` values, or all where there are fewer.
    ///
    /// # Safety
    /// No program may be changing them for as long as they are borrowed.
    pub unsafe fn first(&self, len: usize) -> &[T] {
        // SAFETY: as in `get`; that they don't change is the caller's.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr(), len.min(self.len)) }
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing borrows from it any more.
        unsafe { libc::munmap(self.address.as_ptr().cast(), self.bytes) };
    }
}
