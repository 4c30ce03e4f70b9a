//! The function `api`.

fn main() {}
