//! The error of the whole program: small, and every message says what, where, how much, and what
//! would be allowed, in words and as data ([`Mistake`]).
//!
//! # Examples
//! ```
//! use pimento::config::Experiment;
//!
//! let error = Experiment::parse("[sweep]\nchips = 0\n", "x.toml").unwrap_err();
//! let mistake = &error.mistakes()[0];
//! assert_eq!((mistake.line, mistake.field.as_deref()), (Some(2), Some("sweep.chips")));
//! ```

mod mistake;

use std::borrow::Cow;
use std::path::PathBuf;

pub use mistake::{Code, Mistake};

/// Result with Pimento's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong, sorted by whose fault it is (which decides the exit code).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user's input is wrong; exit code 2. Every mistake that was found, one a line in words: it names
    /// the file, the field or byte, the value and what is allowed.
    #[error("{}", lines(.0))]
    Input(Vec<Mistake>),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is asked for does not fit this machine or the memory it was granted, which is known before
    /// anything is tried; exit code 2. The message has the numbers. Of several adapters others may do.
    #[error("{0}")]
    Capacity(String),
    /// The adapter refused, ran out of memory, or was lost; exit code 1.
    #[error("{0}")]
    Device(String),
    /// Interrupted by the user after saving; exit code 130.
    #[error("{0}")]
    Interrupted(String),
    /// A broken invariant of ours: please report it; exit code 1.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// Wraps an I/O error with its path.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Error::Io {
            path: path.into(),
            source,
        }
    }

    /// Wrong input, in words: `what is wrong; allowed: what is allowed`.
    pub fn input(message: impl Into<String>) -> Self {
        Error::Input(vec![Mistake::worded(Code::Input, &message.into())])
    }

    /// Too much for this machine.
    pub fn capacity(message: impl Into<String>) -> Self {
        Error::Capacity(message.into())
    }

    /// Whether an adapter cannot do its part while others may.
    pub fn is_of_adapter(&self) -> bool {
        matches!(self, Error::Device(_) | Error::Capacity(_))
    }

    /// Device trouble.
    pub fn device(message: impl Into<String>) -> Self {
        Error::Device(message.into())
    }

    /// Puts the place in front of the message of wrong input.
    pub fn context(self, place: impl std::fmt::Display) -> Self {
        match self {
            Error::Input(mistakes) => {
                let place = place.to_string();
                Error::Input(mistakes.into_iter().map(|m| m.within(&place)).collect())
            }
            other => other,
        }
    }

    /// The process exit code for this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Input(_) | Error::Io { .. } | Error::Capacity(_) => 2,
            Error::Interrupted(_) => 130,
            Error::Device(_) | Error::Internal(_) => 1,
        }
    }
}

/// Mistakes in words, one a line.
fn lines(mistakes: &[Mistake]) -> String {
    let lines: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
    lines.join("\n")
}

/// Whether a character could change what a terminal shows besides itself: control characters (also
/// those of the second block, as 0x9b), and marks that turn the direction of writing.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn without(text: &str, bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match bad(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// A name from a file, for a message: control characters and line ends as `\u{1b}` and the like.
pub fn escaped(name: &str) -> Cow<'_, str> {
    without(name, is_control)
}

/// A whole text for a terminal: as [`escaped`], but lines and tabs stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    without(text, |c| is_control(c) && !matches!(c, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let evil = "a\x1b[2J\u{9b}31m\r\u{202e}\x7fb\nc\td\u{e9}";
        assert_eq!(
            printable(evil),
            "a\\u{1b}[2J\\u{9b}31m\\r\\u{202e}\\u{7f}b\nc\td\u{e9}"
        );
        assert!(!escaped(evil).contains('\n'));
        assert!(matches!(escaped("conv1.weight"), Cow::Borrowed(_)));
    }
}
