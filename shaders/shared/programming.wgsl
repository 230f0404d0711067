//!include shared/draws.wgsl
// What programming makes of four cells. Constants: LAW, LOGNORMAL, TWO_SIDED, OFFSET (else
// differential), HAS_LEVELS, HAS_SIGMA_CURVE, HAS_STUCK, HAS_OPEN, HAS_DRIFT, HAS_NOISE_CURVE,
// HAS_ONE_OVER_F, FLAGS, the bits of the purpose that reference cells have; REAL, a reference column holds the
// offset. Bound by the kernel's file: `table`. Twin of Programming: src/backend/wgpu/program_cells.rs.

const LAW_PROPORTIONAL: u32 = 0u;

struct Programming {
    rows: u32,
    cols: u32,
    col_tiles: u32,
    slices: u32,
    // Added to every code.
    offset_code: i32,
    layer: u32,
    // Starts in the table of column tiles and of what follows the slices' four numbers each; the
    // table begins with the row tiles.
    col_tile_at: u32,
    slice_at: u32,
    levels_at: u32,
    sigma_at: u32,
    sigma_len: u32,
    drift_mean_at: u32,
    drift_mean_len: u32,
    drift_sigma_at: u32,
    drift_sigma_len: u32,
    noise_at: u32,
    noise_len: u32,
    g_min: f32,
    sigma: f32,
    // Of the lognormal, or the truncation's squeeze.
    shape_x: f32,
    shape_y: f32,
    off: f32,
    on: f32,
    open_row: f32,
    open_col: f32,
    log_time: f32,
    clip_low: f32,
    clip_high: f32,
    noise_proportional: f32,
    noise_fixed: f32,
    // Codes that the slices hold.
    code_low: f32,
    code_high: f32,
    // Standard deviation of 1/f noise by the conductance as programmed.
    one_over_f_at: u32,
    one_over_f_len: u32,
    // Where that curve's quotient by the conductance begins to be constant.
    one_over_f_least: f32,
    pad0: u32,
}

// Four cells: where they are, and their addresses for random numbers.
struct Cells {
    row: vec4<u32>,
    // Column; reference columns have none and are never open.
    column: vec4<u32>,
    array: vec4<u32>,
    address: vec4<u32>,
    chip: u32,
}

fn table4(i: vec4<u32>) -> vec4<u32> {
    return vec4<u32>(table[i.x], table[i.y], table[i.z], table[i.w]);
}

fn float4(i: vec4<u32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(table4(i));
}

// Number `field` of the slices: 0 bits below, 1 highest digit, 2 level units.
fn slice_field(p: Programming, slice: vec4<u32>, field: u32) -> vec4<u32> {
    return table4(vec4<u32>(p.slice_at + field) + 4u * slice);
}

// A curve over relative conductance.
fn curve(at: u32, len: u32, g: vec4<f32>) -> vec4<f32> {
    let x = clamp(g, vec4<f32>(0.0), vec4<f32>(1.0)) * f32(len - 1u);
    let i = min(vec4<u32>(x), vec4<u32>(len - 2u));
    let a = float4(vec4<u32>(at) + i);
    let b = float4(vec4<u32>(at + 1u) + i);
    return a + (b - a) * (x - vec4<f32>(i));
}

// Digit of the cells that hold a code, in half levels where both cells move.
fn digits(p: Programming, code: vec4<i32>, slice: vec4<u32>, positive: vec4<bool>) -> vec4<f32> {
    let shift = slice_field(p, slice, 0u);
    let top = slice_field(p, slice, 1u);
    if OFFSET {
        return vec4<f32>((vec4<u32>(code + p.offset_code) >> shift) & top);
    }
    let v = vec4<f32>((vec4<u32>(abs(code)) >> shift) & top);
    let side = select(-sign(vec4<f32>(code)), sign(vec4<f32>(code)), positive);
    if TWO_SIDED {
        return 0.5 * (vec4<f32>(top) + side * v);
    }
    return select(vec4<f32>(0.0), v, side > vec4<f32>(0.0));
}

// Conductance (C1) of a digit, relative to G_max.
fn evenly(p: Programming, digit: vec4<f32>, slice: vec4<u32>) -> vec4<f32> {
    return p.g_min + ((1.0 - p.g_min) / vec4<f32>(slice_field(p, slice, 1u))) * digit;
}

// Nominal conductance of a digit, relative to G_max.
fn nominal(p: Programming, digit: vec4<f32>, slice: vec4<u32>) -> vec4<f32> {
    if HAS_LEVELS {
        let top = slice_field(p, slice, 1u);
        let below = vec4<u32>(p.levels_at) + vec4<u32>(digit);
        let above = min(below + 1u, vec4<u32>(p.levels_at) + top);
        let a = float4(below);
        return a + (float4(above) - a) * fract(digit);
    }
    return evenly(p, digit, slice);
}

// Where a line is open.
fn open(address: vec4<u32>, p: Programming, chip: u32, purpose: u32, part: f32) -> vec4<bool> {
    let words = vec4<u32>(
        word_at(address.x, p.layer, chip, purpose),
        word_at(address.y, p.layer, chip, purpose),
        word_at(address.z, p.layer, chip, purpose),
        word_at(address.w, p.layer, chip, purpose),
    );
    return uniform4(words) < vec4<f32>(part);
}

// Conductances, the same as programmed (before drift), and 1 where no line of the cell is open, else 0.
struct Programmed {
    g: vec4<f32>,
    before: vec4<f32>,
    closed: vec4<f32>,
}

// Cells with that target, `e` the common deviation of their array.
fn programmed(p: Programming, c: Cells, t: vec4<f32>, e: vec4<f32>) -> Programmed {
    let words = words_at(c.address, p.layer, c.chip, PURPOSE_CELL_PROGRAM | FLAGS);
    let span = 1.0 - p.g_min;
    var z = vec4<f32>(0.0);
    if LOGNORMAL {
        z = lognormal4(normal4(words, 0.0), vec2<f32>(p.shape_x, p.shape_y));
    } else {
        z = normal4(words, p.shape_x);
        if !HAS_SIGMA_CURVE {
            z = p.sigma * z;
        }
    }
    var g = t;
    if HAS_SIGMA_CURVE {
        let joint = select(span * e, t * e, LAW == LAW_PROPORTIONAL);
        g = t + joint + curve(p.sigma_at, p.sigma_len, t) * z;
    } else if LAW == LAW_PROPORTIONAL {
        if LOGNORMAL {
            g = t * (1.0 + e) * (1.0 + z);
        } else {
            g = t * (1.0 + e + z);
        }
    } else {
        g = t + span * (e + z);
    }
    var stuck = vec4<bool>(false);
    if HAS_STUCK {
        let u = uniform4(words_at(c.address, p.layer, c.chip, PURPOSE_CELL_STUCK | FLAGS));
        let off = u < vec4<f32>(p.off);
        let on = (u >= vec4<f32>(1.0 - p.on)) & (vec4<f32>(p.on) > vec4<f32>(0.0));
        g = select(select(g, vec4<f32>(1.0), on), vec4<f32>(p.g_min), off);
        stuck = off | on;
    }
    let before = clamp(g, vec4<f32>(p.clip_low), vec4<f32>(p.clip_high));
    if HAS_DRIFT {
        let n = normal4(words_at(c.address, p.layer, c.chip, PURPOSE_CELL_DRIFT | FLAGS), 0.0);
        let mean = curve(p.drift_mean_at, p.drift_mean_len, g);
        let spread = curve(p.drift_sigma_at, p.drift_sigma_len, g);
        let nu = max(mean + spread * n, vec4<f32>(0.0));
        let drifted = g + g * exp_m1_4(-nu * p.log_time);
        g = select(drifted, g, stuck);
    }
    g = clamp(g, vec4<f32>(p.clip_low), vec4<f32>(p.clip_high));
    if HAS_OPEN {
        let row = open(c.array * p.rows + c.row, p, c.chip, PURPOSE_OPEN_ROW, p.open_row);
        var column = vec4<bool>(false);
        if FLAGS == 0u {
            column = open(c.array * p.cols + c.column, p, c.chip, PURPOSE_OPEN_COLUMN, p.open_col);
        }
        let closed = select(vec4<f32>(1.0), vec4<f32>(0.0), row | column);
        return Programmed(closed * g, before, closed);
    }
    return Programmed(g, before, vec4<f32>(1.0));
}

// Variance of a read, relative to G_max squared; what is open does not conduct and is quiet.
fn read_variance(p: Programming, c: Programmed) -> vec4<f32> {
    let g = c.g;
    let a = p.noise_proportional * g;
    var v = a * a + vec4<f32>(p.noise_fixed * p.noise_fixed);
    if HAS_NOISE_CURVE {
        let s = curve(p.noise_at, p.noise_len, g);
        v += s * s;
    }
    if HAS_ONE_OVER_F {
        let x = clamp(c.before, vec4<f32>(p.one_over_f_least), vec4<f32>(1.0));
        let s = g * curve(p.one_over_f_at, p.one_over_f_len, x) / x;
        v += s * s;
    }
    return c.closed * v;
}
