//! A process's parent, and whether it is another program.

use super::dir::ProcDir;
use super::process::Stat;

/// The process that another one is a child of; none for one whose parent can't be seen, or is
/// not known.
pub fn parent(pid: u32) -> Option<u32> {
    let dir = ProcDir::open(pid).ok()?;
    Stat::read(&dir).ok().map(|stat| stat.parent).filter(|&parent| parent != 0)
}

/// Whether two processes are known to run different files: one of them has come to its by
/// exec(2) since they were one.
pub fn another_program(one: u32, other: u32) -> bool {
    let program = |pid: u32| {
        let file = ProcDir::open(pid).and_then(|dir| dir.stat("exe")).ok()?;
        Some((file.stx_dev_major, file.stx_dev_minor, file.stx_ino))
    };
    program(one).zip(program(other)).is_some_and(|(one, other)| one != other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_child_has_us_for_its_parent_and_is_another_program() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let own = std::process::id();
        // spawn() returns when exec has succeeded.
        let (parent, other) = (parent(child.id()), another_program(child.id(), own));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(parent, Some(own));
        assert!(other);
        assert!(!another_program(own, own));
        assert!(!another_program(own, u32::MAX >> 1), "who is not there is not known");
    }
}
