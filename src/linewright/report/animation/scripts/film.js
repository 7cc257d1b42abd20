/* What happens: the changes of all things, and the state at any time.

A `Film` holds the changes and never moves. A `Cursor` is at one time of it and knows the
state there: the value of each thing, and who is where. It goes forward change by change,
and back, or far, from the last keyframe before; so a state never depends on the way to it.
*/

const CHANGES_PER_KEYFRAME = 4000;
const STATE_BITS = 4;

class Film {
  constructor(data) {
    this.data = data;
    this.nServers = data.stations.reduce((n, station) => n + station.servers, 0);
    this.firstBusy = this.nServers;
    this.firstPresent = this.firstBusy + data.pools.length;
    this.firstCalendar = this.firstPresent + data.pools.length;
    this.firstPart = this.firstCalendar + data.calendars.length;
    this.nParts = data.parts.product.length;
    this.nThings = this.firstPart + this.nParts;
    this.kindOf = data.spots.kind.map((kind) => data.kinds[kind]);
    this.stationOf = data.stations.flatMap((station, k) => Array(station.servers).fill(k));
    this.#readChanges(data.changes);
    this.#linkChanges();
    this.keyframes = [];
    this.#makeKeyframes();
  }

  get from() { return this.data.clock.from_us; }
  get until() { return this.data.clock.until_us; }
  get length() { return this.at.length; }

  #readChanges(changes) {
    let now = this.data.clock.from_us;
    this.at = Float64Array.from(changes.after_us, (after) => (now += after));
    this.thing = Int32Array.from(changes.thing);
    this.value = Int32Array.from(changes.value);
  }

  /* For each change, the one before it and after it of the same thing; -1 for none. */
  #linkChanges() {
    const last = new Int32Array(this.nThings).fill(-1);
    this.before = new Int32Array(this.length).fill(-1);
    this.after = new Int32Array(this.length).fill(-1);
    this.firstChange = new Int32Array(this.nThings).fill(-1);
    for (let i = 0; i < this.length; i++) {
      const thing = this.thing[i];
      this.before[i] = last[thing];
      if (last[thing] >= 0) this.after[last[thing]] = i;
      else this.firstChange[thing] = i;
      last[thing] = i;
    }
  }

  #makeKeyframes() {
    const cursor = new Cursor(this, null);
    this.keyframes.push(cursor.keyframe());
    while (cursor.next < this.length) {
      cursor.apply();
      if (cursor.next % CHANGES_PER_KEYFRAME === 0) this.keyframes.push(cursor.keyframe());
    }
  }

  /* How many changes have happened by a time, those at the time included. */
  changesUntil(time) {
    let low = 0, high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at[middle] <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /* The next change of a thing after its last one, which may be -1 for the opening. */
  changeAfter(thing, last) {
    return last < 0 ? this.firstChange[thing] : this.after[last];
  }

  partName(part) {
    const { product, number } = this.data.parts;
    return `${this.data.products[product[part]].name}:${number[part]}`;
  }
}

class Cursor {
  /* Starts at the opening; without a keyframe it is built from the data. */
  constructor(film, keyframe = film.keyframes[0]) {
    this.film = film;
    this.onMove = null; // told of each part that changes its spot
    if (keyframe) this.#restore(keyframe);
    else this.#open();
  }

  #open() {
    const { film } = this;
    this.next = 0;
    this.time = film.from;
    this.value = new Int32Array(film.nThings).fill(-1);
    this.value.set(film.data.opening);
    this.last = new Int32Array(film.nThings).fill(-1);
    this.finished = film.data.finished.slice();
    this.scrapped = film.data.scrapped.slice();
    this.#settle();
  }

  keyframe() {
    return {
      next: this.next, time: this.time, value: this.value.slice(), last: this.last.slice(),
      finished: this.finished.slice(), scrapped: this.scrapped.slice(),
    };
  }

  #restore(frame) {
    this.next = frame.next;
    this.time = frame.time;
    this.value = frame.value.slice();
    this.last = frame.last.slice();
    this.finished = frame.finished.slice();
    this.scrapped = frame.scrapped.slice();
    this.#settle();
  }

  /* Says who is where from the values alone, in the order in which they came there. */
  #settle() {
    const { film } = this;
    this.onServer = Array.from({ length: film.nServers }, () => []);
    this.inBuffer = film.data.buffers.map(() => []);
    this.moving = new Set();
    this.inside = film.data.products.map(() => 0);
    this.outside = film.data.products.map(() => 0);
    this.wip = 0;
    const there = [];
    for (let part = 0; part < film.nParts; part++) {
      if (this.value[film.firstPart + part] >= 0) there.push(part);
    }
    there.sort((a, b) => this.last[film.firstPart + a] - this.last[film.firstPart + b] || a - b);
    for (const part of there) this.#put(part, this.value[film.firstPart + part]);
  }

  #put(part, spot) {
    const { data, kindOf } = this.film;
    const kind = kindOf[spot], product = data.parts.product[part];
    if (kind === "outside") { this.outside[product] += 1; return; }
    if (isGone(kind)) return;
    this.inside[product] += 1;
    this.wip += 1;
    if (isOnServer(kind)) this.onServer[data.spots.row[spot]].push(part);
    if (data.spots.buffer[spot] >= 0) this.inBuffer[data.spots.buffer[spot]].push(part);
    if (kind === "moving") this.moving.add(part);
  }

  #take(part, spot) {
    const { data, kindOf } = this.film;
    const kind = kindOf[spot], product = data.parts.product[part];
    if (kind === "outside") { this.outside[product] -= 1; return; }
    if (isGone(kind)) return;
    this.inside[product] -= 1;
    this.wip -= 1;
    if (isOnServer(kind)) remove(this.onServer[data.spots.row[spot]], part);
    if (data.spots.buffer[spot] >= 0) remove(this.inBuffer[data.spots.buffer[spot]], part);
    if (kind === "moving") this.moving.delete(part);
  }

  #count(part, spot) {
    const { data, kindOf } = this.film;
    const kind = kindOf[spot], product = data.parts.product[part];
    if (kind === "finished" || kind === "store") {
      this.finished[product] += data.products[product].lot;
    } else if (kind === "scrapped") {
      this.scrapped[product] += 1;
    }
  }

  /* Makes one change. */
  apply() {
    const { film } = this, i = this.next;
    const thing = film.thing[i], value = film.value[i], old = this.value[thing];
    this.value[thing] = value;
    this.last[thing] = i;
    this.time = film.at[i];
    this.next = i + 1;
    if (thing < film.firstPart) return;
    const part = thing - film.firstPart;
    if (old >= 0) this.#take(part, old);
    this.#put(part, value);
    this.#count(part, value);
    if (this.onMove) this.onMove(part, old, value);
  }

  /* Goes to a time; says whether it got there change by change. */
  seek(time) {
    const { film } = this;
    const target = film.changesUntil(time);
    const frame = film.keyframes[Math.floor(target / CHANGES_PER_KEYFRAME)];
    const jumps = target < this.next || target - this.next > CHANGES_PER_KEYFRAME;
    const told = this.onMove;
    if (jumps) {
      this.onMove = null;
      this.#restore(frame);
    }
    while (this.next < target) this.apply();
    this.onMove = told;
    this.time = time;
    return !jumps;
  }

  state(server) { return this.value[server] & ((1 << STATE_BITS) - 1); }

  /* The name of what stops a server, or nothing. */
  cause(server) {
    const row = (this.value[server] >> STATE_BITS) - 1;
    return row < 0 ? "" : this.film.data.causes[row];
  }

  /* The state in plain words and numbers, for whoever checks it. */
  snapshot() {
    const { film } = this, { data } = film;
    const each = (things, value) => Object.fromEntries(things.map((thing, i) => [thing.name, value(i)]));
    return {
      time_us: this.time,
      wip: this.wip,
      servers: Array.from({ length: film.nServers }, (_, s) => ({
        station: data.stations[film.stationOf[s]].name,
        state: data.states[this.state(s)].key,
        cause: this.cause(s),
        parts: this.onServer[s].map((part) => film.partName(part)),
      })),
      buffers: each(data.buffers, (b) => this.inBuffer[b].length),
      products: each(data.products, (p) => ({
        finished: this.finished[p], scrapped: this.scrapped[p],
        inside: this.inside[p], outside: this.outside[p],
      })),
      pools: each(data.pools, (p) => ({
        busy: this.value[film.firstBusy + p], present: this.value[film.firstPresent + p] === 1,
      })),
      calendars: each(data.calendars, (c) => this.value[film.firstCalendar + c]),
    };
  }
}

function isOnServer(kind) { return kind === "server" || kind === "blocked"; }

function isGone(kind) {
  return kind === "finished" || kind === "scrapped" || kind === "used" || kind === "lost";
}

function remove(list, item) {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}
