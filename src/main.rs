//! The `pimento` program: see `pimento --help`.

use std::process::ExitCode;

/// Exit code of a broken invariant, as [`pimento::Error::Internal`] has.
const INTERNAL: u8 = 1;

fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", feature = "gpu"))]
    without_desktop();
    std::panic::set_hook(Box::new(|panic| eprintln!("{}", apology(panic))));
    // The hook has said what happened; a panic must not look like another kind of failure.
    match std::panic::catch_unwind(|| pimento::cli::run(std::env::args_os())) {
        Ok(code) => ExitCode::from(code),
        Err(_) => ExitCode::from(INTERNAL),
    }
}

/// Where there is no desktop, Mesa's Vulkan layer that asks it for its device complains on standard
/// error, in words that look like ours. The layer is turned off by its own variable, which must be
/// there before the program begins: it begins once more. Where that fails the words are shown.
#[cfg(all(target_os = "linux", feature = "gpu"))]
fn without_desktop() {
    use std::os::unix::process::CommandExt;
    const OFF: &str = "NODEVICE_SELECT";
    let absolute =
        |name| std::env::var_os(name).is_some_and(|v| v.as_encoded_bytes().starts_with(b"/"));
    let desktop = absolute("XDG_RUNTIME_DIR") || absolute("WAYLAND_DISPLAY");
    // Whoever uses the layer, or has turned it off, knows what it does.
    let known = [OFF, "MESA_VK_DEVICE_SELECT"].map(std::env::var_os);
    if desktop || known.iter().any(Option::is_some) {
        return;
    }
    let mut words = std::env::args_os();
    let Some(name) = words.next() else { return };
    if let Ok(program) = std::env::current_exe() {
        let mut again = std::process::Command::new(program);
        let _ = again.arg0(name).args(words).env(OFF, "1").exec();
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
