use std::path::Path;

use toml::Value;

use super::*;
use crate::config::reader::Reader;
use crate::config::tests::whole;
use crate::config::{chip, read_fields};
use crate::error::Code;
use crate::random::{Purpose, Stream};

/// Names and texts of the experiments that ship.
fn shipped() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path.display().to_string(), text));
        }
    }
    found.sort();
    assert!(found.len() >= 9);
    found
}

/// As editors see it: JSON has no infinity.
fn json(value: &Value) -> Json {
    match value {
        Value::Float(x) if x.is_infinite() => Json::Null,
        Value::Array(list) => list.iter().map(json).collect(),
        Value::Table(table) => {
            let entries = table.iter().map(|(k, v)| (k.clone(), json(v)));
            Json::Object(entries.collect())
        }
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_) => serde_json::to_value(value).unwrap(),
    }
}

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&schema()).unwrap()
}

#[test]
fn shipped_experiments_and_presets_are_valid() {
    let validator = validator();
    let presets = chip::PRESETS.iter();
    let presets = presets.map(|p| (p.name.to_string(), p.text.to_string()));
    for (name, text) in shipped().into_iter().chain(presets) {
        let document: Value = toml::from_str(&text).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&json(&document))
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");
    }
}

/// The steps from the root to every value, keys and positions in lists.
fn places(value: &Value, here: &[String], found: &mut Vec<Vec<String>>) {
    let mut inside = |key: String, value: &Value| {
        let place = [here, &[key]].concat();
        found.push(place.clone());
        places(value, &place, found);
    };
    match value {
        Value::Table(table) => table.iter().for_each(|(k, v)| inside(k.clone(), v)),
        Value::Array(list) => (0..)
            .zip(list)
            .for_each(|(i, v): (usize, _)| inside(i.to_string(), v)),
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_) => {}
    }
}

fn at<'v>(value: &'v mut Value, place: &[String]) -> &'v mut Value {
    place.iter().fold(value, |value, key| match value {
        Value::Array(list) => &mut list[key.parse::<usize>().unwrap()],
        other => &mut other[key.as_str()],
    })
}

/// Puts an unknown key somewhere, misspells a key, or replaces a value by one of any type. None: the
/// draws lead to no such change.
fn mutate(document: &mut Value, draws: &Stream) -> Option<()> {
    let pick = |i: u32, n: usize| draws.word(i) as usize % n;
    let mut all = vec![Vec::new()];
    places(document, &[], &mut all);
    let place = &all[pick(0, all.len())];
    let target = at(document, place);
    match pick(1, 3) {
        0 => _ = target.as_table_mut()?.insert("unknown".into(), 1.into()),
        1 => {
            let (key, around) = place.split_last()?;
            let table = at(document, around).as_table_mut()?;
            let value = table.remove(key)?;
            table.insert(format!("{key}x"), value);
        }
        _ => {
            // Lists that go side by side must keep their lengths, which no schema knows.
            let is_side_by_side = target.is_array() && place.len() == 3 && place[1] == "axes";
            if is_side_by_side || place.is_empty() {
                return None;
            }
            let unknown: toml::Table = [("unknown".to_string(), 1.into())].into_iter().collect();
            let values: [Value; 7] = [
                "zz".into(),
                7.into(),
                0.517.into(),
                true.into(),
                Value::Array(Vec::new()),
                vec![0.517].into(),
                unknown.into(),
            ];
            *target = values[pick(2, values.len())].clone();
        }
    }
    Some(())
}

#[test]
fn reader_and_schema_agree_on_mutated_experiments() {
    let validator = validator();
    let shipped = shipped();
    let (mut valid, mut refused) = (0, 0);
    for k in 0.. {
        if valid + refused == 1000 {
            break;
        }
        let draws = Stream::new(16, Purpose::Design, 0, k, 0);
        let (name, text) = &shipped[k as usize % shipped.len()];
        let mut document: Value = toml::from_str(text).unwrap();
        if mutate(&mut document, &draws).is_none() {
            continue;
        }
        let text = toml::to_string(&document).unwrap();
        let reader = Reader::new(&text, Some("x.toml"));
        read_fields(&text, &reader, "x").unwrap();
        let by_schema = validator.is_valid(&json(&document));
        let mut mistakes = reader.mistakes();
        mistakes.iter().for_each(whole);
        // The same value twice on an axis is right in some designs and wrong in others, which no schema knows.
        mistakes.retain(|mistake| mistake.code != Code::Repeated);
        let told = format!("{name}: {mistakes:?}\n{text}");
        assert_eq!(mistakes.is_empty(), by_schema, "{told}");
        match by_schema {
            true => valid += 1,
            false => refused += 1,
        }
    }
    // Both verdicts were heard.
    assert!(valid > 50 && refused > 500, "{valid} {refused}");
}

#[test]
fn settings_of_layers_have_the_schema_of_the_fields_that_they_override() {
    let validator = validator();
    let valid = |text: &str| {
        let document: Value = toml::from_str(text).unwrap();
        let by_schema = validator.is_valid(&json(&document));
        let reader = Reader::new(text, Some("x.toml"));
        read_fields(text, &reader, "x").unwrap();
        let messages = reader.mistakes();
        assert_eq!(messages.is_empty(), by_schema, "{messages:?}\n{text}");
        by_schema
    };
    for text in [
        "[layer.\"conv*\"]\ndigital = true\nweight_bits = 2\n",
        "[layer.a.chip.adc]\nbits = [3, 1]\n[layer.a.chip.array]\nrows = 4\n",
        "[layer.a.variation]\non_off_ratio = inf\n",
        "[sweep.axes]\n'layer.\"a\".weight_bits' = [1, 2]\nlayer.b.digital = [true, false]\n",
    ] {
        assert!(valid(text), "{text}");
    }
    for text in [
        "[layer.a]\nprofile = \"pimento\"\n",
        "[layer.a]\nweight_bits = 9\n",
        "[layer.a.chip.adc]\nshared = true\n",
        "[layer.a.chip]\npreset = \"ideal\"\n",
        "[layer.a.variation.wafer]\n",
        "[layer]\na = 1\n",
    ] {
        assert!(!valid(text), "{text}");
    }
}
