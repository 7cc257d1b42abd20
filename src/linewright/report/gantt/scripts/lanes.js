/* The three ways to look at a schedule: what stands in which row.

A row has a label, a height, and bars: places in the columns of what is planned. Bars of
one batch share a place, and are one bar with a number.
*/

const ROW = 24;
const POOL_ROW = 58;

function byStation(data) {
  const rows = [];
  const first = [];
  data.lanes.forEach((lane, k) => {
    first.push(rows.length);
    for (let server = 0; server < lane.servers; server++) {
      rows.push({
        kind: "server", label: server ? "" : words(lane.name), note: lane.servers > 1 ? String(server + 1) : "",
        group: k, height: ROW, off: lane.off, bars: [], happened: [],
      });
    }
  });
  for (const kind of ["planned", "happened"]) {
    const { station, server, begin } = data[kind];
    const seen = new Map();
    for (let i = 0; i < begin.length; i++) {
      const row = first[station[i]] + server[i];
      const key = row * 2 ** 40 + begin[i];
      const bar = seen.get(key);
      if (bar) bar.all.push(i);
      else {
        const made = { i, all: [i], sub: 0 };
        seen.set(key, made);
        rows[row][kind === "planned" ? "bars" : "happened"].push(made);
      }
    }
  }
  return finish(rows, data);
}

function byOrder(data, isShown) {
  const { order, begin, leave } = data.planned;
  const mine = data.orders.map(() => []);
  for (let i = 0; i < begin.length; i++) mine[order[i]].push(i);
  const wanted = data.orders.map((_, o) => o).filter((o) => isShown(data.orders[o]));
  const due = (o) => data.orders[o].due ?? Infinity;
  wanted.sort((a, b) => due(a) - due(b) || a - b);
  const rows = [];
  for (const o of wanted) {
    const ends = [];
    const bars = [];
    for (const i of mine[o].sort((a, b) => begin[a] - begin[b])) {
      let sub = ends.findIndex((end) => end <= begin[i]);
      if (sub < 0) sub = ends.push(0) - 1;
      ends[sub] = leave[i];
      bars.push({ i, all: [i], sub });
    }
    rows.push({
      kind: "order", order: o, label: data.orders[o].name, note: words(data.products[data.orders[o].product]),
      group: rows.length, height: Math.max(ends.length, 1) * 13 + 9, off: [], bars, happened: [],
    });
  }
  return finish(rows, data);
}

function byPool(data) {
  return finish(data.pools.map((pool, k) => ({
    kind: "pool", pool, label: words(pool.name), note: `of ${pool.capacity}`,
    group: k, height: POOL_ROW, off: [], bars: [], happened: [],
  })), data);
}

/* Sort the bars of each row, and say where each row begins. */
function finish(rows, data) {
  let top = 0;
  for (const row of rows) {
    row.top = top;
    top += row.height;
    row.bars.sort((a, b) => data.planned.begin[a.i] - data.planned.begin[b.i]);
    row.happened.sort((a, b) => data.happened.begin[a.i] - data.happened.begin[b.i]);
    // bars of orders overlap, so the longest decides how far back one has to look
    row.longest = row.bars.reduce((most, { i }) => Math.max(most, data.planned.leave[i] - data.planned.begin[i]), 0);
  }
  return { rows, height: top };
}

/* The first bar that can reach into what is seen from an instant on. */
function firstSeen(bars, begin, from) {
  let [low, high] = [0, bars.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (begin[bars[middle].i] < from) low = middle + 1;
    else high = middle;
  }
  return low;
}
