// What people ask of the line: a request goes to the server, and its answer is shown.

import { el, say, words } from "/dom.js";

const LATER = "Nobody has looked at it yet: it is done as soon as the controller runs.";

/** Ask for something; return whether it was done, and what was said. */
export async function ask(what, data, why) {
  let answer;
  try {
    answer = await fetch("/api/requests", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ what, data, why, key: newKey() }),
    });
  } catch {
    return { ok: false, text: "The server does not answer; nobody knows whether it was asked." };
  }
  const found = await answer.json().catch(() => ({ error: answer.statusText }));
  if (found.error) return { ok: false, text: sentence(found.error) };
  const [{ is_accepted, text }] = found.requests;
  return { ok: is_accepted !== false, text: is_accepted === null ? LATER : sentence(text) };
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

/**
 * Make buttons that ask, with one reason for all of them.
 *
 * @param {{label: string, what: string, data: Function, main?: boolean, needsWhy?: boolean}[]} choices
 */
export function askForm(choices, { label = "Reason", reasons = [] } = {}) {
  const why = el("input", { class: "why", maxlength: "300", placeholder: label, "aria-label": label });
  const told = el("p", { class: "told", role: "status" });
  const quick = reasons.map((text) => el("button", { type: "button", class: "quick", text, onclick: () => { why.value = text; } }));
  const buttons = choices.map(({ label: text, what, data, needsWhy = true, kind = "" }) =>
    el("button", {
      type: "button",
      class: kind,
      data: { ask: what },
      text,
      onclick: async () => {
        if (needsWhy && !why.value.trim()) {
          say(told, "Say why first: it stands in the journal, with your name.");
          told.dataset.ok = "false";
          why.focus();
          return;
        }
        for (const button of buttons) button.disabled = true;
        say(told, "Asked.");
        const { ok, text: answer } = await ask(what, data(), why.value.trim());
        for (const button of buttons) button.disabled = false;
        told.dataset.ok = String(ok);
        say(told, answer);
        if (ok) why.value = "";
      },
    }),
  );
  const needsReason = choices.some(({ needsWhy = true }) => needsWhy);
  return el(
    "div",
    { class: "ask" },
    ...(needsReason ? [...(quick.length ? [el("div", { class: "row" }, ...quick)] : []), why] : []),
    el("div", { class: "row" }, ...buttons),
    told,
  );
}

export const mayOperate = (you) => you.role !== "viewer";
export const mayPlan = (you) => you.role === "engineer";

/** What may be said of a station. */
export function stationChoices(name, held) {
  const data = () => ({ stations: [name] });
  if (held) return [{ label: "Let it go on", what: "resume", data, needsWhy: false, kind: "main" }];
  return [
    { label: "Stop at the end of what it does", what: "hold", data },
    { label: "Stop at once", what: "hold", data: () => ({ stations: [name], is_now: true }), kind: "bad" },
  ];
}

/** What may be said of a unit that is in the line. */
export function unitChoices(unit) {
  const data = () => ({ unit });
  return [
    { label: "It is good", what: "unit good", data },
    { label: "Scrap it", what: "unit scrapped", data, kind: "bad" },
  ];
}

/** What may be said of a job of which nobody knows whether it was done. */
export function jobChoices(job) {
  return [
    { label: "It was done, and is good", what: "job done", data: () => ({ job }) },
    { label: "It was not done", what: "job not done", data: () => ({ job }) },
  ];
}

/** What may be said of a gate that holds the work. */
export const gateChoices = (gate) => [{ label: "Release the gate", what: "gate release", data: () => ({ gate }), kind: "main" }];

/** What may be said of an alarm; of one about a job that is open, what became of that. */
export function alarmChoices(alarm, job) {
  const verdicts = [["It was done, and is good", "pass"], ["Done, to rework", "rework"], ["Done, scrap", "scrap"]];
  const decisions = job ? verdicts.map(([label, verdict]) => ({ label, what: "job done", data: () => ({ job, verdict }) })) : [];
  return [...decisions, { label: "It is settled", what: "alarm settled", data: () => ({ alarm }) }];
}

/** What may be said of an order. */
export function orderChoices(order) {
  const data = () => ({ order: order.name });
  const choices = [];
  if (order.state === "held") choices.push({ label: "Release it", what: "order release", data, needsWhy: false, kind: "main" });
  else choices.push({ label: "Hold it", what: "order hold", data, needsWhy: false });
  if (order.state === "to come") choices.push({ label: "Release it now", what: "order release", data: () => ({ order: order.name, is_now: true }), needsWhy: false });
  choices.push({ label: "Cancel it", what: "order cancel", data, kind: "bad" });
  return choices;
}

/** A form for a new order; `onTold` is called with what became of it. */
export function orderForm(products) {
  const field = (label, input) => el("label", {}, el("span", { text: label }), input);
  const product = el("select", { name: "product" }, ...products.filter(({ sold }) => sold).map(({ name }) => el("option", { value: name, text: words(name) })));
  const quantity = el("input", { type: "number", min: "1", max: "1000000", value: "1", required: "" });
  const name = el("input", { maxlength: "120", placeholder: "a number is given" });
  const due = el("input", { type: "datetime-local" });
  const priority = el("input", { type: "number", step: "1", placeholder: "0" });
  const held = el("input", { type: "checkbox" });
  const told = el("p", { class: "told", role: "status" });
  const send = el("button", { type: "submit", class: "main", text: "Bring the order" });
  const form = el(
    "form",
    { class: "fields" },
    field("Product", product), field("Units", quantity), field("Name", name), field("Due", due), field("Priority, higher first", priority),
    el("label", { class: "check" }, held, el("span", { text: "Hold it for now" })),
    el("div", { class: "row" }, send),
    told,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const data = { product: product.value, quantity: Number(quantity.value), is_held: held.checked };
    if (name.value.trim()) data.name = name.value.trim();
    if (due.value) data.due = due.value;
    if (priority.value) data.priority = Number(priority.value);
    send.disabled = true;
    const { ok, text } = await ask("order", data, "");
    send.disabled = false;
    told.dataset.ok = String(ok);
    say(told, text);
  });
  return form;
}
