//! Chooses the BPF objects that are embedded: the prebuilt ones in `assets/`, or, with
//! `CRIB_BUILD_EBPF=1`, those built from source here and now.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=CRIB_BUILD_EBPF");
    let manifest = PathBuf::from(env("CARGO_MANIFEST_DIR"));
    let root = manifest.parent().unwrap_or(&manifest);
    let object = match std::env::var("CRIB_BUILD_EBPF").as_deref() {
        Ok("1") => build(root),
        _ => {
            let object = root.join("assets/crib-top.bpf.o");
            println!("cargo::rerun-if-changed={}", object.display());
            object
        }
    };
    println!("cargo::rustc-env=CRIB_BPF_OBJECT={}", object.display());
    // The others are always built with it.
    for (name, variable) in
        [("crib-bench", "CRIB_BENCH_OBJECT"), ("crib-trace", "CRIB_TRACE_OBJECT")]
    {
        let beside = object.with_file_name(format!("{name}.bpf.o"));
        println!("cargo::rerun-if-changed={}", beside.display());
        println!("cargo::rustc-env={variable}={}", beside.display());
    }
}

fn build(root: &Path) -> PathBuf {
    for source in ["crib-ebpf", "crib-common", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    let out = PathBuf::from(env("OUT_DIR"));
    let object = out.join("crib-top.bpf.o");
    let status = Command::new(root.join("crib-ebpf/build-object.sh"))
        .arg(&object)
        .env("CRIB_EBPF_TARGET_DIR", out.join("ebpf"))
        .status();
    match status {
        Ok(status) if status.success() => object,
        Ok(status) => panic!("crib-ebpf/build-object.sh failed ({status}); its words are above"),
        Err(error) => panic!("crib-ebpf/build-object.sh could not be started: {error}"),
    }
}

fn env(name: &str) -> String {
    // Cargo sets it for every build script.
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run this with cargo"))
}
