//! The `crib-top` command.

fn main() {}
