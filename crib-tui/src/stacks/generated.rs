//! Names of code that a program made while it ran, which it tells in a file for perf(1):
//! /tmp/perf-PID.map, a line `START SIZE NAME` for each function, the numbers hexadecimal.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;

use crate::procfs::{self, ProcDir};

/// Bytes of the file at most; a longer one is not read.
const MAX_BYTES: u64 = 64 << 20;
/// Functions of it that are taken in.
const MAX_FUNCTIONS: usize = 1 << 20;
/// Functions that are looked at for one address: some may lie in others.
const MAX_NESTED: usize = 64;

/// The functions of one process's generated code.
#[derive(Debug, Default)]
pub struct Generated {
    text: Vec<u8>,
    /// By the address that they begin at; of those that begin at one, in the order of the file.
    functions: Vec<Function>,
}

#[derive(Debug)]
struct Function {
    start: u64,
    len: u64,
    name: Range<usize>,
}

impl Generated {
    /// What a process has written; nothing where it has not, or the file can't be its own.
    pub fn of(pid: u32) -> Self {
        read(pid).map(Self::parse).unwrap_or_default()
    }

    fn parse(text: Vec<u8>) -> Self {
        let mut behind = 0;
        let lines = text.split(|&byte| byte == b'\n').filter_map(|line| {
            behind += line.len() + 1;
            function(line, behind - line.len() - 1)
        });
        let mut functions: Vec<_> = lines.take(MAX_FUNCTIONS).collect();
        functions.sort_by_key(|function| function.start);
        Self { text, functions }
    }

    /// The name of the function that an address is in. Where code took the place of other code,
    /// it is told later in the file, and counts.
    pub fn name(&self, address: u64) -> Option<&[u8]> {
        let behind = self.functions.partition_point(|function| function.start <= address);
        let before = self.functions[..behind].iter().rev().take(MAX_NESTED);
        let mut around = before.filter(|function| address - function.start < function.len);
        self.text.get(around.next()?.name.clone())
    }
}

/// The function in a line that begins there in the text.
fn function(line: &[u8], begin: usize) -> Option<Function> {
    let mut fields = line.splitn(3, u8::is_ascii_whitespace);
    let mut number = || u64::from_str_radix(str::from_utf8(fields.next()?).ok()?, 16).ok();
    let (start, len) = (number()?, number()?);
    // All the rest.
    let name = fields.next()?;
    let begin = begin + line.len() - name.len();
    Some(Function { start, len, name: begin..begin + name.trim_ascii_end().len() })
}

/// The text of the file. Others may make one of that name, so that it counts only where it belongs
/// to the process's user, or to root; and it may be anything.
fn read(pid: u32) -> io::Result<Vec<u8>> {
    let status = ProcDir::open(pid)?.read("status")?;
    let owners = Owners::of(&status).ok_or_else(|| io::Error::other("no such line"))?;
    let file = procfs::file_in_root(pid, &format!("/tmp/perf-{}.map", owners.pid))?;
    read_owned(&file, &owners)
}

fn read_owned(file: &File, owners: &Owners) -> io::Result<Vec<u8>> {
    let found = file.metadata()?;
    if found.len() > MAX_BYTES || !(found.uid() == 0 || owners.uids.contains(&found.uid())) {
        return Err(io::Error::other("it is not the process's"));
    }
    let mut text = Vec::new();
    // No further than it goes by now: nothing where it is one of /proc, which have no length.
    file.take(found.len()).read_to_end(&mut text)?;
    Ok(text)
}

/// Who a process is, as /proc/PID/status has it.
#[derive(Debug)]
struct Owners {
    /// Its id as it sees it itself.
    pid: u32,
    /// The users that it acts for.
    uids: Vec<u32>,
}

impl Owners {
    fn of(status: &[u8]) -> Option<Self> {
        let numbers = |name: &str| -> Option<Vec<u32>> {
            let mut lines = str::from_utf8(status).ok()?.lines();
            let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.split_ascii_whitespace().map(|number| number.parse().ok()).collect()
        };
        // From the outermost namespace to its own; the kernel may have none.
        let pid = *numbers("NStgid").or_else(|| numbers("Tgid"))?.last()?;
        Some(Self { pid, uids: numbers("Uid")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustix::process::getuid;
    use std::io::Write;

    fn parse(text: &str) -> Generated {
        Generated::parse(text.into())
    }

    #[test]
    fn an_address_is_in_the_function_that_is_told_last() {
        let map =
            parse("2000 10 second one \n1000 20 first\nnonsense\n1000 10 again\r\n3000 zz x\n");
        let name = |address| map.name(address).map(|name| str::from_utf8(name).unwrap());
        assert_eq!(name(0x0fff), None);
        assert_eq!(name(0x1000), Some("again"));
        // One that was longer is still there behind it.
        assert_eq!(name(0x1010), Some("first"));
        assert_eq!(name(0x1020), None);
        assert_eq!(name(0x200f), Some("second one"));
        assert_eq!(name(u64::MAX), None);
    }

    #[test]
    fn a_process_is_known_by_its_own_id_and_its_users() {
        let status = b"Name:\tNStgid: 1\nTgid:\t7\nUid:\t1000\t1001\t0\t1001\nNStgid:\t7\t3\n";
        let owners = Owners::of(status).unwrap();
        assert_eq!((owners.pid, owners.uids), (3, vec![1000, 1001, 0, 1001]));
        assert_eq!(Owners::of(b"Tgid:\t7\nUid:\t0\t0\t0\t0\n").unwrap().pid, 7);
        assert!(Owners::of(b"Tgid:\t7\n").is_none());
    }

    #[test]
    fn a_file_of_somebody_else_or_too_long_is_not_read() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"1000 10 name\n").unwrap();
        rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).unwrap();
        let own = Owners { pid: 1, uids: vec![getuid().as_raw()] };
        assert_eq!(read_owned(&file, &own).unwrap(), b"1000 10 name\n");
        file.set_len(MAX_BYTES + 1).unwrap();
        assert!(read_owned(&file, &own).is_err());
        file.set_len(13).unwrap();
        let other = Owners { pid: 1, uids: vec![getuid().as_raw() + 1] };
        // Root's counts for everybody.
        assert_eq!(read_owned(&file, &other).is_ok(), getuid().is_root());
        // One that has no length, and whose text never ends.
        let endless = File::open("/proc/self/status").unwrap();
        assert_eq!(read_owned(&endless, &own).unwrap(), b"");
    }

    /// A process that a test sees the end of, and the file with its names.
    struct Sleeper(std::process::Child);

    impl Sleeper {
        fn map(&self) -> String {
            format!("/tmp/perf-{}.map", self.0.id())
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            std::fs::remove_file(self.map()).ok();
            self.0.kill().ok();
            self.0.wait().ok();
        }
    }

    #[test]
    fn what_a_process_has_put_in_the_place_of_the_file_holds_up_nobody() {
        let sleeper = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let sleeper = Sleeper(sleeper);
        let (pid, path) = (sleeper.0.id(), sleeper.map());
        let is_known = || Generated::of(pid).name(0x1000).is_some();
        assert!(!is_known());
        std::fs::write(&path, "1000 10 name\n").unwrap();
        assert!(is_known());
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        std::fs::rename(&path, elsewhere.path()).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), &path).unwrap();
        assert!(!is_known());
        std::fs::remove_file(&path).unwrap();
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert!(!is_known());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: Vec<u8>, lines in "([0-9a-f]{0,17} [0-9a-f]{0,17} .{0,3}\n){0,8}", address: u64) {
            for text in [text, lines.into_bytes()] {
                Generated::parse(text).name(address);
            }
        }
    }
}
