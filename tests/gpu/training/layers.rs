//! Layers of the network and the optimizers of its parameters.

use super::*;

/// A weight with everything between it and the chips.
pub struct Layer {
    pub w: TensorId,
    pub scale: TensorId,
    pub full_scale: TensorId,
    pub q: TensorId,
    pub effective: TensorId,
    pub d_effective: TensorId,
    pub dq: TensorId,
    pub dw: TensorId,
    pub step: Option<Step>,
    pub run: usize,
    pub spec: Fabrication,
}

const BITS: u32 = 4;

impl Layer {
    pub fn new(case: &mut Case, step: Option<Step>, steps: usize, spec: Fabrication) -> Self {
        let n = spec.cols * spec.rows;
        let mut temp = |scope| {
            let name = format!("layer{}.{}", spec.layer, case.program.tensors.len());
            case.program.tensor(name, Shape::Flat(n), scope, Role::Temp)
        };
        let (q, dq, dw) = (
            temp(Scope::Shared),
            temp(Scope::Shared),
            temp(Scope::Shared),
        );
        let (effective, d_effective) = (temp(Scope::PerChip), temp(Scope::PerChip));
        Self {
            w: case.made(n, Scope::Shared, |n, seed| {
                values(n, seed).iter().map(|v| 0.5 * v).collect()
            }),
            scale: case.output(steps, Scope::Shared),
            full_scale: case.output(steps, Scope::Shared),
            q,
            effective,
            d_effective,
            dq,
            dw,
            step,
            run: n / steps,
            spec,
        }
    }

    /// Master weight to the weights of the chips.
    pub fn forward(&self, chip: TensorId) -> [Op; 3] {
        [
            Op::from(WeightScale {
                w: self.w,
                scale: self.scale,
                full_scale: self.full_scale,
                run: self.run,
                bits: BITS,
                step: self.step,
            }),
            Op::from(QuantizeWeight {
                w: self.w,
                scale: self.scale,
                run: self.run,
                q: self.q,
                bits: BITS,
            }),
            Op::from(Fabricate {
                w: self.q,
                full_scale: self.full_scale,
                chip,
                out: self.effective,
                spec: self.spec.clone(),
            }),
        ]
    }

    /// Gradient of the chips' weights to that of the master weight.
    pub fn backward(&self, chip: TensorId) -> [Op; 2] {
        [
            Op::from(FabricateGrad {
                w: self.q,
                full_scale: None,
                chip,
                dout: self.d_effective,
                dw: self.dq,
                spec: self.spec.clone(),
            }),
            Op::from(QuantizeWeightGrad {
                w: self.w,
                scale: self.scale,
                run: self.run,
                dq: self.dq,
                dw: self.dw,
                dscale: None,
                bits: BITS,
                ste: StraightThrough::Identity,
            }),
        ]
    }
}

/// Batch norm of the convolution's output.
pub struct Norm {
    pub mean: TensorId,
    pub var: TensorId,
    pub running_mean: TensorId,
    pub running_var: TensorId,
    pub gamma: TensorId,
    pub beta: TensorId,
    pub scale: TensorId,
    pub shift: TensorId,
}

impl Norm {
    pub fn new(case: &mut Case) -> Self {
        let c = MAP[0];
        Self {
            mean: case.output(c, Scope::Shared),
            var: case.output(c, Scope::Shared),
            running_mean: case.output(c, Scope::Shared),
            running_var: case.output(c, Scope::Shared),
            gamma: case.made(c, Scope::Shared, |n, _| vec![1.0; n]),
            beta: case.made(c, Scope::Shared, |n, _| vec![0.25; n]),
            scale: case.output(c, Scope::Shared),
            shift: case.output(c, Scope::Shared),
        }
    }

    pub fn fold(&self, mean: TensorId, var: TensorId) -> Op {
        Op::from(BatchNormFold {
            mean,
            var,
            gamma: self.gamma,
            beta: self.beta,
            scale: self.scale,
            shift: self.shift,
            eps: EPS_NORM,
        })
    }
}

/// Half of the parameters by one optimizer, half by the other.
pub fn optimizers(case: &mut Case, updates: &[(TensorId, TensorId)]) -> Vec<Op> {
    let mut ops = Vec::new();
    for (i, &(w, g)) in updates.iter().enumerate() {
        let n = case.program.desc(w).shape.len();
        let mut moment = || case.output(n, Scope::Shared);
        ops.push(if i < 3 {
            Op::from(Sgd {
                w,
                g,
                m: moment(),
                momentum: 0.9,
                weight_decay: 1e-3,
                nesterov: true,
                positive: false,
            })
        } else {
            Op::from(Adam {
                w,
                g,
                m: moment(),
                v: moment(),
                beta1: 0.9,
                beta2: 0.99,
                // Large, so that the sign of a gradient that is rounding does not count.
                eps: 1e-2,
                weight_decay: 1e-3,
                decoupled: true,
                positive: false,
            })
        });
    }
    ops
}
