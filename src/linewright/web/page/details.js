// The life of one unit, and one station from near.

import { ask, askForm, mayOperate, orderChoices, orderForm, stationChoices, unitChoices } from "/ask.js";
import { el, percent, say, span, unitLink, words } from "/dom.js";
import { measuredTable } from "/quality.js";

const MOST = 300;

export class Details {
  constructor(about, line, figures, clock) {
    Object.assign(this, { about, line, figures, clock });
    this.dialog = document.getElementById("details");
    this.title = document.getElementById("details-title");
    this.body = document.getElementById("details-body");
    this.station = null;
    this.now = document.createElement("div"); // what changes while a station is shown
    this.dialog.addEventListener("close", () => { this.station = null; });
    const form = document.getElementById("find");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.unit(form.elements.unit.value.trim());
    });
  }

  open(title, ...children) {
    this.title.textContent = title;
    this.body.replaceChildren(...children);
    if (!this.dialog.open) this.dialog.showModal();
  }

  // ------------------------------------------------------------ a station

  showStation(k) {
    this.station = k;
    const { name } = this.about.stations[k];
    this.tellStation();
    this.heldForm = document.createElement("div");
    this.wasHeld = null;
    this.tellHeld();
    this.open(words(name), this.now, this.heldForm);
  }

  tellStation() {
    const k = this.station;
    const rows = this.about.stations[k].servers.map((s) => this.server(s));
    const figures = this.figures.now[`${this.figures.chosen}/${k}`];
    const told = figures
      ? [el("p", { text: `Since ${this.figures.since[this.figures.chosen]}: OEE ${percent(figures.oee)}, availability ${percent(figures.availability)}, effectiveness ${percent(figures.effectiveness)}, quality ratio ${percent(figures.quality)}; ${figures.completed} units.` })]
      : [];
    if (figures?.why) told.push(el("p", { class: "note", text: `No OEE: ${figures.why}.` }));
    const waiting = this.line.waitingAt(k);
    if (waiting.length) told.push(el("p", {}, "Waiting, the longest first: ", ...waiting.flatMap((unit, i) => [i ? ", " : "", unitLink(unit, (one) => this.unit(one))])));
    this.now.replaceChildren(el("ul", { class: "server-list" }, ...rows), ...told);
  }

  /** Show what may be done, again only when it changes: somebody may be typing. */
  tellHeld() {
    const held = this.line.held.get(this.station) ?? null;
    if (this.wasHeld === (held?.since ?? "")) return;
    this.wasHeld = held?.since ?? "";
    const note = held ? [el("p", { class: "held", text: `Held since ${held.since} by ${held.by}: ${held.why}` })] : [];
    const { name } = this.about.stations[this.station];
    const form = mayOperate(this.about.you) ? [askForm(stationChoices(name, held), { label: "Why it stops" })] : [];
    this.heldForm.replaceChildren(...note, ...form);
  }

  server(s) {
    const value = this.line.states[s];
    const state = this.about.states[value.state];
    const lines = [el("span", { class: "state-word", text: value.down ? `${state.label}: ${words(value.down)}` : state.label })];
    if (value.since) {
      const for_s = (this.clock.at_us - value.since_us) / 1e6;
      lines.push(el("span", { class: "note", text: ` since ${value.since}, ${span(for_s)}` }));
    }
    const work = value.unit
      ? [el("p", {}, unitLink(value.unit, (unit) => this.unit(unit)), value.n > 1 ? ` and ${value.n - 1} more` : "", value.operation ? `, ${words(value.operation)}` : "")]
      : [];
    return el(
      "li",
      { data: { server: this.about.servers[s], state: state.key } },
      el("i", { class: "swatch", data: { state: state.key }, "aria-hidden": "true", text: state.mark }),
      el("div", {}, el("p", {}, el("b", { dir: "auto", text: this.about.servers[s] }), " ", ...lines), ...work),
    );
  }

  /** Show the open station again if it is among those that changed. */
  refresh(changed) {
    if (this.station === null) return;
    if (changed.has(this.station)) this.tellStation();
    this.tellHeld();
  }

  // ------------------------------------------------------------ a unit

  async unit(name) {
    const problem = document.getElementById("unit-problem");
    problem.textContent = "";
    this.station = null;
    const asked = (this.asked = (this.asked ?? 0) + 1);
    if (this.dialog.open) this.open(name, el("p", { class: "note", text: "Reading the journal." }));
    const answer = await fetch(`/api/unit?name=${encodeURIComponent(name)}`).catch(() => null);
    const found = await answer?.json().catch(() => null);
    if (asked !== this.asked) return;
    if (!answer?.ok) {
      const text = found?.error ?? "the server does not answer";
      problem.textContent = `${text}.`;
      if (this.dialog.open) this.open(name, el("p", { class: "problem", text: `${text}.` }));
      return;
    }
    const rows = found.life.slice(-MOST).map((cells) =>
      el("tr", {}, ...cells.map((cell, i) => el("td", { class: i ? "" : "date", dir: "auto", text: i > 1 ? words(cell) : cell }))),
    );
    const left = found.life.length - rows.length + found.left_out;
    const head = ["time", "what", "operation", "where", ""].map((text) => el("th", { scope: "col", text }));
    this.open(
      found.unit,
      el("p", { class: "fate" }, el("span", { class: "pill", data: { fate: found.fate }, text: found.fate })),
      el("div", { class: "scroll", tabindex: "0" }, el("table", { class: "life", data: { life: found.unit } }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows))),
      ...(left ? [el("p", { class: "note", text: `${left} steps are not shown here; linewright trace shows all.` })] : []),
      ...(found.fate === "in the line" && mayOperate(this.about.you) ? [el("h3", { text: "Decide" }), askForm(unitChoices(found.unit), { label: "Why" })] : []),
      ...measuredTable(found.measured),
      ...this.tree("Made of", "made-of", found.made_of),
      ...this.tree("Went into", "went-into", found.went_into),
    );
  }

  // ------------------------------------------------------------ an order

  showOrder(order) {
    this.station = null;
    const facts = [`${order.done} of ${order.quantity} ${words(order.product)}`, order.due ? `due ${order.due}` : "no date", order.state];
    const priority = el("input", { type: "number", step: "1", value: "0", "aria-label": "Priority" });
    const told = el("p", { class: "told", role: "status" });
    const set = el("button", { type: "button", data: { ask: "order priority" }, text: "Give it this priority", onclick: async () => {
      const answer = await ask("order priority", { order: order.name, priority: Number(priority.value) }, "");
      told.dataset.ok = String(answer.ok);
      say(told, answer.text);
    } });
    this.open(
      `Order ${order.name}`,
      el("p", { text: facts.join(", ") }),
      askForm(orderChoices(order), { label: "Why it is cancelled" }),
      el("h3", { text: "Priority" }),
      el("div", { class: "row" }, priority, set),
      told,
    );
  }

  newOrder() {
    this.station = null;
    this.open("A new order", orderForm(this.about.products));
  }

  // ------------------------------------------------------------ units below

  tree(title, key, rows) {
    if (!rows.length) return [];
    const items = rows.slice(0, MOST).map(([depth, unit, fate]) => {
      const item = el("li", {}, unitLink(unit, (name) => this.unit(name)), el("span", { class: "note", text: ` ${fate}` }));
      item.style.paddingInlineStart = `${(depth - 1) * 18}px`;
      return item;
    });
    const more = rows.length > MOST ? [el("li", { class: "note", text: `and ${rows.length - MOST} more` })] : [];
    return [el("h3", { text: title }), el("ul", { class: "tree", data: { tree: key } }, ...items, ...more)];
  }
}
