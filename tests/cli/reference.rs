//! What the program says about experiment files: `init`, `config`, `presets`.

use serde_json::Value;

use super::{pimento, pimento_with, text};

fn json(args: &[&str]) -> Value {
    let run = pimento(args);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{args:?}");
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn a_new_experiment_is_accepted_and_never_overwritten_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("my.toml");
    let file = text(&path);
    let run = pimento(&["init", file]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.contains("pimento check"), "{}", run.stdout);
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.starts_with("#:schema experiment.schema.json\n"));
    let run = pimento(&["check", file, "--backend", "cpu"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.starts_with("my: valid\n"), "{}", run.stdout);

    std::fs::write(&path, "seed = 2\n").unwrap();
    let run = pimento(&["init", file]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("--force"), "{}", run.stderr);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "seed = 2\n");
    let run = pimento(&["init", file, "--force", "-q"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
    assert_eq!(json(&["init", file, "--force", "--json"])["file"], file);
}

#[test]
fn a_field_is_explained() {
    let run = pimento(&["config", "chip.wires.row_ohm"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "chip.wires.row_ohm",
            "  A segment of an input or supply line.",
            "",
            "  type     number",
            "  unit     ohm",
            "  default  0.0",
            "  allowed  0 to 1000000000",
            "  since    0.1",
        ]
    );
    // A short name of an axis, and the meaning of every name.
    let run = pimento(&["config", "law"]);
    assert!(run.stdout.starts_with("variation.law\n"), "{}", run.stdout);
    assert!(
        run.stdout.contains("\n  \"layer-fixed\"\n      "),
        "{}",
        run.stdout
    );
    let field = &json(&["config", "chip.adc.bits", "--json"])["sections"][0]["fields"][0];
    assert_eq!(field["path"], "chip.adc.bits");
    assert_eq!(
        (&field["type"], &field["unit"]),
        (&"integer or list of integers".into(), &"bits".into())
    );
}

#[test]
fn sections_are_listed() {
    let all = pimento(&["config"]).stdout;
    assert!(
        all.contains("\n[chip.adc]\n") && all.contains("\n[variation.wafer]\n"),
        "{all}"
    );
    let chip = pimento(&["config", "chip"]).stdout;
    assert!(
        chip.contains("\n[chip.adc]\n") && !chip.contains("\n[variation]\n"),
        "{chip}"
    );
    assert_eq!(pimento(&["config", "-q"]).stdout, "");
    let run = pimento_with(&["config"], &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]);
    assert!(!run.stdout.contains('\x1b'));
}

#[test]
fn an_unknown_field_has_a_nearest_one() {
    for (name, near) in [
        ("chip.adc.bit", "chip.adc.bits"),
        ("row_ohm", "chip.wires.row_ohm"),
        ("variaton", "variation"),
    ] {
        let run = pimento(&["config", name]);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{name}");
        assert!(
            run.stderr.contains(&format!(
                "no field or section `{name}`; did you mean `{near}`?"
            )),
            "{}",
            run.stderr
        );
    }
    let run = pimento(&["config", "chip", "--schema"]);
    assert_eq!(run.code, 2);
}

#[test]
fn the_schema_is_json() {
    for args in [
        &["config", "--schema"][..],
        &["config", "--schema", "--json"],
    ] {
        let schema = json(args);
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
        assert_eq!(schema["additionalProperties"], false);
        let rows = &schema["properties"]["chip"]["properties"]["array"]["properties"]["rows"];
        assert_eq!(
            (&rows["type"], &rows["maximum"]),
            (&"integer".into(), &65536.into())
        );
    }
}

#[test]
fn presets_have_their_sources() {
    let list = pimento(&["presets"]).stdout;
    for name in ["ideal", "pcm", "rram-wan", "sonos"] {
        assert!(list.contains(&format!("{name}\n  ")), "{name}: {list}");
    }
    let list = json(&["presets", "--json"]);
    for preset in list["presets"].as_array().unwrap() {
        assert!(
            preset["name"] == "ideal" || preset["source"].is_string(),
            "{preset}"
        );
    }
    let pcm = pimento(&["presets", "pcm"]).stdout;
    assert!(
        pcm.starts_with("# Phase-change memory") && pcm.contains("[chip.array]"),
        "{pcm}"
    );
    assert_eq!(json(&["presets", "pcm", "--json"])["text"], pcm.as_str());
    let run = pimento(&["presets", "pcmm"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(
        run.stderr.contains("no preset \"pcmm\"; allowed: ideal"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("did you mean \"pcm\"?"),
        "{}",
        run.stderr
    );
}
