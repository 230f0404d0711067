//! Signals: which ones stop the work, and that what the caller had ignored stays ignored.
//!
//! `nohup` starts a program with SIGHUP ignored, a shell a job in the background with SIGINT ignored.
//! A handler of ours would undo that: the terminal's end would stop a run that was to outlive it.

/// Calls `handler` at Ctrl-C, at a request to end, and when the terminal goes; not for those of them
/// that are ignored. Only the first call counts.
pub fn on_request_to_end(handler: impl FnMut() + Send + 'static) {
    let ignored = platform::ignored();
    // Where no handler can be set, Ctrl-C ends the program as it always did.
    if ctrlc::set_handler(handler).is_ok() {
        ignored.into_iter().for_each(platform::ignore);
    }
}

/// A write beyond the largest file that is allowed (`ulimit -f`) is an error like that of a full disk, with
/// the file's name, and not the program's silent end.
pub fn report_large_files() {
    platform::ignore_large_files();
}

#[cfg(unix)]
mod platform {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

    fn plain(handler: SigHandler) -> SigAction {
        SigAction::new(handler, SaFlags::empty(), SigSet::empty())
    }

    /// Those of the signals that ask a program to end which are ignored.
    pub fn ignored() -> Vec<Signal> {
        let asked = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
        asked.into_iter().filter(|s| is_ignored(*s)).collect()
    }

    /// The system tells what happens at a signal only to who changes it.
    fn is_ignored(signal: Signal) -> bool {
        // SAFETY: ignoring a signal runs no code of ours in a handler.
        match unsafe { sigaction(signal, &plain(SigHandler::SigIgn)) } {
            Ok(before) if matches!(before.handler(), SigHandler::SigIgn) => true,
            Ok(before) => {
                // SAFETY: what was there before, which no one has changed since.
                let _ = unsafe { sigaction(signal, &before) };
                false
            }
            Err(_) => false,
        }
    }

    pub fn ignore(signal: Signal) {
        // SAFETY: ignoring a signal runs no code of ours in a handler.
        let _ = unsafe { sigaction(signal, &plain(SigHandler::SigIgn)) };
    }

    pub fn ignore_large_files() {
        ignore(Signal::SIGXFSZ);
    }
}

#[cfg(not(unix))]
mod platform {
    pub fn ignored() -> [(); 0] {
        []
    }

    pub fn ignore((): ()) {}

    pub fn ignore_large_files() {}
}
