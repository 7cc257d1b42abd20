/* What a station, a buffer or a part is doing, in words, and a part's history so far. */

const MOST_LINES = 60;

function html(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

class Details {
  constructor(film, floor, onSelect) {
    this.film = film;
    this.floor = floor;
    this.onSelect = onSelect;
    this.panel = document.getElementById("details");
    this.title = document.getElementById("details-title");
    this.kicker = document.getElementById("details-kicker");
    this.body = document.getElementById("details-body");
    this.what = null;
    this.written = "";
  }

  show(what, cursor) {
    this.what = what;
    this.written = "";
    this.panel.hidden = what === null;
    if (!what) return;
    this.panel.classList.toggle("left", this.floor.isAtRight(what));
    this.update(cursor);
  }

  /* Writes the panel again if it would say something else. */
  update(cursor) {
    if (!this.what) return;
    const { data } = this.film, { station, buffer, part } = this.what;
    const key = [cursor.next, Math.floor(cursor.time / 6e7), station, buffer, part].join();
    if (key === this.written) return;
    this.written = key;
    if (station !== undefined) this.#write("Station", data.stations[station].name, this.#station(cursor, station));
    else if (buffer !== undefined) this.#write("Buffer", data.buffers[buffer].name, this.#buffer(cursor, buffer));
    else this.#write("Part", this.film.partName(part), this.#part(cursor, part));
  }

  #write(kicker, title, lines) {
    this.kicker.textContent = kicker;
    this.title.textContent = title;
    this.body.replaceChildren(...lines);
  }

  // ---------------------------------------------------------------- stations

  #station(cursor, k) {
    const station = this.film.data.stations[k], lines = [];
    if (station.stage) lines.push(html("p", {}, `Stage: ${station.stage}`));
    const rows = [];
    for (let i = 0; i < Math.min(station.servers, MOST_LINES); i++) {
      rows.push(this.#server(cursor, station, i));
    }
    lines.push(html("ul", { class: "servers" }, ...rows));
    const input = this.floor.inputOf[k], output = this.floor.outputOf[k];
    if (input >= 0) lines.push(...this.#waiting(cursor, input, "Before it"));
    if (output >= 0) lines.push(...this.#waiting(cursor, output, "After it"));
    return lines;
  }

  #server(cursor, station, i) {
    const s = station.first + i, state = this.film.data.states[cursor.state(s)];
    const { since } = this.floor.serverStretch(cursor, s);
    const cause = cursor.cause(s);
    const words = `${state.label}${cause ? `: ${cause}` : ""}, for ${duration(cursor.time - since)}`;
    const line = html("li", {}, html("i", { style: `background:var(--${state.role})` }));
    if (station.servers > 1) line.append(html("b", {}, `${i + 1} `));
    line.append(words);
    for (const part of cursor.onServer[s]) line.append(this.#partLine(cursor, part));
    return line;
  }

  #partLine(cursor, part) {
    const operation = this.#operation(cursor.value[this.film.firstPart + part]);
    const line = html("div", { class: "part-line" }, this.#partButton(part));
    if (operation) line.append(` ${operation}`);
    return line;
  }

  #partButton(part) {
    const product = this.film.data.products[this.film.data.parts.product[part]];
    const icon = svg("svg", { viewBox: "-10 -10 20 20", class: "icon", "aria-hidden": "true" });
    drawToken(product, {}, icon);
    const button = html("button", { type: "button", class: "link" }, icon, this.film.partName(part));
    button.addEventListener("click", () => this.onSelect({ part }));
    return button;
  }

  #operation(spot) {
    const row = this.film.data.spots.operation[spot];
    return row < 0 ? "" : this.film.data.operations[row];
  }

  #waiting(cursor, buffer, where) {
    const parts = cursor.inBuffer[buffer], { slots } = this.film.data.buffers[buffer];
    const room = slots === null ? "" : ` of ${slots} places`;
    const lines = [html("p", {}, `${where}: ${parts.length}${room}`)];
    for (const part of parts.slice(0, 12)) lines.push(this.#partLine(cursor, part));
    if (parts.length > 12) lines.push(html("p", {}, `and ${parts.length - 12} more`));
    return lines;
  }

  #buffer(cursor, b) {
    return this.#waiting(cursor, b, "In it");
  }

  // ---------------------------------------------------------------- parts

  #part(cursor, part) {
    const { film } = this, { data } = film, thing = film.firstPart + part;
    const spot = cursor.value[thing], entered = data.parts.entered_us[part];
    const lines = [];
    if (spot < 0) lines.push(html("p", {}, "It is not there yet."));
    else lines.push(html("p", { class: "now" }, this.#whereabouts(spot)));
    if (entered >= 0 && entered <= cursor.time) {
      const at = entered >= film.from ? dateAndTime(data.clock, entered) : "before this film began";
      const age = isGone(film.kindOf[spot] ?? "") ? "" : ` (${duration(cursor.time - entered)} ago)`;
      lines.push(html("p", {}, `Came in: ${at}${age}`));
    }
    lines.push(this.#history(cursor, part));
    return lines;
  }

  #history(cursor, part) {
    const { film } = this, thing = film.firstPart + part, rows = [];
    let change = cursor.last[thing], until = cursor.time;
    for (; change >= 0 && rows.length < MOST_LINES; change = film.before[change]) {
      const at = film.at[change], kind = film.kindOf[film.value[change]], gone = isGone(kind);
      if (kind === "outside" && at === until && rows.length) continue; // came straight in
      const time = html("th", { scope: "row" }, dateAndTime(film.data.clock, at));
      const stay = html("td", { class: "n" }, gone ? "" : duration(until - at));
      rows.push(html("tr", {}, time, html("td", {}, this.#whereabouts(film.value[change])), stay));
      until = at;
    }
    const opening = film.data.opening[thing];
    if (change < 0 && opening !== undefined) {
      const stay = html("td", { class: "n" }, duration(until - film.from));
      rows.push(html("tr", {}, html("th", { scope: "row" }, "at the beginning"), html("td", {}, this.#whereabouts(opening)), stay));
    }
    const table = html("table", {}, html("caption", {}, "History, the latest first"));
    table.append(html("tbody", {}, ...rows));
    if (change >= 0) table.append(html("tfoot", {}, html("tr", {}, html("td", { colspan: 3 }, "and earlier"))));
    return table;
  }

  #whereabouts(spot) {
    const { data, kindOf, stationOf } = this.film, row = data.spots.row[spot];
    const buffer = data.buffers[data.spots.buffer[spot]], operation = this.#operation(spot);
    const station = (k) => data.stations[k].name;
    switch (kindOf[spot]) {
      case "outside": return "waits outside the line";
      case "server": return named(`on ${station(stationOf[row])}`, operation, station(stationOf[row]));
      case "blocked": return `done on ${station(stationOf[row])}, nowhere to go`;
      case "queue": return named(`waits before ${row >= 0 ? station(row) : buffer.name}`, operation, row >= 0 ? station(row) : "");
      case "moving": return row >= 0 ? `on the way to ${station(row)}` : buffer ? `on the way to ${buffer.name}` : "comes out of the machine";
      case "output": return `done, in ${buffer.name}`;
      case "store": return `in ${buffer.name}`;
      case "finished": return "left the line, finished";
      case "scrapped": return "scrapped";
      case "used": return row >= 0 ? `built in at ${station(row)}` : "built in";
      default: return "turned away, the line was full";
    }
  }
}

function named(where, operation, station) {
  return operation && operation !== station ? `${where}: ${operation}` : where;
}
