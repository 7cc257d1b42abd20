// Orders, products, alarms, what happened lately, and figures of the stations.

import { alarmChoices, askForm, jobChoices, mayOperate, mayPlan } from "/ask.js";
import { count, el, mark, percent, say, svg, unitLink, words } from "/dom.js";

const MOST_ORDERS = 14;
const RANK = { late: 0, open: 1, held: 2, "to come": 3 };

export class Orders {
  constructor(about, { onOrder }) {
    this.onOrder = mayPlan(about.you) ? onOrder : null;
    this.now = new Array(about.orders.length).fill(null);
    this.ahead = [];
    this.body = document.getElementById("orders");
    this.note = document.getElementById("orders-note");
    document.getElementById("orders-panel").hidden = !about.orders.length;
    this.late = 0;
  }

  update(items) {
    let changed = false;
    for (const [key, value] of Object.entries(items)) {
      const [kind, i] = key.split("/");
      if (kind === "order") this.now[i] = value;
      else if (kind === "ahead_order") this.ahead[i] = value;
      else continue;
      changed = true;
    }
    if (changed) this.show();
  }

  show() {
    // also those that came while the line ran
    const rows = this.now.map((order, i) => order && { ...order, ahead: this.ahead[i] }).filter((order) => order);
    document.getElementById("orders-panel").hidden = !rows.length;
    const counted = {};
    for (const { state } of rows) counted[state] = (counted[state] ?? 0) + 1;
    this.late = counted.late ?? 0;
    const known = ["late", "open", "held", "to come", "done", "done late", "cancelled"];
    say(this.note, known.filter((word) => counted[word]).map((word) => `${count(counted[word])} ${word}`).join(", "));
    const due = (order) => (order.due_us < 0 ? Infinity : order.due_us);
    const open = rows
      .filter((order) => order.state in RANK)
      .sort((a, b) => RANK[a.state] - RANK[b.state] || due(a) - due(b))
      .slice(0, MOST_ORDERS);
    this.body.replaceChildren(...open.map((order) => this.row(order)));
  }

  foretold({ ahead }) {
    if (!ahead) return el("td", { class: "date", text: "–" });
    const date = el("span", { data: { p80: "" }, text: ahead.p80 || `after ${ahead.until}` });
    if (ahead.on_time === null) return el("td", { class: "date" }, date);
    const pill = el("span", { class: "pill", data: { chance: level(ahead.on_time) }, title: `on time: ${span_(ahead)}`, text: chance(ahead) });
    return el("td", { class: "date" }, date, el("span", { class: "below" }, pill));
  }

  name(order) {
    if (!this.onOrder) return el("span", { dir: "auto", text: order.name });
    return el("button", { type: "button", class: "link", dir: "auto", text: order.name, onclick: () => this.onOrder(order) });
  }

  row(order) {
    return el(
      "tr",
      { data: { order: order.name, state: order.state } },
      el("th", { scope: "row" }, this.name(order), el("span", { class: "below", dir: "auto", text: words(order.product) })),
      el("td", { class: "n", text: `${count(order.done)} of ${count(order.quantity)}` }),
      el("td", { class: "date", text: order.due || "–" }),
      this.foretold(order),
      el("td", {}, el("span", { class: "pill", data: { state: order.state }, text: order.state })),
    );
  }
}

/** Say a chance as one can know it from a number of futures: never 0 or 100%. */
function chance({ on_time, low, high }) {
  const share = Math.round(100 * on_time);
  if (share >= 100) return `over ${Math.floor(100 * low)}%`;
  if (share <= 0) return `under ${Math.ceil(100 * high)}%`;
  return `${share}%`;
}

const level = (share) => (share >= 0.9 ? "good" : share >= 0.5 ? "fair" : "poor");

export class Targets {
  constructor() {
    this.panel = document.getElementById("targets-panel");
    this.body = document.getElementById("targets");
    this.now = new Map();
  }

  update(items) {
    for (const [key, value] of Object.entries(items)) {
      if (key === "ahead") {
        const foretold = value.problem
          ? `Nothing can be foretold: ${value.problem}`
          : `Forecast of ${value.at}, from ${count(value.n)} simulated futures. It is made again as the line goes on.`;
        for (const note of document.querySelectorAll("[data-foretold]")) say(note, foretold);
      }
      if (!key.startsWith("goal/")) continue;
      if (value === null) this.now.delete(key.slice(5));
      else this.now.set(key.slice(5), value);
      this.show();
    }
  }

  show() {
    this.panel.hidden = !this.now.size;
    this.body.replaceChildren(...[...this.now].map(([name, goal]) => this.row(name, goal)));
  }

  row(name, goal) {
    const share = Math.min(goal.made / Math.max(goal.quantity, 1), 1);
    const bar = svg(
      "svg",
      { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: "made", x: 0, y: 0, height: 10, width: (100 * share).toFixed(1) }),
    );
    const odds = { on_time: goal.chance, low: goal.low, high: goal.high };
    return el(
      "li",
      { data: { goal: name } },
      el("div", { class: "goal-head" }, el("b", { dir: "auto", text: `${words(goal.product)}, ${goal.label}` }), el("span", { class: "pill", data: { chance: level(goal.chance) }, title: span_(odds), text: chance(odds) })),
      bar,
      el("p", { class: "note", text: `${count(goal.made)} of ${count(goal.quantity)} made; until ${goal.by}` }),
    );
  }
}

const span_ = ({ low, high }) => `between ${percent(low)} and ${percent(high)}, with 95% confidence`;

export class Products {
  constructor(about) {
    this.about = about.products;
    this.now = [];
    this.least = [];
    // what is sold first: that is what one looks for
    const order = this.about.map((_, i) => i).sort((a, b) => this.about[b].sold - this.about[a].sold || a - b);
    this.cells = [];
    for (const i of order) {
      const cells = ["wip", "today", "by_midnight", "finished", "scrapped"].map((name) => el("td", { class: "n", data: { count: name } }));
      this.cells[i] = cells;
      const { name, sold } = this.about[i];
      document.getElementById("products").append(
        el("tr", { data: { product: name, sold: String(sold) } }, el("th", { scope: "row", dir: "auto", text: words(name) }), ...cells),
      );
    }
  }

  update(items) {
    for (const [key, value] of Object.entries(items)) {
      const [kind, k] = key.split("/");
      const i = Number(k);
      if (kind === "product") this.now[i] = value;
      else if (kind === "ahead_product") this.least[i] = value;
      else continue;
      const { wip, today, finished, scrapped } = this.now[i];
      // what was foretold is a sum since the line's start, and some of it has come since
      const least = this.least[i];
      const midnight = today === null || least === undefined || least === null ? null : Math.max(least - finished, 0) + today;
      [wip, today, midnight, finished, scrapped].forEach((n, j) => say(this.cells[i][j], n === null ? "–" : count(n)));
    }
  }

  /** Return the sum of a count over what is sold, or null where one is not known. */
  sold(name) {
    const values = this.now.filter((_, i) => this.about[i].sold).map((value) => value[name]);
    return values.includes(null) ? null : values.reduce((sum, n) => sum + n, 0);
  }
}

export class Alarms {
  constructor(about) {
    this.about = about;
    this.forms = new Map(); // kept while somebody types
    this.list = document.getElementById("alarms");
    this.panel = document.getElementById("alarms-panel");
    this.now = new Map();
    this.show();
  }

  update(items) {
    let changed = false;
    for (const [key, value] of Object.entries(items)) {
      if (!key.startsWith("alarm/")) continue;
      const number = Number(key.slice(6));
      if (value === null) this.now.delete(number);
      else this.now.set(number, value);
      changed = true;
    }
    if (changed) this.show();
  }

  form(number, job) {
    if (!mayOperate(this.about.you)) return [];
    const before = this.forms.get(number);
    if (before?.job === job) return [before.form];
    const label = job ? "How you know, or what was done about it" : "What was done about it";
    const form = askForm(alarmChoices(number, job), { label });
    this.forms.set(number, { job, form });
    return [form];
  }

  show() {
    mark(this.panel, "any", String(this.now.size > 0));
    const newest = [...this.now].sort((a, b) => b[0] - a[0]).slice(0, 20);
    const rows = newest.map(([number, alarm]) =>
      el(
        "li",
        { data: { alarm: number } },
        el("p", { class: "when", text: alarm.at }),
        el("p", { class: "text", dir: "auto", text: alarm.text }),
        el("p", { class: "help", text: alarm.help }),
        ...this.form(number, alarm.job),
      ),
    );
    const [last] = newest;
    const notice = last
      ? [el("a", { class: "notice", href: "#alarms-panel", dir: "auto", text: `${count(this.now.size)} ${this.now.size === 1 ? "alarm" : "alarms, the last"}: ${last[1].text}` })]
      : [];
    document.getElementById("notices").replaceChildren(...notice);
    this.list.replaceChildren(...(rows.length ? rows : [el("li", { class: "none", text: "None." })]));
  }
}

/** Jobs of which nobody knows whether they were done: somebody has to look, and say. */
export class Doubts {
  constructor(about) {
    this.about = about;
    this.list = document.getElementById("doubts");
    this.rows = new Map();
  }

  update(items) {
    for (const [key, value] of Object.entries(items)) {
      if (!key.startsWith("doubt/") || key === "doubt/") continue;
      const job = key.slice(6);
      this.rows.get(job)?.remove();
      this.rows.delete(job);
      if (value === null) continue;
      const units = value.units.join(", ");
      const row = el(
        "li",
        { data: { doubt: job } },
        el("p", { class: "when", text: value.since }),
        el("p", { class: "text", dir: "auto", text: `${words(value.action)} of ${units || "nothing"} at ${value.device}: its machine has forgotten it` }),
        ...(mayOperate(this.about.you) ? [askForm(jobChoices(job), { label: "How you know" })] : [el("p", { class: "help", text: "Somebody has to look, and say whether it was done." })]),
      );
      this.rows.set(job, row);
      this.list.append(row);
    }
    document.getElementById("doubts-panel").hidden = !this.rows.size;
  }
}

const MOST_EVENTS = 12;

export class Events {
  constructor({ onUnit }) {
    this.list = document.getElementById("events");
    this.onUnit = onUnit;
    this.now = new Map();
  }

  update(items) {
    let changed = false;
    for (const [key, value] of Object.entries(items)) {
      if (!key.startsWith("event/")) continue;
      changed = true;
      if (value === null) this.now.delete(key);
      else this.now.set(key, value);
    }
    if (changed) this.show();
  }

  show() {
    const order = (key) => key.slice(6).split(".").map(Number);
    const keys = [...this.now.keys()].sort((a, b) => {
      const [[seqA, partA], [seqB, partB]] = [order(a), order(b)];
      return seqB - seqA || partB - partA;
    });
    this.list.replaceChildren(
      ...keys.slice(0, MOST_EVENTS).map((key) => {
        const { at, what, unit, place } = this.now.get(key);
        const subject = unit ? [unitLink(unit, this.onUnit), ` ${what}`] : [el("span", { dir: "auto", text: words(place) }), ` ${what === "failed" ? "" : what}`];
        const where = unit && place ? [el("span", { class: "where", dir: "auto", text: ` at ${words(place)}` })] : [];
        return el("li", { data: { what } }, el("span", { class: "when", text: at }), el("span", {}, ...subject, ...where));
      }),
    );
  }
}

const SPAN_WORDS = { shift: "this shift", day: "today", week: "this week" };

export class Figures {
  constructor(about) {
    this.about = about;
    this.now = {};
    this.since = {};
    this.rows = about.stations.map((station) => this.row(station));
    document.getElementById("kpi").append(...this.rows.map(({ row }) => row));
    this.buttons = about.spans.map((name) =>
      el("button", { type: "button", data: { span: name }, hidden: "", onclick: () => this.choose(name), text: SPAN_WORDS[name] }),
    );
    document.getElementById("spans").append(...this.buttons);
    this.choose("day");
  }

  row(station) {
    const bars = this.about.states.map((state) => svg("rect", { class: "part", "data-state": state.key, y: 0, height: 10, width: 0 }));
    const cells = ["availability", "effectiveness", "quality", "oee", "completed"].map((name) => el("td", { class: "n", data: { figure: name } }));
    const title = svg("title");
    const bar = svg("svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img" }, title, ...bars);
    const row = el("tr", { data: { kpi: station.name } }, el("th", { scope: "row", dir: "auto", text: words(station.name) }), el("td", { class: "bar-cell" }, bar), ...cells);
    return { row, bars, cells, bar, title };
  }

  choose(name) {
    this.chosen = name;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.span === name));
    this.tell();
    this.rows.forEach((_, k) => this.show(k));
  }

  update(items) {
    for (const [key, value] of Object.entries(items)) {
      const [kind, name, k] = key.split("/");
      if (kind === "span") {
        this.since[name] = value?.since;
        this.buttons.find((button) => button.dataset.span === name).hidden = !value;
        this.tell();
      } else if (kind === "kpi") {
        this.now[`${name}/${k}`] = value;
        if (name === this.chosen) this.show(Number(k));
      }
    }
  }

  tell() {
    say(document.getElementById("span-note"), this.since[this.chosen] ? `since ${this.since[this.chosen]}` : "");
  }

  show(k) {
    const value = this.now[`${this.chosen}/${k}`];
    const { bars, cells, row, bar, title } = this.rows[k];
    let x = 0;
    const told = [];
    bars.forEach((part, i) => {
      const width = value ? 100 * value.shares[i] : 0;
      part.setAttribute("x", x.toFixed(2));
      part.setAttribute("width", width.toFixed(2));
      x += width;
      if (width >= 0.05) told.push(`${this.about.states[i].label} ${percent(width / 100)}`);
    });
    say(title, told.join(", "));
    bar.setAttribute("aria-label", told.join(", ") || "nothing is known yet");
    const texts = value
      ? [percent(value.availability), percent(value.effectiveness), percent(value.quality), percent(value.oee), count(value.completed)]
      : ["–", "–", "–", "–", "–"];
    texts.forEach((text, i) => say(cells[i], text));
    row.title = value?.why ?? "";
  }
}
