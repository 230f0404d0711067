// A worker with a simulator: messages {id, call, args}, answers {id, value} or {id, error: {name, message}}.

import init, { Engine } from "./pimento_web.js";

let engine;
let module;
const demos = new Map();
const files = new Map();

// A file of the page, once.
async function file(name) {
  if (!files.has(name)) {
    const load = async () => {
      const response = await fetch(name);
      if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
      return new Uint8Array(await response.arrayBuffer());
    };
    files.set(name, load());
  }
  return files.get(name);
}

const calls = {
  async open({ kind, wasm }) {
    module = await init({ module_or_path: wasm });
    engine = kind === "webgpu" ? await Engine.webgpu() : Engine.cpu();
    return JSON.parse(engine.about());
  },
  async crossbar({ request }) {
    const answer = await engine.crossbar(JSON.stringify(request));
    return { ...answer, numbers: JSON.parse(answer.numbers) };
  },
  // Prepares a point under a name.
  async demo({ name, experiment, network }) {
    const [weights, images, labels] = await Promise.all([network, "images.bin", "labels.bin"].map(file));
    demos.get(name)?.free();
    demos.delete(name);
    const demo = engine.demo(experiment, weights, images, labels);
    demos.set(name, demo);
    return { wave: demo.waveSize() };
  },
  ideal: ({ name }) => demos.get(name).idealAccuracy(),
  chips: ({ name, first, count }) => demos.get(name).chips(first, count),
  summary: ({ name, rows, ideal }) => JSON.parse(demos.get(name).summary(rows, ideal)),
  memory: () => module.memory.buffer.byteLength,
  // What tests do to a device on purpose.
  lose: () => engine.loseDevice(),
};

// Calls run one after the other: an adapter's answers are awaited in between, and a point must not be asked twice then.
let last = Promise.resolve();
onmessage = ({ data: { id, call, args } }) => {
  last = last.then(async () => {
    try {
      postMessage({ id, value: await calls[call](args ?? {}) });
    } catch (error) {
      // A module that panicked, or that found no memory, cannot go on.
      const dead = error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
      postMessage({ id, error: { name: dead ? "dead" : error.name, message: error.message ?? String(error) } });
    }
  });
};
