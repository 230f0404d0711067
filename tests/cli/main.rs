//! The program as its users meet it: exit codes, what is said where, and what is refused.

mod bad_input;
mod bench;
mod compare;
mod data;
#[cfg(unix)]
mod directories;
mod help;
mod mvm;
mod networks;
mod runs;
mod shipped;
#[cfg(unix)]
mod signals;
mod survive;

use std::path::Path;
use std::process::{Command, Stdio};

/// What a run of the program left behind.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs `pimento` with the environment variables that change its behaviour removed.
fn pimento(args: &[&str]) -> Run {
    pimento_with(args, &[])
}

/// Runs `pimento` with environment variables of the test's choice.
fn pimento_with(args: &[&str], variables: &[(&str, &str)]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_pimento"))
        .args(args)
        .env_remove("PIMENTO_DATA")
        .env_remove("PIMENTO_CACHE")
        .env_remove("WGPU_ADAPTER_NAME")
        .env_remove("NO_COLOR")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    Run {
        code: output.status.code().expect("the program exits by itself"),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// Text of a path that the tests made.
fn text(path: &Path) -> &str {
    path.to_str()
        .expect("temporary directories have Unicode names")
}
