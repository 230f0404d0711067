//! Pimento in a web page: the crossbar playground and the demo, for `static/worker.js`.
//!
//! A module runs in a worker of the page. It computes by the shaders through WebGPU, or by the CPU code; nothing here
//! blocks: work is queued, and its results are asked for until they are there (`wait.rs`).

mod crossbar;
mod demo;
mod fault;
mod wait;

use std::rc::Rc;

use pimento::backend::Backend;
use pimento::backend::cpu::CpuBackend;
use pimento::backend::wgpu::WgpuBackend;
use wasm_bindgen::prelude::*;

use self::demo::{Demo, Shipped};
use self::fault::{Fault, to_json};

/// What a session on the processor may take, bytes: results take as much again, and a module has 4 GiB at most.
const MEMORY: usize = 512 << 20;

/// What a worker computes with.
#[wasm_bindgen]
pub struct Engine {
    backend: Rc<dyn Backend>,
    /// The test images, once the demo has been opened.
    shipped: Option<&'static Shipped>,
}

#[wasm_bindgen]
impl Engine {
    /// The CPU code, on the thread of the worker.
    pub fn cpu() -> Engine {
        Engine::on(Rc::new(CpuBackend::new().with_memory_budget(MEMORY)))
    }

    /// The shaders, by the browser's WebGPU.
    ///
    /// # Errors
    /// No WebGPU, no adapter, or one that offers less than WebGPU guarantees.
    pub async fn webgpu() -> Result<Engine, Fault> {
        Ok(Engine::on(Rc::new(WgpuBackend::open_in_browser().await?)))
    }

    fn on(backend: Rc<dyn Backend>) -> Engine {
        let shipped = None;
        Engine { backend, shipped }
    }

    /// What it is: `DeviceInfo` as JSON.
    ///
    /// # Errors
    /// None that a backend can cause.
    pub fn about(&self) -> Result<String, Fault> {
        to_json(&self.backend.info())
    }

    /// Multiplies a matrix with vectors on every chip of a range; see `crossbar.rs` for the request and the answer.
    ///
    /// # Errors
    /// Mistakes in the experiment or the numbers; the device.
    pub async fn crossbar(&self, request: String) -> Result<js_sys::Object, Fault> {
        crossbar::answer(self.backend.clone(), &request).await
    }

    /// A point of the demo: an experiment with one point, its trained network and the shipped test images.
    ///
    /// # Errors
    /// Mistakes in the experiment; files that are damaged or do not belong together.
    pub fn demo(
        &mut self,
        experiment: &str,
        network: &[u8],
        images: &[u8],
        labels: &[u8],
    ) -> Result<Demo, Fault> {
        let shipped = match self.shipped {
            Some(shipped) => shipped,
            None => {
                // Once in the life of a worker.
                let read = Box::leak(Box::new(Shipped::read(images, labels)?));
                *self.shipped.insert(read)
            }
        };
        Demo::open(self.backend.as_ref(), experiment, network, shipped)
    }

    /// Gives the adapter up, as a driver does that resets: what is computed afterwards fails. Tests do it on purpose.
    #[wasm_bindgen(js_name = loseDevice)]
    pub async fn lose_device(&mut self) -> Result<(), Fault> {
        let lost = WgpuBackend::open_in_browser().await?;
        lost.destroy();
        self.backend = Rc::new(lost);
        Ok(())
    }
}

/// Tells the page's console where a panic came from, as the module cannot go on.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|panic| fault::report(&panic.to_string())));
}
