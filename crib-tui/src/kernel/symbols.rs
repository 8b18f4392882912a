//! Names of file operations, from the kernel's symbol table.
//!
//! Where it holds data symbols (CONFIG_KALLSYMS_ALL) a `struct file_operations` has a name of
//! its own. Elsewhere one of its functions gives it away: functions are always there.

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
    functions: HashMap<u64, OpsRecord>,
    names: HashMap<u64, Option<Arc<str>>>,
}

impl Symbols {
    /// Takes note of file operations that were met.
    pub fn learn(&mut self, record: OpsRecord) {
        self.functions.insert(record.ops, record);
    }

    /// The name of file operations, once [`Symbols::resolve`] has looked for it.
    pub fn name(&self, ops: u64) -> Option<Arc<str>> {
        self.names.get(&ops)?.clone()
    }

    /// Looks for the names of all operations that have none yet, in one pass over kallsyms.
    ///
    /// # Errors
    /// When /proc/kallsyms can't be read; the names stay unknown.
    pub fn resolve(&mut self) -> io::Result<()> {
        if self.functions.keys().all(|ops| self.names.contains_key(ops)) {
            return Ok(());
        }
        self.resolve_from(BufReader::with_capacity(1 << 18, std::fs::File::open("/proc/kallsyms")?))
    }

    fn resolve_from(&mut self, kallsyms: impl BufRead) -> io::Result<()> {
        let new = || self.functions.values().filter(|record| !self.names.contains_key(&record.ops));
        let mut wanted: HashMap<u64, Option<String>> = new()
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
        let found: Vec<_> = new().map(|record| (record.ops, best(record, &wanted))).collect();
        self.names.extend(found);
        Ok(())
    }
}

/// The operations' own name, else that of the first function that is not shared, else of any.
fn best(record: &OpsRecord, names: &HashMap<u64, Option<String>>) -> Option<Arc<str>> {
    let name = |address: &u64| names.get(address)?.as_deref();
    let functions = || record.functions.iter().filter_map(name);
    name(&record.ops)
        .or_else(|| functions().find(|name| !SHARED.contains(name)))
        .or_else(|| functions().next())
        .map(Arc::from)
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
    use crib_common::record::{RecordHeader, kind};

    fn record(ops: u64, functions: &[u64]) -> OpsRecord {
        let mut record = OpsRecord {
            header: RecordHeader::of::<OpsRecord>(kind::OPS, 0),
            ops,
            functions: Default::default(),
        };
        record.functions[..functions.len()].copy_from_slice(functions);
        record
    }

    fn name(kallsyms: &str, record: OpsRecord) -> Option<String> {
        let mut symbols = Symbols::default();
        symbols.learn(record);
        symbols.resolve_from(kallsyms.as_bytes()).unwrap();
        symbols.name(record.ops).map(|name| name.to_string())
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
