//! The error of the whole program: small, and every message says what, where, how much, and what
//! would be allowed.

use std::path::PathBuf;

/// Result with Pimento's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong, sorted by whose fault it is (which decides the exit code).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user's input is wrong; exit code 2. The message names the file, the field or byte, the
    /// value and what is allowed.
    #[error("{0}")]
    Input(String),
    /// Several mistakes of one configuration, all at once; exit code 2.
    #[error("{}", .0.join("\n"))]
    Config(Vec<String>),
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

    /// Wrong input.
    pub fn input(message: impl Into<String>) -> Self {
        Error::Input(message.into())
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
            Error::Input(message) => Error::Input(format!("{place}: {message}")),
            other => other,
        }
    }

    /// The process exit code for this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Input(_) | Error::Config(_) | Error::Io { .. } | Error::Capacity(_) => 2,
            Error::Interrupted(_) => 130,
            Error::Device(_) | Error::Internal(_) => 1,
        }
    }
}
