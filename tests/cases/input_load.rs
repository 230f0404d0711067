//! Conductances that inputs drive, by a loop over output pixels and their cells.

use pimento::program::*;

use super::arrays;
use super::case::*;

/// Any layers, shared cells too.
pub fn layers() -> Vec<Case> {
    (0..30).map(layer).collect()
}

fn layer(seed: u64) -> Case {
    let mut rng = Rng(seed);
    let geo = dilated(&mut rng);
    let a = arrays::arrays(&mut rng, &geo);
    let mut case = Case::new(seed, 3, 1);
    let g = case.drawn(a.cells(), rng.scope(), |rng| rng.coarse().abs());
    let places = geo.c_in * geo.h_in * geo.w_in;
    let out = case.result(places, Scope::PerChip);
    case.section(vec![Op::from(InputLoad {
        g,
        out,
        arrays: a.clone(),
        geo,
    })]);
    let want = case.each(Scope::PerChip, |chip, _| {
        loads(&geo, &a, &case.at(g, chip, 0))
    });
    // The sums have this many terms, each at most 1 and with 16 bits.
    let terms = (geo.kh * geo.kw * a.cell_planes() * a.cols) as f64;
    case.apart[0] = terms * terms * ULP;
    case.want(out, want, terms * terms * EPS);
    case
}

/// A geometry, dilated where it can be.
pub fn dilated(rng: &mut Rng) -> ConvGeometry {
    let geo = arrays::geometry(rng);
    let wide = ConvGeometry {
        dilation: [rng.pick(1, 2), rng.pick(1, 2)],
        ..geo
    };
    if wide.is_possible() { wide } else { geo }
}

/// What every place of the input map drives.
pub fn loads(geo: &ConvGeometry, a: &Arrays, g: &[f64]) -> Vec<f64> {
    let mut loads = vec![0.0; geo.c_in * geo.h_in * geo.w_in];
    let channels = geo.c_in / geo.groups;
    let [top, left, ..] = geo.pad;
    for o in 0..geo.c_out {
        let first = o / (geo.c_out / geo.groups) * channels;
        for (oy, ox) in (0..geo.h_out()).flat_map(|y| (0..geo.w_out()).map(move |x| (y, x))) {
            for k in 0..a.rows {
                let (c, i, j) = (k / (geo.kh * geo.kw), k / geo.kw % geo.kh, k % geo.kw);
                let y = (oy * geo.stride[0] + i * geo.dilation[0]).wrapping_sub(top);
                let x = (ox * geo.stride[1] + j * geo.dilation[1]).wrapping_sub(left);
                if y < geo.h_in && x < geo.w_in {
                    let cells = (0..a.cell_planes()).map(|p| g[(p * a.cols + o) * a.rows + k]);
                    loads[((first + c) * geo.h_in + y) * geo.w_in + x] += cells.sum::<f64>();
                }
            }
        }
    }
    loads
}
