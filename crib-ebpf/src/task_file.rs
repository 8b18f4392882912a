//! CRIB's three kfuncs for stock kernels: the open-coded iterator over a task's files
//! (`bpf_iter_task_file`), the way straight to one (`bpf_fget_task`), and what its operations are
//! (`bpf_get_file_ops_type`).
//!
//! The kernel's own would hold a reference on the file. Here nothing is held: the descriptor is
//! looked up again behind the last read of the file ([`File::is_still_open`]), as the kernel's
//! own lookup does (`__get_file_rcu`), and where it stands for another file by then, what was
//! read may be wrong and is said to be. What the verifier enforces by acquire and release is
//! enforced by lifetimes: a [`File`] does not outlive the step that yields it.

use core::marker::PhantomData;

use crate::context::Task;
use crate::read::{Access, Kptr, Raw, Value, offset};
use crate::repeat::{Step, repeat};

/// A task's descriptors (`struct files_struct`).
#[derive(Clone, Copy)]
pub struct Table {
    files: Kptr<Raw>,
}

impl Table {
    /// The table of a task; none for a task that has ended.
    #[inline(always)]
    pub fn of(task: &Task<'_>) -> Option<Self> {
        // Read as a number: a typed pointer may not be handed to a global function.
        task.pointer.raw().follow(offset!(task_files)).map(|files| Self { files })
    }

    /// The table at this address, which was one a moment ago.
    #[inline(always)]
    pub fn at(address: u64) -> Option<Self> {
        Kptr::to(address).map(|files| Self { files })
    }

    /// The address of the `struct files_struct`.
    #[inline(always)]
    pub fn address(self) -> u64 {
        self.files.address()
    }

    /// How many descriptors there is room for.
    #[inline(always)]
    pub fn capacity(self) -> u32 {
        match self.files.follow(offset!(files_fdt)) {
            Some(fdt) => fdt.get(offset!(fdtable_max_fds)).or_zero(),
            None => 0,
        }
    }

    /// The file that a descriptor stands for now. The table grows by being replaced
    /// (`expand_fdtable`), so it is looked for each time.
    #[inline(always)]
    pub fn lookup(self, fd: u32) -> Option<Kptr<Raw>> {
        let fdt = self.files.follow(offset!(files_fdt))?;
        let max_fds: u32 = fdt.get(offset!(fdtable_max_fds)).or_zero();
        let slots: u64 = fdt.get(offset!(fdtable_fd)).or_zero();
        if fd >= max_fds || slots == 0 {
            return None;
        }
        let slot = Kptr::<Raw>::to(slots.wrapping_add(u64::from(fd) * 8))?;
        Kptr::to(slot.get(0).or_zero())
    }

    /// Whether exec closes a descriptor: its bit in the table's bitmap.
    #[inline(always)]
    pub fn close_on_exec(self, fd: u32) -> Value<bool> {
        let Some(fdt) = self.files.follow(offset!(files_fdt)) else { return Value::unknown() };
        crate::file::close_on_exec(fdt, fd)
    }
}

/// An open file of a task, for as long as one step of an iteration.
///
/// Used after the iteration:
///
/// ```compile_fail
/// # use crib_ebpf::context::Task;
/// # use crib_ebpf::repeat::Step;
/// # use crib_ebpf::task_file::{File, TaskFiles};
/// fn keep(task: &Task<'_>) {
///     let mut last: Option<File<'_>> = None;
///     TaskFiles::of(task).unwrap().for_each(|file| {
///         last = Some(file); // `file` would escape the step
///         Step::Continue
///     });
///     last.unwrap().is_still_open();
/// }
/// ```
///
/// What is read of it is a number and may be kept:
///
/// ```
/// # use crib_ebpf::context::Task;
/// # use crib_ebpf::repeat::Step;
/// # use crib_ebpf::task_file::{File, TaskFiles};
/// fn count(task: &Task<'_>) -> u32 {
///     let mut last = 0;
///     TaskFiles::of(task).unwrap().for_each(|file| {
///         last = file.fd();
///         Step::Continue
///     });
///     last
/// }
/// ```
///
/// A part of it kept past the step:
///
/// ```compile_fail
/// # use crib_ebpf::context::Task;
/// # use crib_ebpf::queues::Queues;
/// # use crib_ebpf::repeat::Step;
/// # use crib_ebpf::task_file::TaskFiles;
/// fn keep(task: &Task<'_>) {
///     let mut kept: Option<Queues<'_>> = None;
///     TaskFiles::of(task).unwrap().for_each(|file| {
///         kept = Some(file.queues()); // borrowed from `file`
///         Step::Continue
///     });
/// }
/// ```
///
/// A file of [`fget_task`] that outlives its task:
///
/// ```compile_fail
/// # use crib_ebpf::context::{Task, TaskContext};
/// # use crib_ebpf::task_file::{File, fget_task};
/// unsafe fn outlive<'a>(context: *const TaskContext) -> Option<File<'a>> {
///     let task = unsafe { Task::of(context) }?;
///     fget_task(&task, 0)
/// }
/// ```
///
/// ```
/// # use crib_ebpf::context::{Task, TaskContext};
/// # use crib_ebpf::task_file::{File, fget_task};
/// fn look<'a>(task: &'a Task<'_>) -> Option<File<'a>> {
///     fget_task(task, 0)
/// }
/// ```
pub struct File<'a> {
    pointer: Kptr<Raw>,
    table: Table,
    fd: u32,
    step: PhantomData<&'a ()>,
}

impl File<'_> {
    /// The `struct file`.
    #[inline(always)]
    pub fn pointer(&self) -> Kptr<Raw> {
        self.pointer
    }

    /// Its descriptor.
    #[inline(always)]
    pub fn fd(&self) -> u32 {
        self.fd
    }

    /// The table it is in.
    #[inline(always)]
    pub fn table(&self) -> Table {
        self.table
    }

    /// Whether its descriptor still stands for it: then all that was read of it until now was
    /// read of this very file. (It may have been closed and its memory used for another file
    /// under the same descriptor; that one's fields were then what was read.)
    #[inline(always)]
    pub fn is_still_open(&self) -> bool {
        self.table.lookup(self.fd).is_some_and(|now| now.address() == self.pointer.address())
    }
}

/// The file that a descriptor of a task stands for, in the same time whatever the number of
/// descriptors; none where it is not open.
#[inline(always)]
pub fn fget_task<'a>(task: &'a Task<'_>, fd: u32) -> Option<File<'a>> {
    let table = Table::of(task)?;
    Some(File { pointer: table.lookup(fd)?, table, fd, step: PhantomData })
}

impl<'a> File<'a> {
    /// A file in flight in a queue of `carrier`, which was found there at `pointer`.
    #[inline(always)]
    pub fn in_flight(carrier: &File<'a>, pointer: Kptr<Raw>) -> Self {
        Self { pointer, table: carrier.table, fd: carrier.fd, step: PhantomData }
    }
}

/// What a file's operations are: the address of its `struct file_operations`, which user space
/// names by the kernel's symbols, or by those of its functions.
#[inline(always)]
pub fn file_ops_type<A: Access>(file: Kptr<A>) -> Value<u64> {
    file.get(offset!(file_op))
}

/// The files of a task, by their descriptors.
pub struct TaskFiles<'a> {
    table: Table,
    first: u32,
    last: u32,
    task: PhantomData<&'a ()>,
}

impl<'a> TaskFiles<'a> {
    /// All of them; none for a task that has ended.
    #[inline(always)]
    pub fn of(task: &'a Task<'_>) -> Option<Self> {
        let table = Table::of(task)?;
        Some(Self { table, first: 0, last: u32::MAX, task: PhantomData })
    }

    /// Those from one descriptor to another, both included.
    #[inline(always)]
    pub fn between(self, first: u32, last: u32) -> Self {
        Self { first, last, ..self }
    }

    /// Calls `step` with each open file.
    #[inline(always)]
    pub fn for_each(self, mut step: impl for<'step> FnMut(File<'step>) -> Step) {
        let (table, first) = (self.table, self.first);
        let end = table.capacity().min(self.last.saturating_add(1));
        repeat(end.saturating_sub(first), |index| {
            let fd = first.wrapping_add(index);
            match table.lookup(fd) {
                Some(pointer) => step(File { pointer, table, fd, step: PhantomData }),
                None => Step::Continue,
            }
        });
    }
}
