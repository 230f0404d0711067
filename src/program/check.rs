//! Checks a [`Program`] before a backend allocates anything for it: shapes, scopes and roles of
//! all operands, so that no kernel has to.

mod cells;
mod written;

use crate::error::{Error, Result};
use crate::program::*;
use written::Written;

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
            for (index, op) in section.ops.iter().enumerate() {
                let at = At {
                    program: self,
                    section: &section.name,
                    index,
                    op,
                };
                at.operands(&mut written)?;
                at.shapes()?;
                if let Some(draws) = op.draws() {
                    draws.check()?;
                }
            }
        }
        Ok(())
    }
}

/// An operator and its place, for messages.
struct At<'a> {
    program: &'a Program,
    section: &'a str,
    index: usize,
    op: &'a Op,
}

impl At<'_> {
    fn fail<T>(&self, what: impl std::fmt::Display) -> Result<T> {
        Err(Error::Internal(format!(
            "section `{}`, operator {} ({}): {what}",
            self.section,
            self.index,
            self.op.name()
        )))
    }

    fn name(&self, t: TensorId) -> &str {
        &self.program.tensors[t.index()].name
    }

    fn shape(&self, t: TensorId) -> Shape {
        self.program.tensors[t.index()].shape
    }

    fn per_chip(&self, t: TensorId) -> bool {
        self.program.tensors[t.index()].scope == Scope::PerChip
    }

    /// Existence, roles, order of use, aliasing and scopes.
    fn operands(&self, written: &mut Written) -> Result<()> {
        let (reads, writes) = (self.op.reads(), self.op.writes());
        for &t in reads.iter().chain(&writes) {
            if t.index() >= self.program.tensors.len() {
                return self.fail(format!("tensor {} does not exist", t.0));
            }
        }
        let halves = self.may_be_halves();
        for &t in reads.iter().chain(&writes) {
            if self.program.desc(t).storage == Storage::F16 && !halves.contains(&t) {
                return self.fail(format!("takes no halves as `{}`", self.name(t)));
            }
        }
        for &t in &reads {
            let role = self.program.desc(t).role;
            if matches!(role, Role::Temp | Role::Output)
                && !written.is_whole(t, self.shape(t).len())
            {
                return self.fail(format!("reads `{}` before it is written", self.name(t)));
            }
        }
        let updates_in_place = matches!(
            self.op,
            Op::WeightScale { .. }
                | Op::Lerp { .. }
                | Op::Tally { .. }
                | Op::Sgd { .. }
                | Op::Adam { .. }
        );
        for (i, &t) in writes.iter().enumerate() {
            if self.program.desc(t).role == Role::Input {
                return self.fail(format!("writes the input `{}`", self.name(t)));
            }
            if writes[..i].contains(&t) || (!updates_in_place && reads.contains(&t)) {
                return self.fail(format!("`{}` is used twice, once written", self.name(t)));
            }
            let places = match self.op {
                Op::Rearrange { first, table, .. } => *first..first.saturating_add(table.len()),
                _ => 0..usize::MAX,
            };
            written.add(t, places);
        }
        let reduces = |t: TensorId| {
            matches!(
                self.op,
                Op::FabricateGrad { .. }
                    | Op::Conv2dGradWeight { .. }
                    | Op::ChannelSum { .. }
                    | Op::BatchNormStats { .. }
                    | Op::BatchNormGradSums { .. }
                    | Op::MaxAbs { .. }
                    | Op::QuantizeActGrad { .. }
                    | Op::Histogram { .. }
            ) && !self.shape(t).is_image()
        };
        for &t in &writes {
            if self.per_chip(t) || reduces(t) {
                continue;
            }
            if let Some(&r) = reads.iter().find(|&&r| self.per_chip(r)) {
                return self.fail(format!(
                    "`{}` is shared but depends on `{}`, which is per chip",
                    self.name(t),
                    self.name(r)
                ));
            }
        }
        Ok(())
    }

    fn flat(&self, t: TensorId, n: usize) -> Result<()> {
        if self.shape(t) == Shape::Flat(n) {
            return Ok(());
        }
        self.fail(format!(
            "`{}` is {:?}, expected Flat({n})",
            self.name(t),
            self.shape(t)
        ))
    }

    fn any_flat(&self, t: TensorId) -> Result<usize> {
        match self.shape(t) {
            Shape::Flat(n) if n > 0 => Ok(n),
            other => self.fail(format!(
                "`{}` is {other:?}, expected a flat tensor",
                self.name(t)
            )),
        }
    }

    /// Steps that runs of `run` of the `n` weights take in turn, each as often as the others.
    fn steps(&self, t: TensorId, run: usize, n: usize) -> Result<()> {
        let steps = self.any_flat(t)?;
        if steps > 0 && run > 0 && n.is_multiple_of(steps * run) {
            return Ok(());
        }
        self.fail(format!(
            "`{}` has {steps} values for runs of {run}, which do not divide {n}",
            self.name(t)
        ))
    }

    fn image(&self, t: TensorId, c: usize, h: usize, w: usize) -> Result<()> {
        if self.shape(t) == (Shape::Image { c, h, w }) {
            return Ok(());
        }
        self.fail(format!(
            "`{}` is {:?}, expected an image of {c} x {h} x {w}",
            self.name(t),
            self.shape(t)
        ))
    }

    fn any_image(&self, t: TensorId) -> Result<(usize, usize, usize)> {
        match self.shape(t) {
            Shape::Image { c, h, w } if c * h * w > 0 => Ok((c, h, w)),
            other => self.fail(format!(
                "`{}` is {other:?}, expected an image",
                self.name(t)
            )),
        }
    }

    fn same_image(&self, t: TensorId, of: TensorId) -> Result<()> {
        let (c, h, w) = self.any_image(of)?;
        self.image(t, c, h, w)
    }

    fn quant(&self, quant: &ActQuant) -> Result<()> {
        self.flat(quant.scale, 1)?;
        if quant.lo > quant.hi {
            return self.fail(format!("code range {}..={}", quant.lo, quant.hi));
        }
        Ok(())
    }

    fn act(&self, act: Activation) -> Result<()> {
        if act.is_possible() {
            return Ok(());
        }
        self.fail(format!("impossible activation {act:?}"))
    }

    fn post(&self, post: &Post, y: TensorId) -> Result<()> {
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
    fn conv(&self, x: TensorId, w: TensorId, y: TensorId, g: &ConvGeometry) -> Result<()> {
        if !g.is_possible() {
            return self.fail(format!("impossible geometry {g:?}"));
        }
        // A linear layer takes a flattened map, whatever its shape.
        let (c, h, v) = self.any_image(x)?;
        if !(g.is_linear() && c * h * v == g.c_in) {
            self.image(x, g.c_in, g.h_in, g.w_in)?;
        }
        self.flat(w, g.weights())?;
        self.image(y, g.c_out, g.h_out(), g.w_out())
    }

    fn pool(&self, x: TensorId, y: TensorId, g: &PoolGeometry) -> Result<()> {
        let (c, h, w) = self.any_image(x)?;
        if !g.is_possible(h, w) {
            return self.fail(format!("impossible window {g:?} on {h} x {w}"));
        }
        let (ho, wo) = g.out(h, w);
        self.image(y, c, ho, wo)
    }

    /// The target's places and the table's sources exist.
    fn rearrange(&self, x: TensorId, y: TensorId, first: usize, table: &[u32]) -> Result<()> {
        let count = |(c, h, w)| c * h * w;
        let (sources, places) = (count(self.any_image(x)?), count(self.any_image(y)?));
        if table.is_empty() || first > places || table.len() > places - first {
            return self.fail(format!(
                "{} values from place {first} on do not fit `{}`, which has {places}",
                table.len(),
                self.name(y)
            ));
        }
        let outside = |&&source: &&u32| source != NO_SOURCE && source as usize >= sources;
        match table.iter().find(outside) {
            None => Ok(()),
            Some(source) => self.fail(format!(
                "takes value {source} of `{}`, which has {sources}",
                self.name(x)
            )),
        }
    }

    fn fabrication(&self, spec: &Fabrication, w: TensorId, chip: TensorId) -> Result<usize> {
        let n = spec.cols * spec.rows;
        self.flat(w, n)?;
        self.flat(chip, CHIP_FIELDS)?;
        Ok(n)
    }

    fn bits(&self, bits: u32) -> Result<()> {
        if bits <= 8 {
            return Ok(());
        }
        self.fail(format!("{bits} bits, at most 8 are possible"))
    }

    fn shapes(&self) -> Result<()> {
        match self.op {
            &Op::WeightScale {
                w,
                scale,
                full_scale,
                run,
                bits,
                ..
            } => {
                self.bits(bits)?;
                let n = self.any_flat(w)?;
                self.steps(scale, run, n)?;
                self.flat(full_scale, self.any_flat(scale)?)
            }
            &Op::QuantizeWeight {
                w,
                scale,
                run,
                q,
                bits,
            } => {
                self.bits(bits)?;
                let n = self.any_flat(w)?;
                self.steps(scale, run, n)?;
                self.flat(q, n)
            }
            &Op::QuantizeWeightGrad {
                w,
                scale,
                run,
                dq,
                dw,
                dscale,
                bits,
                ..
            } => {
                self.bits(bits)?;
                let n = self.any_flat(w)?;
                self.steps(scale, run, n)?;
                self.flat(dq, n)?;
                self.flat(dw, n)?;
                dscale.map_or(Ok(()), |d| self.flat(d, self.any_flat(scale)?))
            }
            Op::Fabricate {
                w,
                full_scale,
                chip,
                out,
                spec,
            } => {
                let n = self.fabrication(spec, *w, *chip)?;
                let cols = self.any_flat(*full_scale)?;
                if cols != 1 && cols != spec.cols {
                    return self.fail(format!(
                        "`{}` has {cols} values, expected 1 or {}",
                        self.name(*full_scale),
                        spec.cols
                    ));
                }
                self.flat(*out, n)
            }
            Op::FabricateGrad {
                w,
                chip,
                dout,
                dw,
                spec,
            } => {
                let n = self.fabrication(spec, *w, *chip)?;
                self.flat(*dout, n)?;
                self.flat(*dw, n)
            }
            Op::ProgramCells { .. }
            | Op::IrDrop { .. }
            | Op::ConverterFold { .. }
            | Op::Crossbar { .. }
            | Op::PartialSums { .. }
            | Op::CollapsePlanes { .. }
            | Op::Histogram { .. } => self.cells(),
            Op::Conv2d { x, w, y, geo, post } => {
                self.conv(*x, *w, *y, geo)?;
                self.post(post, *y)
            }
            Op::Conv2dGradInput { dy, w, dx, geo } => self.conv(*dx, *w, *dy, geo),
            Op::Conv2dGradWeight { x, dy, dw, geo } => self.conv(*x, *dw, *dy, geo),
            Op::Pointwise { x, y, post } => {
                self.same_image(*y, *x)?;
                self.post(post, *y)
            }
            &Op::ActivationGrad {
                y,
                dy,
                dx,
                act,
                scale,
            } => {
                self.act(act)?;
                let (c, ..) = self.any_image(y)?;
                self.same_image(dy, y)?;
                self.same_image(dx, y)?;
                scale.map_or(Ok(()), |s| self.flat(s, c))
            }
            &Op::ChannelSum { x, y } => {
                let (c, ..) = self.any_image(x)?;
                self.flat(y, c)
            }
            &Op::Add { a, b, y } => {
                self.same_image(b, a)?;
                self.same_image(y, a)
            }
            &Op::Multiply { a, b, y } => {
                self.same_image(y, a)?;
                let (c, ..) = self.any_image(a)?;
                self.same_image(b, a).or_else(|_| self.image(b, c, 1, 1))
            }
            &Op::Softmax { x, y } => self.same_image(y, x),
            Op::Rearrange {
                x, y, first, table, ..
            } => self.rearrange(*x, *y, *first, table),
            Op::MaxPool { x, y, geo } | Op::AvgPool { x, y, geo } => self.pool(*x, *y, geo),
            Op::MaxPoolGrad { x, y, dy, dx, geo } => {
                self.pool(*x, *y, geo)?;
                self.same_image(*dy, *y)?;
                self.same_image(*dx, *x)
            }
            Op::AvgPoolGrad { dy, dx, geo } => self.pool(*dx, *dy, geo),
            &Op::BatchNormStats { x, mean, var } => {
                let (c, ..) = self.any_image(x)?;
                self.flat(mean, c)?;
                self.flat(var, c)
            }
            &Op::BatchNormFold {
                mean,
                var,
                gamma,
                beta,
                scale,
                shift,
                ..
            } => {
                let c = self.any_flat(mean)?;
                [var, gamma, beta, scale, shift]
                    .into_iter()
                    .try_for_each(|t| self.flat(t, c))
            }
            &Op::BatchNormGradSums {
                x,
                mean,
                var,
                dy,
                dgamma,
                dbeta,
                ..
            } => {
                let (c, ..) = self.any_image(x)?;
                self.same_image(dy, x)?;
                [mean, var, dgamma, dbeta]
                    .into_iter()
                    .try_for_each(|t| self.flat(t, c))
            }
            &Op::BatchNormGrad {
                x,
                mean,
                var,
                gamma,
                dy,
                dx,
                dgamma,
                dbeta,
                ..
            } => {
                let (c, ..) = self.any_image(x)?;
                self.same_image(dy, x)?;
                self.same_image(dx, x)?;
                [mean, var, gamma, dgamma, dbeta]
                    .into_iter()
                    .try_for_each(|t| self.flat(t, c))
            }
            &Op::MaxAbs { x, out, .. } => {
                self.any_image(x)?;
                self.flat(out, 1)
            }
            &Op::VarianceRatio { a, b, out } => {
                let n = self.any_flat(a)?;
                self.flat(b, n)?;
                self.flat(out, n)
            }
            &Op::Lerp { state, value, .. } => self.flat(value, self.any_flat(state)?),
            Op::QuantizeAct { x, y, quant } => {
                self.same_image(*y, *x)?;
                self.quant(quant)
            }
            Op::QuantizeActGrad {
                x,
                dy,
                dx,
                dscale,
                quant,
                ..
            } => {
                self.same_image(*dy, *x)?;
                self.same_image(*dx, *x)?;
                self.quant(quant)?;
                dscale.map_or(Ok(()), |d| self.flat(d, 1))
            }
            &Op::BinarizeAct { x, y, .. } => self.same_image(y, x),
            &Op::BinarizeActGrad { x, dy, dx } => {
                self.same_image(dy, x)?;
                self.same_image(dx, x)
            }
            &Op::SoftmaxXent {
                logits,
                labels,
                loss,
                hit,
                dlogits,
                ..
            } => {
                let (classes, h, w) = self.any_image(logits)?;
                self.image(logits, classes, 1, 1)?;
                debug_assert_eq!((h, w), (1, 1));
                [labels, loss, hit]
                    .into_iter()
                    .try_for_each(|t| self.image(t, 1, 1, 1))?;
                dlogits.map_or(Ok(()), |d| self.same_image(d, logits))
            }
            &Op::Tally { hit, loss, tally } => {
                self.image(hit, 1, 1, 1)?;
                self.image(loss, 1, 1, 1)?;
                self.flat(tally, 2)
            }
            &Op::Zero { t } => self.any_flat(t).map(|_| ()),
            &Op::Sgd { w, g, m, .. } => {
                let n = self.any_flat(w)?;
                self.flat(g, n)?;
                self.flat(m, n)
            }
            &Op::Adam { w, g, m, v, .. } => {
                let n = self.any_flat(w)?;
                [g, m, v].into_iter().try_for_each(|t| self.flat(t, n))
            }
        }
    }
}
