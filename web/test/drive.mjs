// Drives the page in headless Chromium; `scripts/test_web` starts it.
//
//   node drive.mjs FOLDER CHIPS.csv [PICTURES]
//
// FOLDER is what scripts/build_web makes, CHIPS.csv what the command line says of the same chips, PICTURES a folder for
// screenshots.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { mkdirSync, readFileSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";

const [folder, table, pictures] = process.argv.slice(2);
const axe = readFileSync(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");

// A server of static files, as any would do.
const kinds = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".txt": "text/plain" };
const server = createServer((request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
  try {
    const bytes = readFileSync(join(folder, path.endsWith("/") ? `${path}index.html` : path));
    response.writeHead(200, { "content-type": kinds[extname(path)] ?? (path.endsWith("/") ? "text/html" : "application/octet-stream") });
    response.end(bytes);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((then) => server.listen(0, "127.0.0.1", then));
const address = `http://127.0.0.1:${server.address().port}/`;

const executablePath = process.env.PIMENTO_CHROMIUM ?? "/usr/bin/chromium";
const common = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
// WebGPU by Chromium's own software adapter.
const webgpu = ["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader", "--use-vulkan=swiftshader"];
const open = (args) => chromium.launch({ executablePath, args: [...common, ...args] });

async function page(browser, { query = "", width = 1400, height = 1000, colorScheme = "light" } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: "reduce" });
  // Software adapters are slow.
  context.setDefaultTimeout(300_000);
  const tab = await context.newPage();
  tab.errors = [];
  tab.on("pageerror", (error) => tab.errors.push(String(error)));
  tab.on("console", (message) => message.type() === "error" && tab.errors.push(message.text()));
  await tab.goto(address + query);
  return tab;
}

const answered = (tab) => tab.waitForFunction(() => pimento.shown() && document.querySelector("#crossbar-results").getAttribute("aria-busy") === "false");
const answer = (tab) =>
  tab.evaluate(() => {
    const { numbers, ideal, mean, std, outputs, sums, codes, planes } = pimento.shown();
    return { numbers, ...Object.fromEntries(Object.entries({ ideal, mean, std, outputs, sums, codes, planes }).map(([k, v]) => [k, [...v]])) };
  });

// Sets fields of the playground and waits for what comes of it.
async function change(tab, fields) {
  await tab.evaluate((fields) => {
    const form = document.querySelector("#chip");
    globalThis.before = pimento.shown();
    Object.assign(document.querySelector("#crossbar-error"), { hidden: true, textContent: "" });
    for (const [name, value] of Object.entries(fields)) form[name].value = value;
    form.dispatchEvent(new Event("input", { bubbles: true }));
  }, fields);
  await tab.waitForFunction(() => pimento.shown() !== before || !document.querySelector("#crossbar-error").hidden);
  return tab.evaluate(() => document.querySelector("#crossbar-error").textContent);
}

// Runs the demo to its end; accuracies and deviations of its chips by method.
async function demo(tab, fields) {
  await tab.evaluate((fields) => {
    for (const [name, value] of Object.entries(fields)) document.querySelector("#sweep")[name].value = value;
    document.querySelector("#sweep").requestSubmit();
  }, fields);
  await tab.waitForFunction(() => pimento.run()?.done, undefined, { timeout: 1_800_000 });
  const run = await tab.evaluate(() => ({
    error: document.querySelector("#demo-error").textContent,
    ideal: pimento.run().ideal,
    status: document.querySelector("#demo-status").textContent,
    points: pimento.run().points.map((chips) => ({ summary: chips.summary, rows: [...chips.values()].map((row) => [...row]) })),
  }));
  assert.equal(run.error, "");
  return run;
}

const close = (a, b, tolerance, what) => {
  assert.equal(a.length, b.length, what);
  const most = b.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
  a.forEach((x, i) => assert.ok(Math.abs(x - b[i]) <= tolerance * most, `${what} ${i}: ${x} and ${b[i]}`));
};

// Rows of chips.csv by method and chip.
function commandLine() {
  const [head, ...lines] = readFileSync(table, "utf8").trim().split("\n").map((line) => line.split(","));
  const at = (name) => head.indexOf(name);
  const rows = new Map();
  for (const line of lines) {
    const point = Number(line[at("point")]);
    if (!rows.has(point)) rows.set(point, new Map());
    rows.get(point).set(Number(line[at("chip")]), { correct: Number(line[at("correct")]), common: Number(line[at("eps_common")]) });
  }
  return [...rows.entries()].sort(([a], [b]) => a - b).map(([, chips]) => chips);
}

// The same chips: 99 % within 2 images of 1,000, none beyond 5.
function same(run, wanted, images, who) {
  run.points.forEach(({ rows }, i) => {
    const off = rows.map((row) => {
      const there = wanted[i].get(row[0]);
      assert.ok(Math.abs(row[6] - there.common) < 1e-6, `${who}: chip ${row[0]} deviates by ${row[6]}, there by ${there.common}`);
      return (Math.abs(row[3] - there.correct) * 1000) / images;
    });
    const [most, many] = [Math.max(...off), off.filter((d) => d > 2).length];
    console.log(`${who}, point ${i}: ${off.length} chips, ${off.filter((d) => d > 0).length} differ, the most by ${most} images of 1,000`);
    assert.ok(most <= 5 && many <= Math.ceil(off.length / 100), `${who}: ${many} chips are off by more than 2 images, the most by ${most}`);
  });
}

async function accessible(tab, what) {
  await tab.evaluate(axe);
  const { violations } = await tab.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const told = violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 4).join(", ")}`);
  assert.deepEqual(told, [], what);
}

const tests = [];
const test = (name, run) => tests.push({ name, run });
const only = process.env.PIMENTO_WEB_ONLY;

const images = Number(process.env.PIMENTO_WEB_IMAGES ?? 1000);
const chips = Number(process.env.PIMENTO_WEB_CHIPS ?? 8);
const point = { recipe: "qavat", sigmaB: "0.3", cells: "256", seed: "1" };

test("the playground on the processor", async () => {
  const browser = await open([]);
  const begun = performance.now();
  const tab = await page(browser);
  await answered(tab);
  console.log(`first picture after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  assert.match(await tab.textContent("#device"), /processor/);
  const first = await answer(tab);
  assert.equal(first.numbers.chips, 100);
  assert.ok(first.numbers.error > 0.02 && first.numbers.error < 0.5, first.numbers.error);
  assert.equal(await tab.locator("#outputs .mean").count(), first.numbers.outputs);
  assert.ok((await tab.locator("#sums .bin").count()) > 5);
  const parts = ({ bias, spread, chips }) => Math.hypot(bias, spread * Math.sqrt(1 - 1 / chips));
  assert.ok(Math.abs(parts(first.numbers) / first.numbers.error - 1) < 1e-6, JSON.stringify(first.numbers));

  // Without variation, noise, wires and converters the product is exact, on every chip.
  const exact = { sigmaW: "0", sigmaB: "0", readNoise: "0", wire: "0", adcBits: "0", onOff: "inf" };
  assert.equal(await change(tab, exact), "");
  const ideal = await answer(tab);
  close(ideal.outputs, ideal.ideal, 1e-5, "output");
  assert.ok(ideal.numbers.spread < 1e-9 && ideal.numbers.error < 1e-5, JSON.stringify(ideal.numbers));
  // The spread of independent cells grows with their deviation.
  assert.equal(await change(tab, { ...exact, sigmaW: "0.1" }), "");
  const small = (await answer(tab)).numbers.spread;
  assert.equal(await change(tab, { ...exact, sigmaW: "0.2" }), "");
  const large = (await answer(tab)).numbers.spread;
  assert.ok(Math.abs(large / small - 2) < 0.1, `${small} ${large}`);

  // The chips to begin with.
  const tries = [];
  for (const button of await tab.locator("[data-try]").all()) {
    await tab.evaluate(() => (globalThis.before = pimento.shown()));
    await button.click();
    assert.equal(await tab.textContent("#try-note"), await button.getAttribute("data-see"));
    assert.equal(await button.getAttribute("aria-pressed"), "true");
    await tab.waitForFunction(() => pimento.shown() !== before);
    tries.push((await answer(tab)).numbers.error);
  }
  const [perfect, together, corrected, ...others] = tries;
  assert.ok(perfect < 1e-5 && others.length === 2, tries);
  assert.ok(corrected < together / 2, `${corrected} of ${together}`);
  others.forEach((error) => assert.ok(error > 0.02, tries));

  // More chips than are computed at a time; the last one is the same chip as among fewer.
  assert.equal(await change(tab, { chips: "130", shown: "70" }), "");
  assert.ok(await tab.locator("#try-note").isHidden());
  assert.equal(await tab.locator("[data-try][aria-pressed=true]").count(), 0);
  const many = await answer(tab);
  assert.equal(many.numbers.chips, 130);
  assert.equal(await change(tab, { chips: "71" }), "");
  assert.deepEqual((await answer(tab)).outputs, many.outputs);
  assert.equal(await change(tab, { chips: "100", shown: "0" }), "");
  assert.notDeepEqual((await answer(tab)).outputs, many.outputs);

  // Own weights, and what is wrong with them.
  assert.equal(await change(tab, { ...exact, weights: "given", given: "1 -1\n0.5, 0.25\n0 1" }), "");
  const own = await answer(tab);
  assert.deepEqual([own.numbers.outputs, own.numbers.inputs], [3, 2]);
  assert.match(await change(tab, { given: "1 2\n3" }), /line 2 has 1 numbers, the first 2/);
  assert.match(await change(tab, { given: "1 x" }), /line 1 has .x/);
  // What the simulator refuses is said in its words.
  assert.match(await change(tab, { given: "1e39 1" }), /weight 0 of output 0 is inf; allowed: finite numbers/);
  assert.deepEqual(tab.errors, []);
  await browser.close();
});

test("the picture is on the first screen of a phone", async () => {
  const browser = await open([]);
  const tab = await page(browser, { width: 390, height: 844 });
  await answered(tab);
  await tab.locator("[data-try]").nth(1).click();
  assert.ok(await tab.locator("#try-note").isVisible());
  const { y, height } = await tab.locator("#outputs").boundingBox();
  assert.ok(await tab.evaluate(() => scrollY === 0));
  assert.ok(y > 0 && y + 0.8 * height < 844, `${y} ${height}`);
  await browser.close();
});

test("keyboard and screen readers", async () => {
  const browser = await open([]);
  for (const colorScheme of ["light", "dark"])
    for (const width of [1400, 390]) {
      const tab = await page(browser, { colorScheme, width });
      await answered(tab);
      await tab.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
      await accessible(tab, `${colorScheme}, ${width} pixels`);
      // Nothing is wider than the screen.
      assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} pixels`);
      await tab.context().close();
    }
  const tab = await page(browser);
  await answered(tab);
  await tab.keyboard.press("Tab");
  await tab.keyboard.press("Enter");
  assert.equal(await tab.evaluate(() => document.activeElement.id), "main");
  const seen = [];
  for (let i = 0; i < 60 && seen.at(-1) !== "start"; i++) {
    await tab.keyboard.press("Tab");
    seen.push(await tab.evaluate(() => document.activeElement.id || document.activeElement.name));
  }
  for (const wanted of ["weights", "sigmaW", "wire", "vector", "plane", "map", "demoSigmaB", "start"]) assert.ok(seen.includes(wanted), `${wanted}: ${seen}`);
  await tab.focus("#map");
  await tab.keyboard.press("ArrowDown");
  await tab.keyboard.press("ArrowRight");
  assert.match(await tab.textContent("#map-cell"), /^Input 1, output 1: -?[\d.]+ levels/);
  await tab.focus("#sigmaW");
  await tab.evaluate(() => (globalThis.before = pimento.shown()));
  await tab.keyboard.press("ArrowRight");
  await tab.waitForFunction(() => pimento.shown() !== before);
  assert.equal(await tab.evaluate(() => pimento.shown().v.sigmaW), "0.11");
  await browser.close();
});

let processor;
test("the demo on the processor has the command line's chips", async () => {
  const browser = await open([]);
  const tab = await page(browser);
  processor = await demo(tab, { ...point, chips, images });
  console.log(processor.status);
  same(processor, commandLine(), images, "processor");
  const [none, tuned] = processor.points.map((p) => p.summary);
  assert.equal(none.chips ?? chips, chips);
  assert.ok(tuned.mean > none.mean, `${none.mean} ${tuned.mean}`);
  assert.match(await tab.textContent("#statistics"), /With self-tuning/);
  assert.match(await tab.textContent("#demo-summary"), /Mean accuracy is [\d.]+ % without tuning and [\d.]+ % with self-tuning/);
  assert.deepEqual(tab.errors, []);
  await browser.close();
});

test("WebGPU has the chips of the processor", async () => {
  const browser = await open(webgpu);
  const cpu = await page(browser, { query: "?backend=cpu" });
  await answered(cpu);
  const tab = await page(browser, { query: "?backend=webgpu" });
  await answered(tab);
  assert.equal(await tab.textContent("#notice"), "");
  assert.match(await tab.textContent("#device"), /WebGPU/);
  const settings = [{}, { wire: "0", adcBits: "0" }, { tuning: "self-tuning", encoding: "offset", adcRange: "calibrated", stuck: "0.05" }];
  const usual = { chips: "9", seed: "5", wire: "0.5", adcBits: "7", tuning: "none", encoding: "differential", adcRange: "full", stuck: "0" };
  for (const fields of settings) {
    const [there, here] = [await answerOf(cpu, fields), await answerOf(tab, fields)];
    close(here.planes, there.planes, 1e-4, "conductance");
    close(here.sums, there.sums, 1e-4, "sum");
    // A sum next to a threshold may have another code.
    const other = here.codes.filter((code, i) => code !== there.codes[i]).length;
    assert.ok(other <= here.codes.length / 1000, `${other} of ${here.codes.length} codes`);
    assert.ok(Math.abs(here.numbers.error - there.numbers.error) < 1e-3, `${here.numbers.error} ${there.numbers.error}`);
  }
  const run = await demo(tab, { ...point, chips, images });
  console.log(run.status);
  assert.match(await tab.textContent("#device"), /WebGPU/);
  assert.equal(await tab.textContent("#notice"), "");
  same(run, commandLine(), images, "WebGPU");
  assert.deepEqual(tab.errors, []);

  // A lost adapter: the processor goes on, and says so.
  await tab.evaluate(async () => pimento.crew().first.ask("lose"));
  assert.equal(await change(tab, { sigmaW: "0.3" }), "");
  assert.match(await tab.textContent("#notice"), /graphics card failed[^]*processor/);
  assert.match(await tab.textContent("#device"), /processor/);
  await browser.close();

  async function answerOf(tab, fields) {
    assert.equal(await change(tab, { ...usual, ...fields }), "");
    return answer(tab);
  }
});

test("without WebGPU the processor computes, with a word about it", async () => {
  const browser = await open(["--disable-features=WebGPU,WebGPUService"]);
  const tab = await page(browser, { query: "?backend=webgpu" });
  await answered(tab);
  assert.match(await tab.textContent("#notice"), /graphics card cannot be used here[^]*processor/);
  assert.match(await tab.textContent("#device"), /processor/);
  await browser.close();
});

test("without memory there is a message, and the page goes on", async () => {
  // 48 MiB for a module.
  const browser = await open(["--js-flags=--wasm-max-mem-pages=768"]);
  const tab = await page(browser, { query: "?backend=cpu" });
  await answered(tab);
  await change(tab, { outputs: "256", inputs: "1024", vectors: "256", chips: "1000", sliceBits: "1", wire: "0" });
  const told = (await tab.textContent("#crossbar-error")) + (await tab.textContent("#notice"));
  assert.match(told, /memory|fit/);
  assert.equal(await change(tab, { outputs: "8", inputs: "8", vectors: "2", chips: "10" }), "");
  assert.equal((await answer(tab)).numbers.outputs, 8);
  await browser.close();
});

test("a file that is missing is named", async () => {
  const browser = await open([]);
  const context = await browser.newContext();
  const tab = await context.newPage();
  await tab.route("**/*.wasm", (route) => route.fulfill({ status: 404 }));
  await tab.goto(address);
  await tab.waitForFunction(() => !document.querySelector("#crossbar-error").hidden);
  assert.match(await tab.textContent("#crossbar-error"), /pimento_web_bg.wasm: 404/);
  await browser.close();
});

if (pictures)
  test("pictures", async () => {
    mkdirSync(pictures, { recursive: true });
    const browser = await open([]);
    for (const colorScheme of ["light", "dark"])
      for (const width of [1400, 390]) {
        const tab = await page(browser, { colorScheme, width });
        await answered(tab);
        await demo(tab, { ...point, chips: "40", images: "64" });
        await tab.screenshot({ path: join(pictures, `${colorScheme}-${width}.png`), fullPage: true });
        await tab.context().close();
      }
    await browser.close();
  });

let failed = 0;
for (const { name, run } of tests) {
  if (only && !name.includes(only)) continue;
  try {
    await run();
    console.log(`ok: ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED: ${name}\n${error.stack}`);
  }
}
server.close();
process.exit(failed ? 1 : 0);
