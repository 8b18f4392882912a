//! In-order walks of the kernel's red-black trees (`struct rb_root`), without their locks.

use crate::emit;
use crate::read::{Kptr, Raw, Value, offset};
use crate::repeat::{Step, repeat};

/// The bits of `__rb_parent_color` that are not the parent's address (include/linux/rbtree.h).
const COLOR: u64 = 3;

/// Where a walk is.
///
/// It is kept in a map, where the verifier knows nothing of it. Of the stack it knows too much:
/// kernels without "bpf: verify callbacks as if they are called unknown number of times" look
/// at the first step alone and remove as dead whatever that one does not reach, and later ones
/// follow every value from step to step.
#[repr(C)]
pub struct Walk {
    /// The node.
    at: u64,
    /// Where it goes next.
    turn: u32,
    /// Nodes that were visited.
    nodes: u32,
    /// Whether it came to the end.
    whole: u32,
    reserved: u32,
}

impl Walk {
    #[inline(always)]
    fn begin(&mut self) {
        self.turn = DOWN;
        self.nodes = 0;
        self.whole = 0;
    }

    #[inline(always)]
    fn visited(&mut self) -> Step {
        self.nodes += 1;
        self.turn = VISITED;
        Step::Continue
    }

    #[inline(always)]
    fn go(&mut self, at: u64, turn: u32) -> Step {
        self.at = at;
        self.turn = turn;
        Step::Continue
    }

    #[inline(always)]
    fn end(&mut self) -> Step {
        self.whole = 1;
        Step::Break
    }
}

/// The turns: down to the smallest node,
pub const DOWN: u32 = 0;
/// to this node,
const HERE: u32 = 1;
/// then its right side,
pub const VISITED: u32 = 2;
/// or back up.
const UP: u32 = 3;

/// Turns that a node takes at most: it is entered, come back to, passed and left.
pub const TURNS: u32 = 4;

/// What a turn leads to.
pub enum Turn {
    /// This node is next.
    Visit,
    /// Go to that node, with that turn.
    To(u64, u32),
    /// All nodes were visited.
    End,
    /// The tree could not be read.
    Lost,
}

/// Takes one turn at a node. Where it leads to [`Turn::Visit`], the next turn there is
/// [`VISITED`].
#[inline(always)]
pub fn turn(at: u64, turn: u32) -> Turn {
    let Some(node) = Kptr::<Raw>::to(at) else { return Turn::Lost };
    match turn {
        DOWN => match node.get::<u64>(offset!(rb_left)).ok() {
            Some(0) => Turn::Visit,
            Some(left) => Turn::To(left, DOWN),
            None => Turn::Lost,
        },
        HERE => Turn::Visit,
        VISITED => match node.get::<u64>(offset!(rb_right)).ok() {
            Some(0) => Turn::To(at, UP),
            Some(right) => Turn::To(right, DOWN),
            None => Turn::Lost,
        },
        _ => {
            let Some(word) = node.get::<u64>(offset!(rb_parent_color)).ok() else {
                return Turn::Lost;
            };
            let Some(parent) = Kptr::<Raw>::to(word & !COLOR) else { return Turn::End };
            match parent.get::<u64>(offset!(rb_left)).ok() {
                Some(left) if left == at => Turn::To(parent.address(), HERE),
                Some(_) => Turn::To(parent.address(), UP),
                None => Turn::Lost,
            }
        }
    }
}

/// The nodes of a tree, up to a limit; [`u32::MAX`] where that is not known. A global function:
/// see [`crate::level`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn crib_tree_count(limit: u32) -> u32 {
    let Some(walk) = emit::walk() else { return u32::MAX };
    if walk.at == 0 {
        return 0;
    }
    walk.begin();
    repeat(limit.saturating_mul(TURNS), |_| match turn(walk.at, walk.turn) {
        Turn::Visit => walk.visited(),
        Turn::To(at, turn) => walk.go(at, turn),
        Turn::End => walk.end(),
        Turn::Lost => Step::Break,
    });
    if walk.whole != 0 { walk.nodes } else { u32::MAX }
}

/// The nodes of a tree, up to a limit; unknown where there are more.
#[inline(always)]
pub fn count(root: u64, limit: u32) -> Value<u32> {
    let Some(walk) = emit::walk() else { return Value::unknown() };
    // By way of the map, where a typed pointer becomes a number: it may be no argument.
    // SAFETY: a reference is writable.
    unsafe { (&raw mut walk.at).write_volatile(root) };
    let count = crib_tree_count(limit);
    Value::when(count != u32::MAX, count)
}

/// Calls `visit` with each node of the tree whose top node is at `root`, smallest first, for at
/// about `limit` nodes: only the number of steps is bounded.
///
/// How many nodes there were; unknown where the walk did not come to the tree's end. A tree that
/// is turned over meanwhile can hide nodes or show some twice; the bound on steps ends a walk
/// that was led in a circle.
#[inline(always)]
pub fn for_each(root: u64, limit: u32, mut visit: impl FnMut(Kptr<Raw>) -> Step) -> Value<u32> {
    if root == 0 {
        return Value::of(0);
    }
    let Some(walk) = emit::walk() else { return Value::unknown() };
    walk.at = root;
    walk.begin();
    repeat(limit.saturating_mul(TURNS), |_| match turn(walk.at, walk.turn) {
        Turn::Visit => match Kptr::<Raw>::to(walk.at) {
            Some(node) if visit(node) == Step::Continue => walk.visited(),
            _ => Step::Break,
        },
        Turn::To(at, turn) => walk.go(at, turn),
        Turn::End => walk.end(),
        Turn::Lost => Step::Break,
    });
    Value::when(walk.whole != 0, walk.nodes)
}
