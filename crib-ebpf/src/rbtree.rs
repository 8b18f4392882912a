//! In-order walks of the kernel's red-black trees (`struct rb_root`), without their locks.

use crate::read::{Kptr, Raw, offset};
use crate::repeat::{Step, repeat};

/// The bits of `__rb_parent_color` that are not the parent's address (include/linux/rbtree.h).
const COLOR: u64 = 3;

/// Where a walk goes next from the node it is at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Down to the smallest node.
    Left,
    /// This node, then its right side.
    Visit,
    /// Back up.
    Up,
}

/// Calls `visit` with each node of the tree whose top node is at `root`, smallest first, for at
/// about `limit` nodes.
///
/// There is no count of nodes here: the verifier would follow a number that it compares through
/// each of its values. Only the number of steps is bounded.
///
/// Whether the walk came to the tree's end. A tree that is turned over meanwhile can hide nodes
/// or show some twice; the bound on steps ends a walk that was led in a circle.
#[inline(always)]
pub fn for_each(root: u64, limit: u32, mut visit: impl FnMut(Kptr<Raw>) -> Step) -> bool {
    if root == 0 {
        return true;
    }
    let mut at = root;
    let mut turn = Turn::Left;
    let mut whole = false;
    // Each node is entered, visited and left.
    repeat(limit.saturating_mul(3), |_| {
        let Some(node) = Kptr::<Raw>::to(at) else { return Step::Break };
        match turn {
            Turn::Left => {
                let Some(left) = node.get::<u64>(offset!(rb_left)).ok() else {
                    return Step::Break;
                };
                if left == 0 { turn = Turn::Visit } else { at = left }
            }
            Turn::Visit => {
                if visit(node) == Step::Break {
                    return Step::Break;
                }
                let Some(right) = node.get::<u64>(offset!(rb_right)).ok() else {
                    return Step::Break;
                };
                if right == 0 {
                    turn = Turn::Up;
                } else {
                    at = right;
                    turn = Turn::Left;
                }
            }
            Turn::Up => {
                let Some(word) = node.get::<u64>(offset!(rb_parent_color)).ok() else {
                    return Step::Break;
                };
                let Some(parent) = Kptr::<Raw>::to(word & !COLOR) else {
                    whole = true;
                    return Step::Break;
                };
                let Some(left) = parent.get::<u64>(offset!(rb_left)).ok() else {
                    return Step::Break;
                };
                if left == at {
                    turn = Turn::Visit;
                }
                at = parent.address();
            }
        }
        Step::Continue
    });
    whole
}
