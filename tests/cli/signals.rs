//! Signals that the caller had ignored, and files that may not grow.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::text;

const EXPERIMENT: &str = "name = \"long\"\n[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [16]\n\
                          [train]\nepochs = 100000\n";

/// Time after which a program has dealt with a signal.
const SOON: Duration = Duration::from_millis(500);

/// A sweep that trains for hours, started by a shell that says first what happens at signals.
struct Sweep {
    child: Child,
    _dir: tempfile::TempDir,
}

impl Sweep {
    fn begin(setup: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("long.toml");
        std::fs::write(&file, EXPERIMENT).unwrap();
        let out = dir.path().join("out");
        let script = format!("{setup}; exec \"$0\" sweep \"$1\" --backend cpu --out \"$2\"");
        let program = env!("CARGO_BIN_EXE_pimento");
        let child = Command::new("sh")
            .args(["-c", &script, program, text(&file), text(&out)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while !out.join("experiment.toml").exists() {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(SOON);
        Self { child, _dir: dir }
    }

    /// Sends a signal; whether the program is still there a while later.
    fn survives(&mut self, signal: &str) -> bool {
        let id = self.child.id().to_string();
        let kill = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(kill.success());
        std::thread::sleep(SOON);
        self.child.try_wait().unwrap().is_none()
    }

    /// Exit code and standard error.
    fn end(self) -> (Option<i32>, String) {
        let output = self.child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), stderr)
    }
}

#[test]
fn what_was_ignored_stays_ignored() {
    for ignored in ["HUP", "INT"] {
        let mut sweep = Sweep::begin(&format!("trap '' {ignored}"));
        // A second request to end would end the program at once.
        for _ in 0..2 {
            assert!(sweep.survives(&format!("-{ignored}")), "{ignored}");
        }
        let kill = Command::new("kill")
            .arg(sweep.child.id().to_string())
            .status();
        assert!(kill.unwrap().success());
        let (code, stderr) = sweep.end();
        assert_eq!(code, Some(130), "{ignored}: {stderr}");
        assert!(stderr.starts_with("error: "), "{ignored}: {stderr}");
    }
    // What was not ignored ends the work in order.
    let sweep = Sweep::begin("true");
    let kill = Command::new("kill")
        .args(["-HUP", &sweep.child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(sweep.end().0, Some(130));
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
