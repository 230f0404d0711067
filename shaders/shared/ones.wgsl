// Ones of the bits of four images, 32 rows a word. Constant SIGNED: rows of a negative input count -1.

fn ones(x: vec4<u32>, negative: vec4<u32>) -> vec4<i32> {
    let n = vec4<i32>(countOneBits(x));
    if SIGNED {
        return n - 2 * vec4<i32>(countOneBits(x & negative));
    }
    return n;
}
