//! Presets: chips from the literature as files in the program.

use toml::de::DeTable;

use super::Chip;
use crate::config::Variation;
use crate::config::reader::{Reader, Section, nearest};

macro_rules! presets {
    ($($name:literal)*) => {
        /// Names and texts of the presets.
        pub const PRESETS: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../../assets/presets/", $name, ".toml"))),)*
        ];
    };
}

presets! { "ideal" "crosssim-2slice" "crosssim-4slice" "pcm" "rram-milo" "rram-wan" "sonos" }

/// What a section says by its `preset`: the defaults of `[chip]` and `[variation]`.
pub(in crate::config) fn read(s: &mut Section) -> (Chip, Variation) {
    let found = s.field("preset", None, |v| {
        let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
        let text = v.as_str().unwrap_or_default();
        match PRESETS.iter().find(|(name, _)| *name == text) {
            Some(preset) => Ok(Some(preset)),
            None => {
                let hint = nearest(text, &names).map(|n| format!("; did you mean \"{n}\"?"));
                Err(format!(
                    "no preset {text:?}; allowed: {}{}",
                    names.join(", "),
                    hint.unwrap_or_default()
                ))
            }
        }
    });
    let Some((name, text)) = found else {
        return Default::default();
    };
    match parse(name, text) {
        Ok(preset) => preset,
        Err(messages) => {
            s.refuse("preset", messages.join("; "));
            Default::default()
        }
    }
}

fn parse(name: &'static str, text: &str) -> Result<(Chip, Variation), Vec<String>> {
    let reader = Reader::new(text, name);
    let document = DeTable::parse(text).map_err(|e| vec![format!("{name}: {e}")])?;
    let mut root = reader.root(document.get_ref());
    let base = Chip {
        preset: Some(name),
        ..Chip::default()
    };
    let chip = Chip::read(root.section("chip"), base);
    let variation = Variation::read(root.section("variation"), Variation::default());
    root.finish();
    match reader.messages() {
        messages if messages.is_empty() => Ok((chip, variation)),
        messages => Err(messages),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_read_and_says_where_it_comes_from() {
        for (name, text) in PRESETS {
            let (chip, _) = parse(name, text).unwrap_or_else(|e| panic!("{e:?}"));
            assert_eq!(chip.preset, Some(*name));
            assert!(text.starts_with("# "), "{name}");
            assert!(*name == "ideal" || text.contains("Source:"), "{name}");
        }
    }
}
