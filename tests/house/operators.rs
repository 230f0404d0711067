//! One operator has one name everywhere: `src/backend/cpu/<op>.rs`, `src/backend/wgpu/<op>.rs`,
//! `shaders/<op>.wgsl`, `tests/ops/<op>.rs`, and a case in `tests/gpu`.
//!
//! The operators are the variants of `Op` in `src/program/op.rs`; a gradient lives with the
//! operator it belongs to (`conv2d_grad_input` in `conv2d`), its shader may be a file of its own.

use super::none;
use super::source::{Source, files, read, root, rust};

/// Files of another name in which an operator may live, and why.
const HOMES: &[(&str, &[&str], &str)] = &[
    ("conv2d_grad_input", &["conv2d"], "gradient"),
    ("conv2d_grad_weight", &["conv2d"], "gradient"),
    (
        "activation_grad",
        &["pointwise"],
        "gradient of its epilogue",
    ),
    ("max_pool", &["pool"], "one window walk"),
    ("max_pool_grad", &["max_pool", "pool"], "gradient"),
    ("avg_pool", &["pool"], "one window walk"),
    ("avg_pool_grad", &["avg_pool", "pool"], "gradient"),
    ("batch_norm_stats", &["batch_norm"], "one method"),
    ("batch_norm_fold", &["batch_norm"], "one method"),
    ("batch_norm_grad_sums", &["batch_norm"], "one method"),
    ("batch_norm_grad", &["batch_norm"], "one method"),
    ("quantize_weight_grad", &["quantize_weight"], "gradient"),
    ("fabricate_grad", &["fabricate"], "gradient"),
    ("quantize_act_grad", &["quantize_act"], "gradient"),
    ("binarize_act_grad", &["binarize_act"], "gradient"),
];

/// Twins that would be too short for a file, and where they are.
const INLINE: &[(&str, &str)] = &[(
    "src/backend/cpu/zero.rs",
    "one line of src/backend/cpu/whole.rs",
)];

/// Shaders that carry no operator's name, and what they are for.
const NO_OPERATOR: &[(&str, &str)] = &[
    (
        "combine",
        "second stage of the reductions whose first stage is the operator's own",
    ),
    (
        "sum_partials",
        "second stage of sums over images: gradients of weights, channel sums",
    ),
    ("peak_copy", "measures an adapter's bandwidth"),
    ("peak_fma", "measures an adapter's arithmetic peak"),
];

fn snake(camel: &str) -> String {
    let mut out = String::new();
    for c in camel.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Variants of `pub enum Op`, with their lines.
fn operators() -> Vec<(usize, String)> {
    let path = "src/program/op.rs";
    let program = Source::new(path.into(), read(path));
    let mut lines = program.code.lines().enumerate();
    lines
        .by_ref()
        .find(|(_, line)| line.starts_with("pub enum Op "))
        .expect("enum Op in src/program/op.rs");
    lines
        .take_while(|(_, line)| *line != "}")
        .filter_map(|(i, line)| {
            let variant = line.strip_prefix("    ")?;
            let name = variant.split([' ', ',', '(']).next()?;
            name.starts_with(|c: char| c.is_ascii_uppercase())
                .then(|| (i + 1, name.to_owned()))
        })
        .collect()
}

/// The operator's own name and the others it may live under.
fn homes(op: &str) -> Vec<&str> {
    let others = HOMES.iter().find(|(name, _, _)| *name == op);
    let others = others.map_or(&[][..], |(_, homes, _)| homes);
    [op].into_iter().chain(others.iter().copied()).collect()
}

/// `<directory>/<name>.rs`, or `<directory>/<name>/mod.rs`.
fn module(directory: &str, name: &str) -> bool {
    ["", "/mod"]
        .iter()
        .any(|tail| root().join(format!("{directory}/{name}{tail}.rs")).exists())
}

/// Whether code or strings of one of the sources hold the name, as `Camel` or `snake`.
fn named(sources: &[Source], camel: &str) -> bool {
    let snake = snake(camel);
    sources.iter().any(|source| {
        !source.lines_with(camel).is_empty()
            || !source.lines_with(&snake).is_empty()
            || source.strings.iter().any(|(_, s)| *s == snake)
    })
}

#[test]
fn every_operator_has_its_twins_and_tests() {
    let (ops, gpu) = (rust("tests/ops"), rust("tests/gpu"));
    let shaders = files("shaders", "wgsl");
    let mut breaches = Vec::new();
    for (line, camel) in operators() {
        let op = snake(&camel);
        let homes = homes(&op);
        // Several passes have several files with the operator's name in front.
        let kernel = |name: &str| {
            let (whole, part) = (format!("shaders/{name}.wgsl"), format!("shaders/{name}_"));
            shaders.iter().any(|s| *s == whole || s.starts_with(&part))
        };
        let lives = |directory: &str| homes.iter().any(|home| module(directory, home));
        let shader = homes.iter().any(|home| kernel(home));
        let parts = [
            (lives("src/backend/cpu"), format!("src/backend/cpu/{op}.rs")),
            (
                lives("src/backend/wgpu"),
                format!("src/backend/wgpu/{op}.rs"),
            ),
            (shader, format!("shaders/{op}.wgsl")),
            (
                ops.is_empty() || named(&ops, &camel),
                "test in tests/ops".into(),
            ),
            (
                gpu.is_empty() || named(&gpu, &camel),
                "test in tests/gpu".into(),
            ),
        ];
        let inline = |what: &str| INLINE.iter().any(|(path, _)| *path == what);
        for (_, what) in parts.iter().filter(|(there, what)| !there && !inline(what)) {
            breaches.push(format!("src/program/op.rs:{line}: {camel} has no {what}"));
        }
    }
    for (op, _, _) in HOMES {
        if !operators().iter().any(|(_, camel)| snake(camel) == *op) {
            breaches.push(format!(
                "tests/house/operators.rs: HOMES entry {op} is no operator"
            ));
        }
    }
    none("twins", &breaches);
}

#[test]
fn every_shader_is_used_and_belongs_to_an_operator() {
    let sources = rust("src/backend/wgpu");
    let operators: Vec<String> = operators().iter().map(|(_, camel)| snake(camel)).collect();
    let texts: Vec<String> = files("shaders", "wgsl").iter().map(|path| read(path)).collect();
    let mut breaches = Vec::new();
    for path in files("shaders", "wgsl") {
        let file = path.trim_start_matches("shaders/");
        let stem = file.trim_end_matches(".wgsl");
        let called = sources
            .iter()
            .any(|s| s.strings.iter().any(|(_, text)| text == stem));
        let include = format!("//!include {file}\n");
        let included = texts.iter().any(|text| text.contains(&include));
        // Shaders include every effect of the list by its name.
        let effect = stem.strip_prefix("effects/");
        let listed = effect.is_some_and(|name| module("src/effects", name));
        if !called && !included && !listed {
            breaches.push(format!("{path}:1: no kernel and no part of one"));
        }
        let belongs = operators
            .iter()
            .map(String::as_str)
            .flat_map(|op| homes(op))
            .any(|name| stem == name || stem.starts_with(&format!("{name}_")));
        let excused = NO_OPERATOR.iter().any(|(name, _)| *name == stem);
        if !belongs && !excused && !stem.contains('/') {
            breaches.push(format!("{path}:1: carries no operator's name"));
        }
    }
    none("shaders", &breaches);
}

#[test]
fn the_operators_are_found() {
    let found: Vec<String> = operators()
        .into_iter()
        .map(|(_, name)| snake(&name))
        .collect();
    for name in [
        "weight_scale",
        "conv2d_grad_input",
        "pointwise",
        "zero",
        "adam",
    ] {
        assert!(found.iter().any(|f| f == name), "{name} in {found:?}");
    }
    assert!(!found.iter().any(|f| f == "image" || f == "bits"));
}
