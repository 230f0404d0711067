// Plots as SVG, and the map of conductances.

const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
export const short = (x, digits = 3) => (Number.isFinite(x) ? String(Number(x.toPrecision(digits))) : "–");

// Round values between two ends, about `count` of them.
function ticks(lo, hi, count = 5) {
  const rough = (hi - lo) / count || 1;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((f) => f * unit).find((s) => s >= rough * 0.999);
  const values = [];
  for (let v = Math.ceil(lo / step) * step; v <= hi + step * 1e-6; v += step) values.push(Math.abs(v) < step * 1e-6 ? 0 : v);
  return values;
}

// A frame with axes; `inside` gets the scales and gives the marks. Wide and narrow screens have frames of their own, so
// that letters keep their size.
function frame(into, label, { x, y, xTicks, xLabel, yLabel, yFormat = short, xFormat = short, height = 250 }, inside) {
  const width = Math.max(280, Math.round(into.clientWidth || 600));
  const [left, right, top, bottom] = [52, 10, 10, 40];
  const sx = (v) => left + ((v - x[0]) / (x[1] - x[0] || 1)) * (width - left - right);
  const sy = (v) => height - bottom - ((v - y[0]) / (y[1] - y[0] || 1)) * (height - top - bottom);
  const parts = [];
  for (const v of ticks(...y)) {
    parts.push(`<line class="grid" x1="${left}" x2="${width - right}" y1="${sy(v)}" y2="${sy(v)}"/>`);
    parts.push(`<text class="soft" x="${left - 6}" y="${sy(v) + 4}" text-anchor="end">${yFormat(v)}</text>`);
  }
  for (const v of xTicks ?? ticks(...x, width < 420 ? 4 : 7))
    parts.push(`<text class="soft" x="${sx(v)}" y="${height - bottom + 16}" text-anchor="middle">${xFormat(v)}</text>`);
  parts.push(`<path class="axis" d="M${left} ${top}V${height - bottom}H${width - right}"/>`);
  parts.push(`<text class="soft" x="${(left + width - right) / 2}" y="${height - 4}" text-anchor="middle">${escape(xLabel)}</text>`);
  parts.push(
    `<text class="soft" transform="translate(11 ${(top + height - bottom) / 2}) rotate(-90)" text-anchor="middle">${escape(yLabel)}</text>`,
  );
  parts.push(inside(sx, sy, { left, right: width - right, top, bottom: height - bottom }));
  into.innerHTML = `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(label)}">${parts.join("")}</svg>`;
}

const widen = (lo, hi, by = 0.06) => {
  const more = (hi - lo || Math.abs(hi) || 1) * by;
  return [lo - more, hi + more];
};

// Mean and spread of the outputs of one vector.
export function outputs(into, { mean, std, ideal }, yLabel, label) {
  const n = mean.length;
  let [lo, hi] = [Infinity, -Infinity];
  for (let i = 0; i < n; i++) {
    const s = std[i] || 0;
    lo = Math.min(lo, ideal[i], mean[i] - s);
    hi = Math.max(hi, ideal[i], mean[i] + s);
  }
  const step = Math.max(1, Math.ceil(n / 16));
  const xTicks = Array.from({ length: Math.ceil(n / step) }, (_, i) => i * step);
  const axes = { x: [-0.6, n - 0.4], y: widen(Math.min(lo, 0), Math.max(hi, 0)), xTicks, xLabel: "output", yLabel };
  frame(into, label, axes, (sx, sy, box) => {
    const r = Math.min(4.5, Math.max(1.5, ((box.right - box.left) / n) * 0.2));
    const marks = [`<line class="axis" x1="${box.left}" x2="${box.right}" y1="${sy(0)}" y2="${sy(0)}"/>`];
    for (let i = 0; i < n; i++) {
      const [px, s] = [sx(i), std[i] || 0];
      const [top, foot] = [sy(mean[i] + s), sy(mean[i] - s)];
      marks.push(`<path class="whisker" d="M${px} ${top}V${foot}M${px - r} ${top}h${2 * r}M${px - r} ${foot}h${2 * r}"/>`);
      marks.push(
        `<circle class="mean" cx="${px}" cy="${sy(mean[i])}" r="${r * 0.8}"><title>output ${i}: ${short(mean[i])} ± ${short(s)}, exact ${short(ideal[i])}</title></circle>`,
      );
      marks.push(`<circle class="exact" cx="${px}" cy="${sy(ideal[i])}" r="${r * 1.35}"/>`);
    }
    return marks.join("");
  });
}

// How often partial sums have which value; `range` is what a converter tells apart, where there is one.
export function histogram(into, values, range, label) {
  let [lo, hi] = [Infinity, -Infinity];
  for (const v of values) {
    if (v < lo) lo = v;
    if (v > hi) hi = v;
  }
  const bins = 41;
  const each = (hi - lo) / bins || 1;
  const counts = new Array(bins).fill(0);
  for (const v of values) counts[Math.min(bins - 1, Math.floor((v - lo) / each))]++;
  const most = Math.max(...counts);
  const ends = range ? [Math.min(lo, range[0]), Math.max(hi, range[1])] : [lo, hi];
  const axes = { x: widen(...ends, 0.04), y: [0, (100 * most) / values.length || 1], xLabel: "sum of a column, in levels of a cell", yLabel: "% of sums", height: 330 };
  frame(into, label, axes, (sx, sy, box) => {
    const step = sx(lo + each) - sx(lo);
    const width = step > 4 ? step - 1 : step + 0.2;
    const bars = counts.map((count, i) => {
      const y = sy((100 * count) / values.length);
      return count && `<rect class="bin" x="${sx(lo + i * each)}" y="${y}" width="${width}" height="${box.bottom - y}"/>`;
    });
    const lines = (range ?? []).map((v) => `<line class="range" x1="${sx(v)}" x2="${sx(v)}" y1="${box.top}" y2="${box.bottom}"/>`);
    return bars.filter(Boolean).join("") + lines.join("");
  });
}

// Accuracies of chips by what their cells have in common; `series` are {name, points: [[x, y], ..]}.
export function chips(into, series, ideal, label) {
  const points = series.flatMap((s) => s.points);
  const xs = points.map((p) => p[0]);
  const far = Math.max(0.05, ...xs.map(Math.abs));
  const lowest = Math.min(0.7, ...points.map((p) => p[1]));
  const percent = (v) => `${short(100 * v)} %`;
  const axes = { x: widen(-far, far, 0.03), y: [Math.max(0, Math.floor(lowest * 10) / 10), 1], xLabel: "common deviation of the chip's cells", yLabel: "accuracy", xFormat: percent, yFormat: percent, height: 340 };
  frame(into, label, axes, (sx, sy, box) => {
    const line = Number.isFinite(ideal) ? `<line class="ideal" x1="${box.left}" x2="${box.right}" y1="${sy(ideal)}" y2="${sy(ideal)}"/>` : "";
    const marks = series.map(({ name, points }) =>
      points.map(([x, y]) =>
        name === "tuned"
          ? `<circle class="tuned" cx="${sx(x)}" cy="${sy(y)}" r="3.4"/>`
          : `<rect class="none" x="${sx(x) - 3}" y="${sy(y) - 3}" width="6" height="6"/>`,
      ).join(""),
    );
    return line + marks.join("");
  });
}

// The values of a plane, one pixel a cell: rows are inputs, columns outputs.
export class CellMap {
  constructor(canvas, tell) {
    this.canvas = canvas;
    this.tell = tell;
    this.at = [0, 0];
    canvas.addEventListener("pointermove", (event) => {
      if (!this.values) return;
      const box = canvas.getBoundingClientRect();
      const column = Math.floor(((event.clientX - box.left) / box.width) * this.columns);
      const row = Math.floor(((event.clientY - box.top) / box.height) * this.rows);
      this.go(row, column);
    });
    canvas.addEventListener("keydown", (event) => {
      const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      const move = moves[event.key];
      if (!move || !this.values) return;
      event.preventDefault();
      this.go(this.at[0] + move[0], this.at[1] + move[1]);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  // `values` are [output][input].
  show(values, outputs, inputs, label) {
    Object.assign(this, { values, rows: inputs, columns: outputs });
    this.most = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;
    this.canvas.setAttribute("aria-label", label);
    this.draw();
  }

  go(row, column) {
    this.at = [Math.max(0, Math.min(this.rows - 1, row)), Math.max(0, Math.min(this.columns - 1, column))];
    const [r, c] = this.at;
    this.tell(r, c, this.values[c * this.rows + r]);
  }

  draw() {
    if (!this.values) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => {
      const hex = style.getPropertyValue(name).trim();
      return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
    };
    const [low, middle, high] = ["--low", "--middle", "--high"].map(colour);
    const { rows, columns, values, most } = this;
    Object.assign(this.canvas, { width: columns, height: rows });
    // Whatever its shape, a matrix fits the screen: its cells are then not square.
    this.canvas.style.aspectRatio = `1 / ${Math.max(0.35, Math.min(rows / columns, 0.95))}`;
    const image = new ImageData(columns, rows);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const t = values[column * rows + row] / most;
        const end = t < 0 ? low : high;
        const at = 4 * (row * columns + column);
        for (let i = 0; i < 3; i++) image.data[at + i] = middle[i] + (end[i] - middle[i]) * Math.abs(t);
        image.data[at + 3] = 255;
      }
    this.canvas.getContext("2d").putImageData(image, 0, 0);
  }
}
