//! `pimento devices`.

use clap::Args;
use pimento::Result;
use pimento::backend::Backend;
use pimento::backend::cpu::CpuBackend;
use serde_json::json;

use super::options::OutputArgs;
use super::output;

/// List the adapters, their limits, and which one `--backend auto` takes
#[derive(Debug, Args)]
#[command(after_help = "\
`auto` takes a hardware GPU if there is one, else the CPU backend; a software adapter is used \
only when asked for by name. GL is looked at where no other graphics API has an adapter. WGPU_BACKEND \
says what to look at, WGPU_ADAPTER_NAME names an adapter.

Examples:
  pimento devices
  pimento devices --json
  WGPU_BACKEND=gl pimento devices")]
pub struct Devices {
    #[command(flatten)]
    how: OutputArgs,
}

impl Devices {
    /// Prints the list.
    pub fn run(&self) -> Result<()> {
        let cpu = CpuBackend::new().info();
        let gpu = adapters();
        let auto = gpu.chosen.unwrap_or_else(|| cpu.name.clone());
        if self.how.json {
            return output::print_json(&json!({
                "pimento": env!("CARGO_PKG_VERSION"),
                "gpu_built_in": cfg!(feature = "gpu"),
                "cpu": cpu,
                "adapters": gpu.json,
                "auto": auto,
            }));
        }
        self.how.print(&format!(
            "cpu   {} ({})\n{}auto  would use {auto}\n",
            cpu.name, cpu.api, gpu.text
        ))
    }
}

/// The graphics adapters, ready to print.
struct Adapters {
    text: String,
    json: serde_json::Value,
    /// Name of the one that `auto` takes.
    chosen: Option<String>,
}

#[cfg(not(feature = "gpu"))]
fn adapters() -> Adapters {
    Adapters {
        text: "gpu   not built in (cargo feature `gpu`)\n".into(),
        json: json!([]),
        chosen: None,
    }
}

/// Kernels that an adapter has for products, in words.
#[cfg(feature = "gpu")]
fn products(a: &pimento::backend::wgpu::AdapterReport) -> String {
    let plain = match a.tiled {
        true => "from tiles where they are large, else portable kernels",
        false => "portable kernels",
    };
    match a.matrix_side {
        Some(n) if a.hardware => {
            format!("{plain}; cooperative matrices of {n} x {n} for codes once these pass a test")
        }
        Some(n) => {
            format!("{plain}; cooperative matrices of {n} x {n} for codes when asked for")
        }
        None => plain.into(),
    }
}

#[cfg(feature = "gpu")]
fn adapters() -> Adapters {
    let list = pimento::backend::wgpu::list_adapters();
    let mut text = String::new();
    for a in &list {
        text += &format!("gpu   {} ({}, {})\n", a.name, a.api, a.kind);
        if !a.driver.is_empty() {
            text += &format!("      driver: {}\n", a.driver);
        }
        text += &format!(
            "      limits: bindings of {} MiB, buffers of {} MiB, {} storage buffers, \
             workgroups of {} threads and {} KiB, {} groups per axis\n",
            a.max_binding_bytes >> 20,
            a.max_buffer_bytes >> 20,
            a.max_storage_buffers,
            a.max_invocations,
            a.max_workgroup_bytes >> 10,
            a.max_groups_per_axis,
        );
        text += &format!("      products: {}\n", products(a));
    }
    if list.is_empty() {
        text += "gpu   no adapter found\n";
    }
    Adapters {
        text,
        chosen: list.iter().find(|a| a.chosen).map(|a| a.name.clone()),
        json: json!(list),
    }
}
