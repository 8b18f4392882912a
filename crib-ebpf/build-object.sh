#!/bin/sh
# Builds the BPF objects from source:  crib-ebpf/build-object.sh OUTPUT
#           or checks the source:      crib-ebpf/build-object.sh --clippy
#           or renews what is embedded: crib-ebpf/build-object.sh --update
# OUTPUT is the main object; those of `crib-top bench` and of what traces go beside it, as
# crib-bench.bpf.o and crib-trace.bpf.o.
#
# Needs bpf-linker, and a compiler that can build `core` for the BPF target: rustup's nightly
# with its rust-src component, or Debian's rustc-web with rust-web-src.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
case ${1-} in --* | /* | '') ;; *) set -- "$PWD/$1" ;; esac
[ $# -eq 1 ] && [ -n "$1" ] || { echo "usage: $0 OUTPUT | --clippy | --update" >&2; exit 2; }

command -v bpf-linker >/dev/null || {
    echo "build-object: bpf-linker is missing: cargo install bpf-linker" >&2; exit 1; }

# The caller may be a build script of another toolchain: start clean.
unset RUSTC RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTUP_TOOLCHAIN \
      CARGO CARGO_BUILD_TARGET CARGO_PROFILE_RELEASE_LTO 2>/dev/null || :
for variable in $(env | sed -n 's/^\(CARGO_CFG_[A-Z0-9_]*\|CARGO_FEATURE_[A-Z0-9_]*\)=.*/\1/p'); do
    unset "$variable"
done

if nightly=$(rustup run nightly rustc --print sysroot 2>/dev/null) &&
    [ -d "$nightly/lib/rustlib/src/rust/library/core" ]; then
    RUSTUP_TOOLCHAIN=nightly; export RUSTUP_TOOLCHAIN
    clippy() { cargo clippy "$@"; }
elif [ -x /usr/bin/rustc ] &&
    [ -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/core" ]; then
    # Debian's compiler, with the cargo at hand; it calls itself stable, and has what is needed.
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1; export RUSTC RUSTC_BOOTSTRAP
    # The clippy of the same compiler, from rust-web-clippy.
    clippy() { CARGO=$(command -v cargo) /usr/bin/cargo-clippy clippy "$@"; }
else
    echo "build-object: no compiler with the sources of core:" \
        "'rustup toolchain install nightly -c rust-src', or on Debian 'apt-get install rustc-web rust-web-src'" >&2
    exit 1
fi

target_dir=${CRIB_EBPF_TARGET_DIR:-$root/target/ebpf}
# The verifier's log quotes source lines: by names that are the same on every machine.
RUSTFLAGS="-C debuginfo=2 -C link-arg=--btf -C link-arg=--disable-expand-memcpy-in-order \
    --remap-path-prefix=$root=. \
    --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo \
    --remap-path-prefix=$("${RUSTC:-rustc}" --print sysroot)=rust"
export RUSTFLAGS
cd "$here"

case $1 in
--clippy)
    clippy --release --features programs --target bpfel-unknown-none -Z build-std=core \
        --target-dir "$target_dir" -- -D warnings
    exit ;;
--update) output=$root/assets/crib-top.bpf.o ;;
*) output=$1 ;;
esac
cargo build --release --features programs --target bpfel-unknown-none -Z build-std=core --target-dir "$target_dir"
directory=$(dirname "$output")
built=$target_dir/bpfel-unknown-none/release
cp "$built/crib-ebpf" "$output"
cp "$built/crib-bench" "$built/crib-trace" "$directory"
for object in bench trace; do
    mv "$directory/crib-$object" "$directory/crib-$object.bpf.o"
done
# DWARF is ten times the size of the rest, and the loader would read over it. BTF stays.
for objcopy in llvm-objcopy /usr/lib/llvm-*/bin/llvm-objcopy rust-objcopy; do
    if command -v "$objcopy" >/dev/null; then
        "$objcopy" --strip-debug "$output"
        "$objcopy" --strip-debug "$directory/crib-bench.bpf.o"
        "$objcopy" --strip-debug "$directory/crib-trace.bpf.o"
        break
    fi
done

if [ "$1" = --update ]; then
    cd "$root"
    {
        echo "# Where assets/*.bpf.o come from; written by crib-ebpf/build-object.sh --update."
        echo "sources = \"$(find crib-common crib-ebpf -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d' ' -f1)\""
        echo "object = \"$(sha256sum <"$output" | cut -d' ' -f1)\""
        for object in bench trace; do
            echo "$object = \"$(sha256sum <"$directory/crib-$object.bpf.o" | cut -d' ' -f1)\""
        done
        echo "rustc = \"$("${RUSTC:-rustc}" --version)\""
        echo "linker = \"$(bpf-linker --version)\""
    } >assets/crib-top.bpf.toml
fi
