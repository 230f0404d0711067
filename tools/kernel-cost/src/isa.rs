//! The loops of a compiled kernel and their instructions, from RADV's disassembly.
//!
//! A loop is a branch to an earlier block. The inner loop is the one without a loop inside that has
//! most multiply-adds. How often loops run is not in the code, so the loops around it are weighed: an
//! instruction counts [`TRIPS`] times for every loop that it is in.

use std::collections::BTreeMap;
use std::ops::AddAssign;

/// Rounds that a loop is taken to run for one of the loop around it: between the 3 rows of a 3x3
/// kernel and the steps of a tile.
const TRIPS: f64 = 4.0;

/// Weighed instructions.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Mix {
    /// Multiply-adds of a lane.
    pub fma: f64,
    /// Vector instructions, multiply-adds included.
    pub vector: f64,
    /// Bytes of a lane that loads and stores of buffers move, through the vector cache.
    pub global: f64,
    /// Bytes of a lane to and from workgroup memory.
    pub shared: f64,
    /// Bytes to and from scratch memory: spilled registers.
    pub scratch: f64,
}

impl Mix {
    /// Multiply-adds among the vector instructions, 0 to 1.
    pub fn share(&self) -> f64 {
        if self.vector > 0.0 {
            self.fma / self.vector
        } else {
            0.0
        }
    }

    fn of(instruction: &str) -> Self {
        let name = instruction.split_whitespace().next().unwrap_or("");
        let mut mix = Self::default();
        let has = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
        if has(&["buffer_", "global_", "flat_"]) {
            mix.global = width(name);
        } else if has(&["scratch_"]) {
            mix.scratch = width(name);
        } else if has(&["ds_read", "ds_write", "ds_load", "ds_store"]) {
            mix.shared = width(name);
        } else if has(&["v_"]) {
            mix.vector = 1.0;
            mix.fma = f64::from(u8::from(has(&["v_fma", "v_mad_f", "v_mac_f"])));
        }
        mix
    }

    fn times(self, by: f64) -> Self {
        Self {
            fma: self.fma * by,
            vector: self.vector * by,
            global: self.global * by,
            shared: self.shared * by,
            scratch: self.scratch * by,
        }
    }
}

impl AddAssign for Mix {
    fn add_assign(&mut self, other: Self) {
        self.fma += other.fma;
        self.vector += other.vector;
        self.global += other.global;
        self.shared += other.shared;
        self.scratch += other.scratch;
    }
}

/// Bytes that a memory instruction moves for a lane: `ds_read2_b64`, `buffer_load_dwordx4`, ...
fn width(name: &str) -> f64 {
    let twice = if name.contains("read2") || name.contains("write2") || name.contains("2addr") {
        2.0
    } else {
        1.0
    };
    let number = |mark: &str| -> Option<f64> {
        let digits = name.split(mark).nth(1)?;
        let end = digits.find(|c: char| !c.is_ascii_digit());
        digits[..end.unwrap_or(digits.len())].parse().ok()
    };
    if let Some(bits) = number("_b") {
        return twice * bits / 8.0;
    }
    match number("dwordx") {
        Some(words) => 4.0 * words,
        None if name.contains("byte") => 1.0,
        None if name.contains("short") => 2.0,
        None => 4.0,
    }
}

/// What a kernel consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Loops {
    /// The inner loop, each instruction once; the whole kernel where there is no loop.
    pub inner: Mix,
    /// All that the loops around the inner one hold, weighed.
    pub nest: Mix,
}

/// A block of instructions without a branch into it.
struct Block<'a> {
    name: &'a str,
    instructions: Vec<&'a str>,
}

/// Reads a disassembly: `BB<n>:` begins a block, `;` a comment.
pub fn read(text: &str) -> Loops {
    let mut blocks = vec![Block {
        name: "",
        instructions: Vec::new(),
    }];
    for line in text.lines() {
        let code = line.split(';').next().unwrap_or("").trim();
        if let Some(name) = code.strip_suffix(':').filter(|n| n.starts_with("BB")) {
            blocks.push(Block {
                name,
                instructions: Vec::new(),
            });
        } else if let Some(block) = blocks.last_mut().filter(|_| !code.is_empty()) {
            block.instructions.push(code);
        }
    }
    let loops = back_edges(&blocks);
    let mix = |range: (usize, usize), weight: &dyn Fn(usize) -> f64| {
        let mut sum = Mix::default();
        for (i, block) in blocks.iter().enumerate().take(range.1 + 1).skip(range.0) {
            for instruction in &block.instructions {
                sum += Mix::of(instruction).times(weight(i));
            }
        }
        sum
    };
    let inside = |a: (usize, usize), b: (usize, usize)| a != b && b.0 <= a.0 && a.1 <= b.1;
    let innermost = loops
        .iter()
        .filter(|l| !loops.iter().any(|other| inside(*other, **l)))
        .max_by(|a, b| {
            let fma = |l| mix(l, &|_| 1.0).fma;
            fma(**a).total_cmp(&fma(**b))
        });
    let Some(&innermost) = innermost else {
        let all = mix((0, blocks.len() - 1), &|_| 1.0);
        return Loops {
            inner: all,
            nest: all,
        };
    };
    let outermost = loops
        .iter()
        .filter(|l| **l == innermost || inside(innermost, **l))
        .max_by_key(|l| l.1 - l.0);
    let depth = |i: usize| loops.iter().filter(|l| l.0 <= i && i <= l.1).count();
    Loops {
        inner: mix(innermost, &|_| 1.0),
        nest: mix(*outermost.unwrap_or(&innermost), &|i| {
            TRIPS.powi(depth(i) as i32 - 1)
        }),
    }
}

/// First and last block of every loop. Branches to one block are one loop.
fn back_edges(blocks: &[Block<'_>]) -> Vec<(usize, usize)> {
    let position: BTreeMap<&str, usize> = blocks.iter().map(|b| b.name).zip(0..).collect();
    let mut loops = BTreeMap::new();
    for (end, block) in blocks.iter().enumerate() {
        for instruction in &block.instructions {
            let mut words = instruction.split_whitespace();
            let branch = words
                .next()
                .is_some_and(|w| w.starts_with("s_branch") || w.starts_with("s_cbranch"));
            let target = words.next().and_then(|name| position.get(name));
            if let Some(&start) = target.filter(|start| branch && **start <= end) {
                loops.insert(start, end);
            }
        }
    }
    loops.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: &str = "\
BB0:
\tv_mov_b32_e32 v0, 0                    ; 7E000280
BB1:
\tv_add_nc_u32_e32 v1, 1, v1             ; 4A020281
\tbuffer_load_dwordx4 v[4:7], v1, s[0:3], 0 offen ; 00
BB2:
\tds_read_b128 v[8:11], v2               ; 00
\tds_read2_b32 v[8:9], v2 offset1:1      ; 00
\tv_fmac_f32_e32 v0, v4, v8              ; 00
\tv_fma_f32 v0, v4, v8, v0               ; 00
\tv_add_nc_u32_e32 v2, 16, v2            ; 00
\ts_cbranch_scc1 BB2                     ; 00
BB3:
\ts_cbranch_scc0 BB5                     ; 00
BB4:
\ts_branch BB1                           ; 00
BB5:
\tv_fmac_f32_e32 v0, v0, v0              ; 00
\ts_endpgm                               ; 00
";

    #[test]
    fn loops_are_found_and_weighed() {
        let loops = read(KERNEL);
        let inner = Mix {
            fma: 2.0,
            vector: 3.0,
            shared: 24.0,
            ..Mix::default()
        };
        assert_eq!(loops.inner, inner);
        let mut nest = inner.times(TRIPS);
        nest += Mix {
            vector: 1.0,
            global: 16.0,
            ..Mix::default()
        };
        assert_eq!(loops.nest, nest);
    }

    #[test]
    fn a_kernel_without_loops_is_counted_whole() {
        let loops =
            read("BB0:\n\tv_fma_f32 v0, v1, v2, v0\n\tglobal_store_dwordx2 v[0:1], v[2:3], off\n");
        assert_eq!((loops.inner.fma, loops.inner.global), (1.0, 8.0));
        assert_eq!(loops.inner, loops.nest);
    }

    #[test]
    fn instructions_say_how_many_bytes_they_move() {
        let cases = [
            ("ds_read_b128", 16.0),
            ("ds_read2_b64", 16.0),
            ("ds_write2st64_b32", 8.0),
            ("ds_read_b96", 12.0),
            ("buffer_load_dword", 4.0),
            ("buffer_store_dwordx3", 12.0),
            ("global_load_ubyte", 1.0),
            ("buffer_load_b128", 16.0),
        ];
        for (name, bytes) in cases {
            assert_eq!(width(name), bytes, "{name}");
        }
    }
}
