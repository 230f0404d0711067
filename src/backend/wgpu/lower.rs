//! From operators to kernel calls: one module an operator.

use super::dispatch::{Dispatch, LowerContext};
use super::{add, pointwise};
use crate::backend::program::Op;
use crate::error::{Error, Result};

/// The kernel calls of an operator, in order.
pub(super) fn lower(op: &Op, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
    match op {
        Op::Add { .. } => add::lower(op, cx),
        Op::Pointwise { .. } => pointwise::lower(op, cx),
        other => Err(Error::Internal(format!("no kernel for {other:?}"))),
    }
}

/// A lowering got another operator than its own.
pub(super) fn mismatch<T>(module: &str, op: &Op) -> Result<T> {
    Err(Error::Internal(format!("{module} cannot lower {op:?}")))
}
