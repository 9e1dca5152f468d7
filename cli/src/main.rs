//! The lime command.
fn main() {}
