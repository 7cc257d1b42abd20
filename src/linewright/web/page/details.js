// The life of one unit, and one station from near.

import { el, percent, span, unitLink, words } from "/dom.js";

const MOST = 300;

export class Details {
  constructor(about, line, figures, clock) {
    Object.assign(this, { about, line, figures, clock });
    this.dialog = document.getElementById("details");
    this.title = document.getElementById("details-title");
    this.body = document.getElementById("details-body");
    this.station = null;
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
    const { name, servers } = this.about.stations[k];
    const rows = servers.map((s) => this.server(s));
    const figures = this.figures.now[`${this.figures.chosen}/${k}`];
    const told = figures
      ? [el("p", { text: `Since ${this.figures.since[this.figures.chosen]}: OEE ${percent(figures.oee)}, availability ${percent(figures.availability)}, effectiveness ${percent(figures.effectiveness)}, quality ratio ${percent(figures.quality)}; ${figures.completed} units.` })]
      : [];
    if (figures?.why) told.push(el("p", { class: "note", text: `No OEE: ${figures.why}.` }));
    this.open(words(name), el("ul", { class: "server-list" }, ...rows), ...told);
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
    if (this.station !== null && changed.has(this.station)) this.showStation(this.station);
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
      ...this.tree("Made of", "made-of", found.made_of),
      ...this.tree("Went into", "went-into", found.went_into),
    );
  }

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
