//! What a device said against anything, also against calls that have long returned.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::error::{Error, Result};

/// Longest part of a driver's message that is passed on, in characters.
const MAX_MESSAGE: usize = 2000;

/// What a device says to a call, perhaps later.
type Verdict = Pin<Box<dyn Future<Output = Option<::wgpu::Error>> + Send>>;

/// Errors that arrive out of band.
#[derive(Default)]
pub(super) struct Faults {
    /// The first one; later ones are consequences.
    first: Mutex<Option<String>>,
    /// Calls that the device has not answered, each with the beginning of its message.
    open: Mutex<Vec<(String, Verdict)>>,
}

impl Faults {
    pub fn record(&self, message: String) {
        lock(&self.first).get_or_insert_with(|| shorten(&message));
    }

    /// What the device says against a call, where it says so at once.
    pub fn told(
        &self,
        what: &str,
        verdict: impl Future<Output = Option<::wgpu::Error>> + Send + 'static,
    ) -> Option<String> {
        let mut verdict: Verdict = Box::pin(verdict);
        match now(&mut verdict) {
            Poll::Ready(said) => said.map(|e| format!("{what}: {}", shorten(&e.to_string()))),
            Poll::Pending => {
                lock(&self.open).push((what.to_owned(), verdict));
                None
            }
        }
    }

    pub fn check(&self) -> Result<()> {
        lock(&self.open).retain_mut(|(what, verdict)| match now(verdict) {
            Poll::Ready(said) => {
                if let Some(e) = said {
                    self.record(format!("{what}: {e}"));
                }
                false
            }
            Poll::Pending => true,
        });
        match &*lock(&self.first) {
            Some(message) => Err(Error::device(message.clone())),
            None => Ok(()),
        }
    }
}

/// What a future says now.
fn now(verdict: &mut Verdict) -> Poll<Option<::wgpu::Error>> {
    verdict
        .as_mut()
        .poll(&mut std::task::Context::from_waker(Waker::noop()))
}

fn shorten(message: &str) -> String {
    let message = message.trim();
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{} ...", &message[..end]),
        None => message.to_owned(),
    }
}

/// Locks; what is behind these locks is valid even if a thread panicked while it held one.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
