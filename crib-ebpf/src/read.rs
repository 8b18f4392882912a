//! Bounded reads of kernel memory, and the offsets they use.
//!
//! There are two kinds of pointer. A [`Typed`] one comes from the iterator's context or was
//! read from such a pointer: the verifier knows what it points to, checks each access against
//! the kernel's BTF, and lets it be loaded from directly, which costs an instruction. Any
//! other is [`Raw`]: `bpf_probe_read_kernel` reads through it, which costs some 30 ns and
//! fails, rather than faults, on a bad address.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use crib_common::offsets::{ABSENT, KernelOffsets};

/// The running kernel's offsets; user space writes them into `.rodata` before loading, so that
/// the verifier sees constants and removes what reads an absent member.
#[unsafe(no_mangle)]
static OFFSETS: KernelOffsets = KernelOffsets::NONE;

/// The offset of one member.
macro_rules! offset {
    ($field:ident) => {
        $crate::read::injected(|offsets| &raw const offsets.$field)
    };
}
pub(crate) use offset;

/// Reads one of the injected offsets. See [`offset!`].
#[inline(always)]
pub fn injected(field: impl FnOnce(&'static KernelOffsets) -> *const u16) -> u16 {
    // SAFETY: the pointer is to a field of a static. The read is volatile because the value in
    // the object file is not the one that the program runs with.
    unsafe { field(&OFFSETS).read_volatile() }
}

/// How memory behind a pointer may be read.
pub trait Access: Copy {
    /// Reads a `T` at `address`.
    ///
    /// # Safety
    /// `address` must be what the implementing type says it takes, `T` valid for any bits.
    unsafe fn read<T: Copy>(address: *const u8) -> Option<T>;
}

/// The verifier knows what the pointer points to.
#[derive(Clone, Copy)]
pub struct Typed;

/// The pointer is a number that was found somewhere.
#[derive(Clone, Copy)]
pub struct Raw;

impl Access for Typed {
    #[inline(always)]
    unsafe fn read<T: Copy>(address: *const u8) -> Option<T> {
        // SAFETY: the verifier has proved that a `T` stands there, or that the kernel's fault
        // handler takes over, which makes it 0 (PROBE_MEM). Volatile, so that it stays one load
        // of this width.
        Some(unsafe { address.cast::<T>().read_volatile() })
    }
}

impl Access for Raw {
    #[inline(always)]
    unsafe fn read<T: Copy>(address: *const u8) -> Option<T> {
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: the helper writes `size_of::<T>()` bytes to `value` and checks `address` itself.
        let failed = unsafe {
            bpf_probe_read_kernel(
                value.as_mut_ptr().cast::<c_void>(),
                size_of::<T>() as u32,
                address.cast::<c_void>().cast_mut(),
            )
        };
        if failed != 0 {
            return None;
        }
        // SAFETY: the helper has filled it in, and `T` is valid for any bits.
        Some(unsafe { value.assume_init() })
    }
}

/// A pointer into the kernel.
#[derive(Clone, Copy)]
pub struct Kptr<A: Access> {
    address: *const u8,
    access: PhantomData<A>,
}

impl Kptr<Typed> {
    /// A pointer that the verifier knows, or none where it is null.
    ///
    /// # Safety
    /// It must come from the program's context, from a helper that returns a typed pointer, or
    /// from [`Kptr::follow`] of such a one.
    #[inline(always)]
    pub unsafe fn typed(address: *const u8) -> Option<Self> {
        Self::new(address)
    }
}

impl Kptr<Raw> {
    /// A pointer to some address, or none where it is null.
    #[inline(always)]
    pub fn to(address: u64) -> Option<Self> {
        Self::new(address as usize as *const u8)
    }
}

impl<A: Access> Kptr<A> {
    #[inline(always)]
    fn new(address: *const u8) -> Option<Self> {
        if address.is_null() { None } else { Some(Self { address, access: PhantomData }) }
    }

    /// The same address without what the verifier knows of it: for members that lie beyond the
    /// type it knows, as a `struct tcp_sock` does behind its `struct sock`.
    #[inline(always)]
    pub fn raw(self) -> Kptr<Raw> {
        Kptr { address: self.address, access: PhantomData }
    }

    /// The address itself.
    #[inline(always)]
    pub fn address(self) -> u64 {
        self.address as u64
    }

    /// The pointer as helpers take it.
    #[inline(always)]
    pub fn as_ptr(self) -> *const u8 {
        self.address
    }

    /// A pointer to a member that lies within this structure; none where the kernel lacks it.
    #[inline(always)]
    pub fn member(self, offset: u16) -> Option<Self> {
        if offset == ABSENT {
            return None;
        }
        Some(Self { address: self.address.wrapping_add(usize::from(offset)), access: PhantomData })
    }

    /// Reads a member; none where the kernel lacks it or the read failed.
    #[inline(always)]
    pub fn get<T: Copy + Plain>(self, offset: u16) -> Option<T> {
        let member = self.member(offset)?;
        // SAFETY: `Plain` types are valid for any bits; the address is of this access' kind.
        unsafe { A::read(member.address) }
    }

    /// Follows a member that is a pointer; none where it is null as well.
    #[inline(always)]
    pub fn follow(self, offset: u16) -> Option<Self> {
        let member = self.member(offset)?;
        // SAFETY: a pointer read as a raw pointer; the address is of this access' kind.
        Self::new(unsafe { A::read::<*const u8>(member.address) }?)
    }
}

/// Types that are valid for any bits.
///
/// # Safety
/// So they must be.
pub unsafe trait Plain {}
// SAFETY: integers are.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for i64 {}
// SAFETY: arrays of integers are.
unsafe impl<const N: usize> Plain for [u8; N] {}
// SAFETY: as above.
unsafe impl<const N: usize> Plain for [u64; N] {}

/// `len`, seen by every verifier to be below `LIMIT`, a power of two: the mask that the compiler
/// would leave out, since it knows from a comparison what verifiers before Linux 6.15 forget
/// when the value passes through a 64-bit register.
#[inline(always)]
pub fn below<const LIMIT: u32>(len: u32) -> u32 {
    const { assert!(LIMIT.is_power_of_two()) };
    core::hint::black_box(len) & (LIMIT - 1)
}

/// Copies `len` bytes at `source` to `target`; whether that succeeded.
///
/// # Safety
/// `target` must have room for the largest `len` that the caller's mask lets through.
#[inline(always)]
pub unsafe fn copy(target: *mut u8, len: u32, source: Kptr<Raw>) -> bool {
    // SAFETY: the helper checks `source` itself; the caller answers for `target`.
    unsafe { bpf_probe_read_kernel(target.cast(), len, source.as_ptr().cast_mut().cast()) == 0 }
}
