//! The header of an NPY file.

use std::io::Read;

use super::{Values, stream};
use crate::error::{Error, Result};
use crate::files::{kind as files_kind, reading};

/// Longest header; NumPy itself refuses to read one of more than 10,000 bytes.
const MAX_HEADER: usize = 10_000;

/// Most dimensions, NumPy's own limit.
const MAX_RANK: usize = 64;

/// Type of the values, with its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `b1`
    Boolean,
    /// `u1`, `u2`, `u4`, `u8`
    Unsigned(usize),
    /// `i1`, `i2`, `i4`, `i8`
    Signed(usize),
    /// `f2`, `f4`, `f8`
    Float(usize),
}

impl Kind {
    pub(super) fn size(self) -> usize {
        match self {
            Kind::Boolean => 1,
            Kind::Unsigned(n) | Kind::Signed(n) | Kind::Float(n) => n,
        }
    }
}

/// What a header says.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    big_endian: bool,
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
}

/// A shape as Python writes it.
pub(super) fn tuple(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    match shape.len() {
        1 => format!("({},)", sizes[0]),
        _ => format!("({})", sizes.join(", ")),
    }
}

impl Header {
    pub(super) fn read(name: &str, source: &mut impl Read) -> Result<Self> {
        let wrong = |what: String| Error::input(format!("{name}: {what}"));
        let mut exactly = |n: usize| {
            let mut bytes = vec![];
            let read = source.by_ref().take(n as u64).read_to_end(&mut bytes);
            read.map_err(|e| stream(name, e))?;
            if bytes.len() < n {
                return Err(Error::input(format!(
                    "{name}: the file ends in its NPY header"
                )));
            }
            Ok(bytes)
        };
        let start = exactly(8)?;
        if &start[..6] != b"\x93NUMPY" {
            let mut start = start;
            let more = files_kind::START - start.len();
            // What cannot be read is not looked at.
            let _ = source.by_ref().take(more as u64).read_to_end(&mut start);
            let told = files_kind::told(&start);
            return Err(wrong(format!(
                "no NPY file; it must start with 93 'NUMPY'{told}"
            )));
        }
        let length = match start[6] {
            1 => {
                let b = exactly(2)?;
                usize::from(u16::from_le_bytes([b[0], b[1]]))
            }
            2 | 3 => {
                let b = exactly(4)?;
                u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize
            }
            version => {
                return Err(wrong(format!("NPY version {version}; allowed: 1, 2, 3")));
            }
        };
        if length > MAX_HEADER {
            return Err(wrong(format!(
                "an NPY header of {length} bytes; allowed: at most {MAX_HEADER}"
            )));
        }
        let text = String::from_utf8(exactly(length)?)
            .map_err(|_| wrong("the NPY header is no text".into()))?;
        Self::parse(&text).map_err(|e| wrong(format!("NPY header: {e}")))
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let mut p = Parser { rest: text };
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        p.expect("{")?;
        while !p.skip("}") {
            let key = p.string()?;
            p.expect(":")?;
            match key {
                "descr" => descr = Some(p.string()?),
                "fortran_order" => fortran = Some(p.boolean()?),
                "shape" => shape = Some(p.tuple()?),
                _ => return Err(format!("unknown key '{key}'")),
            }
            if !p.skip(",") {
                p.expect("}")?;
                break;
            }
        }
        if !p.rest.trim().is_empty() {
            return Err("text after the dictionary".into());
        }
        let missing = |key: &str| format!("no '{key}'");
        let (kind, big_endian) = kind(descr.ok_or_else(|| missing("descr"))?)?;
        Ok(Self {
            kind,
            big_endian,
            fortran: fortran.ok_or_else(|| missing("fortran_order"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
        })
    }

    /// Appends values from their bytes, a whole number of values.
    pub(super) fn append(&self, name: &str, bytes: &[u8], values: &mut Values) -> Result<()> {
        let size = self.kind.size();
        // The bytes of a value, the least significant first, in the lowest bytes of a word.
        let word = |chunk: &[u8]| {
            let mut all = [0; 8];
            all[..size].copy_from_slice(chunk);
            if self.big_endian {
                all[..size].reverse();
            }
            u64::from_le_bytes(all)
        };
        let words = bytes.chunks_exact(size).map(word);
        let more = bytes.len() / size;
        match values {
            Values::Bytes(v) => reading::room(v, more, name)?,
            Values::Integers(v) => reading::room(v, more, name)?,
            Values::Floats(v) => reading::room(v, more, name)?,
        }
        match values {
            Values::Bytes(v) => v.extend_from_slice(bytes),
            Values::Floats(v) => match size {
                2 => v.extend(words.map(|x| half(x as u16))),
                4 => v.extend(words.map(|x| f32::from_bits(x as u32))),
                _ => {
                    for x in words.map(f64::from_bits) {
                        // What is infinite in the file may be refused, but not what only became so here.
                        if x.is_finite() && !(x as f32).is_finite() {
                            return Err(Error::input(format!(
                                "{name}: value {} is {x:e}; allowed: magnitudes up to {:e}, which f32 holds",
                                v.len(),
                                f32::MAX
                            )));
                        }
                        v.push(x as f32);
                    }
                }
            },
            Values::Integers(v) => {
                let signed = matches!(self.kind, Kind::Signed(_));
                let unused = 64 - 8 * size as u32;
                for x in words {
                    v.push(match signed {
                        true => ((x << unused) as i64) >> unused,
                        false => i64::try_from(x).map_err(|_| {
                            Error::input(format!(
                                "{name}: value {} is {x}; allowed: at most {}",
                                v.len(),
                                i64::MAX
                            ))
                        })?,
                    });
                }
            }
        }
        Ok(())
    }
}

/// IEEE 754 binary16: sign, 5 bits of exponent (bias 15), 10 of fraction.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    match exponent {
        0 => sign * fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

fn kind(descr: &str) -> std::result::Result<(Kind, bool), String> {
    let refuse = || {
        format!(
            "values of type '{descr}'; allowed: b1, u1, u2, u4, u8, i1, i2, i4, i8, f2, f4, f8 with \
             '<', '>' or '|'"
        )
    };
    let mut letters = descr.chars();
    let (order, class) = (letters.next(), letters.next());
    let size = letters.as_str().parse().unwrap_or(0);
    let big_endian = match order {
        Some('<' | '|' | '=') => false,
        Some('>') => true,
        _ => return Err(refuse()),
    };
    let kind = match (class, size) {
        (Some('b'), 1) => Kind::Boolean,
        (Some('u'), 1 | 2 | 4 | 8) => Kind::Unsigned(size),
        (Some('i'), 1 | 2 | 4 | 8) => Kind::Signed(size),
        (Some('f'), 2 | 4 | 8) => Kind::Float(size),
        _ => return Err(refuse()),
    };
    Ok((kind, big_endian))
}

/// What of Python's literals a header consists of.
struct Parser<'t> {
    rest: &'t str,
}

impl<'t> Parser<'t> {
    fn skip(&mut self, sign: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, sign: &str) -> std::result::Result<(), String> {
        match self.skip(sign) {
            true => Ok(()),
            false => {
                let found: String = self.rest.chars().take(20).collect();
                Err(format!("expected '{sign}', found {found:?}"))
            }
        }
    }

    fn string(&mut self) -> std::result::Result<&'t str, String> {
        for quote in ["'", "\""] {
            if self.skip(quote) {
                let (text, rest) = self
                    .rest
                    .split_once(quote)
                    .ok_or("a string without its end")?;
                self.rest = rest;
                return Ok(text);
            }
        }
        self.expect("'").map(|()| "")
    }

    fn boolean(&mut self) -> std::result::Result<bool, String> {
        if self.skip("True") {
            return Ok(true);
        }
        self.expect("False").map(|()| false)
    }

    fn tuple(&mut self) -> std::result::Result<Vec<usize>, String> {
        let mut sizes = vec![];
        self.expect("(")?;
        while !self.skip(")") {
            self.rest = self.rest.trim_start();
            let end = self.rest.find(|c: char| !c.is_ascii_digit());
            let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
            let size = digits.parse().map_err(|_| {
                let found: String = self.rest.chars().take(20).collect();
                format!("expected a size, found {found:?}")
            })?;
            if sizes.len() == MAX_RANK {
                return Err(format!("more than {MAX_RANK} dimensions"));
            }
            sizes.push(size);
            self.rest = rest;
            if !self.skip(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(sizes)
    }
}
