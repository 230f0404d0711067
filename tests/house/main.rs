//! The house rules of ARCHITECTURE.md, read off the sources. A breach is named by file and line.
//!
//! Each rule returns its breaches as text; a test fails when there is one. An exception is an
//! entry of an allow-list with its reason, and an exception that nothing needs any more is a
//! breach too.

mod builder;
mod cases;
mod examples;
mod generated;
mod imports;
mod lengths;
mod operators;
mod packed;
mod source;
mod text;

/// Fails with all breaches of a rule.
fn none(rule: &str, breaches: &[String]) {
    assert!(
        breaches.is_empty(),
        "{rule}: {} breach(es)\n  {}",
        breaches.len(),
        breaches.join("\n  ")
    );
}
