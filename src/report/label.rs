//! Words and units of fields and columns for axes, from their declarations.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::column::Column;
use crate::config::reference;
use crate::report::text::compact;
use crate::sweep::columns;
use crate::sweep::cost::COSTS;

/// What a field's declaration says.
struct Declared {
    unit: &'static str,
    about: String,
}

/// Every field by its path.
static FIELDS: LazyLock<HashMap<String, Declared>> = LazyLock::new(|| {
    let tables = reference::tables().into_iter();
    let fields = tables.flat_map(|table| table.fields);
    let declared = fields.map(|f| {
        let (unit, about) = (f.unit, f.about);
        (f.path, Declared { unit, about })
    });
    declared.collect()
});

/// Most words of a meaning that can be a title.
const MAX_WORDS: usize = 7;

/// Abbreviations in names of fields.
const ABBREVIATIONS: [&str; 4] = ["adc", "dac", "ir", "dnl"];

/// Units that are words, and the lack of one: they stay in a name.
const WORDS: [&str; 6] = ["", "bits", "images", "weights", "chips", "cells"];

/// Unit of a field; empty where it has none, or is no field.
pub(super) fn unit(path: &str) -> &'static str {
    FIELDS.get(path).map_or("", |f| f.unit)
}

/// A field as the title of an axis: its meaning where that is short, else its name in words; with its unit.
pub(super) fn field(path: &str) -> String {
    let unit = unit(path);
    let meaning = FIELDS.get(path).and_then(|f| meaning(&f.about));
    with_unit(&meaning.unwrap_or_else(|| name(path, unit)), unit)
}

/// A field with a value, as in `wires col = 2.5 ohm`; what is no field, such as a run, as in `run before`.
pub(super) fn valued(path: &str, value: &str) -> String {
    if !FIELDS.contains_key(path) {
        // Fields of stages and parts are not in the list; their last words say most.
        return format!("{} {value}", name(path, ""));
    }
    let title = field(path);
    match title.rsplit_once(" (") {
        Some((words, "s)")) => format!("{words} = {value}"),
        Some((words, unit)) => format!("{words} = {value} {}", unit.trim_end_matches(')')),
        None => format!("{title} = {value}"),
    }
}

/// What a column is called in a sentence, without unit.
pub(super) fn words(column: &Column) -> String {
    match column.title {
        "" => name(column.name, column.unit),
        title => title.to_string(),
    }
}

/// A column as the title of an axis: its words, with its unit.
pub(super) fn column(column: &Column) -> String {
    with_unit(&words(column), column.unit)
}

/// The declaration of a result by its name in files: a column that some experiments have, or a cost.
pub(super) fn declared(name: &str) -> Option<&'static Column> {
    columns::find(name).or_else(|| COSTS.iter().find(|cost| cost.name == name))
}

/// A result as the title of an axis, by its name in files.
pub(super) fn result(name: &str) -> String {
    declared(name).map_or_else(|| name.replace('_', " "), column)
}

/// A unit as pages write it.
pub(super) fn sign(unit: &str) -> String {
    match unit {
        "us" => "\u{b5}s".into(),
        "uS" => "\u{b5}S".into(),
        "um^2" => "\u{b5}m\u{b2}".into(),
        unit => unit.replace("^2", "\u{b2}"),
    }
}

fn with_unit(words: &str, unit: &str) -> String {
    let unit = sign(unit);
    match unit.is_empty() || words.split(' ').any(|word| word == unit.as_str()) {
        true => words.to_string(),
        false => format!("{words} ({unit})"),
    }
}

/// The first clause of a meaning, where it can be a title.
fn meaning(about: &str) -> Option<String> {
    let clause = about.split([';', ':', '.', ',']).next()?;
    // An aside is no part of a title.
    let clause = match (clause.find(" ("), clause.find(')')) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &clause[..from], &clause[to + 1..]),
        _ => clause.to_string(),
    };
    let words = clause.split_whitespace().count();
    let plain = !clause.contains(['`', '(', ')', '=', '_']) && (2..=MAX_WORDS).contains(&words);
    plain.then(|| lower_first(clause.trim()))
}

/// The last two parts of a path in words, without the unit at the end.
fn name(path: &str, unit: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    let last = &parts[parts.len().saturating_sub(2)..];
    let words = last.join(" ").replace(['_', '['], " ").replace(']', "");
    let end = format!(" {}", unit.to_lowercase());
    let words = match words.strip_suffix(&end) {
        // `adc bits` says more than `adc`.
        Some(shorter) if !WORDS.contains(&unit) && !shorter.is_empty() => shorter.to_string(),
        _ => words,
    };
    let words = words.split(' ').map(|word| match word {
        word if ABBREVIATIONS.contains(&word) => word.to_uppercase(),
        word => word.to_string(),
    });
    let words = words.collect::<Vec<_>>().join(" ");
    let words = words.replace("sigma w", "\u{3c3}_W");
    words.replace("sigma b", "\u{3c3}_B")
}

/// Without the capital at the beginning of a sentence; abbreviations keep theirs.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if first.is_ascii_uppercase() && second.is_lowercase() => {
            format!("{}{}", first.to_ascii_lowercase(), &text[1..])
        }
        _ => text.to_string(),
    }
}

/// Units of time that ages have, seconds.
pub(super) const TIMES: [(f64, &str); 5] = [
    (1.0, "s"),
    (60.0, "min"),
    (3600.0, "h"),
    (86_400.0, "d"),
    (365.0 * 86_400.0, "y"),
];

/// Seconds in the largest unit of which there is one: `25 s`, `1 h`, `30 d`, `1 y`.
pub(super) fn age(seconds: f64) -> String {
    let small = [(1.0, "s"), (1e-3, "ms"), (1e-6, "\u{b5}s"), (1e-9, "ns")];
    let found = match seconds.abs() {
        0.0 => return "0 s".into(),
        s if s >= 1.0 => TIMES.iter().rev().find(|(of, _)| s >= *of),
        s => small
            .iter()
            .find(|(of, _)| s >= 0.999_999 * of)
            .or(small.last()),
    };
    let &(of, unit) = found.unwrap_or(&TIMES[0]);
    let n = seconds / of;
    format!("{} {unit}", compact(n, if n.abs() < 9.95 { 1 } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_come_from_the_declarations() {
        for (path, title) in [
            ("chip.drift.time_s", "time since programming (s)"),
            ("chip.adc.bits", "ADC bits"),
            ("chip.cells.on_off_ratio", "cells on off ratio"),
            ("no.such_field", "no such field"),
            ("run", "run"),
        ] {
            assert_eq!(field(path), title);
        }
        assert_eq!(
            valued("chip.drift.time_s", "1 d"),
            "time since programming = 1 d"
        );
        assert_eq!(valued("chip.adc.bits", "8"), "ADC bits = 8");
        assert_eq!(valued("run", "before"), "run before");
        let of_stage = valued("train.stage.analog.loss.distill.weight", "1");
        assert_eq!(of_stage, "distill weight 1");
        assert_eq!(valued("converter_bits", "9"), "converter bits 9");
        assert_eq!(field("train.sigma_w"), "train \u{3c3}_W");
        assert_eq!(unit("chip.drift.time_s"), "s");
        let energy = crate::sweep::columns::find("energy_high_pj");
        assert_eq!(
            energy.map(column).as_deref(),
            Some("energy for an image, upper end (pJ)")
        );
        assert_eq!(result("area_high_mm2"), "area, upper end (mm\u{b2})");
        assert_eq!(
            result("latency_low_us"),
            "time for an image, lower end (\u{b5}s)"
        );
        assert_eq!(result("new_cost"), "new cost");
    }

    /// No name of a file stands where a reader looks for words.
    #[test]
    fn every_result_has_words_of_its_own() {
        let mut seen: Vec<String> = vec![];
        for c in columns::all().iter().chain(&COSTS) {
            let words = words(c);
            assert!(!words.contains('_') && words.len() < 50, "{words}");
            assert!(!c.title.is_empty() && !words.contains('('), "{words}");
            assert!(!seen.contains(&words), "{words}");
            seen.push(words);
        }
    }

    #[test]
    fn ages_are_read_in_the_unit_that_fits() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (1.0, "1 s"),
            (25.0, "25 s"),
            (90.0, "1.5 min"),
            (3600.0, "1 h"),
            (86_400.0, "1 d"),
            (2_592_000.0, "30 d"),
            (31_536_000.0, "1 y"),
            (315_360_000.0, "10 y"),
            (1e-8, "10 ns"),
            (2.5e-4, "250 \u{b5}s"),
        ] {
            assert_eq!(age(seconds), text);
        }
    }

    /// A title is never a sentence, never empty, and has no markup.
    #[test]
    fn every_field_has_a_short_title() {
        for path in FIELDS.keys() {
            let title = field(path);
            assert!(!title.is_empty() && title.len() < 80, "{path}: {title}");
            assert!(!title.contains(['`', '[']), "{path}: {title}");
            // Units may have subscripts.
            let words = title.split(" (").next().unwrap_or_default();
            let signs = ["\u{3c3}_W", "\u{3c3}_B"];
            let plain = signs
                .iter()
                .fold(words.to_string(), |w, s| w.replace(s, ""));
            assert!(!plain.contains('_'), "{path}: {title}");
        }
    }
}
