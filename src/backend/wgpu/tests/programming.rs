//! Kernels of weights, chips, quantizers, batch norm and optimizers: every variant that a program
//! can ask for, and the layouts of their parameters.

use super::validate_program;
use crate::effects::Profile;
use crate::program::*;

const FLAT: Shape = Shape::Flat(12);
const MAP: Shape = Shape::Image { c: 3, h: 2, w: 5 };

fn shared(p: &mut Program, name: &str, n: usize) -> TensorId {
    p.tensor(name, Shape::Flat(n), Scope::Shared, Role::State)
}

#[test]
fn weight_kernels_are_valid() {
    let mut p = Program::default();
    let w = shared(&mut p, "w", 12);
    let q = shared(&mut p, "q", 12);
    let dq = shared(&mut p, "dq", 12);
    let dw = shared(&mut p, "dw", 12);
    let mut ops = Vec::new();
    for (groups, run) in [(1, 12), (3, 4), (3, 2)] {
        let scale = shared(&mut p, &format!("scale{groups}x{run}"), groups);
        let full_scale = shared(&mut p, &format!("full{groups}x{run}"), groups);
        let dscale = shared(&mut p, &format!("dscale{groups}x{run}"), groups);
        for bits in [0, 1, 4] {
            for step in [
                Some(Step::MaxAbs),
                Some(Step::Percentile(99.0)),
                Some(Step::LineSearch),
                Some(Step::Mse),
                None,
            ] {
                ops.push(Op::from(WeightScale {
                    w,
                    scale,
                    full_scale,
                    run,
                    bits,
                    step,
                }));
            }
            ops.push(Op::from(QuantizeWeight {
                w,
                scale,
                run,
                q,
                bits,
            }));
            for dscale in [None, Some(dscale)] {
                ops.push(Op::from(QuantizeWeightGrad {
                    w,
                    scale,
                    run,
                    dq,
                    dw,
                    dscale,
                    bits,
                    ste: StraightThrough::Clip,
                }));
            }
        }
    }
    p.section("run", ops);
    validate_program(&p);
}

#[test]
fn fabrication_kernels_are_valid() {
    let mut p = Program::default();
    let w = shared(&mut p, "w", 12);
    let dw = shared(&mut p, "dw", 12);
    let full_scale = shared(&mut p, "full", 3);
    let chip = p.tensor(
        "chip",
        Shape::Flat(CHIP_FIELDS),
        Scope::PerChip,
        Role::State,
    );
    let out = p.tensor("out", FLAT, Scope::PerChip, Role::Temp);
    let mut ops = Vec::new();
    let by = Some(Profile::new(vec![[0.5, 1.0], [2.0, 0.0]]));
    for law in [Law::WeightProportional, Law::LayerFixed] {
        for mapping in [
            Mapping::Ideal,
            Mapping::Differential { g_min: 0.1 },
            Mapping::Offset {
                g_min: 0.1,
                copies: 0,
            },
            Mapping::Offset {
                g_min: 0.1,
                copies: 4,
            },
        ] {
            for deviate in [
                Deviate::Gaussian,
                Deviate::Truncated { at: 2.0 },
                Deviate::Lognormal,
            ] {
                for (reference_columns, profile) in [(0, &None), (2, &None), (0, &by), (2, &by)] {
                    let spec = Fabrication {
                        law,
                        mapping,
                        deviate,
                        sigma_w: 0.2,
                        profile: profile.clone(),
                        reference_columns,
                        layer: 1,
                        cols: 3,
                        rows: 4,
                    };
                    ops.push(Op::from(Fabricate {
                        w,
                        full_scale,
                        chip,
                        out,
                        spec: spec.clone(),
                    }));
                    ops.push(Op::from(FabricateGrad {
                        w,
                        full_scale: profile.as_ref().map(|_| full_scale),
                        chip,
                        dout: out,
                        dw,
                        spec,
                    }));
                }
            }
        }
    }
    p.section("run", ops);
    validate_program(&p);
}

#[test]
fn activation_quantizer_kernels_are_valid() {
    let mut p = Program::default();
    let x = p.tensor("x", MAP, Scope::Shared, Role::Input);
    let dy = p.tensor("dy", MAP, Scope::PerChip, Role::Temp);
    let y = p.tensor("y", MAP, Scope::PerChip, Role::Output);
    let scale = shared(&mut p, "scale", 1);
    let dscale = shared(&mut p, "dscale", 1);
    let quant = ActQuant {
        scale,
        lo: 0,
        hi: 15,
        rounding: Rounding::Nearest,
    };
    let mut ops = vec![
        Op::from(MaxAbs {
            x,
            out: scale,
            divisor: 15.0,
        }),
        Op::from(QuantizeAct { x, y, quant }),
        Op::from(BinarizeActGrad { x, dy, dx: y }),
    ];
    for group in [BinaryGroup::Channel, BinaryGroup::Image] {
        ops.push(Op::from(BinarizeAct { x, y, group }));
    }
    for dscale in [None, Some(dscale)] {
        ops.push(Op::from(QuantizeActGrad {
            x,
            dy,
            dx: y,
            dscale,
            quant,
            ste: StraightThrough::Clip,
        }));
    }
    ops.push(Op::from(RangeGrad {
        x,
        dy,
        quant,
        decay: 0.01,
        inside: 0.95,
        dscale,
    }));
    p.section("run", ops);
    validate_program(&p);
}

#[test]
fn batch_norm_and_optimizer_kernels_are_valid() {
    let mut p = Program::default();
    let x = p.tensor("x", MAP, Scope::PerChip, Role::Temp);
    let dy = p.tensor("dy", MAP, Scope::PerChip, Role::Temp);
    let dx = p.tensor("dx", MAP, Scope::PerChip, Role::Temp);
    let mut flat = |name: &str| shared(&mut p, name, 3);
    let (mean, var, gamma, beta) = (flat("mean"), flat("var"), flat("gamma"), flat("beta"));
    let (scale, shift) = (flat("scale"), flat("shift"));
    let (dgamma, dbeta) = (flat("dgamma"), flat("dbeta"));
    let (m, v) = (flat("m"), flat("v"));
    let eps = 1e-5;
    let ops = vec![
        Op::from(BatchNormStats { x, mean, var }),
        Op::from(BatchNormFold {
            mean,
            var,
            gamma,
            beta,
            scale,
            shift,
            eps,
        }),
        Op::from(BatchNormGradSums {
            x,
            mean,
            var,
            dy,
            dgamma,
            dbeta,
            eps,
        }),
        Op::from(BatchNormGrad {
            x,
            mean,
            var,
            gamma,
            dy,
            dgamma,
            dbeta,
            dx,
            eps,
        }),
        Op::from(Lerp {
            state: mean,
            value: var,
            rate: Rate::Cumulative,
            times: 1.5,
        }),
        Op::from(Zero { t: mean }),
        Op::from(Sgd {
            w: gamma,
            g: dgamma,
            m,
            momentum: 0.9,
            weight_decay: 0.0,
            nesterov: true,
            positive: false,
        }),
        Op::from(Adam {
            w: beta,
            g: dbeta,
            m,
            v,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
            positive: false,
        }),
    ];
    p.section("run", ops);
    validate_program(&p);
}
