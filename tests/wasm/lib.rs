//! A module whose host asks for the chips of a sweep.

mod sweep;

use std::sync::OnceLock;

static TEXT: OnceLock<String> = OnceLock::new();

/// Runs the sweep; the number of bytes of its text.
#[unsafe(no_mangle)]
pub extern "C" fn run() -> usize {
    TEXT.get_or_init(sweep::text).len()
}

/// Where the text begins.
#[unsafe(no_mangle)]
pub extern "C" fn text() -> *const u8 {
    TEXT.get_or_init(sweep::text).as_ptr()
}
