//! Waiting without blocking: the worker goes on with other messages meanwhile.

use js_sys::{Function, Promise};
use pimento::Result;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(then: &Function, ms: i32) -> JsValue;
}

/// Asks until something is ready; between two questions the browser has its turn, in which adapters answer.
///
/// # Errors
/// Those of the question.
pub async fn until(mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
    while !ready()? {
        let turn = Promise::new(&mut |then, _| {
            set_timeout(&then, 0);
        });
        // A timer does not fail.
        let _ = JsFuture::from(turn).await;
    }
    Ok(())
}
