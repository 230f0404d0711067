//! Enumerations whose values are names in the experiment file.
//!
//! # Examples
//! ```
//! use pimento::choice::Choice;
//! use pimento::config::Fidelity;
//!
//! assert_eq!(Fidelity::from_name("cell"), Some(Fidelity::Cell));
//! assert_eq!(Fidelity::ALL.len(), 2);
//! ```

/// A closed set of names, one per value.
pub trait Choice: Copy + Sized + 'static {
    /// Every value, in the order shown to the user.
    const ALL: &'static [Self];

    /// The name in experiment files and results.
    fn name(self) -> &'static str;

    /// Meaning in a sentence.
    fn about(self) -> &'static str;

    /// The value of a name.
    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|v| v.name() == name)
    }
}

/// Declares an enum and its names in one place, so that the file format, the results and the
/// error messages cannot drift apart.
macro_rules! choices {
    (@doc doc = $text:literal) => { $text };
    (@doc default) => { "" };
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $($(#[$($attribute:tt)+])+ $variant:ident = $text:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        pub enum $name {
            $($(#[$($attribute)+])+ #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// The name in experiment files and results.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl $crate::choice::Choice for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn name(self) -> &'static str {
                self.as_str()
            }

            fn about(self) -> &'static str {
                match self { $(Self::$variant => concat!($(choices!(@doc $($attribute)+)),+),)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

pub(crate) use choices;
