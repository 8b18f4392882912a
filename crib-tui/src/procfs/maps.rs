//! What is mapped where in a process: /proc/PID/maps (proc_pid_maps(5)).

use super::dir::ProcDir;
use super::parse::lines;
use super::threads;
use crate::model::Text;

/// Bytes of the file that are read.
const MAX_BYTES: u64 = 64 << 20;

/// One mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its first address.
    pub start: u64,
    /// The first address behind it.
    pub end: u64,
    /// Whether code in it can run.
    pub executable: bool,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// The file's path or a name in brackets; empty where memory is nobody's.
    pub path: Text,
}

impl Mapping {
    /// Whether an address is in it.
    pub fn contains(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// The mappings of a process by address; none where they may not be read.
pub fn maps(pid: u32) -> Vec<Mapping> {
    let text = ProcDir::open(pid).and_then(|dir| threads::read_start(&dir, "maps", MAX_BYTES));
    text.map(|text| lines(&text).filter_map(parse).collect()).unwrap_or_default()
}

/// `START-END PERMS OFFSET MAJOR:MINOR INODE    PATH`
fn parse(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.splitn(6, |&byte| byte == b' ');
    let mut range = fields.next()?.splitn(2, |&byte| byte == b'-');
    let (start, end) = (hexadecimal(range.next()?)?, hexadecimal(range.next()?)?);
    let executable = fields.next()?.get(2) == Some(&b'x');
    let offset = hexadecimal(fields.next()?)?;
    let path = fields.nth(2).unwrap_or_default().trim_ascii_start();
    Some(Mapping { start, end, executable, offset, path: path.into() })
}

fn hexadecimal(text: &[u8]) -> Option<u64> {
    u64::from_str_radix(str::from_utf8(text).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_taken_apart() {
        let line = b"7f00a000-7f00b000 r-xp 00001000 fe:01 1234                       /lib/a b.so";
        let expected = Mapping {
            start: 0x7f00_a000,
            end: 0x7f00_b000,
            executable: true,
            offset: 0x1000,
            path: "/lib/a b.so".into(),
        };
        assert_eq!(parse(line), Some(expected));
        let nobody = parse(b"7f00a000-7f00b000 rw-p 00000000 00:00 0 ").unwrap();
        assert_eq!((nobody.executable, nobody.path), (false, "".into()));
    }

    #[test]
    fn our_own_code_is_mapped() {
        let address = our_own_code_is_mapped as *const () as u64;
        let maps = maps(std::process::id());
        let mapping = maps.iter().find(|mapping| mapping.contains(address)).unwrap();
        assert!(mapping.executable && !mapping.path.is_empty());
        assert!(super::maps(0).is_empty());
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line: Vec<u8>) {
            parse(&line);
        }
    }
}
