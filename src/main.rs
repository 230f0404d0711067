//! The `pimento` program: see `pimento --help`.

mod cli;

use std::process::ExitCode;

/// Exit code of a broken invariant, as [`pimento::Error::Internal`] has.
const INTERNAL: u8 = 1;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| eprintln!("{}", apology(panic))));
    // The hook has said what happened; a panic must not look like another kind of failure.
    match std::panic::catch_unwind(cli::run) {
        Ok(code) => code,
        Err(_) => ExitCode::from(INTERNAL),
    }
}

/// One line about a bug of ours: what, where, and where to report it.
fn apology(panic: &std::panic::PanicHookInfo) -> String {
    let payload = panic.payload();
    let what = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    let place = panic
        .location()
        .map_or(String::new(), |l| format!(" ({l})"));
    let tracker = match env!("CARGO_PKG_REPOSITORY") {
        "" => "to the people you have Pimento from".to_string(),
        url => format!("at {url}/issues"),
    };
    format!(
        "error: sorry, this is a bug in Pimento {}: {}{place}; please report it {tracker}",
        env!("CARGO_PKG_VERSION"),
        what.replace('\n', " "),
    )
}
