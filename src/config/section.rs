//! Sections of the experiment file, each declared once.
//!
//! [`section!`] makes the struct, its `Default`, its `Serialize`, its reader and its entries in the
//! reference from one declaration:
//!
//! ```text
//! section! {
//!     /// Section `[chip.array]`.
//!     pub struct ArraySize {
//!         /// Most rows (inputs) of an array.
//!         rows: usize = 128, LINES;
//!         /// Resistance of a segment.
//!         ohm: f64 = 0.0, 0.0..=1e9, "ohm";
//!         /// Left out of results where it has its default.
//!         [quiet] split: Split = Split::Even;
//!         /// A section inside.
//!         inner: Inner => Table;
//!     }
//! }
//! ```
//!
//! A field has a default, a [`Rule`], by default [`super::rule::Any`], a unit, by default none, and the version that it came
//! with. An entry after `=>` is read in its own way. Sections follow the plain fields.

use serde::Serialize;
use serde::ser::SerializeStruct;

use super::reader::Section;
use super::reference::{self, Field};
use super::rule::Rule;

/// The version that most fields came with.
pub(super) const FIRST: &str = "0.1";

macro_rules! section {
    (@entry = $default:expr) => { $crate::config::section::Leaf($crate::config::rule::Any) };
    (@entry = $default:expr, $rule:expr $(, $unit:literal $(, $since:literal)?)?) => {
        $crate::config::section::Leaf($rule)
    };
    (@entry => $entry:expr) => { $entry };

    (@default = $default:expr $(, $rule:expr $(, $unit:literal $(, $since:literal)?)?)?) => { $default };
    (@default => $entry:expr) => { Default::default() };

    (@unit = $default:expr, $rule:expr, $unit:literal $(, $since:literal)?) => { $unit };
    (@unit $($other:tt)*) => { "" };

    (@since = $default:expr, $rule:expr, $unit:literal, $since:literal) => { $since };
    (@since $($other:tt)*) => { $crate::config::section::FIRST };

    (@is_quiet quiet) => { true };
    (@is_quiet) => { false };

    (
        $(#[doc = $about:literal])+
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $([$quiet:ident])? $field:ident: $type:ty
                    $(= $default:expr $(, $rule:expr $(, $unit:literal $(, $since:literal)?)?)?)?
                    $(=> $entry:expr)?;
            )*
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                $(
                    #[doc = concat!("\n\nDefault: `", stringify!($default), "`.")]
                    $($(#[doc = concat!(" Unit: ", $unit, ".")])?)?
                )?
                pub $field: $type,
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: section!(
                        @default $(= $default $(, $rule $(, $unit $(, $since)?)?)?)? $(=> $entry)?
                    ),)*
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(
                &self,
                s: S,
            ) -> std::result::Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct;
                let fields: &[&str] = &[$(stringify!($field)),*];
                let n = fields.len();
                let mut map = s.serialize_struct(stringify!($name), n)?;
                $crate::config::section::Declared::write(self, &mut map)?;
                map.end()
            }
        }

        impl $crate::config::section::Declared for $name {
            const ABOUT: &'static str = concat!($($about, "\n"),+);

            #[allow(unused_variables)] // A part of a training may have no field.
            fn take(s: &mut $crate::config::reader::Section, d: Self) -> Self {
                Self {
                    $($field: $crate::config::section::Entry::<$type>::take(
                        &section!(@entry $(= $default $(, $rule $(, $unit $(, $since)?)?)?)? $(=> $entry)?),
                        s,
                        stringify!($field),
                        d.$field,
                    ),)*
                }
            }

            #[allow(unused_variables)]
            fn write<M: serde::ser::SerializeStruct>(
                &self,
                map: &mut M,
            ) -> std::result::Result<(), M::Error> {
                let usual = Self::default();
                $(
                    if !(section!(@is_quiet $($quiet)?) && self.$field == usual.$field) {
                        $crate::config::section::Entry::<$type>::write(
                            &section!(@entry $(= $default $(, $rule $(, $unit $(, $since)?)?)?)? $(=> $entry)?),
                            map,
                            stringify!($field),
                            &self.$field,
                        )?;
                    }
                )*
                Ok(())
            }

            #[allow(unused_variables)]
            fn describe(path: &str, book: &mut Vec<$crate::config::reference::Table>) {
                let usual = Self::default();
                $(
                    let field = $crate::config::reference::Field::new(
                        path,
                        stringify!($field),
                        concat!($($doc),+),
                        section!(@unit $(= $default $(, $rule $(, $unit $(, $since)?)?)?)? $(=> $entry)?),
                        section!(@since $(= $default $(, $rule $(, $unit $(, $since)?)?)?)? $(=> $entry)?),
                    );
                    $crate::config::section::Entry::<$type>::describe(
                        &section!(@entry $(= $default $(, $rule $(, $unit $(, $since)?)?)?)? $(=> $entry)?),
                        field,
                        &usual.$field,
                        book,
                    );
                )*
            }
        }
    };
}

pub(super) use section;

/// What [`section!`] makes of a declaration.
pub(super) trait Declared: Default + Serialize {
    /// The doc comment.
    const ABOUT: &'static str;

    /// Reads the fields; absent ones are those of `d`.
    fn take(s: &mut Section, d: Self) -> Self;

    /// Writes the fields.
    fn write<M: SerializeStruct>(&self, map: &mut M) -> Result<(), M::Error>;

    /// Adds the fields to the last table of the book, and the sections inside to its end.
    fn describe(path: &str, book: &mut Vec<reference::Table>);
}

/// How a field is read, written and described.
pub(super) trait Entry<T> {
    /// Reads the field, `default` where it is absent or wrong.
    fn take(&self, s: &mut Section, key: &'static str, default: T) -> T;

    /// Writes the field.
    fn write<M: SerializeStruct>(
        &self,
        map: &mut M,
        key: &'static str,
        value: &T,
    ) -> Result<(), M::Error>;

    /// Adds what there is to say about the field.
    fn describe(&self, field: Field, default: &T, book: &mut Vec<reference::Table>);
}

/// A field of one value.
pub(super) struct Leaf<R>(pub(super) R);

impl<T: Serialize, R: Rule<T>> Entry<T> for Leaf<R> {
    fn take(&self, s: &mut Section, key: &'static str, default: T) -> T {
        let Some(value) = s.value(key) else {
            return default;
        };
        match self.0.read_instead(value.get_ref(), &default) {
            Ok(value) => value,
            Err(mistake) => {
                s.refuse(key, mistake);
                default
            }
        }
    }

    fn write<M: SerializeStruct>(
        &self,
        map: &mut M,
        key: &'static str,
        value: &T,
    ) -> Result<(), M::Error> {
        match self.0.written(value) {
            Some(value) => map.serialize_field(key, &value),
            None => Ok(()),
        }
    }

    fn describe(&self, mut field: Field, default: &T, book: &mut Vec<reference::Table>) {
        field.set_allowed(self.0.allowed());
        field.set_default(self.0.written(default));
        reference::add(book, field);
    }
}

/// A section inside.
pub(super) struct Table;

impl<T: Declared> Entry<T> for Table {
    fn take(&self, s: &mut Section, key: &'static str, default: T) -> T {
        let mut inner = s.section(key);
        let value = T::take(&mut inner, default);
        s.finish_inner(inner);
        value
    }

    fn write<M: SerializeStruct>(
        &self,
        map: &mut M,
        key: &'static str,
        value: &T,
    ) -> Result<(), M::Error> {
        map.serialize_field(key, value)
    }

    fn describe(&self, field: Field, _: &T, book: &mut Vec<reference::Table>) {
        let path = field.path.clone();
        book.push(reference::Table::new(&path, T::ABOUT));
        T::describe(&path, book);
    }
}

/// A section inside that is there only where the file has it.
pub(super) struct OptionalTable;

impl<T: Declared> Entry<Option<T>> for OptionalTable {
    fn take(&self, s: &mut Section, key: &'static str, default: Option<T>) -> Option<T> {
        let mut inner = s.section(key);
        if !inner.is_present() {
            return default;
        }
        let value = T::take(&mut inner, T::default());
        s.finish_inner(inner);
        Some(value)
    }

    fn write<M: SerializeStruct>(
        &self,
        map: &mut M,
        key: &'static str,
        value: &Option<T>,
    ) -> Result<(), M::Error> {
        match value {
            Some(value) => map.serialize_field(key, value),
            None => Ok(()),
        }
    }

    fn describe(&self, field: Field, _: &Option<T>, book: &mut Vec<reference::Table>) {
        Table.describe(field, &T::default(), book);
    }
}
