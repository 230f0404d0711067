//! The cost of every kernel variant of some rows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pimento::backend::wgpu::KernelCall;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::calls::Row;
use crate::isa::{self, Loops};
use crate::radv::Compiler;
use crate::spirv;

/// What the repository keeps of a kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Shader, and constants that are neither false nor 0.
    pub kernel: String,
    /// Vector registers of a lane.
    pub vgprs: u64,
    /// Scalar registers of a wave.
    pub sgprs: u64,
    /// Registers that are kept in memory.
    pub spills: u64,
    /// Workgroup memory, bytes.
    pub shared: u64,
    /// Waves that a SIMD holds.
    pub waves: u64,
    /// Multiply-adds among the vector instructions of the inner loop, 0 to 1.
    pub inner_fma: f64,
    /// The same of all loops around it, weighed.
    pub nest_fma: f64,
    /// Bytes through the vector cache for a multiply-add, of all loops.
    pub global_per_fma: f64,
    /// Bytes of workgroup memory for a multiply-add, of all loops.
    pub shared_per_fma: f64,
}

/// A kernel variant.
pub struct Kernel {
    /// What is kept of it.
    pub figures: Figures,
    /// Its loops.
    pub loops: Loops,
    /// Lanes of a wave.
    pub wave: u32,
    /// Threads of a workgroup.
    pub threads: u32,
    /// Workgroups of its largest call.
    pub groups: u64,
    /// Rows that call it.
    pub rows: Vec<&'static str>,
}

/// Compiles every variant that the rows call, once; by name. With a directory, writes its text and
/// instructions there.
pub fn kernels(rows: &[Row], compiler: &Compiler, isa: Option<&Path>) -> Result<Vec<Kernel>> {
    let mut kernels: BTreeMap<String, Kernel> = BTreeMap::new();
    for row in rows {
        for call in &row.calls {
            let name = name(call);
            let groups = call.groups.iter().map(|&n| u64::from(n)).product();
            if let Some(known) = kernels.get_mut(&name) {
                known.groups = known.groups.max(groups);
                if !known.rows.contains(&row.name) {
                    known.rows.push(row.name);
                }
                continue;
            }
            let failed = |e: String| format!("{name}: {e}");
            let translated = spirv::translate(&call.text, call.entry).map_err(failed)?;
            let compiled = compiler.compile(&translated, call.entry).map_err(failed)?;
            if let Some(directory) = isa {
                let file = format!("{:03}-{}", kernels.len(), call.shader);
                write(directory, &format!("{file}.wgsl"), &call.text)?;
                let text = format!("; {name}\n{}", compiled.assembly);
                write(directory, &format!("{file}.isa"), &text)?;
            }
            let loops = isa::read(&compiled.assembly);
            let of = |statistic| compiled.statistic(statistic);
            let per_fma = |bytes: f64| {
                if loops.nest.fma > 0.0 {
                    bytes / loops.nest.fma
                } else {
                    0.0
                }
            };
            let figures = Figures {
                kernel: name.clone(),
                vgprs: of("VGPRs"),
                sgprs: of("SGPRs"),
                spills: of("Spilled VGPRs") + of("Spilled SGPRs"),
                shared: of("LDS size"),
                waves: of("Subgroups per SIMD"),
                inner_fma: rounded(loops.inner.share()),
                nest_fma: rounded(loops.nest.share()),
                global_per_fma: rounded(per_fma(loops.nest.global)),
                shared_per_fma: rounded(per_fma(loops.nest.shared)),
            };
            let kernel = Kernel {
                figures,
                loops,
                wave: compiled.wave,
                threads: translated.threads,
                groups,
                rows: vec![row.name],
            };
            kernels.insert(name, kernel);
        }
    }
    Ok(kernels.into_values().collect())
}

/// The shader and those of its constants that are neither false nor 0: a kernel keeps its name where a
/// constant is added for others.
fn name(call: &KernelCall) -> String {
    let constants = call.constants.split_whitespace();
    let said = constants.filter(|word| !word.ends_with("=false") && !word.ends_with("=0"));
    let words = said.map(|word| word.trim_end_matches("=true"));
    let words: Vec<_> = std::iter::once(call.shader).chain(words).collect();
    words.join(" ")
}

/// To four digits behind the point.
fn rounded(v: f64) -> f64 {
    (v * 1e4).round() / 1e4
}

fn write(directory: &Path, name: &str, text: &str) -> Result<()> {
    let path = directory.join(name);
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&path, text))
        .map_err(|e| format!("{}: {e}", path.display()))
}
