/* What one asks of the chart: another view, an order, an operation, what is late. */

const data = JSON.parse(document.getElementById("schedule").textContent);
const times = new Times(data);
const by = (id) => document.getElementById(id);
const MOST_ORDERS = 400;

function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "text") made.textContent = value;
    else if (name === "data") Object.assign(made.dataset, value);
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const operationsOf = new Map(); // part and order: its operations in time
for (let i = 0; i < data.planned.begin.length; i++) {
  const key = `${data.planned.order[i]}/${data.planned.part[i]}`;
  if (!operationsOf.has(key)) operationsOf.set(key, []);
  operationsOf.get(key).push(i);
}
for (const list of operationsOf.values()) list.sort((a, b) => data.planned.begin[a] - data.planned.begin[b]);

const chart = new Chart(data, times, { onPick: pick, onPoint: point });
let view = "station";
let found = null; // orders that are searched for

function show() {
  const isShown = (order) => !found || found.has(order);
  const lanes = view === "station" ? byStation(data) : view === "order" ? byOrder(data, isShown) : byPool(data);
  by("nothing").hidden = lanes.rows.length > 0;
  chart.show(lanes);
}

// ---------------------------------------------------------------- picking

function pick(what) {
  const { planned } = data;
  if (!what || (!what.bar && what.row.kind !== "order")) {
    chart.picked = { order: -1, bar: -1 };
    by("details").hidden = true;
  } else {
    const bar = what.bar ? what.bar.i : -1;
    chart.picked = { order: what.bar ? planned.order[bar] : what.row.order, bar };
    if (what.bar && what.bar.all.length > 1) tellBatch(what.bar.all);
    else tell(chart.picked.order, bar);
  }
  chart.draw();
}

/* Pick an operation from elsewhere, and bring it into view. */
function pickOperation(i) {
  const { planned } = data;
  const row = chart.lanes.rows.find((one) => one.bars.some((bar) => bar.all.includes(i)));
  chart.picked = { order: planned.order[i], bar: i };
  tell(planned.order[i], i);
  chart.goTo(planned.begin[i], planned.leave[i], row);
}

function pickOrder(o) {
  const mine = [];
  for (let i = 0; i < data.planned.begin.length; i++) if (data.planned.order[i] === o) mine.push(i);
  chart.picked = { order: o, bar: -1 };
  tell(o, -1);
  if (!mine.length) { chart.draw(); return; }
  const from = mine.reduce((least, i) => Math.min(least, data.planned.begin[i]), Infinity);
  const until = mine.reduce((most, i) => Math.max(most, data.planned.leave[i]), -Infinity);
  const row = chart.lanes.rows.find((one) => (one.kind === "order" ? one.order === o : one.bars.some((bar) => mine.includes(bar.i))));
  chart.goTo(from, until, row);
  by("box").scrollIntoView({ block: "nearest" });
}

function facts(list) {
  return el("dl", {}, ...list.filter(([, text]) => text).flatMap(([name, text]) => [el("dt", { text: name }), el("dd", { text, dir: "auto" })]));
}

function lateness(order) {
  if (order.done === null) return "not done within the schedule";
  if (order.due === null) return "";
  const by_ = order.done - order.due;
  return by_ > 0 ? `${lasting(by_)} late` : `${lasting(-by_)} to spare`;
}

function chanceText({ chance }) {
  if (!chance) return "";
  const [mean, low, high] = chance.map((share) => `${Math.round(100 * share)}%`);
  return `${mean} (${low} to ${high}), in simulated futures`;
}

function orderFacts(o) {
  const order = data.orders[o];
  return [
    ["product", `${count(order.quantity)} ${words(data.products[order.product])}`],
    ["released", times.text(order.release)],
    ["due", order.due === null ? "no date" : times.text(order.due)],
    ["done", order.done === null ? "not within the schedule" : times.text(order.done)],
    ["that is", lateness(order)],
    ["on time", chanceText(order)],
  ];
}

function tell(o, i) {
  const { planned, names, lanes, orders } = data;
  by("details").hidden = false;
  by("details-title").textContent = i < 0 ? `Order ${orders[o].name}` : `${words(names[planned.operation[i]])} of ${names[planned.part[i]]}`;
  const body = [];
  if (i >= 0) {
    const lane = lanes[planned.station[i]];
    const server = lane.servers > 1 ? `, server ${planned.server[i] + 1}` : "";
    body.push(facts([
      ["at", `${words(lane.name)}${server}`],
      ["setup", planned.setup[i] ? lasting(planned.setup[i]) : ""],
      ["begins", times.text(planned.begin[i])],
      ["ends", times.text(planned.end[i])],
      ["leaves", planned.leave[i] > planned.end[i] ? `${times.text(planned.leave[i])}: no room ahead` : ""],
    ]));
    const list = operationsOf.get(`${o}/${planned.part[i]}`);
    body.push(el("h3", { text: `The way of ${names[planned.part[i]]}` }), el("ol", {}, ...list.map((j) => el(
      "li",
      j === i ? { class: "here" } : {},
      el("button", { type: "button", class: "link", onclick: () => pickOperation(j), text: words(names[planned.operation[j]]) }),
      ` ${words(lanes[planned.station[j]].name)}, ${times.text(planned.begin[j])}`,
    ))));
    body.push(el("h3", { text: `Order ${orders[o].name}` }));
  }
  body.push(facts(orderFacts(o)));
  if (orders[o].why.length) {
    body.push(el("h3", { text: "Why it is late" }), el("ul", {}, ...orders[o].why.map((text) => el("li", { text, dir: "auto" }))));
  }
  by("details-body").replaceChildren(...body);
}

function tellBatch(all) {
  const { planned, names, orders } = data;
  by("details").hidden = false;
  const [i] = all;
  by("details-title").textContent = `${words(names[planned.operation[i]])}: a batch of ${all.length}`;
  by("details-body").replaceChildren(
    facts([["at", words(data.lanes[planned.station[i]].name)], ["begins", times.text(planned.begin[i])], ["ends", times.text(planned.end[i])]]),
    el("ul", {}, ...all.slice(0, 60).map((j) => el("li", {},
      el("button", { type: "button", class: "link", onclick: () => pickOperation(j), text: names[planned.part[j]] }), ` for ${orders[planned.order[j]].name}`))),
  );
}

function point(what, event) {
  const tip = by("tip");
  if (!what?.bar) { tip.hidden = true; return; }
  const { planned, names, orders } = data;
  const { i, all } = what.bar;
  const lines = [
    all.length > 1 ? `${all.length} parts in one batch` : `${names[planned.part[i]]}, order ${orders[planned.order[i]].name}`,
    words(names[planned.operation[i]]),
    `${times.text(planned.begin[i])} to ${times.text(planned.end[i])}`,
  ];
  tip.replaceChildren(...lines.map((text) => el("span", { text, dir: "auto" })));
  tip.hidden = false;
  const { clientWidth, clientHeight } = document.documentElement;
  tip.style.left = `${Math.min(event.clientX + 14, clientWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.min(event.clientY + 16, clientHeight - tip.offsetHeight - 8)}px`;
}

// ---------------------------------------------------------------- controls

for (const button of document.querySelectorAll("[data-view]")) {
  if (button.dataset.view === "pool" && !data.pools.length) button.hidden = true;
  button.addEventListener("click", () => {
    view = button.dataset.view;
    for (const one of document.querySelectorAll("[data-view]")) one.setAttribute("aria-pressed", String(one === button));
    chart.box.scrollTop = 0;
    show();
  });
}
by("in").addEventListener("click", () => chart.zoom(1.6));
by("out").addEventListener("click", () => chart.zoom(1 / 1.6));
by("all").addEventListener("click", () => chart.fitAll());
by("close").addEventListener("click", () => pick(null));
by("find").addEventListener("input", search);
by("late").addEventListener("change", search);

function search() {
  const text = by("find").value.trim().toLowerCase();
  const onlyLate = by("late").checked;
  found = null;
  if (text || onlyLate) {
    const parts = new Map();
    if (text) {
      for (let i = 0; i < data.planned.begin.length; i++) {
        if (data.names[data.planned.part[i]].toLowerCase().includes(text)) parts.set(data.planned.order[i], true);
      }
    }
    found = new Set(data.orders.filter((order, o) =>
      (!onlyLate || isLate(order)) && (!text || parts.has(o) || order.name.toLowerCase().includes(text) || words(data.products[order.product]).toLowerCase().includes(text))));
  }
  if (view === "order") show();
  listOrders();
}

function listOrders() {
  const wanted = data.orders.map((order, o) => ({ order, o })).filter(({ order }) => !found || found.has(order));
  const late = ({ order }) => (order.due === null || order.done === null ? -Infinity : order.done - order.due);
  wanted.sort((a, b) => late(b) - late(a));
  by("orders-note").textContent = wanted.length > MOST_ORDERS ? `The ${count(MOST_ORDERS)} latest of ${count(wanted.length)} orders; search for others.` : `${count(wanted.length)} orders, the latest first.`;
  const hasChance = data.orders.some((order) => order.chance);
  by("chance-head").hidden = !hasChance;
  by("orders").replaceChildren(...wanted.slice(0, MOST_ORDERS).map(({ order, o }) => el(
    "tr",
    { data: { late: String(isLate(order)) } },
    el("th", { scope: "row" }, el("button", { type: "button", class: "link", dir: "auto", onclick: () => pickOrder(o), text: order.name })),
    el("td", { text: words(data.products[order.product]), dir: "auto" }),
    el("td", { class: "n", text: count(order.quantity) }),
    el("td", { text: order.due === null ? "\u2013" : times.text(order.due) }),
    el("td", { text: order.done === null ? "\u2013" : times.text(order.done) }),
    el("td", { class: "state", text: lateness(order) }),
    ...(hasChance ? [el("td", { class: "n", text: order.chance ? `${Math.round(100 * order.chance[0])}%` : "\u2013" })] : []),
  )));
}

by("legend").append(...data.products.map((name, k) => el("li", {}, el("i", { class: `hue-${k % N_HUES}` }), el("span", { text: words(name), dir: "auto" }))));
if (data.happened.begin.length) by("legend").append(el("li", {}, el("i", { class: "really" }), el("span", { text: "what happened" })));
listOrders();
show();
