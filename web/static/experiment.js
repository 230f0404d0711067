// Experiment files from what the forms say: the simulator reads the same files as the command line.

const number = (x) => {
  const text = String(x);
  return /^-?\d+$/.test(text) ? text : String(Number(text));
};
const real = (x) => (Number.isInteger(Number(x)) ? `${Number(x)}.0` : String(Number(x)));

// The chip of the playground; `v` has the values of its form by name.
export function chip(v) {
  const lines = [
    'name = "playground"',
    'fidelity = "cell"',
    `seed = ${number(v.seed)}`,
    "",
    "[quantize]",
    `weight_bits = ${number(v.weightBits)}`,
    `activation_bits = ${number(v.inputBits)}`,
    `input_bits = ${number(v.inputBits)}`,
    "",
    "[variation]",
    `sigma_w = ${real(v.sigmaW)}`,
    `sigma_b = ${real(v.sigmaB)}`,
    "",
    "[chip.array]",
    `rows = ${number(v.rows)}`,
    `cols = ${number(v.cols)}`,
    "",
    "[chip.cells]",
    `slice_bits = ${number(v.sliceBits)}`,
    `encoding = "${v.encoding}"`,
    `on_off_ratio = ${v.onOff === "inf" ? "inf" : real(v.onOff)}`,
    "",
    "[chip.dac]",
    `bits = ${number(v.dacBits)}`,
    "",
    "[chip.adc]",
    `bits = ${number(v.adcBits)}`,
    `range = "${v.adcRange}"`,
  ];
  if (Number(v.readNoise) > 0) lines.push("", "[chip.read]", `proportional = ${real(v.readNoise)}`);
  if (Number(v.stuck) > 0) lines.push("", "[chip.programming]", `stuck_off = ${real(v.stuck)}`);
  if (Number(v.wire) > 0)
    lines.push("", "[chip.wires]", `row_ohm = ${real(v.wire)}`, `col_ohm = ${real(v.wire)}`);
  if (v.tuning !== "none") lines.push("", "[tuning]", `method = "${v.tuning}"`, "test_cells = 256");
  return lines.join("\n") + "\n";
}

// One point of experiments/demo.toml, whose text is `base`.
export function demo(base, v, method) {
  const [common] = base.split("[[sweep.grid]]");
  const set = (text, section, line) => text.replace(`[${section}]\n`, `[${section}]\n${line}\n`);
  const change = (text, name, value) =>
    text.replace(new RegExp(`^${name} = .*$`, "m"), `${name} = ${value}`);
  let text = common.trimEnd() + "\n";
  text = change(text, "seed", number(v.seed));
  text = change(text, "test_cells", number(v.cells));
  text = change(text, "chips", number(v.chips));
  text = change(text, "images", number(v.images));
  text = set(text, "train", `recipe = "${v.recipe}"`);
  text = set(text, "variation", `sigma_b = ${real(v.sigmaB)}`);
  return set(text, "tuning", `method = "${method}"`);
}
