//! Signals that the caller had ignored, and files that may not grow.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::text;

const EXPERIMENT: &str = "name = \"long\"\n[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [16]\n\
                          [train]\nepochs = 100000\n";

/// Runs `pimento train` in a shell that says first what happens at signals, sends those when the work has
/// begun, and waits for the end.
fn train(setup: &str, signals: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("long.toml");
    std::fs::write(&file, EXPERIMENT).unwrap();
    let out = dir.path().join("out");
    let script = format!("{setup}; exec \"$0\" sweep \"$1\" --backend cpu --out \"$2\"");
    let child = Command::new("sh")
        .args([
            "-c",
            &script,
            env!("CARGO_BIN_EXE_pimento"),
            text(&file),
            text(&out),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !out.join("experiment.toml").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    for signal in signals {
        std::thread::sleep(Duration::from_millis(300));
        let kill = Command::new("kill")
            .args([signal, child.id().to_string().as_str()])
            .status()
            .unwrap();
        assert!(kill.success());
    }
    child.wait_with_output().unwrap()
}

/// A second request to end ends the program at once: were the first one not ignored, the end would
/// be another one.
#[test]
fn what_was_ignored_stays_ignored() {
    for (ignored, sent) in [("HUP", "-HUP"), ("INT", "-INT")] {
        let output = train(&format!("trap '' {ignored}"), &[sent, sent, "-TERM"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(130), "{ignored}: {stderr}");
        // The orderly end after the only request that counted.
        assert!(stderr.starts_with("error: "), "{ignored}: {stderr}");
    }
    let output = train("true", &["-HUP"]);
    assert_eq!(output.status.code(), Some(130));
}

/// The system's signal for a file that is too large must not end the program without a word.
#[test]
fn a_file_that_may_not_grow_is_an_error_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("net.toml");
    let short = EXPERIMENT.replace("100000", "1");
    std::fs::write(&file, short).unwrap();
    let net = dir.path().join("net.safetensors");
    let script = "ulimit -f 1; exec \"$0\" train \"$1\" --backend cpu --out \"$2\"";
    let output = Command::new("sh")
        .args([
            "-c",
            script,
            env!("CARGO_BIN_EXE_pimento"),
            text(&file),
            text(&net),
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.starts_with("error: ") && stderr.contains("too large"),
        "{stderr}"
    );
    assert!(!Path::new(&net).exists());
}
