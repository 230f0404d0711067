// Workers with simulators: one with the graphics card, or several that share the processor.

// A worker and what it was asked.
class Hand {
  constructor() {
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.open = new Map();
    this.count = 0;
    this.worker.onmessage = ({ data: { id, value, error } }) => {
      const asked = this.open.get(id);
      this.open.delete(id);
      if (!asked) return;
      if (error) asked.no(Object.assign(new Error(error.message), { name: error.name }));
      else asked.yes(value);
    };
    this.worker.onerror = (event) => this.end("dead", event.message || "the simulator's worker could not start");
  }

  ask(call, args) {
    return new Promise((yes, no) => {
      const id = this.count++;
      this.open.set(id, { yes, no });
      this.worker.postMessage({ id, call, args });
    });
  }

  end(name = "ended", message = "ended") {
    this.worker.terminate();
    for (const { no } of this.open.values()) no(Object.assign(new Error(message), { name }));
    this.open.clear();
  }
}

// The module is compiled once for all workers.
let compiled;
const wasm = () => {
  const url = new URL("pimento_web_bg.wasm", import.meta.url);
  const compile = async () => {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
    return WebAssembly.compile(await response.arrayBuffer());
  };
  compiled ??= compile().catch((error) => {
    compiled = undefined;
    throw error;
  });
  return compiled;
};

export class Crew {
  // Opens the first worker; `kind` is "cpu" or "webgpu".
  static async open(kind) {
    const crew = new Crew();
    crew.kind = kind;
    crew.hands = [];
    crew.device = await crew.grow();
    return crew;
  }

  async grow() {
    const hand = new Hand();
    try {
      const about = await hand.ask("open", { kind: this.kind, wasm: await wasm() });
      this.hands.push(hand);
      return about;
    } catch (error) {
      hand.end();
      throw error;
    }
  }

  get first() {
    return this.hands[0];
  }

  // As many workers as processors, up to eight; an adapter has one.
  async all() {
    const wanted = this.kind === "cpu" ? Math.min(navigator.hardwareConcurrency || 2, 8) : 1;
    const more = Array.from({ length: Math.max(0, wanted - this.hands.length) }, () => this.grow());
    // Fewer workers do as well.
    await Promise.allSettled(more);
    return this.hands;
  }

  end() {
    for (const hand of this.hands) hand.end();
    this.hands = [];
  }
}
