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

/// Down to the smallest node,
const LEFT: u32 = 0;
/// to this node, then its right side,
const VISIT: u32 = 1;
/// or back up.
const UP: u32 = 2;

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
    *walk = Walk { at: root, turn: LEFT, nodes: 0, whole: 0, reserved: 0 };
    // Each node is entered, visited and left.
    repeat(limit.saturating_mul(3), |_| {
        let Some(node) = Kptr::<Raw>::to(walk.at) else { return Step::Break };
        match walk.turn {
            LEFT => {
                let Some(left) = node.get::<u64>(offset!(rb_left)).ok() else {
                    return Step::Break;
                };
                if left == 0 { walk.turn = VISIT } else { walk.at = left }
            }
            VISIT => {
                if visit(node) == Step::Break {
                    return Step::Break;
                }
                walk.nodes += 1;
                let Some(right) = node.get::<u64>(offset!(rb_right)).ok() else {
                    return Step::Break;
                };
                if right == 0 {
                    walk.turn = UP;
                } else {
                    walk.at = right;
                    walk.turn = LEFT;
                }
            }
            _ => {
                let Some(word) = node.get::<u64>(offset!(rb_parent_color)).ok() else {
                    return Step::Break;
                };
                let Some(parent) = Kptr::<Raw>::to(word & !COLOR) else {
                    walk.whole = 1;
                    return Step::Break;
                };
                let Some(left) = parent.get::<u64>(offset!(rb_left)).ok() else {
                    return Step::Break;
                };
                if left == walk.at {
                    walk.turn = VISIT;
                }
                walk.at = parent.address();
            }
        }
        Step::Continue
    });
    Value::when(walk.whole != 0, walk.nodes)
}
