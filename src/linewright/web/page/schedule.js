// The schedule that the line follows, above what happened: a row for each server, planned
// bars over real ones, and how far each order is behind or ahead.

import { el, mark, say, span, words } from "/dom.js";

const ON_TIME_US = 60e6; // as late as that is on time
const MOST_ORDERS = 12;

export class Schedule {
  constructor(about, clock) {
    Object.assign(this, { about, clock });
    this.panel = document.getElementById("schedule-panel");
    this.panel.hidden = true;
    this.lanes = new Map();
    this.now = { planned: new Map(), real: new Map(), against: new Map() };
    this.bars = { planned: new Map(), real: new Map() };
    this.orders = []; // names, by row
  }

  update(items) {
    if (!this.about.follows) return;
    let moved = false;
    const changed = { planned: new Set(), real: new Set() };
    for (const [key, value] of Object.entries(items)) {
      const [kind, row] = key.split("/");
      if (kind === "schedule") {
        this.about_ = value;
        moved = true;
      } else if (kind === "order" && value) this.orders[row] = value;
      else if (kind in this.now && row) {
        if (value === null) this.now[kind].delete(row);
        else this.now[kind].set(row, value);
        changed[kind]?.add(row);
      }
    }
    this.panel.hidden = !this.about_;
    if (!this.about_) return;
    if (moved) this.axis();
    for (const kind of ["planned", "real"]) {
      for (const row of moved ? this.now[kind].keys() : changed[kind]) this.bar(kind, row);
      for (const row of [...this.bars[kind].keys()]) if (!this.now[kind].has(row)) this.bar(kind, row);
    }
    this.tell();
  }

  /** Called when the clock goes on: the present, and work that goes on, move. */
  tick() {
    if (!this.about_) return;
    const at = this.place(this.clock.at_us);
    for (const line of this.panel.querySelectorAll(".present")) line.style.left = `${at}%`;
    for (const [row, real] of this.now.real) if (real.end_us < 0) this.bar("real", row);
  }

  place(at_us) {
    const { from_us, until_us } = this.about_;
    return Math.min(Math.max((100 * (at_us - from_us)) / (until_us - from_us), 0), 100);
  }

  axis() {
    say(document.getElementById("schedule-note"), `Schedule ${this.about_.hash}, followed since ${this.about_.since}. Above: planned; below: what happened.`);
    const ticks = this.about_.ticks.map(([at, text]) => {
      const tick = el("span", { class: "tick", text });
      tick.style.left = `${100 * at}%`;
      return tick;
    });
    document.getElementById("schedule-axis").replaceChildren(...ticks);
  }

  /** Return the track of a server, made when there is something to show on it. */
  lane(k, s) {
    const key = `${k}/${s}`;
    if (!this.lanes.has(key)) {
      const { name, servers } = this.about.stations[k];
      const label = servers.length > 1 ? `${words(name)} ${s + 1}` : words(name);
      const present = el("i", { class: "present" });
      present.style.left = `${this.place(this.clock.at_us)}%`;
      const track = el("div", { class: "track" }, present);
      const row = el("li", { class: "lane-row", data: { lane: key } }, el("span", { class: "lane-label", dir: "auto", text: label }), track);
      this.lanes.set(key, { row, track, k, s });
      const rows = [...this.lanes.values()].sort((a, b) => a.k - b.k || a.s - b.s);
      document.getElementById("schedule").replaceChildren(...rows.map((lane) => lane.row));
    }
    return this.lanes.get(key).track;
  }

  bar(kind, row) {
    const value = this.now[kind].get(row);
    let bar = this.bars[kind].get(row);
    if (!value) {
      bar?.remove();
      this.bars[kind].delete(row);
      return;
    }
    const track = this.lane(value.k, value.s);
    if (!bar) {
      bar = el("span", { class: `job ${kind}`, dir: "auto" });
      this.bars[kind].set(row, bar);
    }
    if (bar.parentElement !== track) track.append(bar);
    const end_us = value.end_us < 0 ? this.clock.at_us : value.end_us;
    const left = this.place(value.begin_us);
    bar.style.left = `${left}%`;
    bar.style.width = `${Math.max(this.place(end_us) - left, 0.15)}%`;
    say(bar, value.order);
    if (kind === "real") mark(bar, "late", lateness(value.late_us));
    const late = kind === "real" ? `, ${told(value.late_us)}` : "";
    const unit = value.unit ? ` (${value.unit})` : "";
    bar.title = `${kind === "real" ? "Real" : "Planned"}: ${value.part}${unit}, ${words(value.operation)}, ${value.at}${late}`;
  }

  tell() {
    const rows = [...this.now.against]
      .map(([row, value]) => ({ ...value, ...this.state(row) }))
      .filter((one) => one.name)
      .sort((a, b) => a.over - b.over || (b.late_us ?? -Infinity) - (a.late_us ?? -Infinity));
    const body = rows.slice(0, MOST_ORDERS).map((one) =>
      el(
        "tr",
        { data: { against: one.name } },
        el("th", { scope: "row", dir: "auto", text: one.name }),
        el("td", { class: "date", text: one.end }),
        el("td", {}, el("span", { class: "pill", data: { late: lateness(one.late_us) }, text: told(one.late_us) })),
      ),
    );
    document.getElementById("against").replaceChildren(...body);
    const more = rows.length - MOST_ORDERS;
    say(document.getElementById("against-note"), more > 0 ? `and ${more} more orders` : "");
  }

  state(row) {
    const order = this.orders[row];
    return { name: order?.name ?? "", over: order && order.state.startsWith("done") ? 1 : 0 };
  }
}

function lateness(late_us) {
  if (late_us === null || late_us === undefined) return "unknown";
  if (late_us > ON_TIME_US) return "behind";
  return late_us < -ON_TIME_US ? "ahead" : "on time";
}

function told(late_us) {
  const word = lateness(late_us);
  if (word === "unknown") return "to come";
  return word === "on time" ? word : `${span(Math.abs(late_us) / 1e6)} ${word}`;
}
