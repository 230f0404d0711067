// The page: forms to experiments, experiments to workers, answers to plots.

import { CellMap, chips as plotChips, histogram, outputs as plotOutputs, short } from "./charts.js";
import { Crew } from "./crew.js";
import * as files from "./experiment.js";

const $ = (id) => document.getElementById(id);
const percent = (x, digits = 1) => (Number.isFinite(x) ? `${(100 * x).toFixed(digits)} %` : "–");
const values = (form) => Object.fromEntries(new FormData(form));

function say(id, text) {
  $(id).textContent = text ?? "";
  $(id).hidden = !text;
}

// ---- What computes.

const asked = new URLSearchParams(location.search).get("backend");
if (["cpu", "webgpu", "auto"].includes(asked)) $("engine").value = asked;

let crew;

// What the browser says of its adapter, where there is one.
async function adapter() {
  try {
    const found = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
    return found && (found.info ?? found);
  } catch {
    return undefined;
  }
}

// A graphics card; else the processor, which is faster than a program that imitates a card.
async function best() {
  const info = await adapter();
  return info && !info.isFallbackAdapter ? "webgpu" : "cpu";
}

let card = "";
const inWords = {
  cpu: (n) => `the processor${n > 1 ? `, ${n} workers` : ""}`,
  webgpu: () => `WebGPU${card && `: ${card}`}`,
};

function showDevice() {
  $("device").textContent = crew ? `Computing on ${inWords[crew.kind](crew.hands.length)}.` : "Loading the simulator …";
}

async function openCrew(kind) {
  crew?.end();
  crew = undefined;
  showDevice();
  try {
    if (kind === "webgpu") {
      const info = await adapter();
      card = info?.description || [info?.vendor, info?.architecture].filter(Boolean).join(" ");
    }
    crew = await Crew.open(kind);
  } catch (error) {
    if (kind !== "webgpu") throw error;
    say("notice", `The graphics card cannot be used here: ${error.message}\nComputing on the processor instead.`);
    crew = await Crew.open("cpu");
  }
  showDevice();
  return crew;
}

let opening;
const ready = () => (opening ??= choose());
async function choose() {
  const wanted = $("engine").value;
  return openCrew(wanted === "auto" ? await best() : wanted);
}

$("engine").addEventListener("change", () => {
  say("notice");
  stop();
  opening = undefined;
  multiply();
});

// After an error that ended a worker or took the adapter: the processor, with a word about why. Whether it is worth
// trying again.
async function recover(error) {
  if (error.name === "ended" || !(error.name === "dead" || error.name === "device")) return false;
  const kind = crew?.kind ?? "cpu";
  const what = kind === "webgpu" ? "The graphics card failed" : "The simulator ran out of memory or stopped";
  say("notice", `${what}: ${error.message}\n${kind === "webgpu" ? "Computing on the processor from here on." : "It was started again; fewer chips, images or cells need less."}`);
  if (kind === "webgpu") $("engine").value = "cpu";
  opening = openCrew("cpu");
  await opening;
  return kind === "webgpu";
}

// ---- The playground.

const form = $("chip");
const map = new CellMap($("map"), (row, column, value) => {
  $("map-cell").textContent = `Input ${row}, output ${column}: ${short(value)} levels.`;
});
let shown;
let pending = 0;

const units = { percent: (v) => `${short(100 * v)} %`, ohm: (v) => `${short(Number(v))} Ω` };
function showSliders() {
  for (const input of document.querySelectorAll("input[type=range]")) {
    const text = units[input.dataset.as](input.value);
    document.querySelector(`output[for="${input.id}"]`).textContent = text;
    input.setAttribute("aria-valuetext", text);
  }
  form.querySelector(".own").hidden = form.weights.value !== "given";
  form.outputs.disabled = form.inputs.disabled = form.weights.value === "given";
}

// The user's own matrix: numbers by lines.
function given(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  const rows = lines.map((line, i) =>
    line.trim().split(/[\s,;]+/).map((word) => {
      const x = Number(word);
      if (!Number.isFinite(x)) throw new Error(`My own weights: line ${i + 1} has “${word}”; allowed: numbers`);
      return x;
    }),
  );
  if (!rows.length) throw new Error("My own weights: no number; allowed: one output per line");
  const odd = rows.findIndex((row) => row.length !== rows[0].length);
  if (odd >= 0)
    throw new Error(`My own weights: line ${odd + 1} has ${rows[odd].length} numbers, the first ${rows[0].length}; allowed: as many in every line`);
  return rows;
}

function request(v) {
  const weights = { kind: v.weights };
  let [outputs, inputs] = [Number(v.outputs), Number(v.inputs)];
  if (v.weights === "given") {
    const rows = given(v.given);
    [outputs, inputs, weights.values] = [rows.length, rows[0].length, rows.flat()];
  }
  const chips = Number(v.chips);
  return { experiment: files.chip(v), outputs, inputs, vectors: Number(v.vectors), weights, chips, shown: Math.min(Number(v.shown), chips - 1) };
}

async function multiply(again = true) {
  const turn = ++pending;
  showSliders();
  const results = $("crossbar-results");
  if (!form.checkValidity()) {
    const wrong = form.querySelector(":invalid");
    const label = wrong.closest("label").firstChild.textContent.trim();
    return fail(`${label}: ${wrong.value || "nothing"}; allowed: ${wrong.min} to ${wrong.max}`);
  }
  results.setAttribute("aria-busy", "true");
  try {
    const v = values(form);
    const wanted = request(v);
    $("chip-toml").textContent = wanted.experiment;
    const { first } = await ready();
    if (turn !== pending) return;
    const answer = await first.ask("crossbar", { request: wanted });
    if (turn !== pending) return;
    shown = { v, wanted, ...answer };
    say("crossbar-error");
    results.setAttribute("aria-busy", "false");
    showAnswer();
  } catch (error) {
    if (turn !== pending || error.name === "ended") return;
    try {
      if (again && (await recover(error))) return multiply(false);
    } catch (worse) {
      return fail(worse.message);
    }
    fail(error.message);
  }

  function fail(text) {
    results.setAttribute("aria-busy", "false");
    say("crossbar-error", text);
  }
}

function showAnswer() {
  const { numbers, wanted } = shown;
  const [lo, hi] = numbers.interval;
  $("crossbar-summary").innerHTML =
    `Outputs are off by <b>${percent(numbers.error)}</b> of their root mean square` +
    `${lo == null ? "" : ` (95 % interval over ${numbers.chips} chips ${percent(lo)} to ${percent(hi)})`}. ` +
    `All chips share <b>${percent(numbers.bias)}</b>, and <b>${percent(numbers.spread)}</b> differs from chip to chip; the squares add up.` +
    `${numbers.clipped ? ` <b>${percent(numbers.clipped / numbers.conversions_in_all, 2)}</b> of the conversions clip.` : ""}`;
  for (const span of document.querySelectorAll("[data-of=chips]")) span.textContent = numbers.chips;
  for (const span of document.querySelectorAll("[data-of=shown]")) span.textContent = wanted.shown;
  const vector = $("vector");
  vector.max = numbers.vectors - 1;
  vector.value = Math.min(Number(vector.value) || 0, numbers.vectors - 1);
  const plane = $("plane");
  const before = Number(plane.value) || 0;
  plane.replaceChildren(
    ...numbers.places.map((place, i) => new Option(`${i}: each level counts ${place}`, i, false, i === Math.min(before, numbers.planes - 1))),
  );
  showVector();
  showPlane();
}

function showVector() {
  const { numbers } = shown;
  const vector = Math.max(0, Math.min(numbers.vectors - 1, Number($("vector").value) || 0));
  const part = (name) => shown[name].slice(vector * numbers.outputs, (vector + 1) * numbers.outputs);
  const [mean, std, ideal, chip] = ["mean", "std", "ideal", "outputs"].map(part);
  const errors = $("quantity").value === "errors";
  const label = `${errors ? "Errors of the outputs" : "Outputs"} for vector ${vector}: mean and standard deviation over ${numbers.chips} chips beside the exact product; values in the table below`;
  const plotted = errors ? { mean: mean.map((y, i) => y - ideal[i]), std, ideal: ideal.map(() => 0) } : { mean, std, ideal };
  plotOutputs($("outputs"), plotted, errors ? "error" : "value", label);
  const row = (i) => `<tr><td>${i}</td>${[ideal[i], mean[i], std[i], chip[i]].map((x) => `<td>${short(x, 4)}</td>`).join("")}</tr>`;
  $("outputs-table").innerHTML =
    `<caption>Vector ${vector}</caption><thead><tr>${["Output", "Exact", "Mean", "Standard deviation", `Chip ${shown.wanted.shown}`].map((h) => `<th scope="col">${h}</th>`).join("")}</tr></thead>` +
    `<tbody>${Array.from(mean, (_, i) => row(i)).join("")}</tbody>`;
}

function showPlane() {
  const { numbers, v } = shown;
  const plane = Number($("plane").value) || 0;
  const cells = numbers.outputs * numbers.inputs;
  const differs = v.encoding === "differential";
  const levels = shown.planes.slice(plane * cells, (plane + 1) * cells);
  map.show(levels, numbers.outputs, numbers.inputs, `Conductances of plane ${plane}: ${numbers.inputs} inputs down, ${numbers.outputs} outputs across`);
  $("map-scale").innerHTML = `<span>−${short(map.most)}</span><i></i><span>${short(map.most)} levels</span>`;
  $("map-note").textContent = `Inputs down, outputs across${differs ? "; the positive minus the negative cell" : ""}.`;
  // [vector][plane][output][row tile][conversion]
  const each = numbers.outputs * numbers.row_tiles * numbers.conversions;
  const sums = new Float32Array(numbers.vectors * each);
  for (let i = 0; i < numbers.vectors; i++) {
    const from = (i * numbers.planes + plane) * each;
    sums.set(shown.sums.subarray(from, from + each), i * each);
  }
  const bits = Number(v.adcBits);
  let range;
  let note = `${sums.length.toLocaleString("en")} sums: ${numbers.vectors} vectors, ${numbers.outputs} columns, ${numbers.row_tiles} ${numbers.row_tiles > 1 ? "arrays" : "array"} and ${numbers.conversions} input steps.`;
  if (bits > 0 && shown.ranges.length) {
    // The converters of a plane may differ by column; the first one's is drawn.
    const [step, zero] = shown.ranges.subarray(2 * plane * numbers.outputs);
    const top = bits === 1 ? 1 : 2 ** (bits - 1) - 1;
    range = [zero - top * step, zero + top * step];
    note += ` Between the dashed lines the converter tells ${2 * top + 1} codes apart, ${short(step)} levels each.`;
  }
  histogram($("sums"), sums, range, `How often partial sums of plane ${plane} have which value`);
  $("sums-note").textContent = note;
}

// Which chip to begin with is shown, and what is to be seen on it.
function tried(button) {
  for (const one of document.querySelectorAll("[data-try]")) one.setAttribute("aria-pressed", one === button);
  say("try-note", button?.dataset.see);
}

let timer;
form.addEventListener("input", () => {
  tried();
  showSliders();
  clearTimeout(timer);
  timer = setTimeout(multiply, 200);
});
for (const button of document.querySelectorAll("[data-try]"))
  button.addEventListener("click", () => {
    const [shown, seed] = [form.shown.value, form.seed.value];
    form.reset();
    for (const [name, value] of Object.entries({ shown, seed, ...JSON.parse(button.dataset.try) })) form[name].value = value;
    tried(button);
    showSliders();
  });
form.addEventListener("reset", () => {
  tried();
  setTimeout(multiply);
});
form.addEventListener("submit", (event) => event.preventDefault());
$("vector").addEventListener("input", () => shown && showVector());
$("quantity").addEventListener("change", () => shown && showVector());
$("plane").addEventListener("change", () => shown && showPlane());

// ---- The demo.

const sweep = $("sweep");
const METHODS = [
  { name: "none", words: "Without tuning" },
  { name: "self-tuning", words: "With self-tuning" },
];
const ROW = 8;
let base;
let run;

const baseText = async () => {
  const response = await fetch("demo.toml");
  if (!response.ok) throw new Error(`demo.toml: ${response.status} ${response.statusText}`);
  return response.text();
};

async function showDemoFile() {
  showSliders();
  $("start").textContent = `Fabricate ${sweep.chips.value || 0} chips`;
  base ??= await baseText();
  $("demo-toml").textContent = METHODS.map(({ name }, i) => (i ? `# With self-tuning: method = "${name}" under [tuning].\n` : files.demo(base, values(sweep), name))).join("\n");
}

function stop() {
  if (run) run.stopped = true;
}

// Chips of both points, in turns over all workers.
async function simulate(again = true) {
  if (!sweep.reportValidity()) return;
  stop();
  const v = values(sweep);
  const mine = (run = { v, stopped: false, points: METHODS.map(() => new Map()), ideal: NaN, begun: performance.now() });
  say("demo-error");
  say("demo-summary");
  $("stop").disabled = false;
  $("demo-status").textContent = "Preparing the network …";
  try {
    base ??= await baseText();
    const crewNow = await ready();
    const hands = await crewNow.all();
    showDevice();
    const prepare = (hand) => METHODS.map(({ name }) => hand.ask("demo", { name, experiment: files.demo(base, v, name), network: `${v.recipe}.safetensors` }));
    const waves = (await Promise.all(hands.flatMap(prepare))).map(({ wave }) => wave);
    mine.ideal = await hands[0].ask("ideal", { name: METHODS[0].name });
    // Waves of a processor are short, so that chips appear as they are made.
    const count = Math.max(1, Math.min(crewNow.kind === "cpu" ? 4 : 16, ...waves));
    const total = Number(v.chips);
    const jobs = [];
    for (let first = 0; first < total; first += count)
      for (const i of METHODS.keys()) jobs.push({ i, first, count: Math.min(count, total - first) });
    jobs.reverse();
    const work = async (hand) => {
      while (jobs.length && !mine.stopped) {
        const { i, first, count } = jobs.pop();
        const rows = await hand.ask("chips", { name: METHODS[i].name, first, count });
        for (let at = 0; at < rows.length; at += ROW) mine.points[i].set(rows[at], rows.subarray(at, at + ROW));
        if (run === mine) showChips(mine);
      }
    };
    await Promise.all(hands.map(work));
    if (run === mine) await showStatistics(mine, hands[0]);
  } catch (error) {
    if (run !== mine) return;
    mine.stopped = true;
    if (error.name !== "ended") {
      try {
        if (again && (await recover(error))) return simulate(false);
        say("demo-error", error.message);
      } catch (worse) {
        say("demo-error", worse.message);
      }
    }
  }
  if (run !== mine) return;
  mine.done = true;
  $("stop").disabled = true;
  showChips(mine);
}

// Draws at most once a frame.
let drawing;
function showChips(mine) {
  drawing ??= requestAnimationFrame(() => {
    drawing = undefined;
    const total = Number(mine.v.chips) * METHODS.length;
    const done = mine.points.reduce((n, p) => n + p.size, 0);
    $("progress").value = done / total;
    const seconds = ((mine.ended ??= mine.done ? performance.now() : undefined) ?? performance.now()) - mine.begun;
    const state = mine.done ? (done < total ? "Stopped" : "Done") : "Computing";
    $("demo-status").textContent = `${state}: ${done} of ${total} chips, ${(seconds / 1000).toFixed(0)} s.`;
    const series = ["none", "tuned"].map((name, i) => ({ name, points: [...mine.points[i].values()].map((r) => [r[6], r[1]]) }));
    plotChips($("chips"), series, mine.ideal, "Accuracy of every chip against the common deviation of its cells, without and with self-tuning; statistics in the table below");
  });
}

async function showStatistics(mine, hand) {
  const body = $("statistics").tBodies[0];
  const rows = [];
  const between = ([lo, hi]) => (lo == null && hi == null ? "" : ` (${lo == null ? "–" : percent(lo)} to ${hi == null ? "–" : percent(hi)})`);
  for (const [i, { name, words }] of METHODS.entries()) {
    const chips = [...mine.points[i].values()].sort((a, b) => a[0] - b[0]);
    if (!chips.length) continue;
    const flat = new Float64Array(chips.length * ROW);
    chips.forEach((row, at) => flat.set(row, at * ROW));
    const s = await hand.ask("summary", { name, rows: flat, ideal: mine.ideal });
    mine.points[i].summary = s;
    rows.push(
      `<tr><th scope="row">${words}</th><td>${chips.length}</td><td>${percent(s.mean)}${between(s.mean_ci95)}</td><td>${percent(s.std)}</td>` +
        `<td>${percent(s.q05)}${between(s.q05_ci95)}</td><td>${percent(s.yield)}${between(s.yield_ci95)}</td></tr>`,
    );
  }
  const [none, tuned] = mine.points.map((chips) => chips.summary);
  if (none && tuned)
    $("demo-summary").innerHTML =
      `Mean accuracy is <b>${percent(none.mean)}</b> without tuning and <b>${percent(tuned.mean)}</b> with self-tuning; ` +
      `<b>${percent(none.yield)}</b> and <b>${percent(tuned.yield)}</b> of the chips reach 80 %.`;
  $("demo-summary").hidden = !(none && tuned);
  rows.push(`<tr><th scope="row">Without variation</th><td></td><td>${percent(mine.ideal)}</td><td></td><td></td><td></td></tr>`);
  body.innerHTML = rows.join("");
}

sweep.addEventListener("input", () => showDemoFile().catch((error) => say("demo-error", error.message)));
sweep.addEventListener("submit", (event) => {
  event.preventDefault();
  simulate();
});
$("stop").addEventListener("click", stop);

// ---- The page.

for (const button of document.querySelectorAll("[data-copy]"))
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText($(button.dataset.copy).textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren($(button.dataset.copy));
      button.textContent = "Selected: copy with the keyboard";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });

let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === width) return;
  width = innerWidth;
  if (shown) {
    showVector();
    showPlane();
  }
  if (run) showChips(run);
});

if (matchMedia("(max-width: 50rem)").matches) $("controls").open = false;
plotChips($("chips"), [{ name: "none", points: [] }, { name: "tuned", points: [] }], NaN, "No chips yet");
if (typeof WebAssembly === "undefined" || typeof Worker === "undefined") {
  say("notice", "This browser has no WebAssembly or no workers, in which the simulator runs.");
} else {
  showDemoFile().catch((error) => say("demo-error", error.message));
  multiply();
}

// For tests: what is shown, as data.
globalThis.pimento = { shown: () => shown, run: () => run, crew: () => crew, ready, stop };
