//! The running kernel's BTF: where members of its structures stand.
//!
//! A scan of just what is wanted: the types' headers are walked once to learn where each type
//! begins, and only structures that are asked for are looked into. The format is that of
//! Documentation/bpf/btf.rst. The data is not trusted: whatever does not add up is an error or
//! a member that is not found.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::path::Path;

use crib_common::offsets::{KernelOffsets, Wanted};
use memmap2::{Mmap, MmapOptions};

/// Where the kernel shows its own BTF.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

const MAGIC: u16 = 0xeb9f;
const HEADER_BYTES: usize = 24;

const KIND_INT: u32 = 1;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_TYPEDEF: u32 = 8;
const KIND_VOLATILE: u32 = 9;
const KIND_CONST: u32 = 10;
const KIND_RESTRICT: u32 = 11;
const KIND_FUNC: u32 = 12;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_DECL_TAG: u32 = 17;
const KIND_TYPE_TAG: u32 = 18;
const KIND_ENUM64: u32 = 19;

/// How the names of the functions begin that stand for iterators (DEFINE_BPF_ITER_FUNC,
/// include/linux/bpf.h).
const ITERATOR: &[u8] = b"bpf_iter_";

/// How deep anonymous members and type modifiers are followed.
const DEPTH: u32 = 16;
/// Members that are looked at for one name: more than any structure has, also with its anonymous
/// members'. Where these contain themselves, each level would take as many times longer.
const MEMBERS: u32 = 16 * 1024;

/// Parsed BTF: borrowed bytes and where each type begins in them.
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Byte offset in `types` of the type with id index + 1.
    starts: Vec<u32>,
    structs: HashMap<&'a [u8], u32>,
    /// What BPF programs can iterate over, with the ids of the iterators' functions.
    iterators: Vec<(&'a [u8], u32)>,
}

/// Why BTF could not be used.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The data is not BTF, or cut, or contradicts itself.
    #[error("not valid BTF: {0}")]
    Invalid(&'static str),
}

/// One type: its three header words and what follows them.
#[derive(Clone, Copy)]
struct Type<'a> {
    name: u32,
    info: u32,
    /// Size of the type, or the id of the type it refers to.
    size_or_type: u32,
    body: &'a [u8],
}

impl Type<'_> {
    fn kind(self) -> u32 {
        self.info >> 24 & 0x1f
    }

    fn vlen(self) -> usize {
        (self.info & 0xffff) as usize
    }

    /// Whether members' offsets share their word with a bit-field size.
    fn has_bitfields(self) -> bool {
        self.info >> 31 != 0
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Bytes behind the header of a type.
fn body_bytes(kind: u32, vlen: usize) -> Option<usize> {
    Some(match kind {
        KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
        KIND_ARRAY => 12,
        KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => 12 * vlen,
        KIND_ENUM | KIND_FUNC_PROTO => 8 * vlen,
        2 | 7 | KIND_TYPEDEF..=KIND_FUNC | 16 | KIND_TYPE_TAG => 0,
        _ => return None,
    })
}

impl<'a> Btf<'a> {
    /// Walks the types once.
    ///
    /// # Errors
    /// [`BtfError::Invalid`] when the data is not BTF in this machine's byte order, is cut, or
    /// has a kind of type whose length is not known.
    pub fn parse(data: &'a [u8]) -> Result<Self, BtfError> {
        let word = |at| u32_at(data, at).map(|word| word as usize);
        let header = || -> Option<_> {
            let magic = u16::from_ne_bytes(data.get(..2)?.try_into().ok()?);
            Some((magic, word(4)?, word(8)?, word(12)?, word(16)?, word(20)?))
        };
        let (magic, header_len, type_off, type_len, str_off, str_len) =
            header().ok_or(BtfError::Invalid("the header is cut"))?;
        if magic != MAGIC || header_len < HEADER_BYTES {
            return Err(BtfError::Invalid("wrong magic number or header"));
        }
        let section = |off: usize, len: usize| {
            let start = header_len.checked_add(off)?;
            data.get(start..start.checked_add(len)?)
        };
        let types = section(type_off, type_len).ok_or(BtfError::Invalid("types are cut"))?;
        let strings = section(str_off, str_len).ok_or(BtfError::Invalid("strings are cut"))?;
        let mut btf = Self {
            types,
            strings,
            starts: Vec::new(),
            structs: HashMap::new(),
            iterators: Vec::new(),
        };
        // A structure's type takes at least 12 bytes; the average is about 25.
        btf.starts.reserve(type_len / 24);
        let wanted = wanted_structs();
        let mut at = 0;
        while at < types.len() {
            let start = u32::try_from(at).map_err(|_| BtfError::Invalid("types are too long"))?;
            btf.starts.push(start);
            let ty = btf.type_at(at).ok_or(BtfError::Invalid("a type is cut or unknown"))?;
            let id = btf.starts.len() as u32;
            match ty.kind() {
                KIND_STRUCT => {
                    if let Some(name) = btf.string(ty.name)
                        && wanted.contains(name)
                    {
                        // The first of several with a name: later ones are modules' or odd
                        // files' own.
                        btf.structs.entry(name).or_insert(id);
                    }
                }
                KIND_FUNC => {
                    let name = strings.get(ty.name as usize..).unwrap_or_default();
                    if name.starts_with(ITERATOR)
                        && let Some(name) = btf.string(ty.name)
                    {
                        btf.iterators.push((&name[ITERATOR.len()..], id));
                    }
                }
                _ => {}
            }
            at += 12 + ty.body.len();
        }
        Ok(btf)
    }

    /// The offsets of everything that the BPF programs want to know.
    pub fn kernel_offsets(&self) -> KernelOffsets {
        KernelOffsets::resolve(|wanted| match wanted {
            Wanted::Member(names) => names.iter().find_map(|name| self.member(name)),
            Wanted::Size(names) => names.iter().find_map(|name| self.size(name)),
        })
    }

    /// The offset in bytes of `struct.member.member`; none where there is no such member, or
    /// where it is a bit field.
    pub fn member(&self, path: &str) -> Option<u32> {
        let mut names = path.split('.');
        let mut id = self.struct_id(names.next()?)?;
        let mut bits = 0_u32;
        for name in names {
            let mut left = MEMBERS;
            let (offset, member) = self.find_member(id, name.as_bytes(), DEPTH, &mut left)?;
            bits = bits.checked_add(offset)?;
            id = member;
        }
        bits.is_multiple_of(8).then_some(bits / 8)
    }

    /// What BPF programs can iterate over (`task_file`), with the ids of the iterators' functions,
    /// which programs are loaded for.
    pub fn iterators(&self) -> HashMap<String, u32> {
        let name = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        self.iterators.iter().map(|&(target, id)| (name(target), id)).collect()
    }

    /// The size of a structure in bytes.
    pub fn size(&self, name: &str) -> Option<u32> {
        Some(self.ty(self.struct_id(name)?)?.size_or_type)
    }

    fn struct_id(&self, name: &str) -> Option<u32> {
        self.structs.get(name.as_bytes()).copied()
    }

    /// The bit offset and type of a member, also of one within anonymous members.
    fn find_member(&self, id: u32, name: &[u8], depth: u32, left: &mut u32) -> Option<(u32, u32)> {
        let depth = depth.checked_sub(1)?;
        let ty = self.resolve(id)?;
        if !matches!(ty.kind(), KIND_STRUCT | KIND_UNION) {
            return None;
        }
        ty.body.chunks_exact(12).find_map(|member| {
            *left = left.checked_sub(1)?;
            let (member_name, member_type) = (u32_at(member, 0)?, u32_at(member, 4)?);
            let mut offset = u32_at(member, 8)?;
            if ty.has_bitfields() {
                if offset >> 24 != 0 {
                    return None;
                }
                offset &= 0xff_ffff;
            }
            match self.string(member_name)? {
                b"" => {
                    let (inner, found) = self.find_member(member_type, name, depth, left)?;
                    Some((offset.checked_add(inner)?, found))
                }
                known if known == name => Some((offset, member_type)),
                _ => None,
            }
        })
    }

    /// The type behind typedefs and qualifiers.
    fn resolve(&self, mut id: u32) -> Option<Type<'a>> {
        for _ in 0..DEPTH {
            let ty = self.ty(id)?;
            match ty.kind() {
                KIND_TYPEDEF | KIND_VOLATILE | KIND_CONST | KIND_RESTRICT | KIND_TYPE_TAG => {
                    id = ty.size_or_type;
                }
                _ => return Some(ty),
            }
        }
        None
    }

    fn ty(&self, id: u32) -> Option<Type<'a>> {
        let index = usize::try_from(id.checked_sub(1)?).ok()?;
        self.type_at(*self.starts.get(index)? as usize)
    }

    fn type_at(&self, at: usize) -> Option<Type<'a>> {
        let (name, info) = (u32_at(self.types, at)?, u32_at(self.types, at + 4)?);
        let size_or_type = u32_at(self.types, at + 8)?;
        let mut ty = Type { name, info, size_or_type, body: &[] };
        let body = at + 12;
        ty.body = self.types.get(body..body.checked_add(body_bytes(ty.kind(), ty.vlen())?)?)?;
        Some(ty)
    }

    fn string(&self, offset: u32) -> Option<&'a [u8]> {
        let rest = self.strings.get(offset as usize..)?;
        rest.split(|&byte| byte == 0).next()
    }
}

/// The structures that [`KernelOffsets::WANTED`] names.
fn wanted_structs() -> HashSet<&'static [u8]> {
    KernelOffsets::WANTED
        .iter()
        .flat_map(|(_, wanted)| match wanted {
            Wanted::Member(names) | Wanted::Size(names) => *names,
        })
        .filter_map(|path| path.split('.').next())
        .map(str::as_bytes)
        .collect()
}

/// The bytes of a BTF file.
pub enum Data {
    /// The kernel's own pages.
    Mapped(Mmap),
    /// A copy.
    Read(Vec<u8>),
}

impl Deref for Data {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Read(bytes) => bytes,
        }
    }
}

/// Reads the BTF file at `path` whole. The kernel's can be mapped since Linux 6.16, privately
/// and to be read only ("btf: Allow mmap of vmlinux btf"): sysfs gives it out by one page a call
/// otherwise, 1,400 of them.
///
/// # Errors
/// [`BtfError::Read`].
pub fn read(path: &Path) -> Result<Data, BtfError> {
    let error = |source| BtfError::Read { path: path.display().to_string(), source };
    let mut file = File::open(path).map_err(error)?;
    if path == Path::new(VMLINUX) {
        // SAFETY: the kernel never changes its own BTF; of another file nobody could promise it.
        if let Ok(bytes) = unsafe { MmapOptions::new().map_copy_read_only(&file) } {
            return Ok(Data::Mapped(bytes));
        }
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(error)?;
    Ok(Data::Read(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vmlinux() -> Data {
        read(Path::new(VMLINUX)).unwrap()
    }

    #[test]
    fn what_is_mapped_is_what_is_read() {
        assert!(*vmlinux() == std::fs::read(VMLINUX).unwrap());
        let copy = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(copy.path(), b"not the kernel's").unwrap();
        assert!(matches!(read(copy.path()).unwrap(), Data::Read(bytes) if bytes.len() == 16));
    }

    #[test]
    fn the_running_kernel_has_what_every_kernel_has() {
        let data = vmlinux();
        let btf = Btf::parse(&data).unwrap();
        let offsets = btf.kernel_offsets();
        for (name, wanted) in KernelOffsets::WANTED {
            if let Wanted::Member([path]) = wanted
                && ["task_pid", "file_op", "inode_ino", "sock_rcvbuf", "queue_qlen"].contains(name)
            {
                assert!(btf.member(path).is_some(), "{path}");
            }
        }
        // Members of an anonymous structure within an anonymous union.
        assert_eq!(btf.member("sk_buff.next"), Some(0));
        assert_eq!(btf.member("sock.__sk_common.skc_daddr"), Some(0));
        assert_eq!(btf.member("sk_buff_head.next"), Some(0));
        assert!(btf.size("pipe_buffer").is_some_and(|size| size >= 32));
        assert_ne!(
            offsets.file_count != crib_common::offsets::ABSENT,
            offsets.file_ref != crib_common::offsets::ABSENT
        );
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let data = vmlinux();
        let btf = Btf::parse(&data).unwrap();
        assert_eq!(btf.member("file.no_such_member"), None);
        assert_eq!(btf.member("no_such_struct.member"), None);
        assert_eq!(btf.member("file.f_op.no_pointers_are_followed"), None);
    }

    #[test]
    fn cut_data_is_refused() {
        let data = vmlinux();
        for len in [0, 1, 8, 23, 24, 1000, data.len() - 1] {
            assert!(Btf::parse(&data[..len]).is_err(), "{len} bytes");
        }
    }

    /// Anonymous members that contain themselves are looked into for a while, not for ever.
    #[test]
    fn structures_within_themselves_end() {
        let mut data = Vec::new();
        data.extend(MAGIC.to_ne_bytes());
        data.extend([1, 0]);
        let member = |data: &mut Vec<u8>, words: &[u32]| {
            words.iter().for_each(|word| data.extend(word.to_ne_bytes()));
        };
        let strings = b"\0file\0f_op\0";
        let types = 12 + 8 * 12;
        member(&mut data, &[24, 0, types, types, strings.len() as u32]);
        member(&mut data, &[1, KIND_STRUCT << 24 | 8, 64]);
        (0..8).for_each(|_| member(&mut data, &[0, 1, 0]));
        data.extend(strings);
        let btf = Btf::parse(&data).unwrap();
        assert_eq!(btf.size("file"), Some(64));
        assert_eq!(btf.member("file.f_op"), None);
    }

    /// However much of it is there, the kernel's own BTF is an error, or understood.
    #[test]
    fn cut_data_is_an_error() {
        let data = vmlinux();
        for part in (0..=24).chain((1..64).map(|part| data.len() / 64 * part)) {
            assert!(Btf::parse(&data[..part]).is_err(), "{part} of {} bytes", data.len());
        }
    }

    proptest! {
        #[test]
        fn hostile_data_never_panics(types in prop::collection::vec(any::<u8>(), 0..400), strings: Vec<u8>) {
            let mut data = Vec::new();
            data.extend(MAGIC.to_ne_bytes());
            data.extend([1, 0]);
            for word in [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32] {
                data.extend(word.to_ne_bytes());
            }
            data.extend(&types);
            data.extend(&strings);
            if let Ok(btf) = Btf::parse(&data) {
                btf.kernel_offsets();
            }
        }
    }
}
