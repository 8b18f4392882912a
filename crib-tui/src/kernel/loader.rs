//! The BPF object's way into the kernel: its maps are made, its code is linked to them, and its
//! programs are loaded one by one when they are first needed.
//!
//! aya-obj reads and links the object, and aya makes the maps. aya's own loader around them is
//! not used: it takes in all of the kernel's BTF for the number of one function, which took
//! longer than the rest of a start (docs/performance.md), and 20 MB.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use aya::EbpfError;
use aya::maps::MapData;
use aya_obj::{EbpfSectionKind, Features};

use super::sys::{self, IterProgram};

/// Room for what the verifier says of a program that it refuses, in bytes.
const LOG_BYTES: usize = 16 << 20;

/// An object whose maps are made and whose code is linked to them.
pub struct Linked {
    object: aya_obj::Object,
    /// The maps; taken out by who uses one.
    pub maps: HashMap<String, LinkedMap>,
    /// The object's own BTF, which says where its functions begin.
    btf: Option<OwnedFd>,
}

/// A map, with what the kernel was told of it.
pub struct LinkedMap {
    /// The map.
    pub data: MapData,
    /// Bytes of each of its values.
    pub value_size: u32,
}

impl LinkedMap {
    /// Writes the one value of an array map.
    ///
    /// # Errors
    /// What the kernel says; `EINVAL` where the value is not as large as the map's are.
    pub fn set_only_value(&self, value: &[u8]) -> io::Result<()> {
        sys::set_only_value(self.data.fd().as_fd(), value, self.value_size)
    }
}

/// What the verifier refused, and its last words.
#[derive(Debug)]
pub struct Refused {
    /// The kernel's error.
    pub error: io::Error,
    /// What the verifier said; empty where it was not the verifier.
    pub log: String,
}

/// Reads an object, writes `globals` over its constants, gives the maps in `max_entries` another
/// size, and makes and links the maps.
///
/// # Errors
/// [`EbpfError`] where the object is not what it should be, or the kernel refuses a map.
pub fn link(
    object: &[u8],
    globals: HashMap<&str, (&[u8], bool)>,
    max_entries: &[(&str, u32)],
) -> Result<Linked, EbpfError> {
    let mut object = aya_obj::Object::parse(object)?;
    object.patch_map_data(globals)?;
    let features = aya::features();
    let btf = load_btf(&mut object, features)?;
    let mut definitions = std::mem::take(&mut object.maps);
    let mut maps = HashMap::new();
    for (name, map) in &mut definitions {
        if let Some((_, entries)) = max_entries.iter().find(|(wanted, _)| wanted == name) {
            map.set_max_entries(*entries);
        }
        maps.insert(name.clone(), make_map(map, name)?);
    }
    let sections = object.functions.keys().map(|(section, _)| *section).collect();
    let made = definitions.iter().filter_map(|(name, map)| {
        Some((name.as_str(), maps.get(name)?.data.fd().as_fd().as_raw_fd(), map))
    });
    object.relocate_maps(made, &sections)?;
    object.relocate_calls(&sections)?;
    object.sanitize_functions(features);
    Ok(Linked { object, maps, btf })
}

fn load_btf(
    object: &mut aya_obj::Object,
    features: &Features,
) -> Result<Option<OwnedFd>, EbpfError> {
    let Some(features) = features.btf() else { return Ok(None) };
    let Some(btf) = object.fixup_and_sanitize_btf(features)? else { return Ok(None) };
    let loaded = sys::load_btf(&btf.to_bytes()).map_err(map_error("BPF_BTF_LOAD"))?;
    Ok(Some(loaded))
}

/// Makes a map, with its contents where the object has some.
fn make_map(map: &aya_obj::Map, name: &str) -> Result<LinkedMap, EbpfError> {
    let data = MapData::create(map.clone(), name, None)?;
    let made = LinkedMap { data, value_size: map.value_size() };
    if !map.data().is_empty() {
        made.set_only_value(map.data()).map_err(map_error("BPF_MAP_UPDATE_ELEM"))?;
    }
    if map.section_kind() == EbpfSectionKind::Rodata {
        sys::freeze(made.data.fd().as_fd()).map_err(map_error("BPF_MAP_FREEZE"))?;
    }
    Ok(made)
}

fn map_error(call: &'static str) -> impl FnOnce(io::Error) -> EbpfError {
    move |io_error| EbpfError::MapError(aya::sys::SyscallError { call, io_error }.into())
}

impl Linked {
    /// Loads the iterator program of this name, for the iterator whose function has this id in
    /// the kernel's BTF; none where the object has no such program.
    ///
    /// # Errors
    /// [`Refused`] with what the kernel and its verifier said.
    pub fn load_iterator(
        &self,
        name: &str,
        attach_btf_id: u32,
    ) -> Option<Result<OwnedFd, Refused>> {
        let program = self.object.programs.get(name)?;
        let function = self.object.functions.get(&program.function_key())?;
        let instructions: Vec<u8> = function.instructions.iter().flat_map(bytes).collect();
        let functions = function.func_info.func_info_bytes();
        let program = IterProgram {
            name,
            instructions: &instructions,
            license: &program.license,
            attach_btf_id,
            btf: self.btf.as_ref().map(AsFd::as_fd),
            functions: &functions,
            function_bytes: function.func_info_rec_size as u32,
        };
        // The verifier is faster when it need not say anything.
        Some(sys::load_program(&program, &mut []).map_err(|error| refused(&program, error)))
    }
}

/// Has the verifier look again and say why.
fn refused(program: &IterProgram<'_>, error: io::Error) -> Refused {
    let mut log = vec![0; LOG_BYTES];
    let _ = sys::load_program(program, &mut log);
    let said = log.split(|&byte| byte == 0).next().unwrap_or_default();
    Refused { error, log: String::from_utf8_lossy(said).into_owned() }
}

/// An instruction as the kernel takes it.
fn bytes(instruction: &aya_obj::generated::bpf_insn) -> [u8; 8] {
    let registers = instruction.dst_reg() | instruction.src_reg() << 4;
    let mut bytes = [instruction.code, registers, 0, 0, 0, 0, 0, 0];
    bytes[2..4].copy_from_slice(&instruction.off.to_ne_bytes());
    bytes[4..8].copy_from_slice(&instruction.imm.to_ne_bytes());
    bytes
}
