//!include shared/run.wgsl
//!include shared/two_halves.wgsl
// Conductances as matrices of halves, [chip][group][matrix of columns][plane][step][column][channel]: the
// rows of a row tile by taps, and in each by channels from the tile's first on. With LOW each matrix of
// high halves is followed by that of low ones, else the high ones are all there is. Rows of other tiles
// and columns that do not exist have 0. Behind the planes of conductances is one of ones where codes are
// added up. One thread a pair of channels. Constants: HALF, conductances are halves; LOW.

struct Params {
    g: View,
    // Words of a chip.
    words: u32,
    // SIDE of a matrix; matrices of columns of a group, of all steps of a plane; planes, those of
    // conductances.
    side: u32,
    matrices: u32,
    steps: u32,
    planes: u32,
    cells: u32,
    // Columns of a group, of all; rows; taps.
    group_out: u32,
    cols: u32,
    rows: u32,
    taps: u32,
    // Factors from chip to chip.
    factor_chip: u32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> g: array<u32>;
@group(0) @binding(3) var<storage, read> factors: array<vec2<f32>>;
// Of every step its first channel, its tap, the first row of its tile and the one behind the last.
@group(0) @binding(4) var<storage, read> places: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read_write> packed: array<u32>;

// A conductance, or 0 where the tile has no such row.
fn conductance(base: u32, plane: u32, column: u32, k: u32, first: u32, end: u32) -> f32 {
    if k < first || k >= end {
        return 0.0;
    }
    if plane >= p.cells {
        return 1.0;
    }
    let i = (plane * p.cols + column) * p.rows + k;
    if HALF {
        return half_values(vec4<u32>(half_of(g[base + i / 2u], i))).x;
    }
    return bitcast<f32>(g[base + i]);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let item = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    let halves = select(1u, 2u, LOW);
    if item >= p.words / halves || chip >= run.chips {
        return;
    }
    let pairs = p.side / 2u;
    let pair = item % pairs;
    let row = item / pairs % p.side;
    let matrix = item / pairs / p.side;
    let step = matrix % p.steps;
    let plane = matrix / p.steps % p.planes;
    let columns = matrix / p.steps / p.planes;
    let o = columns % p.matrices * p.side + row;
    var v = vec2<f32>(0.0);
    if o < p.group_out {
        let at = places[step];
        let channel = at.x + 2u * pair;
        let k = vec2<u32>(channel, channel + 1u) * p.taps + at.y;
        let column = columns / p.matrices * p.group_out + o;
        let base = chip_base(p.g, chip);
        let up = factors[chip * p.factor_chip + plane * p.cols + column].x;
        v.x = up * conductance(base, plane, column, k.x, at.z, at.w);
        v.y = up * conductance(base, plane, column, k.y, at.z, at.w);
    }
    let both = two_halves(v);
    let to = chip * p.words + matrix * halves * p.side * pairs + row * pairs + pair;
    packed[to] = both.high;
    if LOW {
        packed[to + p.side * pairs] = both.low;
    }
}
