//! Names of file operations, from the kernel's symbol table.
//!
//! Where it holds data symbols (CONFIG_KALLSYMS_ALL) a `struct file_operations` has a name of
//! its own. Elsewhere one of its functions gives it away: functions are always there. The
//! programs have the kernel look them up (`%pS`), which takes some microseconds for each kind of
//! file; kernels before 5.13 can't do that, and /proc/kallsyms is read there, all of it.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader};
use std::sync::Arc;

use crib_common::record::OpsRecord;

/// Functions that many kinds of file share: they name none, and are taken only for want of
/// others.
const SHARED: &[&str] = &[
    "default_llseek",
    "generic_file_llseek",
    "generic_file_mmap",
    "generic_file_open",
    "generic_file_read_iter",
    "generic_file_write_iter",
    "generic_read_dir",
    "no_llseek",
    "nonseekable_open",
    "noop_llseek",
    "seq_lseek",
    "seq_read",
    "seq_read_iter",
    "seq_release",
    "seq_release_private",
    "simple_open",
    "single_release",
    "stream_open",
];

/// What is known of the names of file operations; grows as new ones are met.
#[derive(Default)]
pub struct Symbols {
    names: HashMap<u64, Option<Arc<str>>>,
    /// Those that are to be looked up in kallsyms.
    unnamed: Vec<OpsRecord>,
}

impl Symbols {
    /// Takes note of file operations that were met.
    pub fn learn(&mut self, record: &OpsRecord) {
        if record.symbol_bytes > 0 {
            self.names.insert(record.ops, best(&looked_up(&record.symbols)));
        } else {
            self.unnamed.push(*record);
        }
    }

    /// The name of file operations, once [`Symbols::resolve`] has looked for it.
    pub fn name(&self, ops: u64) -> Option<Arc<str>> {
        self.names.get(&ops)?.clone()
    }

    /// Looks for the names of all operations that the kernel did not look up, in one pass over
    /// kallsyms.
    ///
    /// # Errors
    /// When /proc/kallsyms can't be read; the names stay unknown.
    pub fn resolve(&mut self) -> io::Result<()> {
        if self.unnamed.is_empty() {
            return Ok(());
        }
        self.resolve_from(BufReader::with_capacity(1 << 18, std::fs::File::open("/proc/kallsyms")?))
    }

    fn resolve_from(&mut self, kallsyms: impl BufRead) -> io::Result<()> {
        let mut wanted: HashMap<u64, Option<String>> = self
            .unnamed
            .iter()
            .flat_map(|record| record.functions.iter().chain([&record.ops]))
            .filter(|&&address| address != 0)
            .map(|&address| (address, None))
            .collect();
        for_each_symbol(kallsyms, |address, name| {
            if let Some(found) = wanted.get_mut(&address)
                && found.is_none()
            {
                *found = Some(String::from_utf8_lossy(name).into_owned());
            }
        })?;
        for record in self.unnamed.drain(..) {
            let addresses = [record.ops].into_iter().chain(record.functions);
            let names = addresses.map(|address| wanted.get(&address).cloned().flatten());
            self.names.insert(record.ops, best(&names.collect::<Vec<_>>()));
        }
        Ok(())
    }
}

/// The symbols that begin where the addresses are: `name+0x0/0x120 [module]`. Anything else is
/// no name: a number, a place within a function, a line that was cut.
fn looked_up(lines: &[u8]) -> Vec<Option<String>> {
    let text = lines.split(|&byte| byte == 0).next().unwrap_or_default();
    let whole = text.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
    whole
        .map(|line| {
            let (name, _) = std::str::from_utf8(line).ok()?.split_once("+0x0/")?;
            Some(name.to_owned())
        })
        .collect()
}

/// Of the names of operations and of their functions: the operations' own, else that of the first
/// function that is not shared, else of any.
fn best(names: &[Option<String>]) -> Option<Arc<str>> {
    let (own, functions) = names.split_first()?;
    let functions = || functions.iter().flatten();
    own.as_ref()
        .or_else(|| functions().find(|name| !SHARED.contains(&name.as_str())))
        .or_else(|| functions().next())
        .map(|name| Arc::from(name.as_str()))
}

/// Calls `visit` with each symbol's address and name; a line is `address type name [module]`.
fn for_each_symbol(
    mut kallsyms: impl BufRead,
    mut visit: impl FnMut(u64, &[u8]),
) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if kallsyms.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split(|byte| byte.is_ascii_whitespace());
        let (Some(address), Some(_), Some(name)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let address = std::str::from_utf8(address).ok();
        if let Some(address) = address.and_then(|hex| u64::from_str_radix(hex, 16).ok()) {
            visit(address, name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crib_common::limits::OPS_SYMBOL_BYTES;
    use crib_common::record::{RecordHeader, kind};

    fn record(ops: u64, functions: &[u64]) -> OpsRecord {
        let mut record = OpsRecord {
            header: RecordHeader::of::<OpsRecord>(kind::OPS, 0),
            ops,
            functions: Default::default(),
            symbol_bytes: 0,
            reserved: 0,
            symbols: [0; OPS_SYMBOL_BYTES],
        };
        record.functions[..functions.len()].copy_from_slice(functions);
        record
    }

    fn name(kallsyms: &str, record: OpsRecord) -> Option<String> {
        let mut symbols = Symbols::default();
        symbols.learn(&record);
        symbols.resolve_from(kallsyms.as_bytes()).unwrap();
        symbols.name(record.ops).map(|name| name.to_string())
    }

    /// The name by what the kernel said.
    fn named(said: &str) -> Option<String> {
        let mut record = record(0x10, &[]);
        record.symbols[..said.len()].copy_from_slice(said.as_bytes());
        record.symbol_bytes = said.len() as i32 + 1;
        let mut symbols = Symbols::default();
        symbols.learn(&record);
        symbols.name(0x10).map(|name| name.to_string())
    }

    #[test]
    fn the_kernel_names_what_begins_at_an_address() {
        let own = "socket_file_ops+0x0/0x120\nsock_close+0x0/0x20\n";
        assert_eq!(named(own).as_deref(), Some("socket_file_ops"));
        let module = "tun_fops+0x0/0x120 [tun]\ntun_chr_close+0x0/0x20 [tun]\n";
        assert_eq!(named(module).as_deref(), Some("tun_fops"));
        let function = "0xffffffff82000000\nnoop_llseek+0x0/0x10\nsock_close+0x0/0x20\n0x0\n";
        assert_eq!(named(function).as_deref(), Some("sock_close"));
        let within = "0xffffffff82000000\nsock_close+0x8/0x20\n";
        assert_eq!(named(within), None);
    }

    #[test]
    fn a_line_that_was_cut_names_nothing() {
        assert_eq!(named("0xffffffff82000000\nsock_close+0x0/0x"), None);
    }

    const KALLSYMS: &str = "ffffffff81000010 t sock_close\n\
        ffffffff81000020 T noop_llseek\n\
        ffffffff82000000 d socket_file_ops\n\
        ffffffffc0000000 r tun_fops\t[tun]\n";

    #[test]
    fn the_operations_own_name_comes_first() {
        let ops = record(0xffff_ffff_8200_0000, &[0xffff_ffff_8100_0010]);
        assert_eq!(name(KALLSYMS, ops).as_deref(), Some("socket_file_ops"));
        assert_eq!(name(KALLSYMS, record(0xffff_ffff_c000_0000, &[])).as_deref(), Some("tun_fops"));
    }

    #[test]
    fn without_data_symbols_a_function_names_them_but_not_a_shared_one() {
        let both = record(0x10, &[0xffff_ffff_8100_0020, 0xffff_ffff_8100_0010]);
        assert_eq!(name(KALLSYMS, both).as_deref(), Some("sock_close"));
        let shared = record(0x10, &[0xffff_ffff_8100_0020]);
        assert_eq!(name(KALLSYMS, shared).as_deref(), Some("noop_llseek"));
    }

    #[test]
    fn hidden_addresses_name_nothing() {
        let zeros = "0000000000000000 t sock_close\n0000000000000000 d socket_file_ops\n\n?\n";
        assert_eq!(name(zeros, record(0xffff_ffff_8200_0000, &[0xffff_ffff_8100_0010])), None);
    }
}
