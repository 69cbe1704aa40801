// How numbers, money and moments are written. A missing number is a dash, never a zero.

const DASH = "–";
const MINUS = "−";
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const missing = (value) => value === null || value === undefined || Number.isNaN(value);

function grouped(text) {
  const [whole, part] = text.split(".");
  const spaced = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return part === undefined ? spaced : `${spaced}.${part}`;
}

/** A fixed number of decimals with thousands separators and a true minus. */
function fixed(value, digits = 2, signed = false) {
  if (missing(value)) return DASH;
  if (typeof value === "string") return value;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : `${MINUS}∞`;
  const text = grouped(Math.abs(value).toFixed(digits));
  if (Number(text.replaceAll(",", "")) === 0) return text;
  return (value < 0 ? MINUS : signed ? "+" : "") + text;
}

function money(value, signed = true, digits = 2) {
  const text = fixed(value, digits, signed);
  return text === DASH || text.includes("∞") ? text : text.replace(/^([+−]?)/, "$1$");
}

const price = (value) => fixed(value, missing(value) || Math.abs(value) >= 1 ? 2 : 4);
const whole = (value) => fixed(value, 0);
const percent = (fraction, digits = 2, signed = true) =>
  missing(fraction) ? DASH : `${fixed(100 * fraction, digits, signed)} %`;
const plural = (count, noun) => `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;
const tone = (value) => (value > 0 ? "gain" : value < 0 ? "loss" : "");

/** A number whose size is not known beforehand: at most `digits` significant ones. */
function brief(value, digits = 5) {
  if (missing(value) || typeof value === "string") return missing(value) ? DASH : value;
  const size = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  const text = fixed(value, Math.max(0, Math.min(6, digits - 1 - size)));
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

const two = (number) => String(number).padStart(2, "0");
const clockOf = (minuteOfDay) => `${two(Math.floor(minuteOfDay / 60))}:${two(minuteOfDay % 60)}`;
const dayOf = (minute) => new Date(minute * 60000);

/** New York clock time of a minute since the epoch. */
const clock = (minute) => clockOf((((minute + offsetAt(minute)) % 1440) + 1440) % 1440);

/** New York date, such as "Wed 8 Jan". */
function dateLabel(isoDate, withYear = false) {
  const day = new Date(`${isoDate}T00:00:00Z`);
  const text = `${WEEKDAYS[day.getUTCDay()]} ${day.getUTCDate()} ${MONTHS[day.getUTCMonth()]}`;
  return withYear ? `${text} ${day.getUTCFullYear()}` : text;
}

const localDate = (minute) =>
  dayOf(minute + offsetAt(minute))
    .toISOString()
    .slice(0, 10);

/** Both clocks in full, for a title on hover. */
function bothClocks(minute) {
  const utc = dayOf(minute).toISOString();
  return `${localDate(minute)} ${clock(minute)} New York · ${utc.slice(0, 10)} ${utc.slice(11, 16)} UTC`;
}

/** A moment: New York time on the page, UTC on hover. */
const moment = (minute, text) =>
  h(
    "time",
    { datetime: dayOf(minute).toISOString(), title: bothClocks(minute) },
    text || clock(minute),
  );

const sideWord = (side) => (side > 0 ? "long" : side < 0 ? "short" : "");
const human = (name) => String(name).replaceAll("_", " ");
