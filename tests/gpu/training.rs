//! A small network trained for three steps and then swept over chips, every operator in its
//! place: whole sections on the device against the same sections on the processor.

use pimento::program::*;
use pimento::random::TRAINING;

use super::harness::*;
use crate::cases::fabricate::spec;

mod layers;
use layers::{Layer, Norm, optimizers};

/// Bound on the difference of a parameter after three steps. Rounding alone leaves 1e-6; an
/// activation within rounding of a quantizer's threshold may get the next code, which moves a
/// gradient by a step (0.1) of one of 74 images: 1e-3, times the learning rate of 0.05. A few
/// such codes are allowed.
const TOLERANCE: f64 = 2e-4;

/// Correct images of a chip may differ by those whose two largest logits are that close.
const HITS: f64 = 1.0;

const CLASSES: usize = 5;
const EPS_NORM: f32 = 1e-5;

/// Convolution 1 -> 4 maps of 4 x 4, then a linear layer of 64 inputs.
fn geometry() -> ConvGeometry {
    ConvGeometry {
        c_in: 1,
        h_in: 6,
        w_in: 6,
        c_out: 4,
        kh: 3,
        kw: 3,
        stride: [1; 2],
        dilation: [1; 2],
        pad: [0; 4],
        groups: 1,
    }
}

const MAP: [usize; 3] = [4, 4, 4];
const LOGITS: [usize; 3] = [CLASSES, 1, 1];

struct Network {
    x: TensorId,
    labels: TensorId,
    chip: TensorId,
    convolution: Layer,
    norm: Norm,
    quant: ActQuant,
    linear: Layer,
    bias: TensorId,
    // Maps, in the order of the forward pass.
    z: TensorId,
    a: TensorId,
    h: TensorId,
    logits: TensorId,
    loss: TensorId,
    hit: TensorId,
    tally: TensorId,
}

impl Network {
    fn new(case: &mut Case) -> Self {
        let x = case.exact([1, 6, 6], Scope::Shared);
        let labels = case.made([1, 1, 1], Scope::Shared, |n, _| {
            (0..n).map(|i| (i * 7 % CLASSES) as f32).collect()
        });
        let chip = case.made(CHIP_FIELDS, Scope::PerChip, |n, _| {
            let all = 0..n / CHIP_FIELDS;
            all.flat_map(|i| [0.05 * (i as f32 - 0.5), 1.0, 0.0, 0.0])
                .collect()
        });
        let geo = geometry();
        let differential = Mapping::Differential { g_min: 0.05 };
        let spec = Fabrication {
            layer: 0,
            cols: geo.c_out,
            rows: geo.rows(),
            ..spec(Law::WeightProportional, differential, Deviate::Gaussian)
        };
        let linear = Fabrication {
            law: Law::LayerFixed,
            mapping: Mapping::Ideal,
            sigma_w: 0.05,
            layer: 1,
            cols: CLASSES,
            rows: MAP.iter().product(),
            ..spec.clone()
        };
        Self {
            x,
            labels,
            chip,
            convolution: Layer::new(case, Some(Step::LineSearch), 1, spec),
            norm: Norm::new(case),
            quant: ActQuant {
                scale: case.output(1, Scope::Shared),
                lo: 0,
                hi: 15,
                rounding: Rounding::Nearest,
            },
            linear: Layer::new(case, Some(Step::Mse), CLASSES, linear),
            bias: case.exact(CLASSES, Scope::Shared),
            z: case.temp(MAP, Scope::PerChip),
            a: case.temp(MAP, Scope::PerChip),
            h: case.temp(MAP, Scope::PerChip),
            logits: case.output(LOGITS, Scope::PerChip),
            loss: case.temp([1, 1, 1], Scope::PerChip),
            hit: case.temp([1, 1, 1], Scope::PerChip),
            tally: case.output(2, Scope::PerChip),
        }
    }

    /// From the chips' weights to logits; `before` stands between convolution and its batch norm.
    fn forward(&self, before: Vec<Op>, calibrate: Vec<Op>) -> Vec<Op> {
        let mut ops = vec![Op::from(Conv2d {
            x: self.x,
            w: self.convolution.effective,
            y: self.z,
            geo: geometry(),
            post: Post::NONE,
            codes: None,
        })];
        ops.extend(before);
        ops.push(Op::from(Pointwise {
            x: self.z,
            y: self.a,
            post: Post {
                scale: Some(self.norm.scale),
                shift: Some(self.norm.shift),
                act: Activation::Relu,
                ..Post::NONE
            },
        }));
        ops.extend(calibrate);
        ops.push(Op::from(QuantizeAct {
            x: self.a,
            y: self.h,
            quant: self.quant,
        }));
        ops.push(Op::from(Conv2d {
            x: self.h,
            w: self.linear.effective,
            y: self.logits,
            geo: ConvGeometry::linear(self.linear.spec.rows, CLASSES),
            post: Post {
                shift: Some(self.bias),
                ..Post::NONE
            },
            codes: None,
        }));
        ops
    }

    fn loss(&self, dlogits: Option<TensorId>) -> [Op; 3] {
        [
            Op::from(SoftmaxXent {
                logits: self.logits,
                labels: self.labels,
                loss: self.loss,
                hit: self.hit,
                dlogits,
                smoothing: 0.1,
                apart: false,
            }),
            Op::from(Zero { t: self.tally }),
            Op::from(Tally {
                values: vec![self.hit, self.loss],
                tally: self.tally,
            }),
        ]
    }

    /// One step: forward under fresh chips, backward, update.
    fn train(&self, case: &mut Case) -> Vec<Op> {
        let norm = &self.norm;
        let mut ops = Vec::new();
        ops.extend(self.convolution.forward(self.chip));
        ops.extend(self.linear.forward(self.chip));
        let running = |state, value, times| {
            Op::from(Lerp {
                state,
                value,
                rate: Rate::Cumulative,
                times,
            })
        };
        let before = vec![
            Op::from(BatchNormStats {
                x: self.z,
                mean: norm.mean,
                var: norm.var,
            }),
            norm.fold(norm.mean, norm.var),
            running(norm.running_mean, norm.mean, 1.0),
            running(norm.running_var, norm.var, 1.001),
        ];
        let largest = case.output(1, Scope::Shared);
        let calibrate = vec![
            Op::from(MaxAbs {
                x: self.a,
                out: largest,
                divisor: self.quant.hi as f32,
            }),
            Op::from(Lerp {
                state: self.quant.scale,
                value: largest,
                rate: Rate::FixedFromFirst(0.1),
                times: 1.0,
            }),
        ];
        ops.extend(self.forward(before, calibrate));
        let dlogits = case.temp(LOGITS, Scope::PerChip);
        ops.extend(self.loss(Some(dlogits)));
        ops.extend(self.backward(case, dlogits));
        ops
    }

    fn backward(&self, case: &mut Case, dlogits: TensorId) -> Vec<Op> {
        let norm = &self.norm;
        let mut map = || case.temp(MAP, Scope::PerChip);
        let (dh, da, dnorm, dz) = (map(), map(), map(), map());
        let dbias = case.output(CLASSES, Scope::Shared);
        let dgamma = case.output(MAP[0], Scope::Shared);
        let dbeta = case.output(MAP[0], Scope::Shared);
        let linear = ConvGeometry::linear(self.linear.spec.rows, CLASSES);
        let mut ops = vec![
            Op::from(ChannelSum {
                x: dlogits,
                y: dbias,
            }),
            Op::from(Conv2dGradWeight {
                x: self.h,
                dy: dlogits,
                dw: self.linear.d_effective,
                geo: linear,
            }),
            Op::from(Conv2dGradInput {
                dy: dlogits,
                w: self.linear.effective,
                dx: dh,
                geo: linear,
            }),
            Op::from(QuantizeActGrad {
                x: self.a,
                dy: dh,
                dx: da,
                dscale: None,
                quant: self.quant,
                ste: StraightThrough::Clip,
            }),
            Op::from(ActivationGrad {
                y: self.a,
                dy: da,
                dx: dnorm,
                act: Activation::Relu,
                scale: None,
            }),
            Op::from(BatchNormGradSums {
                x: self.z,
                mean: norm.mean,
                var: norm.var,
                dy: dnorm,
                dgamma,
                dbeta,
                eps: EPS_NORM,
            }),
            Op::from(BatchNormGrad {
                x: self.z,
                mean: norm.mean,
                var: norm.var,
                gamma: norm.gamma,
                dy: dnorm,
                dgamma,
                dbeta,
                dx: dz,
                eps: EPS_NORM,
            }),
            Op::from(Conv2dGradWeight {
                x: self.x,
                dy: dz,
                dw: self.convolution.d_effective,
                geo: geometry(),
            }),
        ];
        ops.extend(self.linear.backward(self.chip));
        ops.extend(self.convolution.backward(self.chip));
        let updates = [
            (self.convolution.w, self.convolution.dw),
            (norm.gamma, dgamma),
            (norm.beta, dbeta),
            (self.linear.w, self.linear.dw),
            (self.bias, dbias),
        ];
        ops.extend(optimizers(case, &updates));
        ops
    }

    /// Forward with frozen statistics, on the chips of a sweep.
    fn evaluate(&self) -> Vec<Op> {
        let mut ops = Vec::new();
        ops.extend(self.convolution.forward(self.chip));
        ops.extend(self.linear.forward(self.chip));
        let before = vec![
            self.norm
                .fold(self.norm.running_mean, self.norm.running_var),
        ];
        ops.extend(self.forward(before, Vec::new()));
        ops.extend(self.loss(None));
        ops
    }
}

/// Program, three training steps, one wave of chips.
fn case() -> (Case, Network) {
    let mut case = Case::new(1, 2, 37);
    let network = Network::new(&mut case);
    let train = network.train(&mut case);
    let train = case.program.section("train", train);
    let evaluate = case.program.section("evaluate", network.evaluate());
    for step in 0..3 {
        let args = RunArgs {
            purpose: TRAINING,
            step,
            lr: 0.05,
            ..RunArgs::wave(99, 2 * step, 2, 0..37)
        };
        case.runs.push((train, args));
    }
    case.runs.push((evaluate, RunArgs::wave(99, 40, 2, 16..37)));
    (case, network)
}

#[test]
fn three_steps_and_a_wave_match_cpu() {
    let (mut case, network) = case();
    case.reads(&[
        network.convolution.w,
        network.norm.gamma,
        network.norm.beta,
        network.linear.w,
        network.bias,
        network.norm.running_mean,
        network.norm.running_var,
        network.quant.scale,
        network.convolution.scale,
        network.linear.full_scale,
    ]);
    case.matches_cpu("three steps", TOLERANCE);
}

#[test]
fn chips_after_training_score_as_on_cpu() {
    let (mut case, network) = case();
    case.reads(&[network.tally]);
    case.matches_cpu("scores", HITS);
}

#[test]
fn steps_are_the_same_in_every_run_of_a_device() {
    let Some(gpu) = gpu_or_skip("repeated steps") else {
        return;
    };
    let (mut case, network) = case();
    case.reads(&[
        network.convolution.w,
        network.linear.w,
        network.logits,
        network.tally,
    ]);
    let first = case.results(gpu);
    for _ in 0..2 {
        assert_eq!(case.results(gpu), first);
    }
}
