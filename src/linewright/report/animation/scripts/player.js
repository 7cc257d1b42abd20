/* The player: a clock that runs at a chosen speed, its controls, and the figures beside.

Simulated time is that of the viewer times the speed: at 60x a second shows a minute, at
1x the line runs in real time. The page is at one instant, `time`, wherever it came from.
*/

const FIGURES_MS = 200;
const MOST_TILES = 5; // the table has all products

class Player {
  constructor(film) {
    this.film = film;
    this.cursor = new Cursor(film);
    this.floor = new Floor(document.getElementById("floor"), film);
    this.details = new Details(film, this.floor, (what) => this.select(what));
    this.cursor.onMove = (part, old, spot) => this.floor.noteMove(part, old, spot);
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.time = film.from;
    this.playing = false;
    this.#findElements();
    this.#drawTables();
    this.#drawMarks();
    this.#listen();
    this.goTo(this.#timeInAddress() ?? film.from);
    if (this.#timeInAddress() === null && !this.calm.matches) this.play();
  }

  get speed() { return Number(this.elements.speed.value); }

  #findElements() {
    this.elements = {};
    for (const id of ["date", "time", "play", "slider", "speed", "marks", "shifts", "people", "wip", "tiles", "products", "ended", "ways"]) {
      this.elements[id] = document.getElementById(id);
    }
    this.elements.slider.max = this.film.until - this.film.from;
  }

  /* `#t=3600` opens the page at an hour after the line's start, and does not play. */
  #timeInAddress() {
    const found = /^#t=([\d.]+)$/.exec(location.hash);
    if (!found) return null;
    return Math.min(Math.max(Number(found[1]) * 1e6, this.film.from), this.film.until);
  }

  // ---------------------------------------------------------------- time

  play() {
    if (this.playing) return;
    if (this.time >= this.film.until) this.goTo(this.film.from);
    this.playing = true;
    this.seen = performance.now();
    this.#showPlaying();
    requestAnimationFrame((now) => this.#frame(now));
  }

  pause() {
    this.playing = false;
    this.#showPlaying();
  }

  #showPlaying() {
    const { play } = this.elements;
    play.textContent = this.playing ? "\u275a\u275a Pause" : "\u25b6\ufe0e Play";
    play.setAttribute("aria-pressed", String(this.playing));
  }

  #frame(now) {
    const passed = Math.min(now - this.seen, 250); // a page that was hidden does not rush
    this.seen = now;
    if (this.playing) {
      this.#moveTo(this.time + passed * 1000 * this.speed, now);
      if (this.time >= this.film.until) this.pause();
    } else {
      this.floor.draw(this.cursor, now, !this.calm.matches);
    }
    if (this.playing || this.floor.gliding.size) requestAnimationFrame((next) => this.#frame(next));
  }

  /* Goes on to a time, tokens gliding; far away they jump. */
  #moveTo(time, now) {
    this.time = Math.min(time, this.film.until);
    if (this.cursor.seek(this.time)) this.floor.draw(this.cursor, now, !this.calm.matches);
    else this.floor.drawAfresh(this.cursor);
    this.#showTime();
    if (now - (this.figuresAt ?? -Infinity) > FIGURES_MS) this.#showFigures(now);
  }

  /* Jumps to a time. */
  goTo(time) {
    this.time = Math.min(Math.max(time, this.film.from), this.film.until);
    this.cursor.seek(this.time);
    this.floor.drawAfresh(this.cursor);
    this.#showTime();
    this.#showFigures(performance.now());
  }

  /* Goes to the next instant at which something happens, or back to the one before. */
  step(direction) {
    this.pause();
    const { film } = this;
    if (direction > 0) {
      const next = film.changesUntil(this.time);
      if (next >= film.length) return;
      this.#moveTo(film.at[next], performance.now());
      this.#showFigures(performance.now());
      this.seen = performance.now();
      requestAnimationFrame((now) => this.#frame(now));
    } else {
      let i = film.changesUntil(this.time) - 1;
      while (i >= 0 && film.at[i] >= this.time) i--;
      this.goTo(i < 0 ? film.from : film.at[i]);
    }
  }

  stateAt(time) {
    const cursor = new Cursor(this.film);
    cursor.seek(time);
    return cursor.snapshot();
  }

  // ---------------------------------------------------------------- figures

  #showTime() {
    const { date, time, slider, ended } = this.elements, { clock } = this.film.data;
    const local = localTime(clock, this.time);
    setText(date, dateOf(local, true));
    setText(time, timeOfDay(local, true));
    slider.value = this.time - this.film.from;
    slider.setAttribute("aria-valuetext", dateAndTime(clock, this.time));
    ended.hidden = this.time < this.film.until;
  }

  #showFigures(now) {
    const { film, cursor } = this;
    this.figuresAt = now;
    setText(this.elements.wip, cursor.wip.toLocaleString("en"));
    this.productRows.forEach((row, p) => {
      setText(row.inside, cursor.inside[p].toLocaleString("en"));
      setText(row.outside, cursor.outside[p].toLocaleString("en"));
      setText(row.finished, cursor.finished[p].toLocaleString("en"));
      setText(row.scrapped, cursor.scrapped[p].toLocaleString("en"));
      if (row.tile) setText(row.tile, cursor.finished[p].toLocaleString("en"));
    });
    this.shiftChips.forEach((chip, c) => this.#showShift(chip, cursor.value[film.firstCalendar + c]));
    this.poolChips.forEach((chip, p) => this.#showPool(chip, p));
    this.details.update(cursor);
  }

  #showShift(chip, mode) {
    setText(chip.word, ["off shift", "on a break", "on shift"][mode]);
    chip.element.dataset.mode = mode;
  }

  #showPool(chip, p) {
    const { film, cursor } = this, { count } = film.data.pools[p];
    const busy = cursor.value[film.firstBusy + p];
    const here = cursor.value[film.firstPresent + p] === 1 ? "" : ", off shift";
    setText(chip.dots, count > 12 ? "" : "\u25cf".repeat(busy) + "\u25cb".repeat(Math.max(count - busy, 0)));
    setText(chip.word, `${busy} of ${count} at work${here}`);
  }

  #drawTables() {
    const { data } = this.film;
    this.productRows = data.products.map((product) => this.#drawProduct(product));
    this.shiftChips = data.calendars.map((calendar) => {
      const word = html("span", {}), element = html("li", { class: "shift" }, html("b", {}, calendar.name), " ", word);
      this.elements.shifts.append(element);
      return { word, element };
    });
    this.poolChips = data.pools.map((pool) => {
      const dots = html("span", { class: "dots", "aria-hidden": "true" }), word = html("span", {});
      this.elements.people.append(html("li", {}, html("b", {}, pool.name), " ", dots, " ", word));
      return { dots, word };
    });
  }

  #drawProduct(product) {
    const icon = () => {
      const frame = svg("svg", { viewBox: "-10 -10 20 20", class: "icon", "aria-hidden": "true" });
      drawToken(product, {}, frame);
      return frame;
    };
    const cells = {};
    for (const key of ["inside", "outside", "finished", "scrapped"]) cells[key] = html("td", { class: "n" });
    const name = html("th", { scope: "row" }, icon(), product.name);
    this.elements.products.append(html("tr", {}, name, ...Object.values(cells)));
    if (product.sold && this.elements.tiles.childElementCount <= MOST_TILES) {
      cells.tile = html("dd", {});
      this.elements.tiles.append(html("div", {}, html("dt", {}, icon(), `${product.name} finished`), cells.tile));
    }
    return cells;
  }

  /* Days below the slider, and the shifts of the calendar that most stations keep. */
  #drawMarks() {
    const { film } = this, { marks } = this.elements, { clock, calendars } = film.data;
    const share = (time) => (time - film.from) / (film.until - film.from) * 100;
    const most = calendars.reduce((best, calendar, c) => calendar.stations > (calendars[best]?.stations ?? -1) ? c : best, 0);
    if (calendars.length) this.#drawShifts(film.firstCalendar + most, share);
    for (const { time, label } of timeMarks(clock, 9)) {
      if (share(time) > 95) continue; // no room for its words
      marks.append(html("span", { style: `left:${share(time).toFixed(2)}%` }, label));
    }
  }

  #drawShifts(thing, share) {
    const { film } = this, strip = svg("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", class: "strip" });
    const roles = ["off-shift", "break", "accent-soft"];
    let mode = film.data.opening[thing], since = film.from, change = film.firstChange[thing];
    for (; ; change = film.after[change]) {
      const until = change < 0 ? film.until : film.at[change];
      svg("rect", { x: share(since), y: 0, width: share(until) - share(since), height: 1, style: `fill:var(--${roles[mode]})` }, strip);
      if (change < 0) break;
      mode = film.value[change];
      since = until;
    }
    this.elements.marks.before(strip);
  }

  // ---------------------------------------------------------------- what the viewer does

  select(what) {
    this.floor.select(what);
    this.details.show(what, this.cursor);
  }

  #listen() {
    const { play, slider, speed, ways } = this.elements;
    ways.addEventListener("change", () => this.floor.root.classList.toggle("bare", !ways.checked));
    play.addEventListener("click", () => (this.playing ? this.pause() : this.play()));
    slider.addEventListener("input", () => this.goTo(this.film.from + Number(slider.value)));
    speed.addEventListener("change", () => speed.blur());
    this.#onClick("first", () => this.goTo(this.film.from));
    this.#onClick("back", () => this.step(-1));
    this.#onClick("next", () => this.step(1));
    this.#onClick("close", () => this.select(null));
    this.floor.root.addEventListener("click", (event) => this.select(found(event.target)));
    this.floor.root.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.select(found(event.target));
    });
    addEventListener("keydown", (event) => this.#onKey(event));
    addEventListener("hashchange", () => {
      const time = this.#timeInAddress();
      if (time === null) return;
      this.pause();
      this.goTo(time);
    });
  }

  #onClick(id, action) { document.getElementById(id).addEventListener("click", action); }

  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select, summary")) return;
    if (event.target.matches("button") && event.key === " ") return;
    const actions = {
      " ": () => (this.playing ? this.pause() : this.play()),
      ArrowRight: () => this.step(1),
      ArrowLeft: () => this.step(-1),
      Home: () => this.goTo(this.film.from),
      End: () => this.goTo(this.film.until),
      "+": () => this.#changeSpeed(1),
      "-": () => this.#changeSpeed(-1),
      Escape: () => this.select(null),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }

  #changeSpeed(by) {
    const { speed } = this.elements;
    speed.selectedIndex = Math.min(Math.max(speed.selectedIndex + by, 0), speed.length - 1);
  }
}

/* What on the floor an element stands for, or nothing. */
function found(element) {
  const { dataset } = element.closest("[data-part], [data-station], [data-buffer]") ?? {};
  if (!dataset) return null;
  for (const key of ["part", "station", "buffer"]) {
    if (key in dataset) return { [key]: Number(dataset[key]) };
  }
  return null;
}

const player = new Player(new Film(JSON.parse(document.getElementById("film").textContent)));

/* For tests and the curious: the state at a time, microseconds from the line's start. */
window.linewright = { stateAt: (time) => player.stateAt(time), player };
