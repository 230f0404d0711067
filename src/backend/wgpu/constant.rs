//! Constants in front of a kernel's text: every combination is a variant of its own.

/// Value of a constant in a kernel's prelude.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Const {
    /// `u32`.
    U32(u32),
    /// `i32`.
    I32(i32),
    /// `f32`.
    F32(f32),
    /// `bool`.
    Bool(bool),
}

impl std::fmt::Display for Const {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Const::U32(v) => write!(f, "{v}"),
            Const::I32(v) => write!(f, "{v}"),
            Const::F32(v) => write!(f, "{v}"),
            Const::Bool(v) => write!(f, "{v}"),
        }
    }
}

impl From<u32> for Const {
    fn from(v: u32) -> Self {
        Const::U32(v)
    }
}

impl From<i32> for Const {
    fn from(v: i32) -> Self {
        Const::I32(v)
    }
}

impl From<f32> for Const {
    fn from(v: f32) -> Self {
        Const::F32(v)
    }
}

impl From<bool> for Const {
    fn from(v: bool) -> Self {
        Const::Bool(v)
    }
}
