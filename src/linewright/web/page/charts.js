// Control charts, drawn to the width that there is, so that their texts stay readable.

import { el, svg } from "/dom.js";

const HIGH = 128;
const [TOP, BOTTOM, RIGHT] = [10, 8, 8];

/** Return a limit of a point: those that stay as the last one are not sent. */
const at = (limits, i) => limits[Math.min(i, limits.length - 1)];

/** Return a number as it stands at an axis or in a text. */
export function figure(value) {
  if (value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e7)) return String(Number(value.toPrecision(6)));
  return value.toExponential(2);
}

/**
 * Draw a chart: its points in order, center and limits, and the points with a signal.
 *
 * @param {{name: string, points: number[], center: number, lower: number[], upper: number[], signals: number[]}} chart
 */
function draw(chart, width) {
  const { points, center, lower, upper, signals } = chart;
  const every = [...points, ...lower, ...upper, center];
  let [low, high] = [Math.min(...every), Math.max(...every)];
  if (low === high) [low, high] = [low - 1, high + 1];
  const digits = Math.min(Math.max(2 - Math.floor(Math.log10(high - low)), 0), 9);
  const texts = [at(upper, points.length - 1), center, at(lower, points.length - 1)].map((value) => value.toFixed(digits));
  const left = 12 + 7.3 * Math.max(...texts.map((text) => text.length));
  const y = (value) => (TOP + ((high - value) / (high - low)) * (HIGH - TOP - BOTTOM)).toFixed(1);
  const x = (i) => (left + ((i + 0.5) / points.length) * (width - left - RIGHT)).toFixed(1);
  const path = (value) => points.map((point, i) => `${i ? "L" : "M"}${x(i)} ${y(value(point, i))}`).join("");
  const marked = new Set(signals);
  const dot = width / points.length > 4 ? 2.2 : 1.4;
  const labels = [[texts[0], at(upper, points.length - 1)], [texts[1], center], [texts[2], at(lower, points.length - 1)]];
  const shown = labels.filter(([, value], i) => i === 1 || Math.abs(y(value) - y(center)) > 12);
  return svg(
    "svg",
    { class: "spc", viewBox: `0 0 ${width} ${HIGH}`, width, height: HIGH, role: "img", "aria-label": inWords(chart) },
    svg("path", { class: "limit", d: path((_, i) => at(upper, i)) }),
    svg("path", { class: "limit", d: path((_, i) => at(lower, i)) }),
    svg("path", { class: "center", d: path(() => center) }),
    svg("path", { class: "course", d: path((point) => point) }),
    ...points.map((point, i) => (marked.has(i)
      ? svg("path", { class: "signaled", d: diamond(Number(x(i)), Number(y(point)), dot + 3) })
      : svg("circle", { class: "point", cx: x(i), cy: y(point), r: dot }))),
    ...shown.map(([text, value]) => {
      const label = svg("text", { class: "axis", x: left - 8, y: Number(y(value)) + 4, "text-anchor": "end" });
      label.textContent = text;
      return label;
    }),
  );
}

const diamond = (x, y, r) => `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}Z`;

function inWords({ name, points, center, signals }) {
  const told = signals.length ? `${signals.length} with a signal, the newest ${points.length - 1 - signals.at(-1)} points ago` : "none with a signal";
  return `${name} chart: ${points.length} points around ${figure(center)}, ${told}`;
}

/** A place for charts that draws them anew when its width changes. */
export class ChartBox {
  constructor() {
    this.element = el("div", { class: "spc-box" });
    this.charts = [];
    this.width = 0;
    new ResizeObserver(() => {
      if (Math.abs(this.element.clientWidth - this.width) > 1) this.draw();
    }).observe(this.element);
  }

  show(charts) {
    this.charts = charts;
    this.draw();
  }

  draw() {
    this.width = this.element.clientWidth;
    if (this.width < 60) return; // not laid out yet
    this.element.replaceChildren(
      ...this.charts.map((chart) => el("div", { data: { chart: chart.name } }, el("p", { class: "chart-name", text: chart.name }), draw(chart, this.width))),
    );
  }
}
