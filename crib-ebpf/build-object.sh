#!/bin/sh
# Builds the BPF object from source: crib-ebpf/build-object.sh OUTPUT
#                         or checks it: crib-ebpf/build-object.sh --clippy
#
# Needs bpf-linker, and a compiler that can build `core` for the BPF target: rustup's nightly
# with its rust-src component, or Debian's rustc-web with rust-web-src.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
case ${1-} in --clippy | /* | '') ;; *) set -- "$PWD/$1" ;; esac
[ $# -eq 1 ] && [ -n "$1" ] || { echo "usage: $0 OUTPUT | --clippy" >&2; exit 2; }

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
elif [ -x /usr/bin/rustc ] &&
    [ -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/core" ]; then
    # Debian's compiler, with the cargo at hand; it calls itself stable, and has what is needed.
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1; export RUSTC RUSTC_BOOTSTRAP
else
    echo "build-object: no compiler with the sources of core:" \
        "'rustup toolchain install nightly -c rust-src', or on Debian 'apt-get install rustc-web rust-web-src'" >&2
    exit 1
fi

target_dir=${CRIB_EBPF_TARGET_DIR:-$here/../target/ebpf}
RUSTFLAGS="-C debuginfo=2 -C link-arg=--btf"; export RUSTFLAGS
cd "$here"
set -- "$1" --release --target bpfel-unknown-none -Z build-std=core --target-dir "$target_dir"
output=$1; shift
if [ "$output" = --clippy ]; then
    exec cargo clippy "$@" -- -D warnings
fi
cargo build "$@"
cp "$target_dir/bpfel-unknown-none/release/crib-ebpf" "$output"
