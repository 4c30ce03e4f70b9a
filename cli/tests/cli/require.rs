//! The messages of `make run` and `make test` about missing tools.

use std::process::Command;

use crate::support::{finish, path, root};

#[test]
fn every_missing_tool_is_named_at_once_with_its_version_and_where_to_get_it() {
    let empty = tempfile::tempdir().unwrap();
    let mut command = Command::new("/bin/sh");
    command.arg("scripts/require.sh").current_dir(root()).env_clear().env("PATH", path(empty.path()));
    let ran = finish(&mut command).exits(1);
    ran.complains(&["cargo 1.95.0 or newer", "rustc 1.95.0 or newer", "rustup", "a C compiler"]);
}

#[test]
fn an_old_compiler_is_named_with_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let rustc = folder.path().join("rustc");
    std::fs::write(&rustc, "#!/bin/sh\necho 'rustc 1.70.0 (90c541806 2023-05-31)'\n").unwrap();
    Command::new("chmod").args(["+x", path(&rustc)]).status().unwrap();
    let mut command = Command::new("/bin/sh");
    let search = format!("{}:/usr/bin:/bin", path(folder.path()));
    command.arg("scripts/require.sh").current_dir(root()).env_clear().env("PATH", search);
    finish(&mut command).exits(1).complains(&["rustc 1.95.0 or newer; found 1.70.0"]);
}
