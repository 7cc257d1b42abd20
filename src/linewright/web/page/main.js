// Joins the parts of the page, and says how old what it shows is.

import { Details } from "/details.js";
import { count, el, mark, say, span } from "/dom.js";
import { Drift } from "/drift.js";
import { LineView } from "/line.js";
import { Alarms, Doubts, Events, Figures, Orders, Products, Targets } from "/lists.js";
import { Charts, Gates, Yields } from "/quality.js";
import { Schedule } from "/schedule.js";
import { follow } from "/stream.js";

const QUIET_S = 30; // without a record, from which on the page says so loudly
const CUT_S = 3; // without a word from the server

const by = (id) => document.getElementById(id);
const answer = await fetch("/api/about");
if (answer.status === 401) location.assign("/");
const about = await answer.json();

document.title = about.title;
say(by("title"), about.title);
say(by("stamp"), `${about.journal}: ${about.stamp}. Times in ${about.time_zone}.`);

const clock = { at_us: 0 };
const figures = new Figures(about);
const line = new LineView(about, { onStation: (k) => details.showStation(k) });
const details = new Details(about, line, figures, clock);
const orders = new Orders(about, { onOrder: (order) => details.showOrder(order) });
const doubts = new Doubts(about);
const products = new Products(about);
const targets = new Targets();
const drift = new Drift();
const alarms = new Alarms(about);
const events = new Events({ onUnit: (name) => details.unit(name) });
const gates = new Gates(about, { onHeld: (held) => line.heldAtGates(held) });
const yields = new Yields(about);
const charts = new Charts(about, { onUnit: (name) => details.unit(name) });
const schedule = new Schedule(about, clock);
const { you } = about;
say(by("you"), you.name ? `${you.name}, ${you.role}` : you.role);
by("commands").hidden = you.role !== "viewer";
by("operator-link").hidden = you.role === "viewer";
by("new-order").hidden = you.role !== "engineer";
if (you.role === "engineer") by("orders-panel").hidden = false;
by("new-order").addEventListener("click", () => details.newOrder());
by("unit-name").placeholder = `${about.products[0].name}:17`;

// ---------------------------------------------------------------- tiles

const tiles = new Map();
for (const [key, label] of [
  ["wip", "units in the line"],
  ["today", "finished today"],
  ["finished", "finished in all"],
  ["late", "orders late"],
  ["failed", "servers failed"],
  ["alarms", "alarms"],
]) {
  const value = el("dd", { text: "–" });
  const tile = el("div", { class: "tile", data: { tile: key } }, el("dt", { text: label }), value);
  by("tiles").append(tile);
  tiles.set(key, { tile, value });
}
if (!about.orders.length) tiles.get("late").tile.hidden = true;
const failed = about.states.findIndex((state) => state.key === "failed");

function tell(key, n, isBad = false) {
  const { tile, value } = tiles.get(key);
  say(value, n === null ? "–" : count(n));
  mark(tile, "bad", String(isBad && n > 0));
}

// ---------------------------------------------------------------- what comes

function onItems(items, { seq }) {
  const changed = line.update(items);
  const parts = [
    orders, products, targets, doubts, gates, alarms, events, figures, yields, charts, drift,
  ];
  for (const part of parts) part.update(items);
  if (items.clock) Object.assign(clock, items.clock);
  schedule.update(items);
  if (items.clock) {
    schedule.tick();
    say(by("date"), items.clock.date);
    say(by("time"), items.clock.time);
    say(by("zone"), items.clock.zone);
  }
  if (items.line) {
    tell("wip", items.line.wip);
    tell("failed", items.line.servers[failed], true);
  }
  tell("today", products.sold("today"));
  tell("finished", products.sold("finished"));
  tell("late", orders.late, true);
  tell("alarms", alarms.now.size, true);
  details.refresh(changed);
  document.documentElement.dataset.seq = String(seq);
}

// ---------------------------------------------------------------- its age

let heard = performance.now();
let alive = { silent_s: 0, problem: "", waiting: "" };
let isLoggedOut = false;

function showAge() {
  const waited_s = (performance.now() - heard) / 1000;
  const silent_s = alive.silent_s + waited_s;
  let [age, text] = ["fresh", "Up to date."];
  if (isLoggedOut) [age, text] = ["cut", `Logged out: what you see is ${span(waited_s)} old. Load the page again to log in.`];
  else if (alive.waiting) [age, text] = ["stopped", `The journal does not answer, and what you see is old: ${alive.waiting}`];
  else if (alive.problem) [age, text] = ["stopped", `The journal cannot be followed any more, and what you see is old: ${alive.problem}`];
  else if (waited_s > CUT_S) [age, text] = ["cut", `No connection for ${span(waited_s)}: what you see is as old as that. It goes on by itself.`];
  else if (silent_s > QUIET_S) [age, text] = ["quiet", `Nothing new for ${span(silent_s)}: the line is quiet, or its controller does not run.`];
  else if (silent_s > 2) text = `Up to date; the last record is ${span(silent_s)} old.`;
  mark(by("age"), "age", age);
  mark(document.documentElement, "old", String(age === "cut" || age === "stopped"));
  say(by("age"), text);
}

setInterval(showAge, 500);

follow({
  onItems(items, about_) {
    heard = performance.now();
    alive = { ...alive, silent_s: Math.min(alive.silent_s, 1) };
    onItems(items, about_);
    showAge();
  },
  onAlive(told) {
    heard = performance.now();
    alive = told;
    showAge();
  },
  onCut: showAge,
  onLoggedOut() {
    isLoggedOut = true;
    showAge();
  },
});
