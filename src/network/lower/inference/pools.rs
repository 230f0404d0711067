//! Convolutions of a pass and the pooling that follows them, in one operator.

use std::collections::HashMap;

use crate::network::lower::*;

/// Replaces convolutions, the pooling of what they write, and the quantizer of that, by one [`Conv2dPool`] each, where
/// nobody else reads the maps in between and [`Conv2dPool::is_worth`] says so.
pub(super) fn pool_at_once(program: &Program, ops: Vec<Op>) -> Vec<Op> {
    let mut readers: HashMap<TensorId, Vec<usize>> = HashMap::new();
    for (i, op) in ops.iter().enumerate() {
        for operand in op.operands() {
            readers.entry(operand.tensor).or_default().push(i);
        }
    }
    // Of a map that one operator writes and one reads, the one that is not `i`.
    let next = |t: TensorId, i: usize| match (&program.desc(t).role, readers[&t].as_slice()) {
        (Role::Temp, &[a, b]) => Some(if a == i { b } else { a }),
        _ => None,
    };
    let mut pooled: Vec<Option<Op>> = vec![None; ops.len()];
    let mut gone = vec![false; ops.len()];
    for (i, op) in ops.iter().enumerate() {
        let Op::Conv2d(conv) = op else {
            continue;
        };
        let Some(at) = next(conv.y, i) else {
            continue;
        };
        let Some(mut one) = pooled_by(conv, &ops[at]) else {
            continue;
        };
        let mut last = at;
        if let Some(behind) = next(one.y, at)
            && let Op::QuantizeAct(quantizer) = &ops[behind]
        {
            (one.y, one.quant, last) = (quantizer.y, Some(quantizer.quant), behind);
            gone[at] = true;
        }
        gone[i] = true;
        pooled[last] = Some(Op::from(one));
    }
    let kept = ops.into_iter().zip(pooled).zip(gone);
    let kept = kept.filter(|(_, gone)| !gone);
    kept.map(|((op, pooled), _)| pooled.unwrap_or(op)).collect()
}

/// A convolution and the operator that reads its result as one, where they are worth it.
fn pooled_by(conv: &Conv2d, next: &Op) -> Option<Conv2dPool> {
    let (y, window, pooling) = match next {
        Op::MaxPool(pool) => (pool.y, pool.geo, Pooling::Max),
        Op::AvgPool(pool) => (pool.y, pool.geo, Pooling::Mean),
        _ => return None,
    };
    let worth = conv.post.residual.is_none() && Conv2dPool::is_worth(&conv.geo, &window);
    worth.then_some(Conv2dPool {
        x: conv.x,
        w: conv.w,
        y,
        geo: conv.geo,
        post: conv.post,
        pooling,
        window,
        quant: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::zoo;

    /// A convolution of 5 x 5, windows and a quantizer of what they leave, and its maps.
    struct Chain {
        program: Program,
        conv: Conv2d,
        pool: MaxPool,
        codes: QuantizeAct,
    }

    fn chain() -> Chain {
        let mut program = Program::default();
        let geo = ConvGeometry {
            h_in: 12,
            w_in: 12,
            kh: 5,
            kw: 5,
            ..ConvGeometry::linear(3, 4)
        };
        let map = |c, side| Shape::Image {
            c,
            h: side,
            w: side,
        };
        let mut of = |name: &str, shape, role| program.tensor(name, shape, Scope::Shared, role);
        let x = of("x", map(3, 12), Role::Input);
        let w = of("w", Shape::Flat(geo.weights()), Role::State);
        let scale = of("step", Shape::Flat(1), Role::State);
        let y = of("y", map(4, 8), Role::Temp);
        let pooled = of("pooled", map(4, 4), Role::Temp);
        let codes = of("codes", map(4, 4), Role::Output);
        let window = PoolGeometry {
            kh: 2,
            kw: 2,
            stride: [2; 2],
            pad: [0; 4],
        };
        Chain {
            program,
            conv: Conv2d {
                x,
                w,
                y,
                geo,
                post: Post::NONE,
                codes: None,
            },
            pool: MaxPool {
                x: y,
                y: pooled,
                geo: window,
            },
            codes: QuantizeAct {
                x: pooled,
                y: codes,
                quant: ActQuant {
                    scale,
                    lo: 0,
                    hi: 7,
                    rounding: Rounding::Nearest,
                },
            },
        }
    }

    fn of(chain: &Chain) -> Vec<Op> {
        vec![
            Op::from(chain.conv.clone()),
            Op::from(chain.pool.clone()),
            Op::from(chain.codes.clone()),
        ]
    }

    #[test]
    fn three_operators_are_one() {
        let mut chain = chain();
        let ops = pool_at_once(&chain.program, of(&chain));
        let [Op::Conv2dPool(one)] = ops.as_slice() else {
            panic!("{ops:?}");
        };
        assert_eq!((one.y, one.quant), (chain.codes.y, Some(chain.codes.quant)));
        chain.program.section("pass", ops);
        chain.program.check().unwrap();
    }

    #[test]
    fn what_others_read_stays() {
        // Another reader of the convolution's result, then of the windows'.
        let mut by_two = chain();
        let shape = by_two.program.desc(by_two.conv.y).shape;
        let copy = by_two
            .program
            .tensor("copy", shape, Scope::Shared, Role::Output);
        let reader = Op::from(Pointwise {
            x: by_two.conv.y,
            y: copy,
            post: Post::NONE,
        });
        let ops: Vec<Op> = of(&by_two).into_iter().chain([reader]).collect();
        assert_eq!(pool_at_once(&by_two.program, ops.clone()), ops);

        let mut pooled = chain();
        let shape = pooled.program.desc(pooled.pool.y).shape;
        let copy = pooled
            .program
            .tensor("copy", shape, Scope::Shared, Role::Output);
        let reader = Op::from(Pointwise {
            x: pooled.pool.y,
            y: copy,
            post: Post::NONE,
        });
        let ops = pool_at_once(
            &pooled.program,
            of(&pooled).into_iter().chain([reader]).collect(),
        );
        assert_eq!(ops.len(), 3);
        assert!(matches!(&ops[0], Op::Conv2dPool(one) if one.quant.is_none()));
    }

    #[test]
    fn what_is_not_worth_it_stays() {
        // Overlapping windows; a residual; long sums; a layer with fewer products by another route.
        let stays = |change: fn(&mut Chain)| {
            let mut chain = chain();
            change(&mut chain);
            let ops = of(&chain);
            assert_eq!(pool_at_once(&chain.program, ops.clone()), ops);
        };
        stays(|c| c.pool.geo.stride = [1, 2]);
        stays(|c| c.pool.geo.pad = [1; 4]);
        stays(|c| c.conv.post.residual = Some(c.conv.x));
        stays(|c| c.conv.geo.c_in = 40);
        stays(|c| c.conv.geo.groups = 3);
        stays(|c| {
            c.conv.geo = ConvGeometry {
                h_in: 8,
                w_in: 8,
                kh: 3,
                kw: 3,
                pad: [1; 4],
                ..ConvGeometry::linear(16, 16)
            }
        });
    }

    /// What is moved for an image of LeNet on a chip, with the weights of 4,096 images: at most a third of what the
    /// operators move one after the other.
    #[test]
    fn lenet_moves_a_third() {
        let style = zoo::Style {
            act: Activation::Tanh,
            max_pool: false,
            batch_norm: false,
            bias: false,
            width: 1.0,
        };
        let graph = zoo::lenet5((1, 28, 28), 10, style);
        let noise = CellNoise::NONE.everywhere(&graph);
        let chips = inference::Chips::Weight(&noise);
        let norm = inference::NormMode::Frozen;
        let lowered = inference::lower(&graph, &Numerics::FLOAT, chips, norm, false);
        let (chips, images) = (8, 4096);
        let after = lowered.program.traffic(lowered.evaluate, chips, images);
        let ops = &lowered.program.sections[lowered.evaluate.0].ops;
        let pooled = ops.iter().filter_map(|op| match op {
            Op::Conv2dPool(one) => Some(&one.geo),
            _ => None,
        });
        // The maps in between: written once, read once.
        let between: Vec<usize> = pooled
            .map(|geo| 2 * geo.c_out * geo.h_out() * geo.w_out())
            .collect();
        assert_eq!(between, [2 * 6 * 28 * 28, 2 * 16 * 10 * 10]);
        let saved = 4 * (chips * images * between.iter().sum::<usize>()) as u64;
        assert!(3 * after <= after + saved, "{after} of {}", after + saved);
    }
}
