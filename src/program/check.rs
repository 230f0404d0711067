//! Checks a [`Program`] before a backend allocates anything for it: shapes, scopes and roles of
//! all operands, so that no kernel has to. An operator's own check (`ops`) uses the methods of
//! [`Check`].

mod arrays;
mod written;

use std::collections::HashMap;

use super::*;
use crate::error::{Error, Result};
use written::Written;

/// Maps that hold results of a quantizer, and the quantizer.
type Codes = HashMap<TensorId, ActQuant>;

impl Program {
    /// Checks every operator.
    ///
    /// # Errors
    /// [`Error::Internal`] with section, operator, tensor and what was expected: a program is
    /// made by Pimento, not by its user. [`Error::Input`] where a layer is larger than random numbers
    /// have addresses for.
    pub fn check(&self) -> Result<()> {
        for section in &self.sections {
            let mut written = Written::default();
            let mut codes = Codes::default();
            for (index, op) in section.ops.iter().enumerate() {
                let at = Check {
                    program: self,
                    section: &section.name,
                    index,
                    operator: op.name(),
                };
                at.operands(&op.operands(), &mut written)?;
                op.check(&at)?;
                at.codes(op, &mut codes)?;
                if let Some(draws) = op.draws() {
                    draws.check()?;
                }
            }
        }
        Ok(())
    }
}

/// The place of an operator in a program, for what is checked of it and for messages.
pub(crate) struct Check<'a> {
    program: &'a Program,
    section: &'a str,
    index: usize,
    operator: &'static str,
}

impl Check<'_> {
    /// Refuses the operator: `what` goes on after its place.
    pub(super) fn fail<T>(&self, what: impl std::fmt::Display) -> Result<T> {
        Err(Error::Internal(format!(
            "section `{}`, operator {} ({}): {what}",
            self.section, self.index, self.operator
        )))
    }

    /// Name of a tensor.
    pub(super) fn name(&self, t: TensorId) -> &str {
        &self.program.desc(t).name
    }

    fn shape(&self, t: TensorId) -> Shape {
        self.program.desc(t).shape
    }

    fn per_chip(&self, t: TensorId) -> bool {
        self.program.desc(t).scope == Scope::PerChip
    }

    /// Existence, roles, order of use, aliasing and scopes.
    fn operands(&self, operands: &[Operand], written: &mut Written) -> Result<()> {
        for t in operands.iter().map(|o| o.tensor) {
            if t.index() >= self.program.tensors.len() {
                return self.fail(format!("tensor {} does not exist", t.0));
            }
        }
        for Operand { tensor, halves, .. } in operands {
            if self.program.desc(*tensor).storage == Storage::F16 && !halves {
                return self.fail(format!("takes no halves as `{}`", self.name(*tensor)));
            }
        }
        for t in operands.iter().filter(|o| o.is_read()).map(|o| o.tensor) {
            let role = self.program.desc(t).role;
            if matches!(role, Role::Temp | Role::Output)
                && !written.is_whole(t, self.shape(t).len())
            {
                return self.fail(format!("reads `{}` before it is written", self.name(t)));
            }
        }
        for (i, operand) in operands.iter().enumerate() {
            if operand.is_written() {
                self.written(i, operands)?;
                let places = match &operand.access {
                    Access::WritePlaces(places) => places.clone(),
                    Access::Read | Access::Write | Access::Sum | Access::Update => 0..usize::MAX,
                };
                written.add(operand.tensor, places);
            }
        }
        Ok(())
    }

    /// Role, aliasing and scope of the `i`-th operand, which is written.
    fn written(&self, i: usize, operands: &[Operand]) -> Result<()> {
        let t = operands[i].tensor;
        if self.program.desc(t).role == Role::Input {
            return self.fail(format!("writes the input `{}`", self.name(t)));
        }
        let mut others = operands.iter().enumerate().filter(|(j, _)| *j != i);
        if others.any(|(_, o)| o.tensor == t) {
            return self.fail(format!("`{}` is used twice, once written", self.name(t)));
        }
        if self.per_chip(t) || operands[i].access == Access::Sum {
            return Ok(());
        }
        let mut reads = operands.iter().filter(|o| o.is_read()).map(|o| o.tensor);
        match reads.find(|&r| self.per_chip(r)) {
            Some(r) => self.fail(format!(
                "`{}` is shared but depends on `{}`, which is per chip",
                self.name(t),
                self.name(r)
            )),
            None => Ok(()),
        }
    }

    /// What the operator takes for codes is what an operator of the section before it left.
    fn codes(&self, op: &Op, codes: &mut Codes) -> Result<()> {
        if let Some((t, quant)) = op.reads_codes()
            && codes.get(&t) != Some(&quant)
        {
            let found = match codes.get(&t) {
                Some(other) => format!("holds codes of {other:?}"),
                None => "holds no codes".into(),
            };
            return self.fail(format!(
                "takes `{}` for codes of {quant:?}, which {found}",
                self.name(t)
            ));
        }
        for t in op.writes() {
            codes.remove(&t);
            // A quantizer's results are no longer what its new step says.
            codes.retain(|_, quant| quant.scale != t);
        }
        codes.extend(op.writes_codes());
        Ok(())
    }

    /// `Flat(n)`.
    pub(super) fn flat(&self, t: TensorId, n: usize) -> Result<()> {
        if self.shape(t) == Shape::Flat(n) {
            return Ok(());
        }
        self.fail(format!(
            "`{}` is {:?}, expected Flat({n})",
            self.name(t),
            self.shape(t)
        ))
    }

    /// Tensors that are all shared or all per chip.
    pub(super) fn one_scope(&self, tensors: &[TensorId]) -> Result<()> {
        match tensors
            .windows(2)
            .find(|t| self.per_chip(t[0]) != self.per_chip(t[1]))
        {
            None => Ok(()),
            Some(t) => self.fail(format!(
                "one of `{}` and `{}` is shared, the other per chip",
                self.name(t[0]),
                self.name(t[1])
            )),
        }
    }

    /// A flat tensor that is not empty; its length.
    pub(super) fn any_flat(&self, t: TensorId) -> Result<usize> {
        match self.shape(t) {
            Shape::Flat(n) if n > 0 => Ok(n),
            other => self.fail(format!(
                "`{}` is {other:?}, expected a flat tensor",
                self.name(t)
            )),
        }
    }

    /// Steps that runs of `run` of the `n` weights take in turn, each as often as the others.
    pub(super) fn steps(&self, t: TensorId, run: usize, n: usize) -> Result<()> {
        let steps = self.any_flat(t)?;
        if steps > 0 && run > 0 && n.is_multiple_of(steps * run) {
            return Ok(());
        }
        self.fail(format!(
            "`{}` has {steps} values for runs of {run}, which do not divide {n}",
            self.name(t)
        ))
    }

    /// A map of `c x h x w`.
    pub(super) fn image(&self, t: TensorId, c: usize, h: usize, w: usize) -> Result<()> {
        if self.shape(t) == (Shape::Image { c, h, w }) {
            return Ok(());
        }
        self.fail(format!(
            "`{}` is {:?}, expected an image of {c} x {h} x {w}",
            self.name(t),
            self.shape(t)
        ))
    }

    /// A map that is not empty; its `(c, h, w)`.
    pub(super) fn any_image(&self, t: TensorId) -> Result<(usize, usize, usize)> {
        match self.shape(t) {
            Shape::Image { c, h, w } if c * h * w > 0 => Ok((c, h, w)),
            other => self.fail(format!(
                "`{}` is {other:?}, expected an image",
                self.name(t)
            )),
        }
    }

    /// A map of the shape of another one.
    pub(super) fn same_image(&self, t: TensorId, of: TensorId) -> Result<()> {
        let (c, h, w) = self.any_image(of)?;
        self.image(t, c, h, w)
    }

    /// Step and codes of an activation quantizer.
    pub(super) fn quant(&self, quant: &ActQuant) -> Result<()> {
        self.flat(quant.scale, 1)?;
        if quant.lo > quant.hi {
            return self.fail(format!("code range {}..={}", quant.lo, quant.hi));
        }
        Ok(())
    }

    /// Constants of a non-linearity.
    pub(super) fn act(&self, act: Activation) -> Result<()> {
        if act.is_possible() {
            return Ok(());
        }
        self.fail(format!("impossible activation {act:?}"))
    }

    /// An epilogue of the map `y`.
    pub(super) fn post(&self, post: &Post, y: TensorId) -> Result<()> {
        self.act(post.act)?;
        let (c, ..) = self.any_image(y)?;
        for t in post.scale.into_iter().chain(post.shift) {
            self.flat(t, c)?;
        }
        if let Some(r) = post.residual {
            self.same_image(r, y)?;
        }
        post.quant.as_ref().map_or(Ok(()), |q| self.quant(q))
    }

    /// `x`, `y` and weights of a convolution.
    pub(super) fn conv(
        &self,
        x: TensorId,
        w: TensorId,
        y: TensorId,
        g: &ConvGeometry,
    ) -> Result<()> {
        let (h, v) = self.products(x, w, g)?;
        self.image(y, g.c_out, h, v)
    }

    /// `x` and weights of a convolution; rows and columns of what it makes.
    pub(super) fn products(
        &self,
        x: TensorId,
        w: TensorId,
        g: &ConvGeometry,
    ) -> Result<(usize, usize)> {
        if !g.is_possible() {
            return self.fail(format!("impossible geometry {g:?}"));
        }
        // A linear layer takes a flattened map, whatever its shape.
        let (c, h, v) = self.any_image(x)?;
        if !(g.is_linear() && c * h * v == g.c_in) {
            self.image(x, g.c_in, g.h_in, g.w_in)?;
        }
        self.flat(w, g.weights())?;
        Ok((g.h_out(), g.w_out()))
    }

    /// Window, input and output of a pooling.
    pub(super) fn pool(&self, x: TensorId, y: TensorId, g: &PoolGeometry) -> Result<()> {
        let (c, h, w) = self.any_image(x)?;
        if !g.is_possible(h, w) {
            return self.fail(format!("impossible window {g:?} on {h} x {w}"));
        }
        let (ho, wo) = g.out(h, w);
        self.image(y, c, ho, wo)
    }

    /// Nominal weight and constants of chips; the number of weights.
    pub(super) fn fabrication(
        &self,
        spec: &Fabrication,
        w: TensorId,
        chip: TensorId,
    ) -> Result<usize> {
        let n = spec.cols * spec.rows;
        self.flat(w, n)?;
        self.flat(chip, CHIP_FIELDS)?;
        Ok(n)
    }

    /// Bits of a weight.
    pub(super) fn bits(&self, bits: u32) -> Result<()> {
        if bits <= 8 {
            return Ok(());
        }
        self.fail(format!("{bits} bits, at most 8 are possible"))
    }
}
