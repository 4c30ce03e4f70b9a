//! The function `notify`.

fn main() {}
