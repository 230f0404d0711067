//! Tensors on their way from a backend to the host.

use crate::error::Result;

/// The values that [`Session::submit`](super::Session::submit) asked for: those of its moment, whatever the session does
/// afterwards. A pending that is dropped is a result that nobody wants; the work goes on.
///
/// ```
/// use pimento::backend::cpu::CpuBackend;
/// use pimento::backend::{Backend, Capacity, Program, RunArgs};
/// use pimento::program::{LANES, Op, Role, Scope, Shape, Zero};
///
/// # fn main() -> pimento::Result<()> {
/// let mut program = Program::default();
/// let t = program.tensor("t", Shape::Flat(2), Scope::Shared, Role::State);
/// let clear = program.section("clear", vec![Op::from(Zero { t })]);
/// let capacity = Capacity { chips: 1, images: LANES, chunk: LANES };
/// let mut session = CpuBackend::new().prepare(&program, capacity)?;
/// session.write(t, &[1.0, 2.0])?;
/// let before = session.submit(&[t])?;
/// session.run(clear, &RunArgs::wave(1, 0, 1, 0..0))?;
/// let after = session.submit(&[t])?;
/// assert_eq!(before.wait()?, [[1.0, 2.0]]);
/// assert_eq!(after.wait()?, [[0.0, 0.0]]);
/// # Ok(())
/// # }
/// ```
pub struct Pending(Box<dyn Answer>);

/// How a backend answers.
pub trait Answer: Send {
    /// See [`Pending::is_ready`].
    ///
    /// # Errors
    /// The device.
    fn is_ready(&mut self) -> Result<bool>;

    /// See [`Pending::wait`].
    ///
    /// # Errors
    /// The device.
    fn wait(self: Box<Self>) -> Result<Vec<Vec<f32>>>;
}

impl Pending {
    /// What a backend will answer.
    pub fn new(answer: impl Answer + 'static) -> Self {
        Self(Box::new(answer))
    }

    /// Values that are there.
    pub fn ready(values: Vec<Vec<f32>>) -> Self {
        Self::new(Known(values))
    }

    /// Whether [`Pending::wait`] would return at once. Never blocks: a program that must not wait, as in a
    /// browser, asks again later.
    ///
    /// # Errors
    /// What the device has said against anything since.
    pub fn is_ready(&mut self) -> Result<bool> {
        self.0.is_ready()
    }

    /// The values of every tensor asked for, each in the order that [`Session::read`](super::Session::read)
    /// states.
    ///
    /// # Errors
    /// What the device has said against the runs before, or since.
    pub fn wait(self) -> Result<Vec<Vec<f32>>> {
        self.0.wait()
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pending")
    }
}

struct Known(Vec<Vec<f32>>);

impl Answer for Known {
    fn is_ready(&mut self) -> Result<bool> {
        Ok(true)
    }

    fn wait(self: Box<Self>) -> Result<Vec<Vec<f32>>> {
        Ok(self.0)
    }
}
