//! Which functions, constants and members the kernel's BTF names.
//!
//! A scan for a few names, each with what it must be the name of: a string alone proves
//! nothing. The format is that of Documentation/bpf/btf.rst; the data is not trusted.

use std::collections::HashMap;

/// What a name must belong to in order to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A function of the kernel.
    Function(&'static str),
    /// A constant of an enumeration.
    Constant(&'static str),
    /// A structure or union.
    Structure(&'static str),
    /// A member of a structure or union: its name, then the member's.
    Member(&'static str, &'static str),
}

const MAGIC: u16 = 0xeb9f;

// Documentation/bpf/btf.rst, "Type Encoding"
const INT: u32 = 1;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;
const FLOAT: u32 = 16;
const DECL_TAG: u32 = 17;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;

/// Whether each of `wanted` is in the BTF, in the same order; none where the data is not BTF,
/// is cut, or has a kind of type whose length is not known.
pub fn find(btf: &[u8], wanted: &[Named]) -> Option<Vec<bool>> {
    let (types, strings) = sections(btf)?;
    let offsets = offsets_of(strings, wanted);
    let names = |name: &str, offset: u32| offsets.get(&offset) == Some(&name.as_bytes());
    let mut found = vec![false; wanted.len()];
    let mut at = 0;
    while at < types.len() {
        let (name, info) = (word(types, at)?, word(types, at + 4)?);
        let (kind, count) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        let body = types.get(at + 12..)?.get(..body_len(kind, count)?)?;
        at += 12 + body.len();
        let first_words = |size: usize| body.chunks_exact(size).filter_map(|part| word(part, 0));
        for (wanted, found) in wanted.iter().zip(&mut found).filter(|(_, found)| !**found) {
            *found = match (*wanted, kind) {
                (Named::Function(function), FUNC) => names(function, name),
                (Named::Constant(constant), ENUM) => {
                    first_words(8).any(|offset| names(constant, offset))
                }
                (Named::Constant(constant), ENUM64) => {
                    first_words(12).any(|offset| names(constant, offset))
                }
                (Named::Structure(structure), STRUCT | UNION) => names(structure, name),
                (Named::Member(structure, member), STRUCT | UNION) => {
                    names(structure, name) && first_words(12).any(|offset| names(member, offset))
                }
                _ => false,
            };
        }
    }
    Some(found)
}

/// The sections of types and of strings.
fn sections(btf: &[u8]) -> Option<(&[u8], &[u8])> {
    let magic = u16::from_ne_bytes(btf.get(..2)?.try_into().ok()?);
    let header = |at| word(btf, at).map(|word| word as usize);
    let header_len = header(4)?;
    let section = |offset: usize, len: usize| {
        let start = header_len.checked_add(offset)?;
        btf.get(start..start.checked_add(len)?)
    };
    let types = section(header(8)?, header(12)?)?;
    let strings = section(header(16)?, header(20)?)?;
    (magic == MAGIC).then_some((types, strings))
}

/// Where in the strings the wanted names stand.
fn offsets_of<'a>(strings: &'a [u8], wanted: &[Named]) -> HashMap<u32, &'a [u8]> {
    let is_wanted = |string: &[u8]| {
        wanted.iter().any(|wanted| {
            let (one, other) = match *wanted {
                Named::Function(name) | Named::Constant(name) | Named::Structure(name) => {
                    (name, name)
                }
                Named::Member(structure, member) => (structure, member),
            };
            string == one.as_bytes() || string == other.as_bytes()
        })
    };
    let mut offset = 0;
    let mut offsets = HashMap::new();
    for string in strings.split(|&byte| byte == 0) {
        if is_wanted(string)
            && let Ok(offset) = u32::try_from(offset)
        {
            offsets.insert(offset, string);
        }
        offset += string.len() + 1;
    }
    offsets
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Bytes that follow a type's own three words.
fn body_len(kind: u32, count: usize) -> Option<usize> {
    Some(match kind {
        INT | VAR | DECL_TAG => 4,
        ARRAY => 12,
        STRUCT | UNION | DATASEC | ENUM64 => 12 * count,
        ENUM | FUNC_PROTO => 8 * count,
        // Pointers, forward declarations, typedefs, qualifiers.
        2 | 7..=FUNC | FLOAT | TYPE_TAG => 0,
        _ => return None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Builds BTF of just these names.
    pub fn btf_of(named: &[Named]) -> Vec<u8> {
        let mut strings = vec![0];
        let mut add = |name: &str| {
            let offset = strings.len() as u32;
            strings.extend(name.as_bytes());
            strings.push(0);
            offset
        };
        let mut words: Vec<u32> = Vec::new();
        for named in named {
            match *named {
                Named::Function(name) => words.extend([add(name), FUNC << 24, 1]),
                Named::Constant(name) => {
                    words.extend([add("an_enum"), ENUM << 24 | 1, 4, add(name), 7]);
                }
                Named::Structure(name) => words.extend([add(name), STRUCT << 24, 8]),
                Named::Member(name, member) => {
                    words.extend([add(name), UNION << 24 | 1, 8, add(member), 1, 0]);
                }
            }
        }
        let types: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let mut btf = MAGIC.to_ne_bytes().to_vec();
        btf.extend([1, 0]);
        for number in [24, 0, types.len(), types.len(), strings.len()] {
            btf.extend((number as u32).to_ne_bytes());
        }
        btf.extend(types);
        btf.extend(strings);
        btf
    }

    #[test]
    fn a_name_counts_only_for_what_it_names() {
        let btf = btf_of(&[
            Named::Function("f"),
            Named::Constant("C"),
            Named::Member("u", "m"),
            Named::Structure("s"),
        ]);
        let wanted = [
            (Named::Function("f"), true),
            (Named::Constant("C"), true),
            (Named::Member("u", "m"), true),
            (Named::Structure("s"), true),
            (Named::Structure("u"), true),
            (Named::Function("C"), false),
            (Named::Constant("f"), false),
            (Named::Member("s", "m"), false),
            (Named::Structure("m"), false),
            (Named::Function("not there"), false),
        ];
        let (names, expected): (Vec<_>, Vec<_>) = wanted.into_iter().unzip();
        assert_eq!(find(&btf, &names), Some(expected));
    }

    #[test]
    fn the_running_kernel_has_functions_and_members() {
        let btf = std::fs::read("/sys/kernel/btf/vmlinux").unwrap();
        let wanted = [
            Named::Function("schedule"),
            Named::Member("file", "f_op"),
            Named::Constant("BPF_FUNC_map_lookup_elem"),
            Named::Function("crib_top_is_no_kernel_function"),
        ];
        assert_eq!(find(&btf, &wanted), Some(vec![true, true, true, false]));
    }

    #[test]
    fn what_is_cut_is_not_btf() {
        let btf = btf_of(&[Named::Constant("C")]);
        for len in 0..btf.len() {
            assert_eq!(find(&btf[..len], &[]), None, "{len} bytes");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, at: prop::sample::Index, byte: u8) {
            find(&bytes, &[Named::Function("f")]);
            let mut btf = btf_of(&[Named::Constant("C"), Named::Member("u", "m")]);
            let at = at.index(btf.len());
            btf[at] = byte;
            find(&btf, &[Named::Constant("C"), Named::Member("u", "m")]);
        }
    }
}
