//! Long work on a thread of its own, watched from the thread that called.
//!
//! The caller's thread gives the interpreter free, looks for signals a few times a second, and tells a Python
//! callable what goes on. So Ctrl-C, or an exception of the callable, asks the work to stop, and is raised when it has
//! stopped and everything is written that was measured. The work itself never needs the interpreter.

use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use pimento::Error;
use pimento::progress::{
    Cancel, EpochProgress, LoadProgress, Observer, SweepProgress, TrainProgress,
};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::error::{Raise, exception};

/// Time between two looks for signals.
const LOOK: Duration = Duration::from_millis(50);

/// Least time between two reports of steps of a training, or of decoded images.
const REPORT: Duration = Duration::from_millis(100);

/// As the main thread of a program has.
const STACK: usize = 8 << 20;

/// The process that began to work: threads do not survive a fork.
static PROCESS: OnceLock<u32> = OnceLock::new();

/// Refuses to work in a child of a process that has worked.
pub fn same_process(py: Python<'_>) -> PyResult<()> {
    let now = std::process::id();
    match *PROCESS.get_or_init(|| now) == now {
        true => Ok(()),
        false => {
            let forked = py.import("pimento._errors")?.call_method0("forked")?;
            Err(PyErr::from_value(forked))
        }
    }
}

/// Tells what goes on through a channel.
struct Teller {
    events: std::sync::Mutex<(Sender<Value>, Option<Instant>)>,
    cancel: Cancel,
}

impl Teller {
    /// An event; of those that come `often` only some are told.
    fn tell(&self, often: bool, event: impl FnOnce() -> Value) {
        // A panic of another thread ends the work anyway.
        let Ok(mut events) = self.events.lock() else {
            return;
        };
        if often && events.1.is_some_and(|at| at.elapsed() < REPORT) {
            return;
        }
        events.1 = Some(Instant::now());
        // Nobody listens any more once the work is being stopped.
        let _ = events.0.send(event());
    }
}

impl Observer for Teller {
    fn loading(&self, p: &LoadProgress) {
        self.tell(
            true,
            || json!({"event": "loading", "label": p.label, "done": p.done, "of": p.of}),
        );
    }

    fn training(&self, p: &TrainProgress) {
        self.tell(true, || {
            json!({"event": "training", "label": p.label, "epoch": p.epoch, "epochs": p.epochs, "step": p.step,
                   "steps": p.steps, "loss": p.loss, "accuracy": p.accuracy})
        });
    }

    fn epoch(&self, p: &EpochProgress) {
        let held_out = p.held_out.map(|h| {
            json!({"images": h.images, "ideal": h.ideal, "mean": h.mean, "std": h.std, "chips": h.chips})
        });
        self.tell(false, || {
            json!({"event": "epoch", "label": p.label, "stage": p.stage, "epoch": p.epoch, "epochs": p.epochs,
                   "step": p.step, "learning_rate": p.learning_rate, "loss": p.loss, "accuracy": p.accuracy,
                   "held_out": held_out})
        });
    }

    fn sweep(&self, p: &SweepProgress) {
        self.tell(false, || {
            json!({"event": "chips", "point": p.point, "points": p.points, "label": p.label, "done": p.chips_done,
                   "chips": p.chips, "mean": p.mean, "interval": p.interval, "all_done": p.all_done, "all": p.all})
        });
    }

    fn message(&self, text: &str) {
        self.tell(false, || json!({"event": "message", "text": text}));
    }

    fn warning(&self, text: &str) {
        self.tell(false, || json!({"event": "warning", "text": text}));
    }

    fn interrupted(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

/// Does the work and returns its result; `watch` is called with every event as a JSON text.
///
/// # Errors
/// Those of the work; what a signal or `watch` raised.
pub fn watched<T: Send>(
    py: Python<'_>,
    watch: Option<&Py<PyAny>>,
    work: impl FnOnce(&dyn Observer) -> pimento::Result<T> + Send,
) -> PyResult<T> {
    same_process(py)?;
    let (sender, events) = channel();
    let cancel = Cancel::default();
    let teller = Teller {
        events: std::sync::Mutex::new((sender, None)),
        cancel: cancel.clone(),
    };
    let (done, raised) = py.detach(move || {
        thread::scope(|scope| {
            let worker = thread::Builder::new()
                .name("pimento".into())
                .stack_size(STACK)
                // The teller goes with the work: the channel's end is the work's end.
                .spawn_scoped(scope, move || work(&teller))?;
            let mut raised: Option<PyErr> = None;
            loop {
                let event = events.recv_timeout(LOOK);
                if matches!(event, Err(RecvTimeoutError::Disconnected)) {
                    break;
                }
                if raised.is_some() {
                    continue;
                }
                raised = Python::attach(|py| {
                    py.check_signals()?;
                    if let (Ok(event), Some(watch)) = (event, watch) {
                        watch.call1(py, (event.to_string(),))?;
                    }
                    Ok::<(), PyErr>(())
                })
                .err();
                if raised.is_some() {
                    cancel.cancel();
                }
            }
            std::io::Result::Ok((worker.join(), raised))
        })
    })?;
    let done = done.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Error::Internal(text.unwrap_or("a panic").to_string()))
    });
    match (done, raised) {
        // What the work says is safe is worth reading.
        (Err(Error::Interrupted(text)), Some(raised)) => {
            match raised.is_instance_of::<PyKeyboardInterrupt>(py) {
                true => Err(PyKeyboardInterrupt::new_err(text)),
                false => Err(raised),
            }
        }
        // It was asked to stop when it had finished, or failed for another reason.
        (Ok(_), Some(raised)) => Err(raised),
        (Err(error), Some(raised)) => {
            raised.set_cause(py, Some(exception(py, &error)));
            Err(raised)
        }
        (done, None) => done.raise(py),
    }
}
