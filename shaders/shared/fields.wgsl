//!include shared/words.wgsl
// Sums of small integers without counting ones: conductances in digits of two bits, eight of them
// in a word, four bits apart (crossbar_fields_pack.wgsl). A bit of the input masks them; four such words,
// of 32 rows, are added in their fields (12 of 15), then the bits' words in bytes, then all. Two operations
// serve eight rows, where counting ones takes a dozen for 32 rows and one bit on a processor that cannot
// count in vectors. Bound by the kernel's file: `bits`, `fields`, `table`; `fields_start` as
// `bits_start`. Every row tile is one chunk of up to four words. Constants: PARTS, digits of a conductance,
// 1 or 2; those of words.wgsl.

// vec4 of a digit of a chunk: two for every one of its words.
const PART: u32 = 8u;
const LAST_BIT: vec4<u32> = vec4<u32>(0x11111111u);
const DIGIT: vec4<u32> = vec4<u32>(0x33333333u);
const NIBBLE: vec4<u32> = vec4<u32>(0x0f0f0f0fu);
const BYTE: vec4<u32> = vec4<u32>(0x00ff00ffu);

// The rows 4 f, 4 f + 1, 4 f + 2, 4 f + 3 of a word in fields f: masks of four images, or digits of
// four columns.
struct Fields {
    a: vec4<u32>,
    b: vec4<u32>,
    c: vec4<u32>,
    d: vec4<u32>,
}

// Those of the four words of a chunk.
struct Chunk {
    w0: Fields,
    w1: Fields,
    w2: Fields,
    w3: Fields,
}

// The digits of a conductance, lower and upper.
struct Held {
    low: Chunk,
    high: Chunk,
}

// A read plane of a row tile.
struct Plane {
    // Bits of the tile's first word for the channel group, fields of the plane.
    x: u32,
    g: u32,
    // Words of the tile.
    words: u32,
    // What conductances were raised by.
    bias: i32,
}

fn plane_of(w: Words, s: Site, group: u32, tile: u32, plane: u32) -> Plane {
    var q: Plane;
    let first = table[w.tile_at + tile];
    q.x = first_word(w, s, group) + first * w.word;
    q.g = s.chip * w.g_chip + s.tile * w.g_tile + plane * w.g_plane + tile * w.g_word - fields_start();
    q.words = 0u;
    q.bias = 0;
    if BIAS {
        q.words = table[w.tile_at + tile + 1u] - first;
        q.bias = bitcast<i32>(table[w.plane_at + 2u * plane + 1u]);
    }
    return q;
}

fn digits_of(low: vec4<u32>, high: vec4<u32>) -> Fields {
    let two = vec4<u32>(2u);
    return Fields(low & DIGIT, (low >> two) & DIGIT, high & DIGIT, (high >> two) & DIGIT);
}

fn chunk_digits(at: u32) -> Chunk {
    return Chunk(
        digits_of(fields[at], fields[at + 1u]),
        digits_of(fields[at + 2u], fields[at + 3u]),
        digits_of(fields[at + 4u], fields[at + 5u]),
        digits_of(fields[at + 6u], fields[at + 7u]),
    );
}

// The digits of a plane, which are read once for all bits of the input.
fn plane_digits(q: Plane) -> Held {
    var held: Held;
    held.low = chunk_digits(q.g);
    if PARTS > 1u {
        held.high = chunk_digits(q.g + PART);
    }
    return held;
}

// All ones in the fields of the rows whose bit is set.
fn masks_of(x: vec4<u32>) -> Fields {
    let a = x & LAST_BIT;
    let b = (x >> vec4<u32>(1u)) & LAST_BIT;
    let c = (x >> vec4<u32>(2u)) & LAST_BIT;
    let d = (x >> vec4<u32>(3u)) & LAST_BIT;
    let nibble = vec4<u32>(4u);
    return Fields((a << nibble) - a, (b << nibble) - b, (c << nibble) - c, (d << nibble) - d);
}

// A bit of a word of the tile; with SIGNED of the rows with a positive input, or on the other side.
// Behind the tile's words all digits are 0: only what was raised needs zeros there.
fn input_bit(w: Words, q: Plane, word: u32, bit: u32, side: u32) -> vec4<u32> {
    let at = q.x + word * w.word;
    var x = bits[at + bit * QUADS];
    if SIGNED {
        let negative = bits[at + INPUT_BITS * QUADS];
        x &= select(~negative, negative, side == 1u);
    }
    if BIAS {
        x = select(vec4<u32>(0u), x, word < q.words);
    }
    return x;
}

// Digits of a word of one column, added in bytes: at most 24 each.
fn word_bytes(m: Fields, a: u32, b: u32, c: u32, d: u32) -> vec4<u32> {
    let sum = (m.a & vec4<u32>(a)) + (m.b & vec4<u32>(b)) + (m.c & vec4<u32>(c)) + (m.d & vec4<u32>(d));
    return (sum & NIBBLE) + ((sum >> vec4<u32>(4u)) & NIBBLE);
}

fn add_bytes(n: vec4<u32>) -> vec4<i32> {
    let halves = (n & BYTE) + ((n >> vec4<u32>(8u)) & BYTE);
    return vec4<i32>((halves & vec4<u32>(0xffffu)) + (halves >> vec4<u32>(16u)));
}

fn chunk_counts(m: Chunk, g: Chunk) -> Counts {
    let a = word_bytes(m.w0, g.w0.a.x, g.w0.b.x, g.w0.c.x, g.w0.d.x)
        + word_bytes(m.w1, g.w1.a.x, g.w1.b.x, g.w1.c.x, g.w1.d.x)
        + word_bytes(m.w2, g.w2.a.x, g.w2.b.x, g.w2.c.x, g.w2.d.x)
        + word_bytes(m.w3, g.w3.a.x, g.w3.b.x, g.w3.c.x, g.w3.d.x);
    let b = word_bytes(m.w0, g.w0.a.y, g.w0.b.y, g.w0.c.y, g.w0.d.y)
        + word_bytes(m.w1, g.w1.a.y, g.w1.b.y, g.w1.c.y, g.w1.d.y)
        + word_bytes(m.w2, g.w2.a.y, g.w2.b.y, g.w2.c.y, g.w2.d.y)
        + word_bytes(m.w3, g.w3.a.y, g.w3.b.y, g.w3.c.y, g.w3.d.y);
    let c = word_bytes(m.w0, g.w0.a.z, g.w0.b.z, g.w0.c.z, g.w0.d.z)
        + word_bytes(m.w1, g.w1.a.z, g.w1.b.z, g.w1.c.z, g.w1.d.z)
        + word_bytes(m.w2, g.w2.a.z, g.w2.b.z, g.w2.c.z, g.w2.d.z)
        + word_bytes(m.w3, g.w3.a.z, g.w3.b.z, g.w3.c.z, g.w3.d.z);
    let d = word_bytes(m.w0, g.w0.a.w, g.w0.b.w, g.w0.c.w, g.w0.d.w)
        + word_bytes(m.w1, g.w1.a.w, g.w1.b.w, g.w1.c.w, g.w1.d.w)
        + word_bytes(m.w2, g.w2.a.w, g.w2.b.w, g.w2.c.w, g.w2.d.w)
        + word_bytes(m.w3, g.w3.a.w, g.w3.b.w, g.w3.c.w, g.w3.d.w);
    return Counts(add_bytes(a), add_bytes(b), add_bytes(c), add_bytes(d));
}

fn ones_of(a: vec4<u32>, b: vec4<u32>, c: vec4<u32>, d: vec4<u32>) -> vec4<i32> {
    return vec4<i32>(countOneBits(a) + countOneBits(b) + countOneBits(c) + countOneBits(d));
}

// The sums of a bit and a side of the input.
fn side_counts(w: Words, q: Plane, bit: u32, side: u32, held: Held) -> Counts {
    let x0 = input_bit(w, q, 0u, bit, side);
    let x1 = input_bit(w, q, 1u, bit, side);
    let x2 = input_bit(w, q, 2u, bit, side);
    let x3 = input_bit(w, q, 3u, bit, side);
    let masks = Chunk(masks_of(x0), masks_of(x1), masks_of(x2), masks_of(x3));
    var n = chunk_counts(masks, held.low);
    if PARTS > 1u {
        n = add_counts(n, chunk_counts(masks, held.high), 4i);
    }
    if BIAS {
        let ones = countOneBits(x0) + countOneBits(x1) + countOneBits(x2) + countOneBits(x3);
        let raised = q.bias * vec4<i32>(ones);
        n = Counts(n.a - raised, n.b - raised, n.c - raised, n.d - raised);
    }
    return n;
}

// The sums of a bit of the input. There is no loop that runs once: drivers do not see how often one does.
fn bit_counts(w: Words, q: Plane, bit: u32, held: Held) -> Counts {
    let n = side_counts(w, q, bit, 0u, held);
    if SIGNED {
        return add_counts(n, side_counts(w, q, bit, 1u, held), -1i);
    }
    return n;
}
