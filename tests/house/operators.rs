//! One operator has one name everywhere: `src/backend/cpu/<op>.rs`, `src/backend/wgpu/<op>.rs`,
//! `shaders/<op>.wgsl`, and `tests/cases/<op>.rs` whose cases both suites walk.
//!
//! The operators are those of the list `operators!` in `src/program/ops/mod.rs`, by the file of their
//! family: a gradient lives with the operator it belongs to (`conv2d_grad_input` in `conv2d`), its
//! host file and shader may be files of their own.

use super::none;
use super::source::{Source, files, paths, read, root, rust};

/// The list of operators.
const LIST: &str = "src/program/ops/mod.rs";

/// Files of another name than the operator's and its family's in which it may live, and why.
const HOMES: &[(&str, &str, &str)] = &[
    ("max_pool", "pool", "one window walk"),
    ("max_pool_grad", "pool", "one window walk"),
    ("avg_pool", "pool", "one window walk"),
    ("avg_pool_grad", "pool", "one window walk"),
];

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

/// An operator of the list.
struct Operator {
    /// Line of its family in the list.
    line: usize,
    /// File of its family.
    family: String,
    /// Its struct.
    camel: String,
}

/// All operators of the list, `family: Struct, Struct;` a line.
fn operators() -> Vec<Operator> {
    let list = Source::new(LIST.into(), read(LIST));
    let mut lines = list.code.lines().enumerate();
    lines
        .by_ref()
        .find(|(_, line)| line.starts_with("operators! {"))
        .expect("the list");
    lines
        .take_while(|(_, line)| *line != "}")
        .flat_map(|(i, line)| {
            let (family, structs) = line.trim().split_once(": ").expect("a family");
            let structs = structs.trim_end_matches(';').split(", ");
            structs.map(move |camel| Operator {
                line: i + 1,
                family: family.into(),
                camel: camel.into(),
            })
        })
        .collect()
}

/// Names of files that an operator may live in.
fn homes(operator: &Operator) -> Vec<String> {
    let op = snake(&operator.camel);
    let others = HOMES.iter().filter(|(name, _, _)| *name == op);
    let others: Vec<String> = others.map(|(_, home, _)| (*home).into()).collect();
    [op, operator.family.clone()]
        .into_iter()
        .chain(others)
        .collect()
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
    let (cases, ops, gpu) = (rust("tests/cases"), rust("tests/ops"), rust("tests/gpu"));
    let shaders = files("shaders", "wgsl");
    let mut breaches = Vec::new();
    for operator in operators() {
        let Operator {
            line,
            family,
            camel,
        } = &operator;
        let (op, homes) = (snake(camel), homes(&operator));
        let own = format!("src/program/ops/{family}.rs");
        let declared = root().join(&own).exists()
            && !Source::new(own.clone(), read(&own))
                .lines_with(camel)
                .is_empty();
        // Several passes have several files with the operator's name in front.
        let kernel = |name: &str| {
            let (whole, part) = (format!("shaders/{name}.wgsl"), format!("shaders/{name}_"));
            shaders.iter().any(|s| *s == whole || s.starts_with(&part))
        };
        let lives = |directory: &str| homes.iter().any(|home| module(directory, home));
        let shader = homes.iter().any(|home| kernel(home));
        let parts = [
            (declared, own),
            (lives("src/backend/cpu"), format!("src/backend/cpu/{op}.rs")),
            (
                lives("src/backend/wgpu"),
                format!("src/backend/wgpu/{op}.rs"),
            ),
            (shader, format!("shaders/{op}.wgsl")),
            // A few whose cases are not shared yet are tested in each suite.
            (
                named(&cases, camel) || (named(&ops, camel) && named(&gpu, camel)),
                format!("cases in tests/cases/{op}.rs"),
            ),
        ];
        for (_, what) in parts.iter().filter(|(there, _)| !there) {
            breaches.push(format!("{LIST}:{line}: {camel} has no {what}"));
        }
    }
    for (op, _, _) in HOMES {
        if !operators().iter().any(|o| snake(&o.camel) == *op) {
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
    let texts: Vec<String> = files("shaders", "wgsl")
        .iter()
        .map(|path| read(path))
        .collect();
    let homes: Vec<String> = operators().iter().flat_map(homes).collect();
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
        let belongs = homes
            .iter()
            .any(|name| stem == name || stem.starts_with(&format!("{name}_")));
        let excused = NO_OPERATOR.iter().any(|(name, _)| *name == stem);
        if !belongs && !excused && !stem.contains('/') {
            breaches.push(format!("{path}:1: carries no operator's name"));
        }
    }
    none("shaders", &breaches);
}

/// A kernel call may be cut between workgroups, so a kernel learns where it is from `flat_group` and `chip_of` of
/// `shared/run.wgsl` only, which know what other submissions do.
#[test]
fn kernels_know_their_place_by_two_functions() {
    let mut breaches = Vec::new();
    for path in files("shaders", "wgsl") {
        if path == "shaders/shared/run.wgsl" {
            continue;
        }
        let text = read(&path);
        let mut names = Vec::new();
        for (i, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if code.contains("global_invocation_id") {
                breaches.push(format!("{path}:{}: takes global_invocation_id", i + 1));
            }
            let place = ["workgroup_id)", "num_workgroups)"];
            let named = place.iter().find_map(|p| code.split_once(p));
            let name = named.and_then(|(_, rest)| rest.split(':').next());
            names.extend(name.map(|name| name.trim().to_owned()));
            for name in names.iter().filter(|name| {
                let axes = ["x", "y", "z"].map(|axis| format!("{name}.{axis}"));
                axes.iter().any(|axis| code.contains(axis.as_str()))
            }) {
                breaches.push(format!("{path}:{}: takes an axis of {name}", i + 1));
            }
        }
    }
    none("places of kernels", &breaches);
}

/// Central files know no operator by name: they go through `with_operator!` and the traits, so that a
/// new operator changes its own files, the list, and the modules of both backends.
#[test]
fn no_central_file_lists_operators() {
    let mut breaches = Vec::new();
    for directory in ["src/program", "src/backend"] {
        for source in rust(directory) {
            for path in paths(&source.product) {
                let [.., op, name] = path.segments.as_slice() else {
                    continue;
                };
                if op == "Op" && name.starts_with(|c: char| c.is_ascii_uppercase()) {
                    breaches.push(format!("{}: names Op::{name}", source.at(path.line)));
                }
            }
        }
    }
    none("operators by name", &breaches);
}

#[test]
fn the_operators_are_found() {
    let found: Vec<String> = operators().iter().map(|o| snake(&o.camel)).collect();
    for name in [
        "weight_scale",
        "conv2d_grad_input",
        "pointwise",
        "zero",
        "adam",
    ] {
        assert!(found.iter().any(|f| f == name), "{name} in {found:?}");
    }
}
