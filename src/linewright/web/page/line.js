// The line, stage by stage: a card for each station, a square for each server.

import { count, el, mark, say, words } from "/dom.js";

/** Return what parts do in a buffer; of a line that follows a schedule some are only called in. */
function roleOf(buffer) {
  if (buffer.role === "output") return "out";
  return buffer.name.endsWith(", called in") ? "called in" : "waiting";
}

export class LineView {
  constructor(about, { onStation }) {
    this.about = about;
    this.servers = [];
    this.stationOfServer = [];
    this.levels = new Map();
    this.held = new Map();
    this.waiting = [];
    this.gates = new Map();
    this.cards = about.stations.map((station, k) => this.card(station, k, onStation));
    this.states = new Array(about.servers.length).fill(null);
    const stages = about.stages.map((stage) => this.stage(stage));
    const stores = this.stores();
    document.getElementById("line").replaceChildren(...stages, ...(stores ? [stores] : []));
    this.legend();
  }

  legend() {
    this.counts = this.about.states.map((state) => {
      const number = el("b", { text: "0" });
      const item = el(
        "li",
        { data: { state: state.key }, title: state.meaning },
        el("i", { class: "swatch", data: { state: state.key }, "aria-hidden": "true", text: state.mark }),
        number,
        ` ${state.label}`,
      );
      document.getElementById("legend").append(item);
      return { item, number };
    });
  }

  stage(stage) {
    const lanes = stage.lanes.map((lane) => {
      const made = el(
        "div",
        { class: "lane", role: "group", "aria-label": lane.label },
        el("p", { class: "lane-name", dir: "auto", text: words(lane.label) }),
        el("div", { class: "cards" }, ...lane.stations.map((k) => this.cards[k].card)),
      );
      made.style.setProperty("--n", lane.stations.length);
      return made;
    });
    const title = stage.label ? [el("h3", { dir: "auto", text: words(stage.label) })] : [];
    return el("section", { class: "stage", data: { stage: stage.label } }, ...title, el("div", { class: "lanes" }, ...lanes));
  }

  card(station, k, onStation) {
    const squares = station.servers.map((s) => {
      this.stationOfServer[s] = k;
      const square = el("i", { class: "server", data: { server: this.about.servers[s], state: "off_shift" } });
      this.servers[s] = square;
      return square;
    });
    const what = el("span", { class: "what", dir: "auto" });
    const buffers = this.about.buffers
      .map((buffer, b) => [buffer, b])
      .filter(([buffer]) => buffer.own === station.name)
      .map(([buffer, b]) => this.level(buffer, b, roleOf(buffer)));
    const card = el(
      "button",
      { type: "button", class: "station", data: { station: station.name }, onclick: () => onStation(k) },
      el("span", { class: "name", dir: "auto", text: words(station.name) }),
      el("span", { class: "servers", "aria-hidden": "true" }, ...squares),
      what,
      ...buffers,
    );
    return { card, what };
  }

  level(buffer, b, word) {
    const number = el("b", { text: "0" });
    const fill = el("i", { class: "fill" });
    const limit = buffer.slots === null ? "" : ` of ${count(buffer.slots)}`;
    const label = el("span", { class: "level-text" }, number, `${limit} ${word}`);
    const trough = buffer.slots === null ? [] : [el("span", { class: "trough" }, fill)];
    const made = el("span", { class: "level", data: { buffer: buffer.name } }, label, ...trough);
    this.levels.set(b, { made, number, fill, slots: buffer.slots });
    return made;
  }

  stores() {
    const shown = this.about.buffers.map((buffer, b) => [buffer, b]).filter(([buffer]) => !buffer.own);
    if (!shown.length) return null;
    const items = shown.map(([buffer, b]) =>
      el("li", { class: "store" }, el("span", { class: "name", dir: "auto", text: words(buffer.name) }), this.level(buffer, b, "")),
    );
    return el("section", { class: "stage" }, el("h3", { text: "Buffers and stores" }), el("ul", { class: "stores" }, ...items));
  }

  /** Take new values; return the stations that changed. */
  update(items) {
    const changed = new Set();
    for (const [key, value] of Object.entries(items)) {
      const [kind, row] = key.split("/");
      if (kind === "server") {
        this.server(Number(row), value);
        changed.add(this.stationOfServer[row]);
      } else if (kind === "buffer") this.fill(Number(row), value);
      else if (kind === "waiting") {
        this.waiting[row] = value;
        const own = this.about.buffers[row]?.own;
        if (own) changed.add(this.about.stations.findIndex(({ name }) => name === own));
      } else if (kind === "held") this.hold(row, value);
      else if (key === "line") this.count(value.servers);
    }
    for (const k of changed) this.tell(k);
    return changed;
  }

  hold(row, value) {
    if (row === "") return;
    const k = Number(row);
    if (value) this.held.set(k, value);
    else this.held.delete(k);
    mark(this.cards[k].card, "held", String(Boolean(value)));
    this.tell(k);
  }

  /** Mark the stations that gates hold. */
  heldAtGates(gates) {
    this.gates = gates;
    this.cards.forEach(({ card }, k) => {
      mark(card, "gate", String(gates.has(k)));
      this.tell(k);
    });
  }

  /** Return the units that wait at a station, the longest waiting first. */
  waitingAt(k) {
    const { name } = this.about.stations[k];
    return this.about.buffers.flatMap((buffer, b) => (buffer.own === name && buffer.role !== "output" ? this.waiting[b] ?? [] : []));
  }

  count(servers) {
    servers.forEach((n, i) => {
      say(this.counts[i].number, count(n));
      this.counts[i].item.hidden = n === 0;
    });
  }

  server(s, value) {
    this.states[s] = value;
    const state = this.about.states[value.state];
    mark(this.servers[s], "state", state.key);
    say(this.servers[s], state.mark);
    this.servers[s].title = this.inWords(s);
  }

  /** Return a server with its state as one line of text. */
  inWords(s) {
    const value = this.states[s];
    if (!value) return "";
    const parts = [`${this.about.servers[s]}: ${this.about.states[value.state].label}`];
    if (value.down) parts.push(words(value.down));
    if (value.unit) parts.push(value.n > 1 ? `${value.unit} and ${value.n - 1} more` : value.unit);
    if (value.operation) parts.push(words(value.operation));
    return parts.join(", ");
  }

  tell(k) {
    const { servers, name } = this.about.stations[k];
    const { card, what } = this.cards[k];
    const now = servers.map((s) => this.states[s]).filter(Boolean);
    const working = now.filter((value) => value.state === 0).length;
    if (!now.length) return;
    if (this.held.has(k)) say(what, "held");
    else if (this.gates.has(k)) say(what, "held at a gate");
    else if (servers.length === 1) say(what, this.one(now[0]));
    else say(what, `${working} of ${servers.length} at work`);
    const worst = ["failed", "blocked"].find((key) => now.some((value) => this.about.states[value.state].key === key));
    mark(card, "worst", worst ?? "");
    card.setAttribute("aria-label", `${name}: ${servers.map((s) => this.inWords(s)).join("; ")}`);
  }

  one(value) {
    const { label } = this.about.states[value.state];
    const unit = value.unit && (value.n > 1 ? `${value.unit} +${value.n - 1}` : value.unit);
    return words(value.down ?? "") || unit || label;
  }

  fill(b, level) {
    const { number, fill, slots, made } = this.levels.get(b);
    say(number, count(level));
    mark(made, "level", String(level));
    if (slots === null) return;
    const share = slots ? Math.min(level / slots, 1) : 0;
    fill.style.width = `${100 * share}%`;
    mark(made, "full", String(slots > 0 && level >= slots));
  }
}
