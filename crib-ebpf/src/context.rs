//! What the kernel hands to an iterator's program.

use aya_ebpf::bindings::seq_file;

use crate::emit::{self, Seq, State};
use crate::read::{Kptr, Typed};
use crate::task::{self, Ids};

/// `struct bpf_iter_meta`.
#[repr(C)]
pub struct Meta {
    seq: *mut seq_file,
    session_id: u64,
    seq_num: u64,
}

/// `struct bpf_iter__task_file`.
#[repr(C)]
pub struct TaskFileContext {
    meta: *const Meta,
    task: *const u8,
    fd: u32,
    file: *const u8,
}

/// One step of an iteration over tasks and their files.
pub struct TaskFile {
    /// Where output goes.
    pub seq: Seq,
    /// Whether the iteration begins.
    pub first: bool,
    /// The task and its file; none in the last step, after all files.
    pub item: Option<Item>,
}

/// A file of a task.
#[derive(Clone, Copy)]
pub struct Item {
    /// The task.
    pub task: Kptr<Typed>,
    /// The descriptor.
    pub fd: u32,
    /// The file, on which the iterator holds a reference.
    pub file: Kptr<Typed>,
}

impl TaskFile {
    /// Reads the context.
    ///
    /// # Safety
    /// It must be what the kernel hands to an `iter/task_file` program.
    #[inline(always)]
    pub unsafe fn of(context: *const TaskFileContext) -> Self {
        // SAFETY: the kernel passes a context of this layout (the verifier checks each access
        // against it), and typed pointers in it, the last two of which may be null.
        unsafe {
            let meta = (&raw const (*context).meta).read_volatile();
            let seq = Seq((&raw const (*meta).seq).read_volatile());
            let first = (&raw const (*meta).seq_num).read_volatile() == 0;
            let task = Kptr::typed((&raw const (*context).task).read_volatile());
            let file = Kptr::typed((&raw const (*context).file).read_volatile());
            let fd = (&raw const (*context).fd).read_volatile();
            let item = match (task, file) {
                (Some(task), Some(file)) => Some(Item { task, fd, file }),
                _ => None,
            };
            Self { seq, first, item }
        }
    }
}

impl TaskFile {
    /// The state of this iteration.
    #[inline(always)]
    pub fn state(&self) -> Option<&'static mut State> {
        let state = emit::state()?;
        if self.first {
            state.level = task::reader_level();
        }
        Some(state)
    }
}

impl Item {
    /// The task's ids, if user space asked for its files.
    #[inline(always)]
    pub fn wanted(&self, state: &State) -> Option<Ids> {
        let request = emit::request()?;
        let ids = task::ids(self.task, state.level);
        (request.tgid == 0 || request.tgid == ids.tgid).then_some(ids)
    }
}

/// `struct bpf_iter__task`.
#[repr(C)]
pub struct TaskContext {
    meta: *const Meta,
    task: *const u8,
}

impl TaskContext {
    /// Where output goes.
    ///
    /// # Safety
    /// The context must be what the kernel hands to an `iter/task` program.
    #[inline(always)]
    pub unsafe fn seq(context: *const Self) -> Seq {
        // SAFETY: the kernel passes a context of this layout, with a typed pointer to `meta` that
        // is never null; the verifier checks each access.
        unsafe {
            let meta = (&raw const (*context).meta).read_volatile();
            Seq((&raw const (*meta).seq).read_volatile())
        }
    }
}

/// A task that the kernel holds for as long as the program runs on it.
///
/// There may be none: the last step of an iteration comes without one, and has to be told apart
/// before anything is asked of it.
///
/// ```compile_fail
/// # use crib_ebpf::context::{Task, TaskContext};
/// # use crib_ebpf::task_file::TaskFiles;
/// unsafe fn step(context: *const TaskContext) {
///     let task = unsafe { Task::of(context) };
///     TaskFiles::of(&task); // an Option<Task> is no Task
/// }
/// ```
///
/// ```
/// # use crib_ebpf::context::{Task, TaskContext};
/// # use crib_ebpf::task_file::TaskFiles;
/// unsafe fn step(context: *const TaskContext) {
///     let Some(task) = (unsafe { Task::of(context) }) else { return };
///     TaskFiles::of(&task);
/// }
/// ```
pub struct Task<'a> {
    /// The `struct task_struct`.
    pub pointer: Kptr<Typed>,
    held: core::marker::PhantomData<&'a ()>,
}

impl<'a> Task<'a> {
    /// The task of this step; none in the last one.
    ///
    /// # Safety
    /// The context must be what the kernel hands to an `iter/task` program.
    #[inline(always)]
    pub unsafe fn of(context: *const TaskContext) -> Option<Self> {
        // SAFETY: the kernel passes a context of this layout (the verifier checks each access
        // against it), and a typed pointer in it, which may be null.
        let pointer = unsafe { Kptr::typed((&raw const (*context).task).read_volatile()) }?;
        Some(Self { pointer, held: core::marker::PhantomData })
    }
}
