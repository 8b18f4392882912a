//! Which program a process runs: what exec(2) changes and nothing else does.

use super::dir::ProcDir;
use super::threads;

/// Bytes of an auxiliary vector at most; it has some twenty entries of 16.
const MAX_BYTES: u64 = 4096;

/// The program that a process runs. Two are equal as long as the process has not called exec(2):
/// the kernel lays out each new program at addresses of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image(Vec<u8>);

/// The image of a process, from its auxiliary vector (/proc/PID/auxv); none where that may not
/// be read, and of a kernel thread.
pub fn image(pid: u32) -> Option<Image> {
    let vector = threads::read_start(&ProcDir::open(pid).ok()?, "auxv", MAX_BYTES).ok()?;
    (!vector.is_empty()).then_some(Image(vector))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    #[test]
    fn exec_changes_the_image_and_nothing_else_does() {
        // The child holds still before and after each exec, on its standard input.
        let script = "echo; read line; exec sh -c 'read line'";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .arg0("first")
            .spawn()
            .unwrap();
        let pid = child.id();
        // A parent goes on before its child's exec has come to the auxiliary vector.
        let mut stdout = child.stdout.take().unwrap();
        std::io::Read::read_exact(&mut stdout, &mut [0]).unwrap();
        let before = image(pid).unwrap();
        assert_eq!(image(pid).unwrap(), before);
        assert_ne!(image(std::process::id()), Some(before.clone()));
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, b"\n").unwrap();
        while image(pid) == Some(before.clone()) {
            std::thread::yield_now();
        }
        drop(stdin);
        child.wait().unwrap();
        assert_eq!(image(0), None);
    }
}
