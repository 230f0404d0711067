use crate::harness::*;
use pimento::program::*;

#[test]
fn follows_the_equations_coupled_and_decoupled() {
    const STEPS: u32 = 5;
    let n = 500;
    let (w0, g0) = (normals(1, n), normals(2, n));
    for decoupled in [false, true] {
        let mut rig = Rig::new(1, 0);
        let (w, g) = (rig.shared(&w0), rig.shared(&g0));
        let (m, v) = (rig.result(n, Scope::Shared), rig.result(n, Scope::Shared));
        rig.args.lr = 0.01;
        let (beta1, beta2, eps, weight_decay) = (0.9f32, 0.999f32, 1e-8f32, 0.1f32);
        let op = Op::from(Adam {
            w,
            g,
            m,
            v,
            beta1,
            beta2,
            eps,
            weight_decay,
            decoupled,
            positive: false,
        });
        let mut session = rig.session(op);
        let mut want = wide(&w0);
        let mut moments = vec![(0.0f64, 0.0f64); n];
        let (b1, b2) = (f64::from(beta1), f64::from(beta2));
        let (lr, decay) = (f64::from(rig.args.lr), f64::from(weight_decay));
        for step in 0..STEPS {
            rig.args.step = step;
            session.run(SectionId(0), &rig.args).unwrap();
            let t = f64::from(step) + 1.0;
            for ((w, (m, v)), g) in want.iter_mut().zip(&mut moments).zip(&g0) {
                let mut g = f64::from(*g);
                if decoupled {
                    *w -= lr * decay * *w;
                } else {
                    g += decay * *w;
                }
                *m = b1 * *m + (1.0 - b1) * g;
                *v = b2 * *v + (1.0 - b2) * g * g;
                let corrected = (*v / (1.0 - b2.powf(t))).sqrt() + f64::from(eps);
                *w -= lr * *m / (1.0 - b1.powf(t)) / corrected;
            }
        }
        // A step is at most about lr; 1 - beta2 has lost 10 bits, so m and v carry 1e-4 of it.
        let bar = f64::from(STEPS) * (lr * 2e-4 + 8.0 * ROUNDING * 5.0);
        close(&session.read(w).unwrap(), &want, 0.0, bar);
    }
}

/// The first update of Adam is `lr * sign(g)`, whatever the gradient's size.
#[test]
fn the_first_step_is_the_sign() {
    let g0 = [1e-3f32, -5.0, 200.0];
    let mut rig = Rig::new(1, 0);
    let (w, g) = (rig.shared(&[0.0; 3]), rig.shared(&g0));
    let (m, v) = (rig.result(3, Scope::Shared), rig.result(3, Scope::Shared));
    rig.args.lr = 0.5;
    let op = Op::from(Adam {
        w,
        g,
        m,
        v,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-12,
        weight_decay: 0.0,
        decoupled: false,
        positive: false,
    });
    let [w] = rig.run(op, [w]);
    // 1 - beta2 in f32 is off by 3e-5 of itself, the root by half of that.
    close(&w, &[-0.5, 0.5, -0.5], 4e-5, 0.0);
}

/// Quantizer steps: Adam on the logarithm, to first order, by a factor of 1/2 to 2 at most.
#[test]
fn positive_values_move_by_a_share_of_themselves() {
    const STEPS: u32 = 6;
    let (w0, g0) = ([0.01f32, 2.0, 5.0, 1e-4], [3e-4f32, -1e-6, 0.0, 40.0]);
    for lr in [0.02f32, 3.0] {
        let mut rig = Rig::new(1, 0);
        let (w, g) = (rig.shared(&w0), rig.shared(&g0));
        let (m, v) = (rig.result(4, Scope::Shared), rig.result(4, Scope::Shared));
        rig.args.lr = lr;
        let (beta1, beta2, eps) = (0.9f32, 0.999f32, 1e-15f32);
        let op = Op::from(Adam {
            w,
            g,
            m,
            v,
            beta1,
            beta2,
            eps,
            weight_decay: 0.0,
            decoupled: false,
            positive: true,
        });
        let mut session = rig.session(op);
        let mut want = wide(&w0);
        let mut moments = [(0.0f64, 0.0f64); 4];
        let (b1, b2) = (f64::from(beta1), f64::from(beta2));
        for step in 0..STEPS {
            rig.args.step = step;
            session.run(SectionId(0), &rig.args).unwrap();
            let t = f64::from(step) + 1.0;
            for ((w, (m, v)), g) in want.iter_mut().zip(&mut moments).zip(&g0) {
                let g = f64::from(*g) * *w;
                *m = b1 * *m + (1.0 - b1) * g;
                *v = b2 * *v + (1.0 - b2) * g * g;
                let root = (*v / (1.0 - b2.powf(t))).sqrt() + f64::from(eps);
                let change = f64::from(lr) * *m / (1.0 - b1.powf(t)) / root;
                *w *= (1.0 - change).clamp(0.5, 2.0);
            }
        }
        let got = session.read(w).unwrap();
        assert!(got.iter().all(|w| *w > 0.0));
        // 1 - beta2 has lost 10 bits: each factor carries 1e-4 of the change.
        close(&got, &want, f64::from(STEPS) * 2e-4, 0.0);
    }
}
