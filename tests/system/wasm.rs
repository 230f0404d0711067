//! The library in a WebAssembly module; `scripts/test_wasm` builds it.

use std::path::Path;
use std::process::Command;

#[path = "../wasm/sweep.rs"]
mod sweep;

/// Estimates are made with a gain that contains the platform's `exp` and `erfc`, which Rust leaves to the last
/// bits of a number near 1.
const ESTIMATE: f64 = 4.0 * f64::EPSILON;

/// A line without its estimate, and the estimate.
fn parts(line: &str) -> (&str, Option<f64>) {
    match line.rsplit_once(' ') {
        Some((exact, estimate)) if !line.contains("loss") => (exact, estimate.parse().ok()),
        _ => (line, None),
    }
}

#[test]
fn a_module_has_the_chips_of_the_portable_path() {
    let here = sweep::text();
    assert_eq!(here.lines().count(), 2 * (1 + 3), "{here}");
    let Some(module) = std::env::var_os("PIMENTO_TEST_WASM") else {
        println!("SKIPPED a module has the chips of the portable path: scripts/test_wasm makes it");
        return;
    };
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wasm/run.mjs");
    let run = Command::new("node").arg(host).arg(module).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    let there = String::from_utf8(run.stdout).unwrap();
    assert_eq!(there.lines().count(), here.lines().count(), "{there}");
    for (there, here) in there.lines().zip(here.lines()) {
        let ((a, x), (b, y)) = (parts(there), parts(here));
        assert_eq!(a, b);
        let close = x.zip(y).is_none_or(|(x, y)| (x - y).abs() <= ESTIMATE);
        assert!(close && x.is_some() == y.is_some(), "{there}\n{here}");
    }
}
