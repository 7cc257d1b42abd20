/* The chart: a canvas as large as what is seen of it, in a box that scrolls natively. */

const LABELS = 148;
const AXIS = 42;

class Chart {
  constructor(data, times, { onPick, onPoint }) {
    Object.assign(this, { data, times, onPick, onPoint });
    this.box = document.getElementById("box");
    this.space = document.getElementById("space");
    this.canvas = document.getElementById("chart");
    this.ink = this.canvas.getContext("2d");
    const margin = (data.until - data.from) * 0.01 + HOUR;
    this.from = data.from - margin;
    this.until = data.until + margin;
    this.picked = { order: -1, bar: -1 };
    this.waits = false;
    this.readColors();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { this.readColors(); this.draw(); });
    this.box.addEventListener("scroll", () => this.drawSoon());
    new ResizeObserver(() => this.resize()).observe(this.box);
    this.listen();
  }

  readColors() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    this.color = Object.fromEntries(
      ["ink", "muted", "grid", "line", "surface", "band", "accent", "bad", "warn", "good", "setup", "blocked", "off-shift", "accent-soft"].map((name) => [name, color(name)]),
    );
    this.hues = [...Array(N_HUES).keys()].map((i) => color(`hue-${i}`));
  }

  show(lanes) {
    this.lanes = lanes;
    this.layOut();
    this.draw();
  }

  // ---------------------------------------------------------------- scale

  resize() {
    const { clientWidth, clientHeight } = this.box;
    const ratio = window.devicePixelRatio || 1;
    this.width = clientWidth;
    this.height = clientHeight;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    this.canvas.style.width = `${clientWidth}px`;
    this.canvas.style.height = `${clientHeight}px`;
    this.ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    const fit = (clientWidth - LABELS) / (this.until - this.from);
    if (!this.scale || this.isFit) this.scale = fit;
    this.fit = fit;
    this.scale = Math.max(this.scale, fit);
    this.layOut();
    this.draw();
  }

  layOut() {
    if (!this.lanes) return;
    this.space.style.width = `${Math.ceil(LABELS + (this.until - this.from) * this.scale)}px`;
    this.space.style.height = `${AXIS + this.lanes.height}px`;
  }

  zoom(factor, x = (this.width + LABELS) / 2) {
    const most = Math.max(this.fit, 15_000_000 / (this.until - this.from));
    const at = this.timeAt(x);
    this.scale = Math.min(Math.max(this.scale * factor, this.fit), Math.min(most, 40 / MINUTE));
    this.isFit = this.scale <= this.fit * 1.0001;
    this.layOut();
    this.box.scrollLeft = (at - this.from) * this.scale - (x - LABELS);
    this.draw();
  }

  fitAll() { this.zoom(0); }

  /* Bring a span of time into view. */
  goTo(from, until, row) {
    const room = (this.width - LABELS) * 0.8;
    this.scale = Math.min(Math.max(room / Math.max(until - from, MINUTE), this.fit), Math.max(this.scale, 4 * this.fit, 0.5 / MINUTE));
    this.isFit = false;
    this.layOut();
    this.box.scrollLeft = ((from + until) / 2 - this.from) * this.scale - (this.width - LABELS) / 2;
    if (row) {
      const top = row.top - this.box.scrollTop;
      if (top < 0 || top + row.height > this.height - AXIS) this.box.scrollTop = row.top - (this.height - AXIS) / 3;
    }
    this.draw();
  }

  x(ms) { return LABELS + (ms - this.from) * this.scale - this.box.scrollLeft; }
  timeAt(x) { return this.from + (x - LABELS + this.box.scrollLeft) / this.scale; }

  // ---------------------------------------------------------------- drawing

  drawSoon() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => { this.waits = false; this.draw(); });
  }

  draw() {
    if (!this.lanes || !this.width) return;
    const { ink, width, height, color } = this;
    const up = this.box.scrollTop;
    ink.fillStyle = color.surface;
    ink.fillRect(0, 0, width, height);
    ink.font = "12px system-ui, sans-serif";
    ink.textBaseline = "middle";
    const [from, until] = [this.timeAt(LABELS), this.timeAt(width)];
    const seen = this.lanes.rows.filter((row) => row.top + row.height >= up && row.top <= up + height);
    const ticks = this.times.ticks(from, until, this.scale);
    ink.save();
    ink.beginPath();
    ink.rect(LABELS, AXIS, width - LABELS, height - AXIS);
    ink.clip();
    for (const row of seen) this.drawGround(row, AXIS + row.top - up, from, until);
    for (const tick of ticks) {
      ink.fillStyle = tick.large ? color.line : color.grid;
      ink.fillRect(Math.round(this.x(tick.t)), AXIS, 1, height);
    }
    for (const row of seen) this.drawRow(row, AXIS + row.top - up, from, until);
    if (this.data.now !== null) {
      ink.fillStyle = color.accent;
      ink.fillRect(this.x(this.data.now) - 1, AXIS, 2, height);
    }
    ink.restore();
    this.drawLabels(seen, up);
    this.drawAxis(ticks);
  }

  drawGround(row, y, from, until) {
    const { ink, color } = this;
    if (row.group % 2) {
      ink.fillStyle = color.band;
      ink.fillRect(LABELS, y, this.width, row.height);
    }
    ink.fillStyle = color["off-shift"];
    for (const [a, b] of row.off) {
      if (b < from || a > until) continue;
      const x = this.x(a);
      const w = (b - a) * this.scale;
      if (w >= 0.7) ink.fillRect(x, y, w, row.height);
    }
  }

  drawRow(row, y, from, until) {
    if (row.kind === "pool") { this.drawPool(row, y, from, until); return; }
    const { begin } = this.data.planned;
    const isSplit = this.data.happened.begin.length > 0;
    for (let k = firstSeen(row.bars, begin, from - row.longest); k < row.bars.length; k++) {
      const bar = row.bars[k];
      if (begin[bar.i] > until) break;
      this.drawBar(row, bar, y, isSplit);
    }
    const { happened } = this.data;
    this.ink.globalAlpha = 0.85;
    for (const bar of row.happened) {
      if (happened.leave[bar.i] < from) continue;
      if (happened.begin[bar.i] > until) break;
      const x = this.x(happened.begin[bar.i]);
      this.ink.fillStyle = this.color.ink;
      this.ink.fillRect(x, y + row.height - 8, Math.max((happened.end[bar.i] - happened.begin[bar.i]) * this.scale, 1), 5);
    }
    this.ink.globalAlpha = 1;
    if (row.kind === "order") this.drawDates(row, y);
    if (row.kind === "order" && row.order === this.picked.order) {
      this.ink.strokeStyle = this.color.accent;
      this.ink.strokeRect(LABELS + 0.5, y + 0.5, this.width - LABELS - 1, row.height - 1);
    }
  }

  drawBar(row, bar, y, isSplit) {
    const { ink, color } = this;
    const { begin, setup, end, leave, order, part, operation, station } = this.data.planned;
    const { i } = bar;
    const isOrder = row.kind === "order";
    const h = isOrder ? 12 : row.height - (isSplit ? 12 : 5);
    const top = isOrder ? y + 5 + bar.sub * 13 : y + 2.5;
    const x = this.x(begin[i]);
    const w = Math.max((end[i] - begin[i]) * this.scale, 1);
    const asked = this.data.orders[order[i]];
    const isDim = this.picked.order >= 0 && !bar.all.some((j) => order[j] === this.picked.order);
    ink.globalAlpha = isDim ? 0.22 : 1;
    ink.fillStyle = this.hues[asked.product % this.hues.length];
    ink.fillRect(x, top, w, h);
    if (setup[i]) {
      ink.fillStyle = color.setup;
      ink.fillRect(x, top, Math.max(Math.min(setup[i] * this.scale, w), 1), h);
    }
    if (leave[i] > end[i]) {
      ink.fillStyle = color.blocked;
      ink.fillRect(x + w, top + h / 2 - 2, (leave[i] - end[i]) * this.scale, 4);
    }
    if (bar.all.some((j) => isLate(this.data.orders[order[j]])) && w > 2) {
      ink.fillStyle = color.surface;
      ink.fillRect(x, top + h - 4, w, 1);
      ink.fillStyle = color.bad;
      ink.fillRect(x, top + h - 3, w, 3);
    }
    if (w > 3) {
      ink.strokeStyle = color.surface;
      ink.lineWidth = 1;
      ink.strokeRect(x, top, w, h);
    }
    if (bar.all.includes(this.picked.bar)) {
      ink.strokeStyle = color.ink;
      ink.lineWidth = 2;
      ink.strokeRect(x, top, w, h);
      ink.lineWidth = 1;
    }
    if (w > 30) {
      const { names, lanes } = this.data;
      let text = isOrder ? `${words(names[operation[i]])}, ${words(lanes[station[i]].name)}` : names[part[i]];
      if (bar.all.length > 1) text = `${bar.all.length}\u00d7 ${text}`;
      ink.fillStyle = color.surface;
      ink.font = isOrder ? "10px system-ui, sans-serif" : "11px system-ui, sans-serif";
      ink.save();
      ink.beginPath();
      ink.rect(x, top, w - 3, h);
      ink.clip();
      const inset = setup[i] ? Math.min(setup[i] * this.scale, w) : 0;
      ink.fillText(text, Math.max(x + inset, LABELS) + 4, top + h / 2 + 0.5);
      ink.restore();
    }
    ink.globalAlpha = 1;
  }

  drawDates(row, y) {
    const { ink, color } = this;
    const asked = this.data.orders[row.order];
    if (asked.due !== null) {
      const x = this.x(asked.due);
      ink.fillStyle = isLate(asked) ? color.bad : color.good;
      ink.fillRect(x - 1, y + 2, 2, row.height - 4);
      ink.beginPath();
      ink.moveTo(x, y + 2);
      ink.lineTo(x + 7, y + 5.5);
      ink.lineTo(x, y + 9);
      ink.fill();
    }
  }

  drawPool(row, y, from, until) {
    const { ink, color } = this;
    const { busy, capacity } = row.pool;
    const room = row.height - 14;
    const most = Math.max(capacity, ...busy.map(([, n]) => n), 1);
    ink.fillStyle = color.accent;
    for (let k = 0; k < busy.length; k++) {
      const [at, n] = busy[k];
      const next = k + 1 < busy.length ? busy[k + 1][0] : until;
      if (next < from || at > until || !n) continue;
      const h = (room * n) / most;
      ink.fillStyle = n > capacity ? color.bad : color.accent;
      ink.fillRect(this.x(at), y + row.height - 4 - h, Math.max((next - at) * this.scale, 0.5), h);
    }
    ink.fillStyle = color.line;
    ink.fillRect(LABELS, y + row.height - 4 - (room * capacity) / most, this.width, 1);
  }

  drawLabels(seen, up) {
    const { ink, color } = this;
    ink.fillStyle = color.surface;
    ink.fillRect(0, AXIS, LABELS, this.height);
    for (const row of seen) {
      const y = AXIS + row.top - up;
      if (row.group % 2) {
        ink.fillStyle = color.band;
        ink.fillRect(0, y, LABELS, row.height);
      }
      ink.font = "600 12px system-ui, sans-serif";
      ink.fillStyle = row.kind === "order" && isLate(this.data.orders[row.order]) ? color.bad : color.ink;
      const middle = row.kind === "order" ? y + 11 : y + row.height / 2;
      const noteWidth = row.note ? ink.measureText(row.note).width : 0;
      const room = LABELS - 22 - (row.kind === "order" ? Math.min(noteWidth, 74) : noteWidth);
      ink.fillText(fitted(ink, row.label, room), 8, middle);
      if (row.note) {
        ink.font = "11px system-ui, sans-serif";
        ink.fillStyle = color.muted;
        ink.textAlign = "right";
        ink.fillText(fitted(ink, row.note, 76), LABELS - 7, middle);
        ink.textAlign = "left";
      }
    }
    ink.fillStyle = color.line;
    ink.fillRect(LABELS - 1, 0, 1, this.height);
  }

  drawAxis(ticks) {
    const { ink, color } = this;
    ink.fillStyle = color.surface;
    ink.fillRect(0, 0, this.width, AXIS);
    ink.fillStyle = color.line;
    ink.fillRect(0, AXIS - 1, this.width, 1);
    ink.save();
    ink.beginPath();
    ink.rect(LABELS, 0, this.width - LABELS, AXIS);
    ink.clip();
    ink.font = "12px system-ui, sans-serif";
    let edge = -Infinity;
    for (const tick of ticks) {
      const x = this.x(tick.t);
      ink.fillStyle = color.muted;
      ink.fillText(tick.text, x + 4, 30);
      ink.fillStyle = tick.large ? color.line : color.grid;
      ink.fillRect(Math.round(x), tick.large ? 4 : 22, 1, AXIS);
      if (tick.large && x > edge) {
        ink.fillStyle = color.ink;
        ink.font = "600 12px system-ui, sans-serif";
        ink.fillText(tick.name, x + 4, 12);
        edge = x + 12 + ink.measureText(tick.name).width;
        ink.font = "12px system-ui, sans-serif";
      }
    }
    const first = ticks.find((tick) => tick.large);
    if (ticks.length && (!first || this.x(first.t) > LABELS + 110)) {
      const [some] = ticks;
      ink.fillStyle = color.ink;
      ink.font = "600 12px system-ui, sans-serif";
      ink.fillText(some.name, LABELS + 4, 12);
    }
    ink.restore();
    ink.fillStyle = color.muted;
    ink.font = "11px system-ui, sans-serif";
    ink.fillText(fitted(ink, this.data.zone, LABELS - 16), 8, AXIS / 2);
  }

  // ---------------------------------------------------------------- what one does

  listen() {
    const { box } = this;
    box.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 300), this.place(event).x);
    }, { passive: false });
    let drag = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button) return;
      drag = { x: event.clientX, y: event.clientY, left: box.scrollLeft, top: box.scrollTop, moved: false };
    });
    window.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
      if (Math.hypot(dx, dy) > 4) drag.moved = true;
      if (!drag.moved) return;
      box.scrollLeft = drag.left - dx;
      box.scrollTop = drag.top - dy;
    });
    window.addEventListener("pointerup", () => { setTimeout(() => { drag = null; }); });
    this.canvas.addEventListener("pointermove", (event) => {
      if (drag?.moved) return;
      const found = this.at(this.place(event));
      this.canvas.style.cursor = found ? "pointer" : "grab";
      this.onPoint(found, event);
    });
    this.canvas.addEventListener("pointerleave", () => this.onPoint(null));
    this.canvas.addEventListener("click", (event) => { if (!drag?.moved) this.onPick(this.at(this.place(event))); });
    box.addEventListener("keydown", (event) => {
      const does = { "+": () => this.zoom(1.5), "=": () => this.zoom(1.5), "-": () => this.zoom(1 / 1.5), 0: () => this.fitAll(), Escape: () => this.onPick(null) }[event.key];
      if (!does || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      does();
    });
  }

  place(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  /* The bar, or the row, at a place. */
  at({ x, y }) {
    if (y < AXIS || !this.lanes) return null;
    const height = y - AXIS + this.box.scrollTop;
    const row = this.lanes.rows.find((one) => one.top <= height && height < one.top + one.height);
    if (!row) return null;
    if (x < LABELS) return { row, bar: null };
    const { begin, leave } = this.data.planned;
    const t = this.timeAt(x);
    const slack = 2 / this.scale;
    const sub = row.kind === "order" ? Math.floor((height - row.top - 5) / 13) : 0;
    for (let k = firstSeen(row.bars, begin, t - row.longest - slack); k < row.bars.length; k++) {
      const bar = row.bars[k];
      if (begin[bar.i] > t + slack) break;
      if (bar.sub === sub && t <= leave[bar.i] + slack) return { row, bar };
    }
    return row.kind === "order" ? { row, bar: null } : null;
  }
}

const isLate = (order) => order.due !== null && order.done !== null && order.done > order.due;

function fitted(ink, text, room) {
  if (ink.measureText(text).width <= room) return text;
  let n = text.length;
  while (n > 1 && ink.measureText(`${text.slice(0, n)}\u2026`).width > room) n -= 1;
  return `${text.slice(0, n)}\u2026`;
}
