//! `pack MODULE.wasm DIR`: the module and its JavaScript half, as browsers load them.

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let module = arguments
        .next()
        .context("the module is missing: pack MODULE.wasm DIR")?;
    let folder = arguments
        .next()
        .context("the folder is missing: pack MODULE.wasm DIR")?;
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(module)
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
}
