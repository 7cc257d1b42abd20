// Whether the line is still that of its model: what drifts, what is proposed, and what
// that would do. The page changes nothing: what is proposed has to be ratified.

import { count, el, mark, percent, say, words } from "/dom.js";

const DRIFTS = "drifting since";
const WORDS = { "too few": "too few to say" };

/** Return a time with three digits, in the unit in which one would say it. */
function time(seconds) {
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    if (seconds >= size) return `${Number((seconds / size).toPrecision(3))} ${unit}`;
  }
  return `${Number((seconds * 1000).toPrecision(3))} ms`;
}

const number = (value, digits = 4) => (value === null ? "–" : String(Number(value.toPrecision(digits))));
const signed = (value, digits = 3) => (value > 0 ? `+${number(value, digits)}` : number(value, digits));

/** Say a chance as one can know it from some simulations: never 0 or 100%. */
function chance([share, low, high]) {
  if (share >= 1) return `over ${Math.floor(100 * low)}%`;
  if (share <= 0) return `under ${Math.ceil(100 * high)}%`;
  return percent(share);
}

function table(heads, rows) {
  const head = heads.map(([text, name]) => el("th", { scope: "col", class: name ?? "", text }));
  const made = el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows));
  return el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": heads.map(([text]) => text).join(", ") }, made);
}

export class Drift {
  constructor() {
    this.panel = document.getElementById("drift-panel");
    this.note = document.getElementById("drift-note");
    this.body = document.getElementById("drift");
    this.inputs = new Map();
    this.now = null;
    this.isOpen = false;
  }

  update(items) {
    let changed = false;
    for (const [key, value] of Object.entries(items)) {
      if (key === "drift") this.now = value;
      else if (key.startsWith("drift_input/") && key !== "drift_input/") {
        if (value === null) this.inputs.delete(Number(key.slice(12)));
        else this.inputs.set(Number(key.slice(12)), value);
      } else continue;
      changed = true;
    }
    if (changed && this.now) this.show();
  }

  show() {
    const { problem, since, counts, proposal, is_working } = this.now;
    if (problem) {
      say(this.note, `It cannot be said: ${problem}. What stands below is from before; it is tried again.`);
      return;
    }
    const all = [...this.inputs.values()];
    const drifting = all.filter((one) => one.verdict === DRIFTS);
    mark(this.panel, "drifts", String(drifting.length > 0));
    const told = [DRIFTS, "within", "too few"].filter((word) => counts[word]).map((word) => `${count(counts[word])} ${word === DRIFTS ? "drifting" : (WORDS[word] ?? word)}`);
    const from = since ? ` since ${since}` : "";
    say(this.note, all.length ? `Of ${count(all.length)} inputs with times in the journal${from}: ${told.join(", ")}. Any false alarm has a chance of 1%, however often one looks.` : "Nothing was worked on yet.");
    const parts = [];
    if (drifting.length) parts.push(this.table(drifting));
    if (proposal) parts.push(...this.proposed(proposal));
    else if (is_working) parts.push(el("p", { class: "note", text: "What that does to throughput, flow time and targets is being simulated." }));
    if (all.length) parts.push(this.others(all));
    this.body.replaceChildren(...parts);
  }

  table(inputs) {
    const rows = inputs.map((one) => {
      const isAway = one.verdict === DRIFTS;
      return el(
        "tr",
        { data: { input: `${one.station} ${one.measure}`, verdict: one.verdict } },
        el("th", { scope: "row", dir: "auto" }, words(one.station), el("span", { class: "below", dir: "auto", text: words(one.measure) })),
        el("td", {}, el("span", { class: "pill", data: { verdict: one.verdict }, text: WORDS[one.verdict] ?? one.verdict }), ...(isAway ? [el("span", { class: "below", text: one.since })] : [])),
        el("td", { class: "n", text: time(one.model_s) }),
        el("td", { class: "n", text: time(one.log_s) }),
        el("td", { class: "n", text: count(isAway ? one.n_since : one.n) }),
      );
    });
    return table([["input"], ["verdict"], ["model", "n"], ["now", "n"], ["times", "n"]], rows);
  }

  proposed({ overlay, effect, targets, replications }) {
    const rows = effect.map(({ measure, model, now, difference, significant }) => {
      const [mean, low, high] = difference;
      return el(
        "tr",
        { data: { effect: measure } },
        el("th", { scope: "row", dir: "auto", text: words(measure) }),
        el("td", { class: "n", text: number(model[0]) }),
        el("td", { class: "n", text: number(now[0]) }),
        el("td", { class: "n" }, significant ? el("b", { text: signed(mean) }) : signed(mean), el("span", { class: "below", text: `${signed(low, 2)} to ${signed(high, 2)}` })),
      );
    });
    const chances = targets.map(({ name, model, now }) =>
      el("tr", { data: { target: name } }, el("th", { scope: "row", dir: "auto", text: `chance of ${words(name)}` }), el("td", { class: "n", text: chance(model) }), el("td", { class: "n", text: chance(now) }), el("td", { class: "n", text: now[0] === model[0] ? "–" : `${signed(100 * (now[0] - model[0]))} points` })),
    );
    const link = (name) => el("a", { href: `/api/${name}`, download: name, text: name });
    return [
      el(
        "div",
        { class: "apart" },
        el("div", {}, el("h3", { text: "What it does to plan and targets" }), table([["measure"], ["model", "n"], ["now", "n"], ["difference", "n"]], [...rows, ...chances]), el("p", { class: "note", text: `${count(replications)} pairs of simulations on the same random numbers, over the study of the model; intervals of 95%.` })),
        el(
          "div",
          {},
          el("h3", { text: "Proposed" }),
          el("pre", { dir: "auto", id: "drift-overlay", text: overlay }),
          el("p", { text: "Nothing is changed by this page, nor by anybody, before it is ratified:" }),
          el("ol", {}, el("li", {}, "Save ", link("drift.json"), " (and ", link("drift.yaml"), ", to look at or to simulate with)."), el("li", {}, "Beside the model: ", el("code", { text: "linewright ratify MODEL drift.json --by NAME --reason TEXT" })), el("li", { text: "Run the line with the decision's file; a changed model begins another journal." })),
        ),
      ),
    ];
  }

  /** Every input with its verdict; open or shut as one has left it. */
  others(all) {
    const made = el("details", {}, el("summary", { text: `All ${count(all.length)} inputs` }), this.table(all));
    made.open = this.isOpen;
    made.addEventListener("toggle", () => (this.isOpen = made.open));
    return made;
  }
}
