//! The embedded BPF object must be what its sources say.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(path: &Path) -> String {
    hex(Sha256::digest(std::fs::read(path).unwrap()))
}

fn files(dir: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(root().join(dir)).unwrap() {
        let path = dir.join(entry.unwrap().file_name());
        if root().join(&path).is_dir() {
            files(&path, found);
        } else {
            found.push(path.to_str().unwrap().to_owned());
        }
    }
}

/// As `crib-ebpf/build-object.sh --update` hashes them: the list that sha256sum prints, hashed.
fn sources() -> String {
    let mut paths = Vec::new();
    files(Path::new("crib-common"), &mut paths);
    files(Path::new("crib-ebpf"), &mut paths);
    paths.sort();
    let list: String =
        paths.iter().map(|path| format!("{}  {path}\n", sha256(&root().join(path)))).collect();
    hex(Sha256::digest(list))
}

fn provenance(key: &str) -> String {
    let text = std::fs::read_to_string(root().join("assets/crib-top.bpf.toml")).unwrap();
    let line = text.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}

#[test]
fn the_object_is_as_old_as_its_sources() {
    assert_eq!(
        provenance("sources"),
        sources(),
        "assets/crib-top.bpf.o is stale: run crib-ebpf/build-object.sh --update"
    );
}

#[test]
fn the_object_is_the_one_that_was_built() {
    assert_eq!(
        provenance("object"),
        sha256(&root().join("assets/crib-top.bpf.o")),
        "assets/crib-top.bpf.o was changed by hand: run crib-ebpf/build-object.sh --update"
    );
    assert_eq!(
        provenance("trace"),
        sha256(&root().join("assets/crib-trace.bpf.o")),
        "assets/crib-trace.bpf.o was changed by hand: run crib-ebpf/build-object.sh --update"
    );
}

#[test]
fn the_object_speaks_of_no_machine() {
    for name in ["crib-top.bpf.o", "crib-trace.bpf.o"] {
        let object = std::fs::read(root().join("assets").join(name)).unwrap();
        for place in ["/root/", "/home/", "/usr/"] {
            let found = object.windows(place.len()).any(|bytes| bytes == place.as_bytes());
            assert!(!found, "{name} holds a path that begins with {place}");
        }
    }
}
