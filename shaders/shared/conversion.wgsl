//!include shared/reading.wgsl
//!include shared/converter.wgsl
// What becomes of a crossbar's sums: codes, shifts and additions, row tiles. Included by
// crossbar.wgsl, crossbar_count.wgsl and crossbar_fields.wgsl, which differ in how they make the sums.
// Inside a converter: shared/converter.wgsl. Constants: HAS_ADC,
// OWN_CODES (the converters of some planes have other codes), INTEGER (one integer sum for everything),
// CORRECTED, SUM_CODES (the sum of the inputs' codes is needed), COUNT_CLIPPED, SLOPES (slopes by the logarithm of the range
// take the place of counts), DISTURBED (by noise of
// any kind), NOISE_JOINED (read noise of sums has one deviate with the converters'); and those of the effects. In the kernel's file: `p`, `table`, `codes`, `adc`, `range`, `y`,
// `clipped`, and `correction`, a converter's pair.

struct Conversion {
    y: View,
    clipped: View,
    // Chip strides in pairs.
    adc_chip: u32,
    correct_chip: u32,
    // Subtracted for every unit of the input sum.
    base: f32,
    // Sum of the place values of the steps.
    places: f32,
    // Lowest and highest code, where all slices have the same.
    lo: f32,
    hi: f32,
    @align(16) $name: $Type, // for converter
}

// Of four columns.
struct Integers {
    a: vec4<i32>,
    b: vec4<i32>,
    c: vec4<i32>,
    d: vec4<i32>,
}

struct Total {
    // Of the codes of a plane over its steps, weighted by place: below 2^14 times 2^8, exact. Without
    // converter of the sums themselves.
    steps: mat4x4<f32>,
    // With INTEGER over everything, else unused.
    codes: Integers,
    clipped: mat4x4<f32>,
}

// Factors and offsets of four columns.
struct Pair4 {
    x: vec4<f32>,
    y: vec4<f32>,
}

fn pairs(a: vec2<f32>, b: vec2<f32>, c: vec2<f32>, d: vec2<f32>) -> Pair4 {
    return Pair4(vec4<f32>(a.x, b.x, c.x, d.x), vec4<f32>(a.y, b.y, c.y, d.y));
}

fn zero4() -> mat4x4<f32> {
    let z = vec4<f32>(0.0);
    return mat4x4<f32>(z, z, z, z);
}

fn zero_total() -> Total {
    let z = vec4<i32>(0);
    return Total(zero4(), Integers(z, z, z, z), zero4());
}

// The four columns' index among the pairs of a row tile and plane; columns that do not exist are
// computed again as the last that does, and not stored.
fn pair_index(r: Reading, s: Site, row: u32) -> vec4<u32> {
    let o = s.column + min(vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(s.columns - 1u));
    return row * r.cols + o;
}

// The range of every column's converter in a plane: lsb and lowest input.
fn ranges(r: Reading, s: Site, plane: u32) -> Pair4 {
    if !HAS_ADC {
        return Pair4(vec4<f32>(1.0), vec4<f32>(0.0));
    }
    let i = pair_index(r, s, plane);
    return pairs(range[i.x], range[i.y], range[i.z], range[i.w]);
}

// Constants of the converters of a row tile and plane.
fn converters(r: Reading, s: Site, tile: u32, plane: u32) -> Pair4 {
    if !HAS_ADC {
        return Pair4(vec4<f32>(1.0), vec4<f32>(0.0));
    }
    let i = s.chip * p.conversion.adc_chip + pair_index(r, s, tile * r.planes + plane);
    return pairs(adc[i.x], adc[i.y], adc[i.z], adc[i.w]);
}

fn corrections(r: Reading, s: Site, tile: u32, plane: u32) -> Pair4 {
    if !CORRECTED {
        return Pair4(vec4<f32>(1.0), vec4<f32>(0.0));
    }
    let i = s.chip * p.conversion.correct_chip + pair_index(r, s, tile * r.planes + plane);
    return pairs(correction(i.x), correction(i.y), correction(i.z), correction(i.w));
}

// Codes of the rows of a tile, added up.
fn tile_codes(r: Reading, s: Site, tile: u32) -> vec4<i32> {
    var sum = vec4<i32>(0);
    let end = table[r.tile_at + tile + 1u];
    for (var k = table[r.tile_at + tile]; k < end; k++) {
        sum += code_values(s.codes + table[k], r.input_bits);
    }
    return sum;
}

// The codes of the converters of a plane: where slices differ, these are after the places.
fn codes_of(r: Reading, plane: u32) -> Codes {
    if OWN_CODES {
        let at = r.place_at + r.planes + 2u * plane;
        return Codes(bitcast<f32>(table[at]), bitcast<f32>(table[at + 1u]));
    }
    return Codes(p.conversion.lo, p.conversion.hi);
}

// One conversion of four columns for four images, and its code's place in the sum.
fn convert(
    r: Reading, s: Site, tile: u32, plane: u32, t: u32, v: mat4x4<f32>, k: Pair4, total: Total,
) -> Total {
    return convert_noisy(r, s, tile, plane, t, v, zero4(), k, total);
}

// The same; with NOISE_JOINED the read noise of the sums, of these variances, is added with the converters'.
fn convert_noisy(
    r: Reading, s: Site, tile: u32, plane: u32, t: u32, v: mat4x4<f32>, variance: mat4x4<f32>, k: Pair4,
    total: Total,
) -> Total {
    var place = 1.0;
    if !ANALOG_SUM {
        place = f32(step_place(t));
    }
    var n = total;
    if !HAS_ADC {
        n.steps = total.steps + place * v;
        return n;
    }
    let c = codes_of(r, plane);
    let e = Event(r, s, tile, plane, t, k.x, variance);
    var m = mat4x4<f32>(
        k.x.x * v[0] + k.y.x, k.x.y * v[1] + k.y.y, k.x.z * v[2] + k.y.z, k.x.w * v[3] + k.y.w,
    );
    let own = m;
    m = before_$name(c, e, m); // for converter
    if COUNT_CLIPPED {
        n.clipped = total.clipped
            + mat4x4<f32>(beyond(c, m[0]), beyond(c, m[1]), beyond(c, m[2]), beyond(c, m[3]));
    }
    if SLOPES {
        let step = ranges(r, s, plane);
        let weight = place * f32(bitcast<i32>(table[r.place_at + plane])) * corrections(r, s, tile, plane).x;
        n.clipped = total.clipped + slopes_of(c, m, own, k.y, weight * step.x, weight * step.y);
    }
    n.steps = mat4x4<f32>(
        fma(vec4<f32>(place), value_of(c, limited(c, m[0])), total.steps[0]),
        fma(vec4<f32>(place), value_of(c, limited(c, m[1])), total.steps[1]),
        fma(vec4<f32>(place), value_of(c, limited(c, m[2])), total.steps[2]),
        fma(vec4<f32>(place), value_of(c, limited(c, m[3])), total.steps[3]),
    );
    return n;
}

// Ends a plane: adds its codes to those of all planes where they are added as integers.
fn end_plane(r: Reading, plane: u32, t: Total) -> Total {
    if !INTEGER {
        return Total(zero4(), t.codes, t.clipped);
    }
    let place = bitcast<i32>(table[r.place_at + plane]);
    let n = Integers(
        t.codes.a + place * vec4<i32>(t.steps[0]),
        t.codes.b + place * vec4<i32>(t.steps[1]),
        t.codes.c + place * vec4<i32>(t.steps[2]),
        t.codes.d + place * vec4<i32>(t.steps[3]),
    );
    return Total(zero4(), n, t.clipped);
}

// The codes of all steps of a plane as a part of the output, in units of one level and code.
fn plane_part(r: Reading, s: Site, tile: u32, plane: u32, t: Total, input: vec4<i32>) -> mat4x4<f32> {
    let place = f32(bitcast<i32>(table[r.place_at + plane]));
    var m = t.steps;
    if HAS_ADC {
        let range = ranges(r, s, plane);
        let low = range.y * p.conversion.places;
        m = mat4x4<f32>(
            range.x.x * t.steps[0] + low.x,
            range.x.y * t.steps[1] + low.y,
            range.x.z * t.steps[2] + low.z,
            range.x.w * t.steps[3] + low.w,
        );
    }
    if CORRECTED {
        let c = corrections(r, s, tile, plane);
        let sum = vec4<f32>(input);
        m = mat4x4<f32>(
            c.x.x * m[0] - c.y.x * sum,
            c.x.y * m[1] - c.y.y * sum,
            c.x.z * m[2] - c.y.z * sum,
            c.x.w * m[3] - c.y.w * sum,
        );
    }
    return place * m;
}

// Where a column's quad is.
fn output_at(r: Reading, to: View, s: Site, j: u32) -> u32 {
    return block_base(to, s.chip, s.block) + ((s.column + j) * r.pixels + s.pixel) * QUADS + s.quad;
}

fn store_column(r: Reading, s: Site, j: u32, u: vec4<f32>, clips: vec4<f32>) {
    if j >= s.columns {
        return;
    }
    y[output_at(r, p.conversion.y, s, j)] = u;
    store_clips(r, s, j, clips);
}

fn store_clips(r: Reading, s: Site, j: u32, clips: vec4<f32>) {
    if (COUNT_CLIPPED || SLOPES) && j < s.columns {
        clipped[output_at(r, p.conversion.clipped, s, j)] = clips;
    }
}

// How often the converters of each column were beyond their range.
fn store_clipped(r: Reading, s: Site, t: Total) {
    store_clips(r, s, 0u, t.clipped[0]);
    store_clips(r, s, 1u, t.clipped[1]);
    store_clips(r, s, 2u, t.clipped[2]);
    store_clips(r, s, 3u, t.clipped[3]);
}

// The whole sum without its last digital part, stored before the steps of weights and input.
fn store_output(r: Reading, s: Site, parts: mat4x4<f32>, t: Total, input: vec4<i32>) {
    var m = parts;
    if INTEGER {
        let lsb = range[0].x;
        m = lsb * mat4x4<f32>(
            vec4<f32>(t.codes.a), vec4<f32>(t.codes.b), vec4<f32>(t.codes.c), vec4<f32>(t.codes.d),
        );
    }
    var base = vec4<f32>(0.0);
    if SUM_CODES {
        base = p.conversion.base * vec4<f32>(input);
    }
    store_column(r, s, 0u, m[0] - base, t.clipped[0]);
    store_column(r, s, 1u, m[1] - base, t.clipped[1]);
    store_column(r, s, 2u, m[2] - base, t.clipped[2]);
    store_column(r, s, 3u, m[3] - base, t.clipped[3]);
}
