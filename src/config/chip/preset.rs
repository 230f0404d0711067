//! Presets: chips from the literature as files in the program.

use serde_json::json;
use toml::de::{DeTable, DeValue};

use super::Chip;
use crate::config::Variation;
use crate::config::reader::{Reader, Section, nearest};
use crate::config::rule::{Allowed, Read, Rule};
use crate::config::section::{Entry, Table};
use crate::error::{Code, Error, Mistake};

/// A chip from the literature.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// Name, for `chip.preset`.
    pub name: &'static str,
    /// Values of `[chip]` and `[variation]` as TOML, under a head of comments.
    pub text: &'static str,
}

impl Preset {
    /// The preset of a name.
    ///
    /// # Errors
    /// [`Error::Input`] for a name that there is not, with those that there are.
    pub fn find(name: &str) -> crate::Result<&'static Preset> {
        find(name).map_err(|mistake| Error::Input(vec![*mistake]))
    }

    /// Kind of the chip.
    pub fn about(&self) -> String {
        self.head().swap_remove(0)
    }

    /// Source of the values; none for an ideal chip.
    pub fn source(&self) -> Option<String> {
        let head = self.head();
        let source = head.iter().find_map(|text| text.strip_prefix("Source: "));
        source.map(str::to_string)
    }

    /// Paragraphs of the comments above the values.
    fn head(&self) -> Vec<String> {
        let lines = self.text.lines().map_while(|line| line.strip_prefix('#'));
        let lines: Vec<&str> = lines.map(str::trim).collect();
        let paragraphs = lines.split(|line| line.is_empty());
        paragraphs.map(|lines| lines.join(" ")).collect()
    }
}

fn find(name: &str) -> Read<&'static Preset> {
    PRESETS
        .iter()
        .find(|preset| preset.name == name)
        .ok_or_else(|| {
            let hint = nearest(name, &names()).map(str::to_string);
            Mistake::new(Code::NotAllowed, format!("no preset {name:?}"))
                .value(format!("{name:?}"))
                .allowed(names().join(", "))
                .hint(hint)
                .into()
        })
}

macro_rules! presets {
    ($($name:literal)*) => {
        /// The chips that come with the program.
        pub const PRESETS: &[Preset] = &[
            $(Preset {
                name: $name,
                text: include_str!(concat!("../../../assets/presets/", $name, ".toml")),
            },)*
        ];
    };
}

presets! { "ideal" "crosssim-2slice" "crosssim-4slice" "pcm" "rram-milo" "rram-wan" "sonos" }

/// The name of a [`Preset`].
pub(super) struct Name;

impl Rule<Option<&'static str>> for Name {
    fn read(&self, value: &DeValue) -> Read<Option<&'static str>> {
        find(value.as_str().unwrap_or_default()).map(|preset| Some(preset.name))
    }

    fn allowed(&self) -> Allowed {
        Allowed::new("text", names().join(", "), json!({"enum": names()}))
    }

    fn written(&self, value: &Option<&'static str>) -> Option<toml::Value> {
        value.map(|name| toml::Value::String(name.into()))
    }
}

fn names() -> Vec<&'static str> {
    PRESETS.iter().map(|preset| preset.name).collect()
}

/// The defaults of `[chip]` and `[variation]` where the file names a preset in its section `[chip]`.
pub(in crate::config) fn defaults(chip: &Section) -> (Chip, Variation) {
    let name = chip.peek("preset", &Name).flatten();
    let Some(preset) = PRESETS.iter().find(|preset| Some(preset.name) == name) else {
        return Default::default();
    };
    parse(preset).unwrap_or_else(|mistakes| {
        let texts: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
        chip.refuse("preset", texts.join("; "));
        Default::default()
    })
}

impl Chip {
    /// Section and field of every curve that the preset has and this chip has not: left out of a file,
    /// they would be the preset's.
    pub(in crate::config) fn without(&self) -> Vec<[&'static str; 2]> {
        let preset = PRESETS.iter().find(|p| Some(p.name) == self.preset);
        let Some(Ok((preset, _))) = preset.map(parse) else {
            return Vec::new();
        };
        let curves = |chip: &Chip| {
            [
                chip.programming.sigma.is_some(),
                chip.read.sigma.is_some(),
                chip.read.one_over_f.is_some(),
            ]
        };
        let names = [
            ["programming", "sigma"],
            ["read", "sigma"],
            ["read", "one_over_f"],
        ];
        let both = curves(&preset).into_iter().zip(curves(self));
        let missing = names
            .into_iter()
            .zip(both)
            .filter(|(_, both)| *both == (true, false));
        missing.map(|(name, _)| name).collect()
    }
}

fn parse(preset: &Preset) -> Result<(Chip, Variation), Vec<Mistake>> {
    let Preset { name, text } = *preset;
    let reader = Reader::new(text, Some(name));
    let document = DeTable::parse(text)
        .map_err(|e| vec![Mistake::new(Code::Syntax, format!("{name}: {e}"))])?;
    let mut root = reader.root(document.get_ref());
    let base = Chip {
        preset: Some(name),
        ..Chip::default()
    };
    let chip = Table.take(&mut root, "chip", base);
    let variation = Table.take(&mut root, "variation", Variation::default());
    root.finish();
    match reader.mistakes() {
        mistakes if mistakes.is_empty() => Ok((chip, variation)),
        mistakes => Err(mistakes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_read_and_says_where_it_comes_from() {
        for preset in PRESETS {
            let name = preset.name;
            let (chip, _) = parse(preset).unwrap_or_else(|e| panic!("{e:?}"));
            assert_eq!(chip.preset, Some(name));
            assert!(!preset.about().is_empty(), "{name}");
            assert!(name == "ideal" || preset.source().is_some(), "{name}");
        }
    }
}
