//! Bounded reads of kernel memory, and the offsets they use.
//!
//! There are two kinds of pointer. A [`Typed`] one comes from the iterator's context or was
//! read from such a pointer: the verifier knows what it points to, checks each access against
//! the kernel's BTF, and lets it be loaded from directly, which costs an instruction. Any
//! other is [`Raw`]: `bpf_probe_read_kernel` reads through it, which costs some 30 ns and
//! fails, rather than faults, on a bad address.
//!
//! What is read is a [`Value`] and not an `Option`. What an empty `Option` of a number holds is
//! undefined, so the compiler leaves some register for it, and where it then keeps both cases
//! in one place the verifier sees a register used that was never set, or that holds a pointer.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::ops::{BitAnd, BitOrAssign};
use core::ptr::NonNull;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use crib_common::offsets::{ABSENT, KernelOffsets};

/// The running kernel's offsets; user space writes them into `.rodata` before loading, so that
/// the verifier sees constants and removes what reads an absent member.
#[unsafe(no_mangle)]
static OFFSETS: KernelOffsets = KernelOffsets::NONE;

/// The offset of one member.
#[macro_export]
macro_rules! offset {
    ($field:ident) => {
        $crate::read::injected(|offsets| &raw const offsets.$field)
    };
}
pub use offset;

/// Reads one of the injected offsets. See [`offset!`].
#[inline(always)]
pub fn injected(field: impl FnOnce(&'static KernelOffsets) -> *const u16) -> u16 {
    // SAFETY: the pointer is to a field of a static. The read is volatile because the value in
    // the object file is not the one that the program runs with.
    unsafe { field(&OFFSETS).read_volatile() }
}

/// Something that was read, or not: then it is 0, and known not to be known.
///
/// Whether it is known is a mask and not a `bool`, so that noting it takes no branch: each branch
/// doubles what the verifier may have to look at behind it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Value<T> {
    /// Nothing where it is known, all bits where it is not.
    unknown: u64,
    value: T,
}

impl<T: Copy + Default> Default for Value<T> {
    #[inline(always)]
    fn default() -> Self {
        Self::unknown()
    }
}

impl<T: Copy + Default> Value<T> {
    /// What is known.
    #[inline(always)]
    pub fn of(value: T) -> Self {
        Self { unknown: 0, value }
    }

    /// What a helper has read that returned this: a negative number, and then zeros, where it
    /// failed.
    #[inline(always)]
    pub fn returned(result: i64, value: T) -> Self {
        Self { unknown: (result >> 63) as u64, value }
    }

    /// Something that is not known.
    #[inline(always)]
    pub fn unknown() -> Self {
        Self { unknown: u64::MAX, value: T::default() }
    }

    /// `value` where it counts, else unknown.
    #[inline(always)]
    pub fn when(known: bool, value: T) -> Self {
        if known { Self::of(value) } else { Self::unknown() }
    }

    /// Whether it is known.
    #[inline(always)]
    pub fn is_known(self) -> bool {
        self.unknown == 0
    }

    /// The value, 0 where it is unknown; sets `bit` in `known` where it is not.
    #[inline(always)]
    pub fn note<K: Bits>(self, known: &mut K, bit: K) -> T {
        *known |= bit & K::lowest(!self.unknown);
        self.value
    }

    /// The value, 0 where it is unknown.
    #[inline(always)]
    pub fn or_zero(self) -> T {
        self.value
    }

    /// The value for a branch that is taken at once; see the module's words on `Option`.
    #[inline(always)]
    pub fn ok(self) -> Option<T> {
        if self.is_known() { Some(self.value) } else { None }
    }

    /// Whether it is known and equal to `other`.
    #[inline(always)]
    pub fn is(self, other: T) -> bool
    where
        T: PartialEq,
    {
        self.is_known() && self.value == other
    }

    /// What `f` makes of it.
    #[inline(always)]
    pub fn map<U: Copy + Default>(self, f: impl FnOnce(T) -> U) -> Value<U> {
        if self.is_known() { Value::of(f(self.value)) } else { Value::unknown() }
    }

    /// What `f` makes of both, where both are known.
    #[inline(always)]
    pub fn with<U: Copy + Default, V: Copy + Default>(
        self,
        other: Value<U>,
        f: impl FnOnce(T, U) -> V,
    ) -> Value<V> {
        if self.is_known() && other.is_known() {
            Value::of(f(self.value, other.value))
        } else {
            Value::unknown()
        }
    }
}

/// A set of bits in a record that says what is known.
pub trait Bits: Sized + BitOrAssign + BitAnd<Output = Self> {
    /// Those of this number that fit.
    fn lowest(bits: u64) -> Self;
}

impl Bits for u32 {
    #[inline(always)]
    fn lowest(bits: u64) -> Self {
        bits as Self
    }
}

impl Bits for u64 {
    #[inline(always)]
    fn lowest(bits: u64) -> Self {
        bits
    }
}

/// How memory behind a pointer may be read.
pub trait Access: Copy {
    /// Reads a `T` at `address`.
    ///
    /// # Safety
    /// `address` must be what the implementing type says it takes.
    unsafe fn read<T: Plain>(address: *const u8) -> Value<T>;
}

/// The verifier knows what the pointer points to.
#[derive(Clone, Copy)]
pub struct Typed;

/// The pointer is a number that was found somewhere.
#[derive(Clone, Copy)]
pub struct Raw;

impl Access for Typed {
    #[inline(always)]
    unsafe fn read<T: Plain>(address: *const u8) -> Value<T> {
        // SAFETY: the verifier has proved that a `T` stands there, or that the kernel's fault
        // handler takes over, which makes it 0 (PROBE_MEM). Volatile, so that it stays one load
        // of this width.
        Value::of(unsafe { address.cast::<T>().read_volatile() })
    }
}

/// Where raw reads land. Not on the stack: the compiler would take a place of its own there for
/// each of them, and all functions that are called in one another have 512 bytes together.
///
/// One place will do: a loaded object is used by one reader at a time, an iterator's program
/// does not run on two CPUs at once, and what lands is taken away at once.
static mut LANDING: Landing = [0; 2];

type Landing = [u64; 2];

impl Access for Raw {
    #[inline(always)]
    unsafe fn read<T: Plain>(address: *const u8) -> Value<T> {
        const { assert!(size_of::<T>() <= size_of::<Landing>() && align_of::<T>() <= 8) };
        // SAFETY: the helper writes `size_of::<T>()` bytes into the landing place, for which any
        // bits are valid, and checks `address` itself. Where it fails it writes zeros. Nobody
        // else uses the place meanwhile: see there.
        let (failed, value) = unsafe {
            let landing = &raw mut LANDING;
            let failed = bpf_probe_read_kernel(
                landing.cast::<c_void>(),
                size_of::<T>() as u32,
                address.cast::<c_void>().cast_mut(),
            );
            (failed, landing.cast::<T>().read_volatile())
        };
        Value::returned(failed, value)
    }
}

/// A pointer into the kernel, never null: so an `Option` of it is one word, null for none.
#[derive(Clone, Copy)]
pub struct Kptr<A: Access> {
    address: NonNull<u8>,
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
        let address = NonNull::new(address.cast_mut())?;
        Some(Self { address, access: PhantomData })
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
        self.address.as_ptr() as u64
    }

    /// The pointer as helpers take it.
    #[inline(always)]
    pub fn as_ptr(self) -> *const u8 {
        self.address.as_ptr()
    }

    /// A pointer to a member that lies within this structure; none where the kernel lacks it.
    #[inline(always)]
    pub fn member(self, offset: u16) -> Option<Self> {
        if offset == ABSENT {
            return None;
        }
        Self::new(self.as_ptr().wrapping_add(usize::from(offset)))
    }

    /// Reads a member; unknown where the kernel lacks it or the read failed.
    #[inline(always)]
    pub fn get<T: Plain>(self, offset: u16) -> Value<T> {
        if offset == ABSENT {
            return Value::unknown();
        }
        // SAFETY: the address is of this access' kind.
        unsafe { A::read(self.as_ptr().wrapping_add(usize::from(offset))) }
    }

    /// Follows a member that is a pointer; none where it is null as well.
    #[inline(always)]
    pub fn follow(self, offset: u16) -> Option<Self> {
        if offset == ABSENT {
            return None;
        }
        // SAFETY: the address is of this access' kind. Through a typed pointer the verifier
        // knows the type of what is read, for which it has to stay a pointer all the way.
        let pointer = unsafe { A::read::<usize>(self.as_ptr().wrapping_add(usize::from(offset))) };
        Self::new(pointer.or_zero() as *const u8)
    }
}

/// Something whose members can be read.
pub trait Members {
    /// Reads a member; unknown where the kernel lacks it or it could not be read.
    fn read<T: Plain>(&self, offset: u16) -> Value<T>;
}

impl<A: Access> Members for Kptr<A> {
    #[inline(always)]
    fn read<T: Plain>(&self, offset: u16) -> Value<T> {
        self.get(offset)
    }
}

/// A structure of the kernel that is copied at once, into a map: one call to the helper instead
/// of one for each member.
#[repr(C, align(8))]
pub struct Image<const BYTES: usize> {
    /// Nothing where it was copied, all bits where it could not be; see [`Value`].
    unknown: u64,
    bytes: [u8; BYTES],
}

impl<const BYTES: usize> Image<BYTES> {
    /// Copies a structure of this size, or what there is room for.
    #[inline(always)]
    pub fn take(&mut self, source: Kptr<Raw>, size: u16) {
        let size = if usize::from(size) < BYTES { u32::from(size) } else { BYTES as u32 };
        // SAFETY: there is room for `size` bytes, and any bits are valid.
        self.unknown = unsafe { copy(self.bytes.as_mut_ptr(), size, source) }.unknown;
    }

    /// Whether it was copied.
    #[inline(always)]
    pub fn is_known(&self) -> bool {
        self.unknown == 0
    }
}

impl<const BYTES: usize> Members for Image<BYTES> {
    #[inline(always)]
    fn read<T: Plain>(&self, offset: u16) -> Value<T> {
        // Absent ones lie behind it as well.
        if usize::from(offset) + size_of::<T>() > BYTES {
            return Value::unknown();
        }
        // SAFETY: it lies within the bytes, and any bits are valid. Volatile, so that it stays
        // one load: the verifier knows the offset, but not that it is a multiple of the size.
        let value =
            unsafe { self.bytes.as_ptr().add(usize::from(offset)).cast::<T>().read_volatile() };
        Value { unknown: self.unknown, value }
    }
}

/// The offset of a member of a structure that is itself a member, or lies in one's bytes.
#[inline(always)]
pub fn within(outer: u16, inner: u16) -> u16 {
    if outer == ABSENT || inner == ABSENT { ABSENT } else { outer + inner }
}

/// Types that are valid for any bits.
///
/// # Safety
/// So they must be.
pub unsafe trait Plain: Copy + Default {}
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
// SAFETY: as above.
unsafe impl Plain for usize {}

/// `len`, seen by every verifier to be below `LIMIT`, a power of two: the mask that the compiler
/// would leave out, since it knows from a comparison what verifiers before Linux 6.15 forget
/// when the value passes through a 64-bit register.
#[inline(always)]
pub fn below<const LIMIT: u32>(len: u32) -> u32 {
    const { assert!(LIMIT.is_power_of_two()) };
    core::hint::black_box(len) & (LIMIT - 1)
}

/// Copies 16 bytes that are a member of `source`; whether that succeeded, and zeros where not.
/// (Carried through registers they would be, for want of an alignment, 16 values.)
#[inline(always)]
pub fn copy_16<A: Access>(target: &mut [u8; 16], source: Kptr<A>, offset: u16) -> Value<()> {
    match source.raw().member(offset) {
        // SAFETY: the array has 16 bytes.
        Some(member) => unsafe { copy(target.as_mut_ptr(), 16, member) },
        None => Value::unknown(),
    }
}

/// Copies `len` bytes at `source` to `target`; whether that succeeded, and zeros where not.
///
/// # Safety
/// `target` must have room for the largest `len` that the caller's mask lets through.
#[inline(always)]
pub unsafe fn copy(target: *mut u8, len: u32, source: Kptr<Raw>) -> Value<()> {
    // SAFETY: the helper checks `source` itself; the caller answers for `target`.
    let result =
        unsafe { bpf_probe_read_kernel(target.cast(), len, source.as_ptr().cast_mut().cast()) };
    Value::returned(result, ())
}
