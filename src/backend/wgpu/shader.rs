//! Joins the pieces of a kernel: generated constants, the shared files it names, and its own
//! text; and finds the way back from a line of the whole to a line of a file.
//!
//! A file in `shaders/` begins with lines `//!include shared/<piece>.wgsl`. Shared pieces may
//! include others; each is taken once. A line that ends with `for effects`, `for write` or `for age` is
//! taken once for every effect of that part of [`effects::PIPELINE`], one that ends with `for converter`
//! for every effect of [`effects::CONVERTER`] (with `for converter, last first` in the opposite order),
//! with the effect's name for `$name` and the struct of its numbers for `$Type`.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

use include_dir::{Dir, include_dir};

use super::constant::Const;
use crate::effects;
use crate::error::{Error, Result};

/// Every WGSL file of the program.
static FILES: Dir = include_dir!("$CARGO_MANIFEST_DIR/shaders");

/// The first lines of a file that pull in another one.
const INCLUDE: &str = "//!include ";

/// Lines that enable an extension of WGSL.
const ENABLE: &str = "enable ";

/// The whole text of a kernel and where its lines come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// WGSL.
    pub text: String,
    /// Name under which messages speak of `text`.
    label: String,
    /// File and line (from 1) of every line of `text`.
    lines: Vec<(&'static str, usize)>,
}

/// Whether a kernel multiplies cooperative matrices.
#[cfg(test)]
pub(super) fn cooperative(text: &str) -> bool {
    text.lines()
        .any(|line| line == "enable wgpu_cooperative_matrix;")
}

/// The constants as WGSL.
pub(super) fn prelude(consts: &[(&'static str, Const)]) -> String {
    let mut text = String::new();
    for (name, value) in consts {
        // Writing to a String cannot fail.
        let _ = match value {
            Const::U32(v) => writeln!(text, "const {name}: u32 = {v}u;"),
            Const::I32(v) => writeln!(text, "const {name}: i32 = {v};"),
            Const::F32(v) => writeln!(text, "const {name}: f32 = {v:?}f;"),
            Const::Bool(v) => writeln!(text, "const {name}: bool = {v};"),
        };
    }
    text
}

/// Joins `shaders/<shader>.wgsl`, what it includes, and the prelude.
pub(super) fn compose(shader: &str, prelude: &str) -> Result<Source> {
    let mut source = Source {
        text: String::new(),
        label: shader.to_owned(),
        lines: Vec::new(),
    };
    source.append("(constants)", prelude);
    let mut taken = Vec::new();
    include(&mut source, &mut taken, &format!("{shader}.wgsl"))?;
    source.enables_first();
    Ok(source)
}

fn include(source: &mut Source, taken: &mut Vec<&'static str>, path: &str) -> Result<()> {
    let file = FILES.get_file(path);
    let found = file.and_then(|f| Some((f.path().to_str()?, f.contents_utf8()?)));
    let Some((path, text)) = found else {
        return Err(Error::Internal(format!("no shader file {path}")));
    };
    if taken.contains(&path) {
        return Ok(());
    }
    taken.push(path);
    for line in text.lines().take_while(|line| line.starts_with(INCLUDE)) {
        for line in repeated(line) {
            include(source, taken, line[INCLUDE.len()..].trim())?;
        }
    }
    source.append(path, text);
    Ok(())
}

/// The lines that a line of a file stands for.
fn repeated(line: &str) -> Vec<Cow<'_, str>> {
    if !line.contains("$name") {
        return vec![line.into()];
    }
    let (cells, converter) = (effects::PIPELINE.len(), effects::CONVERTER.len());
    let written = effects::WRITE.len();
    let on_cells = |list: Range<usize>| {
        let one = |i| (effects::PIPELINE[i], effects::TYPES[i]);
        list.map(one).collect::<Vec<_>>()
    };
    let in_converters = |i| (effects::CONVERTER[i], effects::CONVERTER_TYPES[i]);
    let lists = [
        ("for effects", on_cells(0..cells)),
        ("for write", on_cells(0..written)),
        ("for age", on_cells(written..cells)),
        ("for converter", (0..converter).map(in_converters).collect()),
        (
            "for converter, last first",
            (0..converter).rev().map(in_converters).collect(),
        ),
    ];
    let list = lists
        .into_iter()
        .find_map(|(end, list)| Some((line.strip_suffix(end)?, list)));
    let Some((line, list)) = list else {
        return vec![line.into()];
    };
    let one = |(name, kind): (&str, &str)| line.replace("$name", name).replace("$Type", kind);
    list.into_iter().map(|effect| one(effect).into()).collect()
}

impl Source {
    fn append(&mut self, file: &'static str, text: &str) {
        for (i, line) in text.lines().enumerate() {
            for line in repeated(line) {
                self.text.push_str(&line);
                self.text.push('\n');
                self.lines.push((file, i + 1));
            }
        }
    }

    /// Moves the lines that enable extensions to the front, where WGSL wants them.
    fn enables_first(&mut self) {
        if !self.text.lines().any(|line| line.starts_with(ENABLE)) {
            return;
        }
        let lines = self.text.lines().zip(self.lines.iter().copied());
        let (first, rest): (Vec<_>, Vec<_>) = lines.partition(|(l, _)| l.starts_with(ENABLE));
        let (text, lines): (Vec<_>, Vec<_>) = first.into_iter().chain(rest).unzip();
        self.text = text.join("\n") + "\n";
        self.lines = lines;
    }

    /// `shaders/<file>:<line>` of a line of the whole text, counted from 1.
    pub fn origin(&self, line: usize) -> String {
        match line.checked_sub(1).and_then(|i| self.lines.get(i)) {
            Some((file, line)) => format!("shaders/{file}:{line}"),
            None => format!("{}:{line}", self.label),
        }
    }

    /// Replaces every `<label>:<line>:` of a compiler's message by the file and line.
    pub fn locate(&self, message: &str) -> String {
        let mark = format!("{}:", self.label);
        let mut out = String::new();
        let mut rest = message;
        while let Some(at) = rest.find(&mark) {
            let (before, after) = (&rest[..at], &rest[at + mark.len()..]);
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            out.push_str(before);
            match after[..digits].parse() {
                Ok(line) if after[digits..].starts_with(':') => out.push_str(&self.origin(line)),
                _ => {
                    out.push_str(&mark);
                    out.push_str(&after[..digits]);
                }
            }
            rest = &after[digits..];
        }
        out.push_str(rest);
        out
    }
}
