//! Names of experiments, which become names of files and directories.

use std::path::Path;

use serde_json::json;
use toml::de::DeValue;

use super::reader::short;
use super::rule::{Allowed, Read, Rule, Text};
use crate::error::{Code, Mistake};

/// Longest experiment name.
const MAX_NAME: usize = 100;

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Whether a name is one plain component of a path on every system: it neither leaves its directory
/// nor hides in it, and Windows takes it as it is.
fn is_plain_name(name: &str) -> bool {
    // Windows knows these as devices, whatever ending follows.
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let numbered = |device: &str| {
        let number = stem.strip_prefix(device);
        number.is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()))
    };
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name.chars().all(is_name_char)
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !DEVICES.contains(&stem.as_str())
        && !numbered("com")
        && !numbered("lpt")
}

/// The name of an experiment file without one.
pub(super) fn of_file(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if is_name_char(c) { c } else { '-' };
    let stem: String = stem.chars().map(plain).take(MAX_NAME).collect();
    match is_plain_name(&stem) {
        true => stem,
        false => "experiment".into(),
    }
}

/// A name that every system takes.
pub(super) struct Name;

impl Rule<String> for Name {
    fn read(&self, value: &DeValue) -> Read<String> {
        let name = Text.read(value)?;
        match is_plain_name(&name) {
            true => Ok(name),
            false => {
                let name = format!("{:?}", short(&name));
                let text = format!("value {name} is not allowed");
                let mistake = Mistake::new(Code::NotAllowed, text);
                Err(mistake.value(name).allowed(allowed()).into())
            }
        }
    }

    fn allowed(&self) -> Allowed {
        let schema = json!({"type": "string", "minLength": 1, "maxLength": MAX_NAME});
        Allowed::new("text", allowed(), schema)
    }
}

fn allowed() -> String {
    format!(
        "1 to {MAX_NAME} letters, digits, '-', '_' or '.', no '.' at either end, no name that a system reserves"
    )
}
