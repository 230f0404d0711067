//! The card "What was simulated": the network, the images and the hardware, from the run's
//! experiment, with what the sweep varies.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::Value;

use crate::config::chip::Preset;
use crate::report::pairing::{distinct, table, word};
use crate::report::text::{compact, duration, escape, html};
use crate::sweep::result::SweepResult;

/// Most values of a swept field that are listed.
const MAX_LISTED: usize = 8;

/// Digits of a SHA-256 that are shown; summary.json has all.
const DIGITS: usize = 12;

/// Most networks whose digests are listed.
const MAX_DIGESTS: usize = 4;

/// Letters of a value that has the card's whole width.
const LONG: usize = 150;

/// Fields that the card tells.
const FIELDS: [&str; 60] = [
    "fidelity",
    "network.kind",
    "network.file",
    "network.file_sha256",
    "network.width",
    "network.hidden",
    "network.channels",
    "data.kind",
    "data.set",
    "data.dir",
    "data.file",
    "train.recipe",
    "train.epochs",
    "train.level",
    "train.variation",
    "train.seed",
    "quantize.weight_bits",
    "quantize.activation_bits",
    "quantize.input_bits",
    "variation.law",
    "variation.mapping",
    "variation.distribution",
    "variation.on_off_ratio",
    "variation.sigma_w",
    "variation.sigma_b",
    "variation.sigma_layer",
    "variation.sigma_array",
    "variation.sampling",
    "chip.preset",
    "chip.array.rows",
    "chip.array.cols",
    "chip.array.split",
    "chip.cells.slice_bits",
    "chip.cells.encoding",
    "chip.cells.two_sided",
    "chip.cells.subtraction",
    "chip.cells.reference",
    "chip.cells.on_off_ratio",
    "chip.cells.storage",
    "chip.programming.sigma",
    "chip.programming.stuck_off",
    "chip.programming.stuck_on",
    "chip.drift.time_s",
    "chip.wires.row_ohm",
    "chip.wires.col_ohm",
    "chip.wires.topology",
    "chip.wires.method",
    "chip.read.proportional",
    "chip.read.fixed",
    "chip.read.sigma",
    "chip.read.one_over_f",
    "chip.dac.bits",
    "chip.dac.accumulate",
    "chip.adc.bits",
    "chip.adc.range",
    "chip.adc.codes",
    "tuning.method",
    "tuning.test_cells",
    "tuning.scope",
    "tuning.place",
];

/// What the points of a run have of its fields.
pub(super) struct Settings<'a> {
    result: &'a SweepResult,
    values: BTreeMap<String, Vec<Value>>,
}

impl<'a> Settings<'a> {
    /// Reads them; `None` where the run's experiment is not known.
    pub fn new(result: &'a SweepResult) -> Option<Self> {
        if !result.config.is_object() || result.points.is_empty() {
            return None;
        }
        let names = FIELDS.map(str::to_string);
        let values = table(result, &names).into_iter();
        let values = values.map(|(name, all)| (name, distinct(&all))).collect();
        Some(Self { result, values })
    }

    /// Values of a field that occur, without points that do not have it.
    fn all(&self, path: &str) -> Vec<&Value> {
        let values = self.values.get(path).into_iter().flatten();
        values.filter(|v| !v.is_null()).collect()
    }

    /// Whether the field has this value at every point.
    fn is(&self, path: &str, value: &str) -> bool {
        let all = self.all(path);
        !all.is_empty() && all.iter().all(|v| v.as_str() == Some(value))
    }

    /// Whether the field has this value at some point.
    pub fn has(&self, path: &str, value: &str) -> bool {
        self.all(path).iter().any(|v| v.as_str() == Some(value))
    }

    /// Whether a number is above 0 at some point.
    pub fn is_positive(&self, path: &str) -> bool {
        self.all(path).iter().any(|v| v.as_f64() > Some(0.0))
    }

    /// The field in words: its value, or those that the sweep gives it; nothing where it is not set.
    fn words(&self, path: &str) -> String {
        let all = self.all(path);
        let listed: Vec<String> = all.iter().take(MAX_LISTED).map(|v| phrase(v)).collect();
        match all.len() {
            0 | 1 => listed.concat(),
            n if n <= MAX_LISTED => format!("{} (swept)", listed.join(" / ")),
            n => {
                let ends = [all[0], all[n - 1]].map(phrase);
                format!("{n} values from {} to {} (swept)", ends[0], ends[1])
            }
        }
    }

    /// `name value` where the field is set; an empty list says nothing.
    fn named(&self, name: &str, path: &str) -> String {
        match self.words(path) {
            none if none.is_empty() || none == "[]" => String::new(),
            words => format!("{name} {words}"),
        }
    }

    /// A ratio of conductances: cells without any current when they are off have no number.
    fn ratio(&self, path: &str) -> String {
        match self.words(path).as_str() {
            "" => String::new(),
            "inf" => "off cells without current".into(),
            words => format!("on/off ratio {}", words.replace("inf", "infinite")),
        }
    }

    /// As [`Settings::named`], where the number is not 0 at every point.
    fn nonzero(&self, name: &str, path: &str) -> String {
        match self.is_positive(path) {
            true => self.named(name, path),
            false => String::new(),
        }
    }

    /// Beginning of a digest that the run's provenance has.
    fn digest(&self, name: &str) -> String {
        let more = &self.result.provenance.more;
        let digest = more.get(name).and_then(Value::as_str).unwrap_or_default();
        short(digest)
    }

    /// The rows of the card: what, and its words.
    fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = self.software();
        rows.extend(self.preset());
        if self.has("fidelity", "cell") {
            rows.extend(self.hardware());
        }
        if !self.is("fidelity", "cell") {
            let parts = [
                self.named("mapping", "variation.mapping"),
                self.ratio("variation.on_off_ratio"),
            ];
            rows.push(("weights on the chip", join(&parts)));
        }
        let scopes = [
            self.words("tuning.method"),
            match self.has("tuning.method", "self-tuning") {
                true => self.named("test cells", "tuning.test_cells"),
                false => String::new(),
            },
            self.named("for every", "tuning.scope"),
            self.named("at", "tuning.place"),
        ];
        rows.push(("variation", self.variation()));
        rows.push(("tuning", join(&scopes)));
        rows.retain(|(_, words)| !words.is_empty());
        rows
    }

    /// Names and patterns of layers that differ from what the card says.
    fn own_layers(&self) -> String {
        let layers = self.result.config["layer"].as_object();
        let names = layers.into_iter().flat_map(|layers| layers.keys());
        names.cloned().collect::<Vec<String>>().join(", ")
    }

    fn software(&self) -> Vec<(&'static str, String)> {
        let file = self.words("network.file_sha256");
        let network = [
            self.words("network.kind"),
            self.named("channels", "network.channels"),
            self.named("hidden units", "network.hidden"),
            match self.words("network.width") == "1" {
                true => String::new(),
                false => self.named("width", "network.width"),
            },
            self.words("network.file"),
            match file.is_empty() {
                true => String::new(),
                false => format!("SHA-256 {}", short(&file)),
            },
            self.weights(),
        ];
        let digest = self.digest("test_data_sha256");
        let data = [
            self.words("data.kind"),
            match self.is("data.kind", "embedded") {
                true => self.words("data.set"),
                false => String::new(),
            },
            self.words("data.dir"),
            self.words("data.file"),
            match digest.is_empty() {
                true => digest,
                false => format!("test images\u{2019} SHA-256 {digest}"),
            },
        ];
        let training = [
            self.words("train.recipe"),
            self.named("epochs", "train.epochs"),
            self.named("level", "train.level"),
            self.named("seed", "train.seed"),
        ];
        let bits = [
            self.named("weights", "quantize.weight_bits"),
            self.named("activations", "quantize.activation_bits"),
            self.nonzero("network\u{2019}s input", "quantize.input_bits"),
        ];
        let mut rows = vec![
            ("network", join(&network)),
            ("images", join(&data)),
            ("training", join(&training)),
            ("bits", join(&bits)),
            (
                "simulated",
                match self.words("fidelity").as_str() {
                    "cell" => "every cell of every array".into(),
                    "weight" => "every weight".into(),
                    other => other.to_string(),
                },
            ),
        ];
        let own = self.own_layers();
        if !own.is_empty() {
            rows.push(("layers with settings of their own", own));
        }
        rows
    }

    /// The trained parameters, by their digest.
    fn weights(&self) -> String {
        let points = self.result.points.iter();
        let digests = points.filter_map(|p| p.model_sha256.as_deref());
        let digests: BTreeSet<&str> = digests.filter(|d| !d.is_empty()).collect();
        match digests.first() {
            None => String::new(),
            Some(_) if digests.len() <= MAX_DIGESTS => {
                let digests: Vec<String> = digests.into_iter().map(short).collect();
                format!("parameters\u{2019} SHA-256 {}", digests.join(" / "))
            }
            Some(_) => format!("{} networks, their SHA-256 in summary.json", digests.len()),
        }
    }

    /// The preset of the chip, and where its values come from.
    fn preset(&self) -> Vec<(&'static str, String)> {
        let names: Vec<&str> = self
            .all("chip.preset")
            .into_iter()
            .filter_map(Value::as_str)
            .collect();
        if names.is_empty() {
            let none = self.has("fidelity", "cell").then(|| "none".to_string());
            return none.map(|none| ("preset", none)).into_iter().collect();
        }
        let told = names.iter().map(|name| {
            // A run of another version may have a preset that this one does not know.
            let preset = Preset::find(name).ok();
            let told = match preset.map(|preset| (preset.about(), preset.source())) {
                Some((_, Some(source))) => source,
                Some((about, None)) => about,
                None => "not known to this version".into(),
            };
            match names.len() {
                1 => told,
                _ => format!("{name}: {told}"),
            }
        });
        vec![
            ("preset", self.words("chip.preset")),
            ("source of the preset", told.collect::<Vec<_>>().join(" ")),
        ]
    }

    fn hardware(&self) -> Vec<(&'static str, String)> {
        let size = ["chip.array.rows", "chip.array.cols"].map(|path| self.words(path));
        let arrays = [
            format!("{} rows x {} columns", size[0], size[1]),
            self.named("cut", "chip.array.split"),
        ];
        let cells = [
            self.named("bits of a slice at most", "chip.cells.slice_bits"),
            self.words("chip.cells.encoding"),
            match self.has("chip.cells.encoding", "differential") {
                true => self.named("subtraction", "chip.cells.subtraction"),
                false => self.named("reference cells", "chip.cells.reference"),
            },
            self.ratio("chip.cells.on_off_ratio"),
            self.named("kept as", "chip.cells.storage"),
        ];
        let programming = [
            self.named("sigma", "chip.programming.sigma"),
            self.nonzero("stuck off", "chip.programming.stuck_off"),
            self.nonzero("stuck on", "chip.programming.stuck_on"),
        ];
        let read = [
            self.nonzero("proportional", "chip.read.proportional"),
            self.nonzero("fixed", "chip.read.fixed"),
            self.named("sigma", "chip.read.sigma"),
            self.named("1/f", "chip.read.one_over_f"),
        ];
        let wires = match ["chip.wires.row_ohm", "chip.wires.col_ohm"]
            .iter()
            .any(|path| self.is_positive(path))
        {
            true => join(&[
                self.named("ohm a cell in rows", "chip.wires.row_ohm"),
                self.named("in columns", "chip.wires.col_ohm"),
                self.words("chip.wires.topology"),
                self.words("chip.wires.method"),
            ]),
            false => "without resistance".into(),
        };
        vec![
            ("arrays", join(&arrays)),
            ("cells", join(&cells)),
            ("programming error", join(&programming)),
            ("age", self.age()),
            ("wires", wires),
            ("read noise", join(&read)),
            ("inputs", self.inputs()),
            ("converters", self.converters()),
        ]
    }

    fn age(&self) -> String {
        if !self.is_positive("chip.drift.time_s") {
            return "as programmed".into();
        }
        let times = self.all("chip.drift.time_s");
        let times: Vec<String> = times.iter().filter_map(|t| t.as_f64()).map(age).collect();
        times.join(" / ")
    }

    fn inputs(&self) -> String {
        let steps = match self.all("chip.dac.bits").as_slice() {
            [one] if one.as_u64() == Some(0) => "analog, in one step".into(),
            _ => self.named("bits of a step", "chip.dac.bits"),
        };
        join(&[steps, self.named("steps added", "chip.dac.accumulate")])
    }

    fn converters(&self) -> String {
        if self
            .all("chip.adc.bits")
            .iter()
            .all(|b| b.as_u64() == Some(0))
        {
            return "none: sums are exact".into();
        }
        join(&[
            self.named("bits", "chip.adc.bits"),
            self.named("range", "chip.adc.range"),
            self.named("codes", "chip.adc.codes"),
        ])
    }

    fn variation(&self) -> String {
        let sigmas = [
            self.nonzero("\u{3c3}_W", "variation.sigma_w"),
            self.nonzero("\u{3c3}_B", "variation.sigma_b"),
            self.nonzero("of a layer", "variation.sigma_layer"),
            self.nonzero("of an array", "variation.sigma_array"),
        ];
        match join(&sigmas) {
            none if none.is_empty() => none,
            sigmas => join(&[
                sigmas,
                self.words("variation.law"),
                self.words("variation.distribution"),
                self.named("sampling", "variation.sampling"),
            ]),
        }
    }
}

/// Writes the card.
pub(super) fn write(out: &mut String, settings: &Settings) {
    out.push_str("<h2>What was simulated</h2>\n<dl class=\"card\">\n");
    for (what, words) in settings.rows() {
        let class = match words.len() > LONG {
            true => " class=\"wide\"",
            false => "",
        };
        let (what, words) = (html(what), linked(&words));
        let _ = writeln!(out, "<div{class}><dt>{what}</dt><dd>{words}</dd></div>");
    }
    out.push_str("</dl>\n");
}

/// Text with its addresses as links.
fn linked(text: &str) -> String {
    let parts = text.split(' ').map(|word| {
        let Some(at) = word.find("https://") else {
            return html(word);
        };
        let (before, address) = word.split_at(at);
        let plain = address.trim_end_matches([')', ',', '.', ';']);
        let after = &address[plain.len()..];
        let href = escape(plain);
        format!(
            "{}<a href=\"{href}\">{href}</a>{}",
            html(before),
            html(after)
        )
    });
    parts.collect::<Vec<_>>().join(" ")
}

/// Parts that are not empty, with commas between.
fn join(parts: &[String]) -> String {
    let parts = parts.iter().filter(|p| !p.is_empty());
    parts.cloned().collect::<Vec<_>>().join(", ")
}

/// The first digits of a digest.
fn short(digest: &str) -> String {
    match digest.char_indices().nth(DIGITS) {
        Some((end, _)) => format!("{}\u{2026}", &digest[..end]),
        None => digest.to_string(),
    }
}

/// Seconds since programming, in the unit that fits.
fn age(seconds: f64) -> String {
    const DAY: f64 = 86_400.0;
    let (of, unit) = match seconds {
        s if s >= 365.0 * DAY => (365.0 * DAY, "year"),
        s if s >= DAY => (DAY, "day"),
        s if s >= 3600.0 => (3600.0, "hour"),
        s if s >= 60.0 => (60.0, "minute"),
        s => return duration(s),
    };
    let n = compact(seconds / of, 2);
    let s = if n == "1" { "" } else { "s" };
    format!("{n} {unit}{s}")
}

/// A value as the card shows it: lists and tables without quotes.
fn phrase(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(phrase).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let parts = fields
                .iter()
                .map(|(name, v)| format!("{name} {}", phrase(v)));
            parts.collect::<Vec<_>>().join(", ")
        }
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        Value::Null | Value::Number(_) | Value::String(_) => word(value),
    }
}
