use crate::harness::*;
use pimento::program::*;

#[test]
fn follows_the_equations_with_and_without_nesterov() {
    const STEPS: usize = 4;
    let n = 20_000;
    let (w0, g0, m0) = (normals(1, n), normals(2, n), normals(3, n));
    for nesterov in [false, true] {
        let mut rig = Rig::new(1, 0);
        let (w, g, m) = (rig.shared(&w0), rig.shared(&g0), rig.shared(&m0));
        rig.args.lr = 0.1;
        let (momentum, weight_decay) = (0.9f32, 0.01f32);
        let op = Op::from(Sgd {
            w,
            g,
            m,
            momentum,
            weight_decay,
            nesterov,
            positive: false,
        });
        let mut session = rig.session(op);
        let (mut want_w, mut want_m) = (wide(&w0), wide(&m0));
        let (lr, mu, decay) = (
            f64::from(0.1f32),
            f64::from(momentum),
            f64::from(weight_decay),
        );
        for _ in 0..STEPS {
            session.run(SectionId(0), &rig.args).unwrap();
            for ((w, m), g) in want_w.iter_mut().zip(&mut want_m).zip(&g0) {
                let g = f64::from(*g) + decay * *w;
                *m = mu * *m + g;
                *w -= lr * if nesterov { g + mu * *m } else { *m };
            }
        }
        // About eight operations a step, on values up to 20.
        let bar = STEPS as f64 * 8.0 * 20.0 * ROUNDING;
        close(&session.read(w).unwrap(), &want_w, 0.0, bar);
        close(&session.read(m).unwrap(), &want_m, 0.0, bar);
    }
}

/// Quantizer steps: the same update, by a factor of 1/2 to 2 at most.
#[test]
fn positive_values_stay_positive() {
    let (w0, g0) = (
        [1.0f32, 1.0, 1.0, 1.0, 1e-30],
        [0.5f32, 7.0, -30.0, 0.0, 5.0],
    );
    let mut rig = Rig::new(1, 0);
    let (w, g) = (rig.shared(&w0), rig.shared(&g0));
    let m = rig.result(w0.len(), Scope::Shared);
    rig.args.lr = 0.25;
    let op = Op::from(Sgd {
        w,
        g,
        m,
        momentum: 0.0,
        weight_decay: 0.0,
        nesterov: false,
        positive: true,
    });
    let [w] = rig.run(op, [w]);
    assert_eq!(w, [0.875, 0.5, 2.0, 1.0, 1e-30]);
}
