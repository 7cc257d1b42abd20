// Quality: gates that hold the work, what came out good, and control charts.

import { askForm, gateChoices, mayOperate } from "/ask.js";
import { ChartBox, figure } from "/charts.js";
import { count, el, mark, percent, say, unitLink, words } from "/dom.js";

/** Gates that hold the work until somebody has decided. */
export class Gates {
  constructor(about, { onHeld = () => {} } = {}) {
    this.about = about;
    this.onHeld = onHeld;
    this.panel = document.getElementById("gates-panel");
    this.list = document.getElementById("gates");
    this.now = new Map(); // by row: what is known of it, and its element
  }

  update(items) {
    for (const [key, value] of Object.entries(items)) {
      if (!key.startsWith("gate/") || key === "gate/") continue;
      const i = Number(key.slice(5));
      if (this.now.get(i)?.value.since === value?.since && value) continue; // somebody may be typing
      this.now.get(i)?.row.remove();
      this.now.delete(i);
      if (value) {
        const row = this.row(i, value);
        this.now.set(i, { value, row });
        this.list.append(row);
      }
      this.onHeld(this.held());
    }
    this.panel.hidden = !this.now.size;
  }

  /** Return by station the gates that hold it. */
  held() {
    const found = new Map();
    for (const [i, { value }] of this.now) {
      const { name, stations } = this.about.quality.gates[i];
      for (const k of stations) found.set(k, { name, ...value });
    }
    return found;
  }

  row(i, value) {
    const { name, stations } = this.about.quality.gates[i];
    const where = stations.map((k) => words(this.about.stations[k].name)).join(", ");
    return el(
      "li",
      { data: { gate: name } },
      el("p", { class: "when", text: `since ${value.since}` }),
      el("p", { class: "text", dir: "auto", text: words(name) }),
      el("p", { dir: "auto", text: `${sentence(words(value.why))}.` }),
      el("p", { class: "help", dir: "auto", text: `Held: ${where}.` }),
      ...gateForm(this.about, name),
    );
  }
}

/** Return the form that releases a gate, or who can. */
export function gateForm(about, name) {
  if (!mayOperate(about.you)) return [el("p", { class: "help", text: "An operator or engineer can release it." })];
  return [askForm(gateChoices(name), { label: "What it was, and what was done" })];
}

const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

const SPAN_WORDS = { shift: "this shift", day: "today", week: "this week" };

/** What came out good, at once or after rework, and what was scrapped. */
export class Yields {
  constructor(about) {
    this.about = about;
    this.now = {};
    this.since = {};
    this.rows = [];
    this.body = document.getElementById("yields");
    this.note = document.getElementById("yields-note");
    this.buttons = about.spans.map((name) => el("button", { type: "button", data: { yieldspan: name }, hidden: "", text: SPAN_WORDS[name], onclick: () => this.choose(name) }));
    document.getElementById("yield-spans").append(...this.buttons);
    this.rows = about.products.map(({ name }) => {
      const cells = ["first_pass", "finished", "reworked", "scrapped"].map((of) => el("td", { class: "n", data: { yield: of } }));
      const row = el("tr", { data: { yields: name }, hidden: "" }, el("th", { scope: "row", dir: "auto", text: words(name) }), ...cells);
      this.body.append(row);
      return { row, cells };
    });
    this.none = el("tr", {}, el("td", { colspan: "5", class: "note", text: "Nothing was finished, sent to rework or scrapped yet." }));
    this.body.append(this.none);
    this.choose("day");
    this.isChosen = false;
  }

  choose(name) {
    this.chosen = name;
    this.isChosen = true;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.yieldspan === name));
    this.show();
  }

  update(items) {
    let changed = false;
    for (const [key, value] of Object.entries(items)) {
      const [kind, name, i] = key.split("/");
      if (kind === "span") {
        this.since[name] = value?.since;
        this.buttons.find((button) => button.dataset.yieldspan === name).hidden = !value;
        if (name === "shift" && value && !this.isChosen) {
          this.choose("shift"); // what one asks for, where there are shifts
        }
      } else if (kind === "yield") this.now[`${name}/${i}`] = value;
      else continue;
      changed = true;
    }
    if (changed) this.show();
  }

  show() {
    say(this.note, this.since[this.chosen] ? `since ${this.since[this.chosen]}` : "");
    let isAny = false;
    this.rows.forEach(({ row, cells }, i) => {
      const value = this.now[`${this.chosen}/${i}`];
      const isShown = Boolean(value && (value.finished || value.scrapped || value.reworked));
      row.hidden = !isShown;
      isAny ||= isShown;
      if (!isShown) return;
      [percent(value.first_pass), count(value.finished), count(value.reworked), count(value.scrapped)].forEach((text, j) => say(cells[j], text));
    });
    this.none.hidden = isAny;
  }
}

const GROUPS = { "single values": ["I", "MR"], means: ["X-bar", "R"], EWMA: ["EWMA"] };

/** A control chart of each characteristic and of each inspection. */
export class Charts {
  constructor(about, { onUnit }) {
    this.about = about.quality;
    this.onUnit = onUnit;
    this.now = [];
    this.group = "single values";
    const { charts } = this.about;
    this.cards = charts.map((chart, i) => this.card(chart, i));
    document.getElementById("charts").append(...this.cards.map(({ card }) => card));
    document.getElementById("charts-panel").hidden = !charts.length;
    const isMeasured = charts.some(({ kind }) => kind === "values");
    this.buttons = Object.keys(GROUPS).map((name) => el("button", { type: "button", data: { group: name }, text: name === "means" ? `means of ${this.about.subgroup}` : name, onclick: () => this.choose(name) }));
    document.getElementById("chart-groups").append(...(isMeasured ? this.buttons : []));
    say(document.getElementById("charts-note"), `Rules of ${this.about.rules}. Limits come from the values that are shown, three standard errors from their center, and not from the model. Where all is in control, about ${percent(this.about.by_chance)} of the points have a signal by chance.`);
    this.choose(this.group);
  }

  card(chart, i) {
    const title = chart.kind === "shares" ? `${words(chart.product)}: rejected at ${words(chart.name)}` : `${words(chart.product)}: ${words(chart.name)}`;
    const pill = el("span", { class: "pill" });
    const box = new ChartBox();
    const [facts, capable, told] = [el("p", { class: "note" }), el("p", { class: "note" }), el("ul", { class: "signals" })];
    const card = el(
      "section",
      { class: "chart-card", data: { spc: `${chart.product}:${chart.name}`, kind: chart.kind }, "aria-label": title },
      el("div", { class: "goal-head" }, el("h3", { dir: "auto", text: title }), pill),
      facts, box.element, capable, told,
    );
    return { card, pill, box, facts, capable, told };
  }

  choose(name) {
    this.group = name;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.group === name));
    this.now.forEach((_, i) => this.show(i));
  }

  update(items) {
    for (const [key, value] of Object.entries(items)) {
      if (!key.startsWith("spc/") || !value) continue;
      const i = Number(key.slice(4));
      this.now[i] = value;
      this.show(i);
    }
  }

  show(i) {
    const [value, of, { card, pill, box, facts, capable, told }] = [this.now[i], this.about.charts[i], this.cards[i]];
    const isShare = of.kind === "shares";
    say(facts, this.facts(value, of));
    if (!value.charts) {
      mark(pill, "spc", "few");
      say(pill, "too few yet");
      say(capable, `${count(value.n)} of ${count(of.needs)} ${isShare ? "verdicts" : "values"} that a chart takes.`);
      box.show([]);
      told.replaceChildren();
      return;
    }
    const state = value.is_new ? "new" : value.signals.length ? "some" : "none";
    mark(pill, "spc", state);
    mark(card, "signal", state);
    say(pill, { new: "signal now", some: "signals before", none: "no signal" }[state]);
    const shown = of.kind === "values" ? value.charts.filter(({ name }) => GROUPS[this.group].includes(name)) : value.charts;
    box.show(shown);
    say(capable, capability(value));
    told.replaceChildren(...value.signals.map((one) => el(
      "li",
      {},
      el("span", { class: "when", text: one.at }),
      el("span", {}, el("b", { text: one.chart }), ` ${one.text}, `, unitLink(one.unit, this.onUnit)),
    )));
  }

  facts(value, of) {
    if (of.kind === "shares") return value.n ? `Samples of ${this.about.sample} verdicts, since ${value.from}.` : "";
    const limits = [["from", of.lower], ["nominal", of.nominal], ["up to", of.upper]].filter(([, limit]) => limit !== null).map(([word, limit]) => `${word} ${figure(limit)}`);
    const unit = of.unit ? ` ${of.unit}` : "";
    const asked = limits.length ? `Asked: ${limits.join(", ")}${unit}.` : "";
    return value.n ? `${asked} Last: ${figure(value.last)}${unit}, ${value.unit}, ${value.at}. ${count(value.n)} values since ${value.from}.`.trim() : asked;
  }
}

/** Say what the process can hold, in one line. */
function capability({ cp, cpk, ppk, outside }) {
  const index = (name, found) => (found ? [`${name} ${found[0].toFixed(2)} (${found[1].toFixed(2)} to ${found[2].toFixed(2)})`] : []);
  const told = [...index("Cp", cp), ...index("Cpk", cpk), ...index("Ppk", ppk)];
  if (!told.length) return "";
  return `${told.join(", ")}; with 95% intervals. ${percent(outside)} of the values lie outside the limits.`;
}

/** What was measured at a unit, for its life. */
export function measuredTable(rows) {
  if (!rows.length) return [];
  const head = ["time", "operation", "what", "value", "allowed", "verdict"];
  const body = rows.map((row) => {
    const unit = row.unit ? ` ${row.unit}` : "";
    const value = el("td", { class: "n" }, el("b", { text: `${figure(row.value)}${unit}` }), row.is_outside ? el("span", { class: "below outside", text: "outside" }) : "");
    return el(
      "tr",
      { data: { measured: row.name, outside: String(row.is_outside) } },
      el("td", { class: "date", text: row.at }),
      el("td", { dir: "auto", text: words(row.operation) }),
      el("th", { scope: "row", dir: "auto", text: words(row.name) }),
      value,
      el("td", { text: allowed(row) }),
      el("td", { text: row.verdict }),
    );
  });
  return [
    el("h3", { text: "Measured" }),
    el("div", { class: "scroll", tabindex: "0" }, el("table", { class: "life" }, el("thead", {}, el("tr", {}, ...head.map((text, i) => el("th", { scope: "col", class: i === 3 ? "n" : "", text })))), el("tbody", {}, ...body))),
  ];
}

function allowed({ lower, upper }) {
  if (lower !== null && upper !== null) return `${figure(lower)} to ${figure(upper)}`;
  if (lower !== null) return `from ${figure(lower)}`;
  return upper !== null ? `up to ${figure(upper)}` : "–";
}
