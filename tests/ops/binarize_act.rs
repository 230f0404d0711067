use crate::harness::*;
use pimento::program::*;

const SHAPE: [usize; 3] = [3, 2, 5];
const IMAGES: usize = 19;

#[test]
fn sign_times_the_mean_magnitude_of_channel_or_image() {
    let mut x0 = normals(1, IMAGES * 30);
    x0[7] = 0.0;
    for (group, n) in [(BinaryGroup::Channel, 10), (BinaryGroup::Image, 30)] {
        let mut rig = Rig::new(1, IMAGES);
        let x = rig.map(SHAPE, Scope::Shared, &x0);
        let y = rig.map_result(SHAPE, Scope::Shared);
        let [y] = rig.run(Op::from(BinarizeAct { x, y, group }), [y]);
        let want: Vec<f64> = x0
            .chunks(n)
            .flat_map(|part| {
                let mean = part.iter().map(|v| f64::from(v.abs())).sum::<f64>() / n as f64;
                part.iter().map(move |&v| match v {
                    0.0 => 0.0,
                    v => mean * f64::from(v.signum()),
                })
            })
            .collect();
        close(&y, &want, ROUNDING, 0.0);
    }
}

#[test]
fn the_gradient_passes_where_the_input_is_at_most_one() {
    let mut x0 = normals(1, IMAGES * 30);
    (x0[0], x0[1]) = (1.0, -1.0);
    let dy0 = normals(2, IMAGES * 30);
    let mut rig = Rig::new(1, IMAGES);
    let x = rig.map(SHAPE, Scope::Shared, &x0);
    let dy = rig.map(SHAPE, Scope::Shared, &dy0);
    let dx = rig.map_result(SHAPE, Scope::Shared);
    let [dx] = rig.run(Op::from(BinarizeActGrad { x, dy, dx }), [dx]);
    for ((x, dy), dx) in x0.iter().zip(&dy0).zip(&dx) {
        assert_eq!(*dx, if x.abs() <= 1.0 { *dy } else { 0.0 });
    }
}
