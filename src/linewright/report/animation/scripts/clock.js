/* Times in words: the clock on the wall of the plant, and how long something takes. */

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/* The local time at an instant, as a Date whose UTC fields are to be read. */
function localTime(clock, time) {
  let set = clock.local[0];
  for (const other of clock.local) if (other[0] <= time) set = other;
  return new Date(set[1] + Math.floor((time - set[0]) / 1000));
}

function two(number) { return String(number).padStart(2, "0"); }

function timeOfDay(local, withSeconds) {
  const text = `${two(local.getUTCHours())}:${two(local.getUTCMinutes())}`;
  return withSeconds ? `${text}:${two(local.getUTCSeconds())}` : text;
}

function dateOf(local, withYear) {
  const text = `${DAYS[local.getUTCDay()]} ${local.getUTCDate()} ${MONTHS[local.getUTCMonth()]}`;
  return withYear ? `${text} ${local.getUTCFullYear()}` : text;
}

function dateAndTime(clock, time) {
  const local = localTime(clock, time);
  return `${dateOf(local, false)} ${timeOfDay(local, true)}`;
}

function duration(us) {
  const seconds = us / 1e6;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${two(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/* Where days, weeks or months begin in the film, for the marks below the slider. */
function timeMarks(clock, atMost) {
  const span = clock.until_us - clock.from_us;
  const steps = [3.6e9, 2 * 3.6e9, 6 * 3.6e9, 8.64e10, 2 * 8.64e10, 7 * 8.64e10, 28 * 8.64e10, 91 * 8.64e10, 364 * 8.64e10];
  const step = steps.find((us) => span / us <= atMost) ?? span / atMost;
  const origin = localTime(clock, clock.from_us).getTime();
  const marks = [];
  let local = Math.ceil(origin / (step / 1000)) * (step / 1000);
  if (step >= 7 * 8.64e10) local -= 3 * 8.64e7; // 1970 began on a Thursday; weeks on Monday
  for (; ; local += step / 1000) {
    const time = clock.from_us + (local - origin) * 1000;
    if (time > clock.until_us) return marks;
    if (time < clock.from_us) continue;
    const shown = localTime(clock, time);
    const label = step < 8.64e10 && shown.getUTCHours() ? timeOfDay(shown) : dateOf(shown);
    marks.push({ time, label });
  }
}
