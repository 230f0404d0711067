//!include shared/draws.wgsl
// Constants of every converter of a chip: (a, b), so that a sum v becomes a v + b codes. One thread
// a converter. Constants: HAS_SCALE, MOVED (columns of the layer are others of the arrays).

struct Params {
    range: View,
    scale: View,
    out: View,
    cols: u32,
    col_tiles: u32,
    planes: u32,
    converters: u32,
    // Converters of a row tile and plane: neighbouring columns of an array may share one.
    groups: u32,
    layer: u32,
    // Standard deviations of the relative gain, and of the offset in codes.
    gain: f32,
    offset: f32,
}

@group(0) @binding(1) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> range: array<f32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
// Column tile of every column, then the converter of every column; where columns are moved, the column of the
// arrays of every row tile and column.
@group(0) @binding(4) var<storage, read> places: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

fn deviate(address: u32, chip: u32, purpose: u32) -> f32 {
    return normal4(vec4<u32>(word_at(address, p.layer, chip, purpose)), 0.0).x;
}

const NO_SOURCE: u32 = 0xffffffffu;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_group(group, groups) * 64u + local;
    let chip = chip_of(group);
    if i >= p.converters || chip >= run.chips {
        return;
    }
    let o = i % p.cols;
    let row = i / p.cols;
    let plane = row % p.planes;
    let tile = row / p.planes;
    let place = chip_base(p.range, chip) + 2u * (plane * p.cols + o);
    let lsb = range[place];
    let lo = range[place + 1u];
    let to = chip_base(p.out, chip) + 2u * i;
    var column = o;
    if MOVED {
        column = places[(2u + tile) * p.cols + o];
        if column == NO_SOURCE {
            out[to] = 0.0;
            out[to + 1u] = 0.0;
            return;
        }
    }
    var factor = 1.0;
    if HAS_SCALE {
        let s = (tile * p.col_tiles + places[column]) * p.planes + plane;
        factor = scale[chip_base(p.scale, chip) + s];
    }
    let address = row * p.groups + places[p.cols + column];
    let gain = 1.0 + p.gain * deviate(address, chip, PURPOSE_ADC_GAIN);
    let offset = p.offset * deviate(address, chip, PURPOSE_ADC_OFFSET);
    // A converter without a range gives code 0.
    let real = lsb * factor > 0.0;
    out[to] = select(0.0, gain / (lsb * factor), real);
    out[to + 1u] = select(0.0, offset - gain * (lo / lsb), real);
}
