//! The kernels cost what the repository says, or less.

use std::process::Command;

#[test]
fn no_kernel_became_dearer() {
    let output = Command::new(env!("CARGO_BIN_EXE_kernel-cost"))
        .arg("--check")
        .output()
        .expect("the program starts");
    // SKIPPED and its reason, too.
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
}
