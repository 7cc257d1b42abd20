// An operator's screen: one station, large targets, the fewest words.

import { askForm, mayOperate, stationChoices, unitChoices } from "/ask.js";
import { el, mark, say, span, words } from "/dom.js";
import { gateForm } from "/quality.js";
import { follow } from "/stream.js";

const REASONS = ["Material is missing", "Quality", "Machine", "Help is needed"];
const CUT_S = 3;

const by = (id) => document.getElementById(id);
const answer = await fetch("/api/about");
if (answer.status === 401) location.assign("/");
const about = await answer.json();
document.title = about.title;
say(by("you"), about.you.name || about.you.role);

const states = [];
const waiting = [];
const held = new Map();
const closed = new Map(); // gates
const picker = by("station");
picker.append(...about.stations.map(({ name }, k) => el("option", { value: String(k), text: words(name) })));
const asked = about.stations.findIndex(({ name }) => name === decodeURIComponent(location.hash.slice(1)));
picker.value = String(Math.max(asked, 0));
let [shownUnits, shownHeld, shownGates] = [null, null, null];

picker.addEventListener("change", () => {
  location.hash = encodeURIComponent(about.stations[picker.value].name);
  [shownUnits, shownHeld, shownGates] = [null, null, null];
  show();
});

function show() {
  const k = Number(picker.value);
  const { name, servers } = about.stations[k];
  const now = servers.map((s) => states[s]).filter(Boolean);
  const order = ["failed", "maintenance", "blocked", "waiting", "processing", "setup", "loading", "starved", "break", "off_shift"];
  const worst = now.map((value) => about.states[value.state]).sort((a, b) => order.indexOf(a.key) - order.indexOf(b.key))[0];
  const stop = held.get(k);
  const gates = [...closed].filter(([i]) => about.quality.gates[i].stations.includes(k));
  const waits = stop ? `Held by ${stop.by}: ${stop.why}` : gates.length ? `Held at a gate: ${words(gates[0][1].why)}` : "";
  say(by("state"), waits || (worst?.label ?? ""));
  mark(by("state"), "state", waits ? "failed" : worst?.key ?? "off_shift");
  showGates(gates);
  by("servers").replaceChildren(...(servers.length > 1 ? servers.map((s) => el("li", {}, el("i", { class: "swatch", data: { state: about.states[states[s]?.state ?? 9].key } }), ` ${about.servers[s]}: ${about.states[states[s]?.state ?? 9].label}`)) : []));
  const here = about.buffers.flatMap((buffer, b) => (buffer.own === name && buffer.role !== "output" ? waiting[b] ?? [] : []));
  by("next").replaceChildren(...(here.length ? here.map((unit) => el("li", { dir: "auto", text: unit })) : [el("li", { class: "note", text: "Nothing waits here." })]));
  const units = now.filter((value) => value.unit).map((value) => [value.unit, value.n, value.operation ?? ""]);
  const key = JSON.stringify(units);
  if (key !== shownUnits) { // not while somebody types
    shownUnits = key;
    by("units").replaceChildren(...(units.length ? units.map(([unit, n, operation]) => el(
      "li",
      {},
      el("p", { class: "unit", dir: "auto", text: n > 1 ? `${unit} and ${n - 1} more` : unit }),
      el("p", { class: "note", text: words(operation) }),
      ...(mayOperate(about.you) ? [askForm(unitChoices(unit), { label: "Why" })] : []),
    )) : [el("li", { class: "note", text: "None." })]));
  }
  const heldKey = stop ? stop.since : "";
  if (heldKey !== shownHeld) {
    shownHeld = heldKey;
    by("stop").replaceChildren(...(mayOperate(about.you) ? [el("h2", { text: stop ? "Held" : "Stop" }), askForm(stationChoices(name, stop), { label: "Why it stops", reasons: stop ? [] : REASONS })] : []));
  }
}

/** Show the gates that hold the station, again only when they change: somebody may be typing. */
function showGates(gates) {
  const key = JSON.stringify(gates);
  if (key === shownGates) return;
  shownGates = key;
  by("gates-panel").hidden = !gates.length;
  by("gates").replaceChildren(...gates.map(([i, { why, since }]) => {
    const { name } = about.quality.gates[i];
    return el("li", { data: { gate: name } }, el("p", { class: "gate-held", dir: "auto", text: `${words(name)}, since ${since}: ${words(why)}` }), ...gateForm(about, name));
  }));
}

function onItems(items) {
  for (const [key, value] of Object.entries(items)) {
    const [kind, row] = key.split("/");
    if (kind === "server") states[row] = value;
    else if (kind === "waiting") waiting[row] = value;
    else if (kind === "held" && row !== "") value ? held.set(Number(row), value) : held.delete(Number(row));
    else if (kind === "gate" && row !== "") value ? closed.set(Number(row), value) : closed.delete(Number(row));
    else if (kind === "clock") say(by("time"), value.time);
  }
  show();
}

let heard = performance.now();
let isOut = false;
function tellAge() {
  const waited_s = (performance.now() - heard) / 1000;
  const isCut = isOut || waited_s > CUT_S;
  mark(by("age"), "age", isCut ? "cut" : "fresh");
  mark(document.documentElement, "old", String(isCut));
  say(by("age"), isOut ? "Logged out. Load the page again to log in." : isCut ? `No connection for ${span(waited_s)}: what you see is as old as that.` : "Up to date.");
}
setInterval(tellAge, 500);
follow({
  onItems(items) { heard = performance.now(); onItems(items); },
  onAlive() { heard = performance.now(); },
  onCut: tellAge,
  onLoggedOut() { isOut = true; tellAge(); },
});
