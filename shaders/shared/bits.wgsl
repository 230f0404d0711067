//!include shared/words.wgsl
//!include shared/ones.wgsl
// The inner loop of crossbars whose conductances are small integers: bits of 32 rows a word, sums
// by counting ones. Four columns x four images x up to eight bits of the input in registers, one load
// of the conductances' bits for all of them. Bound by the kernel's file: `bits`, `planes`, `table`.
// Constants: INPUT_BITS; PASS_BITS, the bits that are counted in a pass over the words, of all bits or at most 4 (half as
// many accumulators); BIAS, whether the conductances were raised to be no less than 0; PAIRED,
// whether sums are small enough for two planes in one count, so that a load of the input's bits
// serves both: sums of the next plane are counted in units of 2^16 (where one pass counts all bits); those of effects/drive.wgsl. With SIGNED
// the bits are those of the magnitudes, and one more word has the signs.

// Adds the rows where both are 1, as often as the place of g's bit says.
fn count_word(n: Counts, x: vec4<u32>, negative: vec4<u32>, g: vec4<u32>, place: vec4<u32>) -> Counts {
    return Counts(
        n.a + (ones(x & vec4<u32>(g.x), negative) << place),
        n.b + (ones(x & vec4<u32>(g.y), negative) << place),
        n.c + (ones(x & vec4<u32>(g.z), negative) << place),
        n.d + (ones(x & vec4<u32>(g.w), negative) << place),
    );
}

// Takes back what the raised conductances added.
fn lower_counts(n: Counts, x: vec4<u32>, negative: vec4<u32>, bias: i32) -> Counts {
    if !BIAS {
        return n;
    }
    let v = bias * ones(x, negative);
    return Counts(n.a - v, n.b - v, n.c - v, n.d - v);
}

// The counts of the first or the next plane, of a pair -2^15 to 2^15 - 1 each.
fn plane_counts(n: vec4<i32>, next: bool) -> vec4<i32> {
    if !PAIRED {
        return n;
    }
    let half = vec4<u32>(16u);
    let first = (n << half) >> half;
    return select(first, (n - first) >> half, next);
}

fn of_plane(n: Counts, next: bool) -> Counts {
    return Counts(
        plane_counts(n.a, next), plane_counts(n.b, next), plane_counts(n.c, next), plane_counts(n.d, next),
    );
}

// Whether the bit `j` of the pass that begins with bit `first` is there.
fn counted(first: u32, j: u32) -> bool {
    return j < PASS_BITS && (INPUT_BITS % PASS_BITS == 0u || first + j < INPUT_BITS);
}

// Sums of every bit of a pass over a row tile and plane, with PAIRED of two planes.
struct BitSums {
    b0: Counts,
    b1: Counts,
    b2: Counts,
    b3: Counts,
    b4: Counts,
    b5: Counts,
    b6: Counts,
    b7: Counts,
}

fn bit_sums(
    w: Words, s: Site, group: u32, tile: u32, plane: u32, planes_end: u32, first: u32,
) -> BitSums {
    let z = vec4<i32>(0);
    var n0 = Counts(z, z, z, z);
    var n1 = n0;
    var n2 = n0;
    var n3 = n0;
    var n4 = n0;
    var n5 = n0;
    var n6 = n0;
    var n7 = n0;
    let first_depth = table[w.plane_at + 2u * plane];
    var depth = first_depth;
    var bias = bitcast<i32>(table[w.plane_at + 2u * plane + 1u]);
    if PAIRED && plane + 1u < planes_end {
        depth += table[w.plane_at + 2u * plane + 2u];
        bias += bitcast<i32>(table[w.plane_at + 2u * plane + 3u]) << 16u;
    }
    let end = table[w.tile_at + tile + 1u];
    let x_at = first_word(w, s, group);
    let g_at = s.chip * w.g_chip + s.tile * w.g_tile + plane * w.g_plane;
    for (var i = table[w.tile_at + tile]; i < end; i++) {
        let word = x_at + i * w.word;
        var negative = vec4<u32>(0u);
        if SIGNED {
            negative = bits[word + INPUT_BITS * QUADS];
        }
        let x = word + first * QUADS;
        let x0 = bits[x];
        var x1 = vec4<u32>(0u);
        var x2 = x1;
        var x3 = x1;
        var x4 = x1;
        var x5 = x1;
        var x6 = x1;
        var x7 = x1;
        n0 = lower_counts(n0, x0, negative, bias);
        if counted(first, 1u) {
            x1 = bits[x + QUADS];
            n1 = lower_counts(n1, x1, negative, bias);
        }
        if counted(first, 2u) {
            x2 = bits[x + 2u * QUADS];
            n2 = lower_counts(n2, x2, negative, bias);
        }
        if counted(first, 3u) {
            x3 = bits[x + 3u * QUADS];
            n3 = lower_counts(n3, x3, negative, bias);
        }
        if counted(first, 4u) {
            x4 = bits[x + 4u * QUADS];
            n4 = lower_counts(n4, x4, negative, bias);
        }
        if counted(first, 5u) {
            x5 = bits[x + 5u * QUADS];
            n5 = lower_counts(n5, x5, negative, bias);
        }
        if counted(first, 6u) {
            x6 = bits[x + 6u * QUADS];
            n6 = lower_counts(n6, x6, negative, bias);
        }
        if counted(first, 7u) {
            x7 = bits[x + 7u * QUADS];
            n7 = lower_counts(n7, x7, negative, bias);
        }
        for (var b = 0u; b < depth; b++) {
            var place = vec4<u32>(b);
            var at = g_at + i * w.g_word + b;
            if PAIRED && b >= first_depth {
                place = vec4<u32>(b - first_depth + 16u);
                at += w.g_plane - first_depth;
            }
            let g = planes[at];
            n0 = count_word(n0, x0, negative, g, place);
            if counted(first, 1u) {
                n1 = count_word(n1, x1, negative, g, place);
            }
            if counted(first, 2u) {
                n2 = count_word(n2, x2, negative, g, place);
            }
            if counted(first, 3u) {
                n3 = count_word(n3, x3, negative, g, place);
            }
            if counted(first, 4u) {
                n4 = count_word(n4, x4, negative, g, place);
            }
            if counted(first, 5u) {
                n5 = count_word(n5, x5, negative, g, place);
            }
            if counted(first, 6u) {
                n6 = count_word(n6, x6, negative, g, place);
            }
            if counted(first, 7u) {
                n7 = count_word(n7, x7, negative, g, place);
            }
        }
    }
    return BitSums(n0, n1, n2, n3, n4, n5, n6, n7);
}
