//! One mistake of the user, as data: where it is, what stands there, what is allowed.

use std::fmt;

use serde::Serialize;

use super::Error;
use crate::choice::choices;

choices! {
    /// Kind of mistake. The names are stable: scripts and editors may rely on them.
    pub enum Code {
        /// Something about the input that no other code says: a damaged file, an option, data that do not fit.
        Input = "input",
        /// The text is not TOML.
        Syntax = "syntax",
        /// A field or section that does not exist.
        UnknownField = "unknown-field",
        /// An axis of a sweep that is not called after a field.
        UnknownAxis = "unknown-axis",
        /// The value has another type than the field.
        WrongType = "wrong-type",
        /// The value has the field's type, but the field does not take it.
        NotAllowed = "not-allowed",
        /// The field has no meaning here, or cannot vary over a sweep.
        Misplaced = "misplaced",
        /// Values of several fields, each allowed, exclude each other.
        Contradiction = "contradiction",
        /// An axis, a value of an axis, or a point of the sweep is there twice.
        Repeated = "repeated",
        /// More mistakes than are listed.
        More = "more",
        /// A file could not be read or written.
        Io = "io",
        /// The work does not fit this machine or the memory that it was granted.
        Capacity = "capacity",
        /// The adapter refused, ran out of memory, or was lost.
        Device = "device",
        /// The user interrupted the work.
        Interrupted = "interrupted",
        /// A bug of Pimento.
        Internal = "internal",
    }
}

impl Code {
    /// Whether the message begins with the field's path; other messages have it inside, or none.
    fn begins_with_field(self) -> bool {
        match self {
            Code::WrongType
            | Code::NotAllowed
            | Code::Misplaced
            | Code::Contradiction
            | Code::Repeated => true,
            Code::Input
            | Code::Syntax
            | Code::UnknownField
            | Code::UnknownAxis
            | Code::More
            | Code::Io
            | Code::Capacity
            | Code::Device
            | Code::Interrupted
            | Code::Internal => false,
        }
    }

    /// Whether a hint stands before what is allowed.
    fn hints_first(self) -> bool {
        matches!(self, Code::UnknownField | Code::UnknownAxis)
    }
}

/// A mistake. `Display` writes it as a line, ``FILE:LINE: field `x`: value 0 is not allowed; allowed: 1 to 9``;
/// `Serialize` as an object with the same parts and the [`Mistake::message`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mistake {
    /// Kind.
    pub code: Code,
    /// File, as the user named it.
    pub file: Option<String>,
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// Path of the field, `train.epochs`; that of the axis, `sweep.grid[0].sigma_w`, where a sweep sets it.
    pub field: Option<String>,
    /// The value as it stands in the file, shortened.
    pub value: Option<String>,
    /// Allowed values in words.
    pub allowed: Option<String>,
    /// Condition under which they are, `with recipe "ptq"`; none: always.
    pub condition: Option<String>,
    /// The name that was probably meant.
    pub hint: Option<String>,
    /// Where in the sweep it is a mistake: `at the point variation.sigma_w = 0.1`; none: everywhere.
    pub at: Option<String>,
    /// What is wrong, in words; [`Mistake::message`] has the other parts around it.
    pub problem: String,
}

/// Between a problem and what is allowed.
const ALLOWED: &str = "; allowed";

impl Mistake {
    /// A mistake of which there is only a text.
    pub fn new(code: Code, problem: impl Into<String>) -> Self {
        Self {
            code,
            file: None,
            line: None,
            field: None,
            value: None,
            allowed: None,
            condition: None,
            hint: None,
            at: None,
            problem: problem.into(),
        }
    }

    /// Takes a message in the words of all messages apart: `PROBLEM; allowed CONDITION: VALUES`.
    pub fn worded(code: Code, message: &str) -> Self {
        let whole = || Self::new(code, message);
        let Some((problem, rest)) = message.rsplit_once(ALLOWED) else {
            return whole();
        };
        let (condition, allowed) = match (rest.strip_prefix(": "), rest.strip_prefix(' ')) {
            (Some(allowed), _) => (None, Some(allowed)),
            (None, Some(rest)) => match rest.split_once(": ") {
                Some((condition, allowed)) => (Some(condition), Some(allowed)),
                None => (Some(rest), None),
            },
            (None, None) => return whole(),
        };
        Self {
            allowed: allowed.map(str::to_string),
            condition: condition.map(str::to_string),
            ..Self::new(code, problem)
        }
    }

    /// With a value.
    #[must_use]
    pub fn value(self, value: impl Into<String>) -> Self {
        let value = Some(value.into());
        Self { value, ..self }
    }

    /// With what is allowed.
    #[must_use]
    pub fn allowed(self, allowed: impl Into<String>) -> Self {
        let allowed = Some(allowed.into());
        Self { allowed, ..self }
    }

    /// With more that is allowed, if anything is: `, "auto"`.
    #[must_use]
    pub fn also(mut self, more: &str) -> Self {
        self.allowed = self.allowed.map(|allowed| allowed + more);
        self
    }

    /// With a hint, if there is one.
    #[must_use]
    pub fn hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }

    /// In a place: its name stands before the problem.
    pub(super) fn within(mut self, place: &str) -> Self {
        self.problem = format!("{place}: {}", self.problem);
        self
    }

    /// The message without file and line.
    pub fn message(&self) -> String {
        let mut text = match &self.field {
            Some(field) if self.code.begins_with_field() => format!("field `{field}`: "),
            _ => String::new(),
        };
        text += &self.problem;
        if let (Some(hint), true) = (&self.hint, self.code.hints_first()) {
            text += &format!("; did you mean `{hint}`?");
        }
        text += match (
            &self.allowed,
            &self.condition,
            self.code.hints_first() && self.hint.is_some(),
        ) {
            (None, None, _) => "",
            (_, _, true) => " allowed",
            (_, _, false) => ALLOWED,
        };
        if let Some(condition) = &self.condition {
            text += &format!(" {condition}");
        }
        if let Some(allowed) = &self.allowed {
            text += &format!(": {allowed}");
        }
        if let (Some(hint), false) = (&self.hint, self.code.hints_first()) {
            text += &format!("; did you mean \"{hint}\"?");
        }
        if let Some(at) = &self.at {
            text += &format!(" ({at})");
        }
        text
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.message())
    }
}

impl Serialize for Mistake {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Object<'a> {
            code: Code,
            file: &'a Option<String>,
            line: Option<usize>,
            field: &'a Option<String>,
            value: &'a Option<String>,
            allowed: &'a Option<String>,
            condition: &'a Option<String>,
            hint: &'a Option<String>,
            at: &'a Option<String>,
            message: String,
        }
        let object = Object {
            code: self.code,
            file: &self.file,
            line: self.line,
            field: &self.field,
            value: &self.value,
            allowed: &self.allowed,
            condition: &self.condition,
            hint: &self.hint,
            at: &self.at,
            message: self.message(),
        };
        object.serialize(s)
    }
}

/// A mistake in a field whose reader says only in words what is wrong.
impl From<String> for Box<Mistake> {
    fn from(message: String) -> Self {
        Box::new(Mistake::worded(Code::NotAllowed, &message))
    }
}

impl From<&str> for Box<Mistake> {
    fn from(message: &str) -> Self {
        message.to_string().into()
    }
}

impl Error {
    /// Every mistake that the error tells, one at least.
    ///
    /// # Examples
    /// ```
    /// use pimento::config::Experiment;
    /// use pimento::error::Code;
    ///
    /// let error = Experiment::parse("seed = 1\n[train]\nepochs = -1\n", "my.toml").unwrap_err();
    /// let [mistake] = &error.mistakes()[..] else { panic!("{error}") };
    /// assert_eq!((mistake.code, mistake.line), (Code::NotAllowed, Some(3)));
    /// assert_eq!(mistake.field.as_deref(), Some("train.epochs"));
    /// assert_eq!(mistake.value.as_deref(), Some("-1"));
    /// assert_eq!(mistake.allowed.as_deref(), Some("1 to 100000"));
    /// ```
    pub fn mistakes(&self) -> Vec<Mistake> {
        let one = |code, text: &String| vec![Mistake::worded(code, text)];
        match self {
            Error::Input(mistakes) => mistakes.clone(),
            Error::Io { path, source } => vec![Mistake {
                file: Some(path.display().to_string()),
                ..Mistake::new(Code::Io, source.to_string())
            }],
            Error::Capacity(text) => one(Code::Capacity, text),
            Error::Device(text) => one(Code::Device, text),
            Error::Interrupted(text) => one(Code::Interrupted, text),
            Error::Internal(_) => vec![Mistake::new(Code::Internal, self.to_string())],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Choice;

    #[test]
    fn a_message_is_taken_apart_and_put_together() {
        for (text, problem, condition, allowed) in [
            ("a file", "a file", None, None),
            ("a; allowed: b, c", "a", None, Some("b, c")),
            ("a; allowed with d: b", "a", Some("with d"), Some("b")),
            ("a; allowed with d", "a", Some("with d"), None),
            (
                "a; allowed: b; allowed: c",
                "a; allowed: b",
                None,
                Some("c"),
            ),
            ("a; allowedly", "a; allowedly", None, None),
            ("; allowed", "; allowed", None, None),
            ("", "", None, None),
        ] {
            let m = Mistake::worded(Code::Input, text);
            assert_eq!(m.to_string(), text);
            let parts = (&*m.problem, m.condition.as_deref(), m.allowed.as_deref());
            assert_eq!(parts, (problem, condition, allowed), "{text}");
        }
    }

    #[test]
    fn an_object_has_the_parts_and_the_message() {
        let mut m = Mistake::new(Code::NotAllowed, "value \"a\" is not allowed");
        m = m.value("\"a\"").allowed("\"b\"").hint(Some("b".into()));
        (m.file, m.line, m.field) = (Some("x.toml".into()), Some(3), Some("s.f".into()));
        m.at = Some("at the point y = 1".into());
        let message = "field `s.f`: value \"a\" is not allowed; allowed: \"b\"; did you mean \"b\"? \
                       (at the point y = 1)";
        assert_eq!(m.to_string(), format!("x.toml:3: {message}"));
        let want = serde_json::json!({
            "code": "not-allowed", "file": "x.toml", "line": 3, "field": "s.f", "value": "\"a\"",
            "allowed": "\"b\"", "condition": null, "hint": "b", "at": "at the point y = 1",
            "message": message,
        });
        assert_eq!(serde_json::to_value(&m).unwrap(), want);
    }

    #[test]
    fn codes_are_in_kebab_case_and_every_error_has_one() {
        for code in Code::ALL {
            let name = code.as_str();
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{name}"
            );
        }
        for (error, code) in [
            (Error::input("a"), Code::Input),
            (
                Error::io("f", std::io::ErrorKind::NotFound.into()),
                Code::Io,
            ),
            (Error::capacity("a"), Code::Capacity),
            (Error::device("a"), Code::Device),
            (Error::Interrupted("a".into()), Code::Interrupted),
            (Error::Internal("a".into()), Code::Internal),
        ] {
            let [mistake] = &error.mistakes()[..] else {
                panic!("{error}");
            };
            assert_eq!(
                (mistake.code, mistake.to_string()),
                (code, error.to_string())
            );
        }
    }
}
