//! What the program says about itself.

use std::io::Read;
use std::process::{Command, Stdio};

use super::{pimento, pimento_with};

const SUBCOMMANDS: [&str; 18] = [
    "demo",
    "init",
    "config",
    "presets",
    "sweep",
    "design",
    "merge",
    "train",
    "chip",
    "check",
    "inspect",
    "infer",
    "slices",
    "export",
    "devices",
    "bench",
    "completions",
    "man",
];

#[test]
fn help_mentions_every_subcommand_exit_code_and_variable() {
    let run = pimento(&["--help"]);
    assert_eq!(run.code, 0);
    assert_eq!(run.stderr, "");
    for word in SUBCOMMANDS {
        run.assert_says(&[&format!("\n  {word} ")]);
    }
    for word in [
        "Exit codes",
        "130",
        "PIMENTO_DATA",
        "PIMENTO_CACHE",
        "WGPU_BACKEND",
        "WGPU_ADAPTER_NAME",
        "NO_COLOR",
        "Examples",
    ] {
        assert!(run.stdout.contains(word), "{word}");
    }
}

#[test]
fn every_subcommand_has_help_with_examples() {
    for name in SUBCOMMANDS {
        let run = pimento(&[name, "--help"]);
        assert_eq!(run.code, 0);
        run.assert_says(&[&format!("Usage: pimento {name}"), "Examples:"]);
    }
}

/// A page for the program and for every command; none is replaced unasked.
#[test]
fn every_subcommand_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().to_str().unwrap();
    let run = pimento(&["man", place]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let page = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    for name in SUBCOMMANDS {
        let text = page(&format!("pimento-{name}.1"));
        for part in [".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS", "Examples:"] {
            assert!(text.contains(part), "{name}: {part}");
        }
        assert!(page("pimento.1").contains(&format!("pimento\\-{}(1)", name.replace('-', "\\-"))));
    }
    assert!(page("pimento.1").contains("PIMENTO_CACHE"));
    let written = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(run.stdout.lines().count(), written);

    let again = pimento(&["man", place]);
    again.assert_refused(&["exists; allowed: another DIR, or --force"]);
    assert_eq!(pimento(&["man", place, "--force"]).code, 0);
    pimento(&["man", "no/such/place"]).assert_refused(&["no such directory"]);
}

#[test]
fn the_version_is_the_packages() {
    let run = pimento(&["--version"]);
    assert_eq!(
        run.stdout,
        format!("pimento {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn no_escape_codes_with_no_color_or_without_a_terminal() {
    for variables in [&[][..], &[("NO_COLOR", "1")]] {
        for args in [&["--help"][..], &["check"], &["devices"]] {
            let run = pimento_with(args, variables);
            assert!(
                !run.stdout.contains('\x1b') && !run.stderr.contains('\x1b'),
                "{args:?}"
            );
        }
    }
    // Even where colour is asked for, NO_COLOR has the last word on error messages of ours.
    let run = pimento_with(
        &["check", "none.toml"],
        &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")],
    );
    assert!(!run.stderr.contains('\x1b'), "{}", run.stderr);
}

#[test]
fn completions_for_every_shell_know_the_subcommands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = pimento(&["completions", shell]);
        run.assert_ok();
        for name in SUBCOMMANDS {
            assert!(run.stdout.contains(name), "{shell}: {name}");
        }
    }
}

#[test]
fn devices_always_lists_the_cpu() {
    let run = pimento(&["devices"]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.starts_with("cpu "), "{}", run.stdout);
    run.assert_says(&["auto  would use "]);
    let json: serde_json::Value =
        serde_json::from_str(&pimento(&["devices", "--json"]).stdout).unwrap();
    assert_eq!(json["cpu"]["backend"], "cpu");
    assert!(json["adapters"].is_array());
    assert!(json["auto"].is_string());
}

/// Libraries below must not speak in the program's name where there is no desktop.
#[test]
fn nothing_is_said_about_a_missing_desktop() {
    let output = Command::new(env!("CARGO_BIN_EXE_pimento"))
        .arg("devices")
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("DISPLAY")
        .env_remove("NODEVICE_SELECT")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pimento"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(stderr, "");
    assert!(child.wait().unwrap().success());
}
