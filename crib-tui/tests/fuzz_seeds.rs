//! What the fuzz targets do, with every seed and with all that they ever found (fuzz/found): on
//! stable Rust, in every test run.

#[path = "../../fuzz/bodies.rs"]
mod bodies;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// The files for a target: its seeds, and what was found with it, if anything.
fn inputs(target: &str) -> Vec<PathBuf> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let files = |directory: PathBuf| -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&directory) else { return Vec::new() };
        entries.map(|entry| entry.expect("the directory can be read").path()).collect()
    };
    let seeds = files(fuzz.join("seeds").join(target));
    assert!(!seeds.is_empty(), "{target} has no seeds");
    [seeds, files(fuzz.join("found").join(target))].concat()
}

fn replay(target: &str, body: fn(&[u8])) {
    for path in inputs(target) {
        let data = fs::read(&path).expect("the file can be read");
        // Cut after each byte, too: what is read may end anywhere.
        for end in (0..=data.len()).rev() {
            if catch_unwind(|| body(&data[..end])).is_err() {
                panic!("{target}: the first {end} bytes of {}", path.display());
            }
        }
    }
}

#[test]
fn wire_records() {
    replay("records", bodies::records);
}

#[test]
fn the_kernels_btf() {
    replay("btf", bodies::btf);
}

#[test]
fn filters() {
    replay("filter", bodies::filter);
}

#[test]
fn texts() {
    replay("text", bodies::text);
}
