//! The results as tables and as JSON.

use std::fmt;

use serde_json::{Value, json};

use crate::Result;
use crate::calls::Row;
use crate::cards::CARDS;
use crate::cost::Kernel;
use crate::radv::Compiler;

/// Kernels and rows of a run.
pub struct Report {
    compiler: String,
    rows: Vec<Row>,
    kernels: Vec<Kernel>,
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".into(), |share| format!("{:.0}", 100.0 * share))
}

impl Kernel {
    /// The share of each card's peak that the kernel's instructions leave.
    fn bounds(&self) -> [Option<f64>; 3] {
        CARDS.map(|card| card.bound(&self.loops.nest))
    }

    /// How often its largest call fills each card.
    fn fills(&self) -> [f64; 3] {
        CARDS.map(|card| {
            let slots = card.slots(
                self.figures.vgprs,
                self.figures.shared,
                u64::from(self.threads),
            );
            self.groups as f64 / slots as f64
        })
    }

    fn json(&self) -> Value {
        let f = &self.figures;
        json!({
            "kernel": f.kernel,
            "rows": self.rows,
            "threads": self.threads,
            "wave": self.wave,
            "vgprs": f.vgprs,
            "sgprs": f.sgprs,
            "spills": f.spills,
            "workgroup_bytes": f.shared,
            "waves_per_simd": f.waves,
            "inner_fma_share": f.inner_fma,
            "nest_fma_share": f.nest_fma,
            "global_bytes_per_fma": f.global_per_fma,
            "workgroup_bytes_per_fma": f.shared_per_fma,
            "workgroups": self.groups,
            "fills": named(&self.fills().map(Some)),
            "bounds": named(&self.bounds()),
        })
    }
}

impl Row {
    /// The share of each card's peak that its memory leaves.
    fn roofline(&self) -> [Option<f64>; 3] {
        CARDS.map(|card| {
            self.flops
                .map(|flops| card.roofline(flops, self.bytes() as f64))
        })
    }

    fn json(&self) -> Value {
        json!({
            "row": self.name,
            "kernel_calls": self.calls.len(),
            "flops": self.flops,
            "bytes": self.bytes(),
            "roofline": named(&self.roofline()),
        })
    }
}

/// Values by the name of their card.
fn named(values: &[Option<f64>; 3]) -> Value {
    CARDS
        .iter()
        .zip(values)
        .map(|(card, value)| (card.name.to_owned(), json!(value)))
        .collect()
}

impl Report {
    /// Of these rows and the kernels that they call.
    pub fn new(compiler: &Compiler, family: &str, rows: Vec<Row>, kernels: Vec<Kernel>) -> Self {
        let Compiler {
            mesa, device_name, ..
        } = compiler;
        Self {
            compiler: format!("Mesa {mesa}, {family} ({device_name})"),
            rows,
            kernels,
        }
    }

    /// Prints all figures.
    pub fn print_json(&self) -> Result<()> {
        let value = json!({
            "compiler": self.compiler,
            "kernels": self.kernels.iter().map(Kernel::json).collect::<Vec<_>>(),
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
        });
        let text = serde_json::to_string_pretty(&value).map_err(|e| e.to_string())?;
        println!("{text}");
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let cards: Vec<_> = CARDS.iter().map(|card| card.name).collect();
        writeln!(f, "{}; cards: {}\n", self.compiler, cards.join(", "))?;
        writeln!(
            f,
            "{:>5} {:>6} {:>6} {:>5} {:>6} {:>6} {:>8} {:>8} {:>8} {:>17} {:>11}  kernel",
            "VGPR",
            "spills",
            "LDS",
            "waves",
            "FMA %",
            "nest %",
            "mem B/F",
            "LDS B/F",
            "groups",
            "fills",
            "bound %"
        )?;
        for kernel in &self.kernels {
            let k = &kernel.figures;
            let fills = kernel.fills().map(|fill| format!("{fill:.1}")).join(" ");
            writeln!(
                f,
                "{:>5} {:>6} {:>6} {:>5} {:>6} {:>6} {:>8.3} {:>8.3} {:>8} {:>17} {:>11}  {}",
                k.vgprs,
                k.spills,
                k.shared,
                k.waves,
                percent(Some(k.inner_fma)),
                percent(Some(k.nest_fma)),
                k.global_per_fma,
                k.shared_per_fma,
                kernel.groups,
                fills,
                kernel.bounds().map(percent).join(" "),
                k.kernel,
            )?;
        }
        writeln!(
            f,
            "\n{:>7} {:>9} {:>9} {:>9} {:>12}  row",
            "calls", "GFLOP", "GB", "FLOP/B", "roofline %"
        )?;
        for row in &self.rows {
            let bytes = row.bytes() as f64;
            let of = |scale: f64| {
                row.flops
                    .map_or("-".into(), |v| format!("{:.2}", v / scale))
            };
            writeln!(
                f,
                "{:>7} {:>9} {:>9.3} {:>9} {:>12}  {}",
                row.calls.len(),
                of(1e9),
                bytes / 1e9,
                of(bytes),
                row.roofline().map(percent).join(" "),
                row.name,
            )?;
        }
        Ok(())
    }
}
