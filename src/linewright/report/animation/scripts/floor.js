/* The drawing: stations with their servers, buffers, and the parts between them.

Boxes come with the data and stay; what is in them is drawn from a `Cursor`. A part is a
token. Each token has a home, by where its part is and who is there before it; when the
home changes the token glides there, for a moment of the viewer's time and none of the
plant's. Parts that are carried take the time that it takes.
*/

const SVG = "http://www.w3.org/2000/svg";
const GLIDE_MS = 450;
const MOST_GLIDES = 160; // more at once are a blur, and jump
const CELL = 22, CELL_GAP = 2.5, CELLS_TOP = 24, PAD = 8;
const SMALL = 0.62, SMALL_STEP = 13;
const SHAPES = {
  circle: "M0-9A9 9 0 1 1 0 9A9 9 0 1 1 0-9z",
  square: "M-7-8.5H7A1.5 1.5 0 0 1 8.5-7V7A1.5 1.5 0 0 1 7 8.5H-7A1.5 1.5 0 0 1-8.5 7V-7A1.5 1.5 0 0 1-7-8.5z",
};

function svg(tag, attributes = {}, parent = null, text = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

function drawToken(product, attributes, parent) {
  const g = svg("g", { class: "token", ...attributes }, parent);
  svg("path", { d: SHAPES[product.shape], style: `fill:var(--hue-${product.hue})` }, g);
  svg("text", { y: 3.6, class: product.code.length > 1 ? "two" : "" }, g, product.code);
  return g;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

class Floor {
  constructor(root, film) {
    this.root = root;
    this.film = film;
    this.tokens = new Map();
    this.gliding = new Set();
    this.dirtyStations = new Set();
    this.dirtyBuffers = new Set();
    this.shown = new Int32Array(film.nServers).fill(-2);
    this.selected = null;
    this.#drawGround(film.data.floor);
    this.cards = film.data.stations.map((station, k) => this.#drawCard(station, k));
    this.nodes = film.data.buffers.map((buffer, b) => this.#drawNode(buffer, b));
    this.#findOwners();
    this.tokenLayer = svg("g", {}, root);
    const marks = svg("g", { "aria-hidden": "true" }, root); // above the tokens
    for (const card of this.cards) for (const { mark } of card.cells) marks.append(mark);
  }

  // ---------------------------------------------------------------- what stays

  #drawGround(floor) {
    const [width, height] = floor.size;
    this.root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.root.style.setProperty("--shape", width / height);
    this.root.style.setProperty("--width", `${width}px`);
    this.root.classList.toggle("tall", height > 0.7 * width); // fits no window, and scrolls
    const ground = svg("g", { "aria-hidden": "true" }, this.root);
    for (const [kind, areas] of [["band", floor.bands], ["room", floor.rooms]]) {
      for (const { label, box: [x, y, w, h] } of areas) {
        svg("rect", { class: kind, x, y, width: w, height: h, rx: kind === "band" ? 6 : 2 }, ground);
        if (label) svg("text", { class: `${kind}-name`, x: x + 7, y: y + (kind === "band" ? 18 : 14) }, ground, label);
      }
    }
    this.ways = new Map();
    for (const way of floor.ways) {
      const g = svg("g", { class: way.rework ? "way rework" : "way" }, ground);
      const path = svg("path", { d: way.path, class: "line" }, g);
      svg("path", { d: way.tip, class: "tip" }, g);
      this.ways.set(`${way.from}\n${way.to}`, { g, path, way, length: 0 });
    }
  }

  #drawCard(station, k) {
    const [x, y, width, height] = station.box;
    const g = svg("g", {
      class: "card", transform: `translate(${x} ${y})`, tabindex: 0, role: "button",
      "data-station": k, "aria-label": `Station ${station.name}`,
    }, this.root);
    svg("title", {}, g, station.name);
    svg("rect", { class: "box", width, height, rx: 5 }, g);
    svg("text", { class: "name", x: PAD, y: 17 }, g, station.label);
    const card = {
      g, x, y, width, height, cells: [], bars: null,
      waiting: svg("text", { class: "count", x: width - PAD, y: 61 }, g),
      out: svg("text", { class: "count", x: width - PAD, y: 39 }, g),
    };
    const room = width - 2 * PAD;
    const size = Math.min(CELL, (room + CELL_GAP) / station.servers - CELL_GAP);
    if (size < 5) card.bars = this.#drawBars(g, room);
    else for (let i = 0; i < station.servers; i++) card.cells.push(this.#drawCell(g, i, size));
    card.size = size;
    return card;
  }

  #drawCell(g, i, size) {
    const x = PAD + i * (size + CELL_GAP), y = CELLS_TOP + (CELL - size) / 2;
    return {
      x: x + size / 2, y: y + size / 2, size,
      rect: svg("rect", { class: "server", x, y, width: size, height: size, rx: 3 }, g),
      mark: svg("text", { class: "mark" }, g),
      progress: svg("rect", { class: "progress", x, y: y + size - 2.5, width: 0, height: 2.5 }, g),
    };
  }

  /* Many servers are one bar, a stretch for each state. */
  #drawBars(g, room) {
    const rects = this.film.data.states.map((state) =>
      svg("rect", { y: CELLS_TOP + 2, height: CELL - 4, style: `fill:var(--${state.role})` }, g));
    return { rects, room };
  }

  #drawNode(buffer, b) {
    if (!buffer.box) return null;
    const [x, y, width, height] = buffer.box;
    const g = svg("g", {
      class: "card store", transform: `translate(${x} ${y})`, tabindex: 0, role: "button",
      "data-buffer": b, "aria-label": `Buffer ${buffer.name}`,
    }, this.root);
    svg("title", {}, g, buffer.name);
    svg("rect", { class: "box", width, height, rx: 12 }, g);
    svg("text", { class: "name", x: PAD, y: 15 }, g, buffer.label);
    svg("rect", { class: "trough", x: PAD, y: height - 6, width: width - 2 * PAD, height: 3, rx: 1.5 }, g);
    return {
      g, x, y, width, height,
      count: svg("text", { class: "count", x: width - PAD, y: 29 }, g),
      fill: svg("rect", { class: "fill", x: PAD, y: height - 6, width: 0, height: 3, rx: 1.5 }, g),
    };
  }

  #findOwners() {
    const names = this.film.data.stations.map((station) => station.name);
    this.ownerOf = this.film.data.buffers.map((buffer) => names.indexOf(buffer.own));
    this.inputOf = names.map(() => -1);
    this.outputOf = names.map(() => -1);
    this.film.data.buffers.forEach((buffer, b) => {
      if (buffer.role === "input") this.inputOf[this.ownerOf[b]] = b;
      if (buffer.role === "output") this.outputOf[this.ownerOf[b]] = b;
    });
  }

  // ---------------------------------------------------------------- where a part is

  /* The box where a spot is; nothing for one that is nowhere on the floor. */
  boxOf(spot) {
    const { data, kindOf, stationOf } = this.film;
    if (spot < 0) return null;
    const kind = kindOf[spot], row = data.spots.row[spot], buffer = data.spots.buffer[spot];
    if (isOnServer(kind)) return this.cards[stationOf[row]];
    if (kind === "used") return row >= 0 ? this.cards[row] : null;
    if (buffer >= 0 && this.nodes[buffer]) return this.nodes[buffer];
    if (buffer >= 0 && this.ownerOf[buffer] >= 0) return this.cards[this.ownerOf[buffer]];
    return kind === "moving" && row >= 0 ? this.cards[row] : null;
  }

  noteMove(part, old, spot) {
    for (const each of [old, spot]) {
      if (each < 0) continue;
      const { data, kindOf, stationOf } = this.film;
      const buffer = data.spots.buffer[each];
      if (isOnServer(kindOf[each])) this.dirtyStations.add(stationOf[data.spots.row[each]]);
      if (buffer < 0) continue;
      if (this.nodes[buffer]) this.dirtyBuffers.add(buffer);
      else this.dirtyStations.add(this.ownerOf[buffer]);
    }
    const kind = this.film.kindOf[spot];
    if (isGone(kind)) this.#leave(part, spot);
  }

  // ---------------------------------------------------------------- drawing a state

  /* Draws the state of a cursor; `glides` says whether tokens may take their time. */
  draw(cursor, now, glides) {
    this.glides = glides && this.gliding.size < MOST_GLIDES;
    this.now = now;
    for (const k of this.dirtyStations) this.#settleStation(cursor, k);
    for (const b of this.dirtyBuffers) this.#settleBuffer(cursor, b);
    this.dirtyStations.clear();
    this.dirtyBuffers.clear();
    this.#drawServers(cursor);
    for (const part of cursor.moving) this.#carry(cursor, part);
    for (const token of this.gliding) this.#glide(token);
  }

  /* Draws the state of a cursor anew, every token in its home. */
  drawAfresh(cursor) {
    for (const token of this.tokens.values()) token.g.remove();
    for (const token of this.gliding) token.g.remove();
    this.tokens.clear();
    this.gliding.clear();
    this.film.data.stations.forEach((_, k) => this.dirtyStations.add(k));
    this.nodes.forEach((node, b) => { if (node) this.dirtyBuffers.add(b); });
    this.draw(cursor, 0, false);
  }

  #settleStation(cursor, k) {
    const { data } = this.film, card = this.cards[k], station = data.stations[k];
    for (let i = 0; i < station.servers; i++) {
      const parts = cursor.onServer[station.first + i], cell = card.cells[i];
      parts.forEach((part, n) => {
        if (n || !cell || cell.size < 12) this.#hide(part);
        else this.#home(part, card.x + cell.x, card.y + cell.y, cell.size / (CELL + 2));
      });
      if (cell) this.#markCell(cursor, station.first + i, card, cell);
    }
    this.#settleQueue(cursor, k, card);
    const output = this.outputOf[k];
    if (output >= 0) this.#settleOutput(cursor, output, card);
  }

  #settleQueue(cursor, k, card) {
    const input = this.inputOf[k];
    if (input < 0) return;
    const waiting = cursor.inBuffer[input].filter((part) => !cursor.moving.has(part));
    this.#row(waiting, 6, card.x + PAD + 6, card.y + 57);
    const { slots } = this.film.data.buffers[input];
    const level = cursor.inBuffer[input].length;
    setText(card.waiting, slots ? `${level}/${slots}` : level ? String(level) : "");
  }

  #settleOutput(cursor, output, card) {
    const parts = cursor.inBuffer[output], { slots } = this.film.data.buffers[output];
    setText(card.out, parts.length ? `out ${parts.length}${slots === null ? "" : "/" + slots}` : "");
    parts.forEach((part, i) => {
      if (i) this.#hide(part);
      else this.#home(part, card.x + card.width - 2, card.y + 35, SMALL);
    });
  }

  #settleBuffer(cursor, b) {
    const node = this.nodes[b], parts = cursor.inBuffer[b], { slots } = this.film.data.buffers[b];
    const there = parts.filter((part) => !cursor.moving.has(part));
    this.#row(there, 3, node.x + PAD + 7, node.y + 25);
    setText(node.count, slots === null ? String(parts.length) : `${parts.length}/${slots}`);
    const share = slots === null ? Math.min(parts.length / 50, 1) : parts.length / Math.max(slots, 1);
    node.fill.setAttribute("width", Math.min(share, 1) * (node.width - 2 * PAD));
  }

  /* Small tokens side by side, the first of a queue; the number beside counts all. */
  #row(parts, most, x, y) {
    parts.forEach((part, i) => {
      if (i < most) this.#home(part, x + i * SMALL_STEP, y, SMALL);
      else this.#hide(part);
    });
  }

  /* A letter for the state, or the size of the batch: in the cell, or at its corner. */
  #markCell(cursor, server, card, cell) {
    const state = this.film.data.states[cursor.state(server)];
    const n = cursor.onServer[server].length, corner = n > 0 && cell.size >= 12;
    setText(cell.mark, n > 1 ? `\u00d7${n}` : cell.size < 12 ? "" : state.mark);
    cell.mark.setAttribute("class", corner ? "mark small" : "mark");
    cell.mark.setAttribute("x", card.x + cell.x + (corner ? cell.size / 2 : 0));
    cell.mark.setAttribute("y", card.y + cell.y + (corner ? 5 - cell.size / 2 : 4));
  }

  #drawServers(cursor) {
    const { film } = this, { data } = film;
    for (let s = 0; s < film.nServers; s++) {
      const k = film.stationOf[s], card = this.cards[k];
      const cell = card.cells[s - data.stations[k].first];
      if (this.shown[s] !== cursor.value[s]) {
        this.shown[s] = cursor.value[s];
        if (cell) {
          cell.rect.style.fill = `var(--${data.states[cursor.state(s)].role})`;
          this.#markCell(cursor, s, card, cell);
        } else {
          this.#drawShares(cursor, k, card.bars);
        }
      }
      if (cell) this.#drawProgress(cursor, s, cell);
    }
  }

  #drawShares(cursor, k, bars) {
    const station = this.film.data.stations[k];
    const counts = bars.rects.map(() => 0);
    for (let i = 0; i < station.servers; i++) counts[cursor.state(station.first + i)] += 1;
    let x = PAD;
    counts.forEach((count, state) => {
      const width = count / station.servers * bars.room;
      bars.rects[state].setAttribute("x", x);
      bars.rects[state].setAttribute("width", width);
      x += width;
    });
  }

  /* A line that grows until the server's state, or the part on it, changes next. */
  #drawProgress(cursor, server, cell) {
    const key = this.film.data.states[cursor.state(server)].key;
    let share = 0;
    if (key === "processing" || key === "setup" || key === "loading") {
      const { since, until } = this.serverStretch(cursor, server);
      share = until > since ? (cursor.time - since) / (until - since) : 0;
    }
    const width = Math.round(share * cell.size * 2) / 2;
    if (cell.drawn !== width) cell.progress.setAttribute("width", (cell.drawn = width));
  }

  /* Since when a thing is as it is, and until when. */
  stretch(cursor, thing) {
    const { film } = this, last = cursor.last[thing], next = film.changeAfter(thing, last);
    return {
      since: last < 0 ? film.from : film.at[last],
      until: next < 0 ? film.until : film.at[next],
    };
  }

  /* The same of a server in one state with one part, or one batch. */
  serverStretch(cursor, server) {
    const state = this.stretch(cursor, server), [part] = cursor.onServer[server];
    if (part === undefined) return state;
    const stay = this.stretch(cursor, this.film.firstPart + part);
    return { since: Math.max(state.since, stay.since), until: Math.min(state.until, stay.until) };
  }

  // ---------------------------------------------------------------- tokens

  #token(part) {
    const product = this.film.data.products[this.film.data.parts.product[part]];
    const g = drawToken(product, { "data-part": part }, this.tokenLayer);
    svg("title", {}, g, this.film.partName(part));
    const token = { g, part, x: NaN, y: NaN, scale: 1, from: null, to: null, start: 0, ends: false };
    if (this.selected?.part === part) g.classList.add("selected");
    this.tokens.set(part, token);
    return token;
  }

  #place(token, x, y, scale) {
    token.x = x;
    token.y = y;
    token.scale = scale;
    token.g.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${scale.toFixed(2)})`);
  }

  #home(part, x, y, scale) {
    const token = this.tokens.get(part) ?? this.#token(part);
    if (token.to ? token.to[0] === x && token.to[1] === y : token.x === x && token.y === y && token.scale === scale) return;
    if (!this.glides || Number.isNaN(token.x)) {
      this.gliding.delete(token);
      token.to = null;
      this.#place(token, x, y, scale);
      return;
    }
    token.from = [token.x, token.y, token.scale];
    token.to = [x, y, scale];
    token.start = this.now;
    this.gliding.add(token);
  }

  #hide(part) {
    const token = this.tokens.get(part);
    if (!token) return;
    this.gliding.delete(token);
    this.tokens.delete(part);
    token.g.remove();
  }

  /* Lets a part that is gone go: to where it is built in, or off the floor. */
  #leave(part, spot) {
    const token = this.tokens.get(part);
    if (!token) return;
    this.tokens.delete(part);
    const box = this.boxOf(spot);
    token.ends = true;
    token.from = [token.x, token.y, token.scale];
    token.to = box ? [box.x + box.width / 2, box.y + 35, SMALL] : [token.x + 26, token.y, 0.1];
    token.start = performance.now();
    this.gliding.add(token);
  }

  #glide(token) {
    const share = this.glides ? (this.now - token.start) / GLIDE_MS : 1;
    const done = share >= 1, eased = done ? 1 : Math.max(0, share * share * (3 - 2 * share));
    const [x, y, scale] = token.from.map((from, i) => from + (token.to[i] - from) * eased);
    this.#place(token, x, y, scale);
    if (!done) return;
    token.to = null;
    this.gliding.delete(token);
    if (token.ends) token.g.remove();
  }

  /* Puts a part that is carried where it is by now. */
  #carry(cursor, part) {
    const { film } = this, thing = film.firstPart + part;
    const last = cursor.last[thing], before = last < 0 ? -1 : film.before[last];
    const from = last < 0 ? -1 : before < 0 ? film.data.opening[thing] ?? -1 : film.value[before];
    const a = this.boxOf(from), b = this.boxOf(cursor.value[thing]);
    if (!a && !b) return this.#hide(part);
    const { since, until } = this.stretch(cursor, thing);
    const share = until > since ? (cursor.time - since) / (until - since) : 1;
    const [x, y] = this.#along(a, b, share);
    const token = this.tokens.get(part) ?? this.#token(part);
    token.to = null;
    this.gliding.delete(token);
    this.#place(token, x, y, 0.8);
  }

  #along(a, b, share) {
    if (!a || !b || a === b) {
      const box = b ?? a;
      return [box.x + box.width - 10, box.y + box.height - 6];
    }
    const names = [a, b].map((box) => this.film.data.stations[this.cards.indexOf(box)]?.name);
    const known = this.ways.get(names.join("\n"));
    if (known) {
      known.length ||= known.path.getTotalLength();
      const point = known.path.getPointAtLength(known.length * share);
      return [point.x, point.y];
    }
    const middle = (box) => [box.x + box.width / 2, box.y + box.height / 2];
    const [x0, y0] = middle(a), [x1, y1] = middle(b);
    return [x0 + (x1 - x0) * share, y0 + (y1 - y0) * share];
  }

  // ---------------------------------------------------------------- selection

  /* Whether what is selected stands in the right half of the floor. */
  isAtRight(what) {
    const [width] = this.film.data.floor.size;
    const box = what.station !== undefined ? this.cards[what.station]
      : what.buffer !== undefined ? this.nodes[what.buffer] : this.tokens.get(what.part);
    return box ? box.x + (box.width ?? 0) / 2 > width / 2 : false;
  }

  select(what) {
    for (const element of this.root.querySelectorAll(".selected")) element.classList.remove("selected");
    this.selected = what;
    const station = what?.station === undefined ? null : this.film.data.stations[what.station].name;
    this.root.classList.toggle("focused", station !== null);
    for (const { g, way } of this.ways.values()) {
      if (way.from === station || way.to === station) g.classList.add("selected");
    }
    if (what?.station !== undefined) this.cards[what.station].g.classList.add("selected");
    if (what?.buffer !== undefined) this.nodes[what.buffer]?.g.classList.add("selected");
    if (what?.part !== undefined) this.tokens.get(what.part)?.g.classList.add("selected");
  }
}
