// Read noise of conversions: src/effects/sum_noise. Constants: NOISE_SUM, with the variance of the whole
// sum; NOISE_CELL, cell by cell. Included by shared/crossbar.wgsl. Noise that has one deviate with the converter's is
// in effects/adc_noise.wgsl.

const PURPOSE_READ_CELL: u32 = 24u;

// Where the variances of the sums are among the accumulators.
const NOISE_AT: u32 = select(0u, 4u, NOISE_SUM);

struct Cell {
    s: Site,
    // Event of step 0, and from step to step.
    event: u32,
    stride: u32,
    g: vec4<f32>,
    deviation: vec4<f32>,
    row: u32,
}

// One step of one row.
fn cell_step(r: Reading, sum: mat4x4<f32>, c: Cell, d: vec4<f32>, t: u32) -> mat4x4<f32> {
    if NOISE_CELL {
        let purpose = PURPOSE_READ_CELL | (c.row * 4096u);
        let z = deviates(r, c.s, c.event + t * c.stride, purpose);
        return mat4x4<f32>(
            fma(fma(vec4<f32>(c.deviation.x), z[0], vec4<f32>(c.g.x)), d, sum[0]),
            fma(fma(vec4<f32>(c.deviation.y), z[1], vec4<f32>(c.g.y)), d, sum[1]),
            fma(fma(vec4<f32>(c.deviation.z), z[2], vec4<f32>(c.g.z)), d, sum[2]),
            fma(fma(vec4<f32>(c.deviation.w), z[3], vec4<f32>(c.g.w)), d, sum[3]),
        );
    }
    return outer(sum, d, c.g);
}

// All steps of one row, added up: one deviate has the law of a sum of independent ones.
fn cell_steps(r: Reading, sum: mat4x4<f32>, c: Cell, d: Summed) -> mat4x4<f32> {
    if !NOISE_CELL || DAC_STEPS == 1u {
        return cell_step(r, sum, c, d.drive, 0u);
    }
    let z = deviates(r, c.s, c.event, PURPOSE_READ_CELL | (c.row * 4096u));
    let a = sqrt(d.square);
    let m = outer(sum, d.drive, c.g);
    return mat4x4<f32>(
        fma(c.deviation.x * z[0], a, m[0]),
        fma(c.deviation.y * z[1], a, m[1]),
        fma(c.deviation.z * z[2], a, m[2]),
        fma(c.deviation.w * z[3], a, m[3]),
    );
}

// Read noise of a conversion, where it is drawn once for the sum.
fn with_noise(
    r: Reading, s: Site, tile: u32, plane: u32, t: u32, v: mat4x4<f32>, variance: mat4x4<f32>,
) -> mat4x4<f32> {
    if NOISE_SUM {
        let z = deviates(r, s, event_of(r, s, tile, plane, t), PURPOSE_READ_NOISE);
        return mat4x4<f32>(
            fma(sqrt(variance[0]), z[0], v[0]),
            fma(sqrt(variance[1]), z[1], v[1]),
            fma(sqrt(variance[2]), z[2], v[2]),
            fma(sqrt(variance[3]), z[3], v[3]),
        );
    }
    return v;
}
