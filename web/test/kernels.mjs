// Hands the kernels of the library to Chromium's compiler of WGSL; `scripts/test_web` starts it.
//
//   node kernels.mjs FOLDER
//
// FOLDER has a JSON object for each: `shader`, `entry`, `text` (src/backend/wgpu/tests/browsers.rs).

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const folder = process.argv[2];
const seen = new Set();
const kernels = readdirSync(folder).sort().map((name) => {
  const kernel = JSON.parse(readFileSync(join(folder, name), "utf8"));
  const key = `${kernel.shader} ${kernel.entry}`;
  const whole = !seen.has(key);
  seen.add(key);
  return { name, ...kernel, whole };
});

// WebGPU is there for pages of a server only.
const server = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>kernels</title>"));
await new Promise((then) => server.listen(0, "127.0.0.1", then));
const browser = await chromium.launch({
  executablePath: process.env.PIMENTO_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader", "--use-vulkan=swiftshader"],
});
const tab = await browser.newPage();
await tab.goto(`http://127.0.0.1:${server.address().port}/`);
await tab.evaluate(async () => {
  const adapter = await navigator.gpu.requestAdapter();
  // The least that WebGPU promises: what a kernel needs beyond it is found here.
  globalThis.device = await adapter.requestDevice();
});

// What the compiler says of each: the first mistake, or nothing. A pipeline is what a driver compiles: software needs
// seconds for some, so only the first kernel of a shader gets one (`whole`).
const compile = (kernels) =>
  tab.evaluate(async (kernels) => {
    const one = async ({ entry, text, whole }) => {
      device.pushErrorScope("validation");
      const module = device.createShaderModule({ code: text });
      device.popErrorScope();
      const { messages } = await module.getCompilationInfo();
      const wrong = messages.find((m) => m.type === "error");
      if (wrong) return `${wrong.lineNum}:${wrong.linePos}: ${wrong.message}\n    ${text.split("\n")[wrong.lineNum - 1]?.trim()}`;
      if (!whole) return "";
      const pipeline = device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: entry } });
      return pipeline.then(() => "", (error) => error.message);
    };
    return Promise.all(kernels.map(one));
  }, kernels);

// The check can fail: naga takes this one.
const loose = "@group(0) @binding(0) var<storage, read_write> y: array<u32>;\n@compute @workgroup_size(1) fn main() { y[0] = y[1] / 3u >> 1u; }";
const [refused] = await compile([{ entry: "main", text: loose }]);
assert.match(refused, /mixing|parenthes/);

let failed = 0;
const first = new Map();
for (let at = 0; at < kernels.length; at += 50) {
  const part = kernels.slice(at, at + 50);
  (await compile(part)).forEach((message, i) => {
    if (!message) return;
    failed++;
    const key = `${part[i].shader}: ${message.replace(/^\d+:\d+: /, "")}`;
    if (!first.has(key)) first.set(key, `${part[i].name}: ${message}`);
  });
}
for (const message of first.values()) console.log(message);
console.log(`${kernels.length} kernels of ${seen.size} shaders, ${failed} refused by Chromium ${browser.version()}`);
await browser.close();
server.close();
process.exit(failed || kernels.length === 0 ? 1 : 0);
