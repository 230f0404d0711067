//! Errors on their way to the page.

use js_sys::Error as JsError;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// `console.error`.
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub fn report(text: &str);
}

/// An error of the library, as a JavaScript `Error` whose name says whose fault it is: `input`, `capacity`, `device`
/// or `internal`.
pub struct Fault(pimento::Error);

impl<E: Into<pimento::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl From<Fault> for JsValue {
    fn from(Fault(error): Fault) -> Self {
        use pimento::Error;
        let name = match &error {
            Error::Input(_) | Error::Io { .. } => "input",
            Error::Capacity(_) => "capacity",
            Error::Device(_) => "device",
            Error::Interrupted(_) | Error::Internal(_) => "internal",
        };
        let thrown = JsError::new(&error.to_string());
        thrown.set_name(name);
        thrown.into()
    }
}

/// JSON of anything.
///
/// # Errors
/// A value that JSON cannot hold.
pub fn to_json(value: &impl serde::Serialize) -> Result<String, Fault> {
    let internal = |e: serde_json::Error| pimento::Error::Internal(format!("to JSON: {e}"));
    Ok(serde_json::to_string(value).map_err(internal)?)
}
