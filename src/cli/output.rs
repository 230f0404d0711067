//! Where results and errors go.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use pimento::error::printable;
use pimento::{Error, Result};

/// Writes a result to standard output, names from files without control characters. A reader that went
/// away (`pimento ... | head`) is no error.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = out
        .write_all(printable(text).as_bytes())
        .and_then(|()| out.flush());
    match written {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Error::io("standard output", e)),
        _ => Ok(()),
    }
}

/// Writes one JSON document to standard output.
pub fn print_json(document: &impl serde::Serialize) -> Result<()> {
    PRINTED.store(true, Ordering::Relaxed);
    let text = serde_json::to_string_pretty(document)
        .map_err(|e| Error::Internal(format!("result to JSON: {e}")))?;
    print(&format!("{text}\n"))
}

/// Whether a JSON document was printed.
static PRINTED: AtomicBool = AtomicBool::new(false);

/// What failed as one JSON document, unless the command has printed its own.
pub fn print_json_error(error: &Error, exit_code: i32) {
    if !PRINTED.load(Ordering::Relaxed) {
        let document = serde_json::json!({
            "error": error.to_string(),
            "errors": error.mistakes(),
            "exit_code": exit_code,
        });
        // The error was said on standard error; where nobody reads this there is no more to say.
        let _ = print_json(&document);
    }
}

/// Writes `error: ...` to standard error, one for each mistake.
pub fn print_error(error: &Error) {
    let mut err = std::io::stderr().lock();
    for mistake in error.mistakes() {
        // Nobody is left to hear about a standard error that is closed.
        let _ = writeln!(err, "error: {}", printable(&mistake.to_string()));
    }
}
