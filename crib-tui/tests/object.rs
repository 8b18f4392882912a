//! The embedded BPF objects must be what their sources say.

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
fn the_objects_are_as_old_as_their_sources() {
    assert_eq!(
        provenance("sources"),
        sources(),
        "the objects in assets are stale: run crib-ebpf/build-object.sh --update"
    );
}

/// The objects, with the key of their hashes.
const OBJECTS: [(&str, &str); 3] = [
    ("object", "assets/crib-top.bpf.o"),
    ("bench", "assets/crib-bench.bpf.o"),
    ("trace", "assets/crib-trace.bpf.o"),
];

#[test]
fn the_objects_are_those_that_were_built() {
    for (key, object) in OBJECTS {
        assert_eq!(
            provenance(key),
            sha256(&root().join(object)),
            "{object} was changed by hand: run crib-ebpf/build-object.sh --update"
        );
    }
}

#[test]
fn the_objects_speak_of_no_machine() {
    for (_, object) in OBJECTS {
        let bytes = std::fs::read(root().join(object)).unwrap();
        for place in ["/root/", "/home/", "/usr/"] {
            let found = bytes.windows(place.len()).any(|bytes| bytes == place.as_bytes());
            assert!(!found, "{object} holds a path that begins with {place}");
        }
    }
}
