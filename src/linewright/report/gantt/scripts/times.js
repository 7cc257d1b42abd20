/* Times of the plant: milliseconds from the line's start, shown on the plant's clocks. */

class Times {
  constructor({ start, offsets }) {
    this.start = start;
    this.offsets = offsets;
  }

  offset(ms) {
    let found = this.offsets[0][1];
    for (const [from, offset] of this.offsets) if (from <= ms) found = offset;
    return found;
  }

  /* A date whose UTC parts are those of the plant's clocks. */
  local(ms) { return new Date(this.start + ms + this.offset(ms)); }

  /* The instant at which the plant's clocks show that date. */
  instant(date) {
    const guess = date.getTime() - this.start - this.offset(date.getTime() - this.start);
    return date.getTime() - this.start - this.offset(guess);
  }

  text(ms) {
    const at = this.local(ms);
    return `${DAYS[at.getUTCDay()]} ${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}`;
  }

  /* Ticks of the axis between two instants: small ones with a short text, and large ones. */
  ticks(from, until, pxPerMs) {
    const step = STEPS.find(([ms]) => ms * pxPerMs >= 56) ?? STEPS[STEPS.length - 1];
    const [ms, unit, n] = step;
    const at = this.local(from);
    let date;
    if (unit === "month") date = new Date(Date.UTC(at.getUTCFullYear(), Math.floor(at.getUTCMonth() / n) * n));
    else if (unit === "week") date = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate() - ((at.getUTCDay() + 6) % 7)));
    else {
      date = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()));
      if (ms < DAY) date = new Date(date.getTime() + Math.floor((at.getTime() - date.getTime()) / ms) * ms);
    }
    const found = [];
    for (let i = 0; i < 400; i++) {
      const t = this.instant(date);
      if (t > until) break;
      found.push({ t, text: this.tickText(date, unit), large: this.isLarge(date, unit), name: this.largeText(date, unit) });
      if (unit === "month") date = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + n));
      else date = new Date(date.getTime() + ms);
    }
    return found;
  }

  tickText(date, unit) {
    if (unit === "month") return MONTHS[date.getUTCMonth()];
    if (unit === "week" || unit === "day") return `${DAYS[date.getUTCDay()]} ${date.getUTCDate()}`;
    return `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}`;
  }

  isLarge(date, unit) {
    if (unit === "month") return date.getUTCMonth() === 0;
    if (unit === "week") return date.getUTCDate() <= 7;
    if (unit === "day") return date.getUTCDay() === 1;
    return date.getUTCHours() === 0 && date.getUTCMinutes() === 0;
  }

  largeText(date, unit) {
    if (unit === "month") return String(date.getUTCFullYear());
    if (unit === "hour") return `${DAYS[date.getUTCDay()]} ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
    return `${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
  }
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  [MINUTE, "hour"], [5 * MINUTE, "hour"], [15 * MINUTE, "hour"], [30 * MINUTE, "hour"],
  [HOUR, "hour"], [2 * HOUR, "hour"], [6 * HOUR, "hour"], [12 * HOUR, "hour"],
  [DAY, "day"], [2 * DAY, "day"], [7 * DAY, "week"], [14 * DAY, "week"],
  [30 * DAY, "month", 1], [91 * DAY, "month", 3], [365 * DAY, "month", 12],
];

const pad = (n) => String(n).padStart(2, "0");
const count = (n) => n.toLocaleString("en");

/* A length of time in words. */
function lasting(ms) {
  const minutes = Math.round(ms / MINUTE);
  if (Math.abs(ms) < 90_000) return `${Math.round(ms / 1000)} s`;
  if (Math.abs(minutes) < 120) return `${minutes} min`;
  if (Math.abs(minutes) < 2880) return `${(minutes / 60).toFixed(1).replace(/\.0$/, "")} h`;
  return `${(minutes / 1440).toFixed(1).replace(/\.0$/, "")} days`;
}

const words = (name) => name.replaceAll("_", " ");
