// The data of the page: decodes what `advisor/report/payload.py` wrote. The order of fields here is
// the order of values there.

const data = JSON.parse(byId("data").textContent);
const SETUPS = ["MR", "TC"];
const FACTORS = ["MR arm", "MR trigger", "TC arm", "TC trigger"];
const OUTCOMES = ["pass", "reduce", "block", "not_applicable"];
const text = (position) => (position < 0 ? "" : data.texts[position]);
const symbolName = (position) => (position < 0 ? "" : data.symbols[position]);

// Numbers as text: base 45, least significant digit first, zigzag sign (see packing.py).
const DIGITS = (() => {
  const digits = new Int8Array(128).fill(-1);
  let next = 0;
  for (let code = 0x20; code < 0x7f; code++) {
    if (!'"\\<>&'.includes(String.fromCharCode(code))) digits[code] = next++;
  }
  return digits;
})();

function unpack(packed) {
  const values = [];
  let value = 0;
  let scale = 1;
  for (let i = 0; i < packed.length; i++) {
    const digit = DIGITS[packed.charCodeAt(i)];
    if (digit >= 45) {
      value += (digit - 45) * scale;
      scale *= 45;
    } else {
      value += digit * scale;
      values.push(value % 2 ? -(value + 1) / 2 : value / 2);
      value = 0;
      scale = 1;
    }
  }
  return values;
}

function unpackDifferences(packed, quantum) {
  let sum = 0;
  return unpack(packed).map((step) => (sum += step) * quantum);
}

const sessions = data.sessions.map(([date, open, minutes, offset], index) => ({
  index,
  date,
  open,
  minutes,
  offset,
  close: open + minutes,
  label: dateLabel(date),
}));
let elapsed = 0;
for (const session of sessions) {
  session.begin = elapsed; // minutes of trading before this session: the axis of long charts
  elapsed += session.minutes;
}
const totalMinutes = elapsed;

function sessionAt(minute) {
  let low = 0;
  let high = sessions.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sessions[middle].open <= minute) low = middle;
    else high = middle - 1;
  }
  return sessions[low];
}
const offsetAt = (minute) => (sessions.length ? sessionAt(minute).offset : 0);
const inSession = (session, minute) => minute >= session.open && minute <= session.close;

/** Per session of a symbol: rows (minutes after the open) with close, mean, deviation and z. */
const barsOf = remember((symbol) => {
  const bars = data.bars[symbol];
  const columns = {
    close: unpackDifferences(bars.close, bars.quantum),
    mean: unpackDifferences(bars.mean, bars.quantum),
    deviation: unpackDifferences(bars.deviation, bars.quantum),
    z: unpackDifferences(bars.z, 0.001),
  };
  const ready = unpackFlags(unpack(bars.ready));
  const runs = unpack(bars.minute);
  let run = 0;
  let at = 0;
  let banded = 0;
  return bars.rows.map((count) => {
    const part = { row: [], close: [], mean: [], deviation: [], z: [], first: at };
    let next = 0;
    while (part.row.length < count) {
      next += runs[run++];
      for (let length = runs[run++]; length > 0; length--) part.row.push(next++);
    }
    for (let i = 0; i < count; i++, at++) {
      part.close.push(columns.close[at]);
      for (const name of ["mean", "deviation", "z"])
        part[name].push(ready[at] ? columns[name][banded] : NaN);
      banded += ready[at] ? 1 : 0;
    }
    return part;
  });
});

function unpackFlags(runs) {
  return runs.flatMap((length, i) => new Array(length).fill(i % 2 === 0));
}

function remember(make) {
  const made = new Map();
  return (...key) => {
    const name = key.join("/");
    if (!made.has(name)) made.set(name, make(...key));
    return made.get(name);
  };
}

/** Runs of the state machine in one session: [{from, to, state, side}], rows of the bars. */
const statesOf = remember((lane, symbol, session) => {
  const bars = barsOf(symbol)[session];
  const runs = unpack(data.lanes[lane].states[symbol] || "");
  const found = [];
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) {
    const from = Math.max(at, bars.first);
    const to = Math.min(at + runs[i], bars.first + bars.row.length);
    const code = runs[i + 1];
    if (from < to) {
      found.push({
        from: bars.row[from - bars.first],
        to: bars.row[to - 1 - bars.first] + 1,
        state: data.states[Math.floor(code / 3)],
        side: (code % 3) - 1,
      });
    }
    at += runs[i];
  }
  return found;
});

const lanes = data.lanes.map((raw, index) => readLane(raw, index));
const laneNamed = (name) => lanes.find((lane) => lane.name === name) || lanes[0];
const trendOf = new Map();
const snapshots = data.snapshots.map(([session, symbol, trend, tag, count, values, reasons]) => {
  trendOf.set(`${session}/${symbol}`, trend);
  return {
    session,
    symbol,
    trend,
    tag: text(tag),
    sample: count,
    reasons: reasons.map(text),
    slopeDaily: values[0],
    slopeHourly: values[1],
    percentile: values[2],
    atr: values[3],
    mean: values[4],
    deviation: values[5],
    volume: values[6],
    previous: values[7],
  };
});
const snapshotOf = (session, symbol) =>
  snapshots.find((row) => row.session === session && row.symbol === symbol);

// Opinions of the premarket: about the market, and about each symbol.
const opinion = ([bias, confidence, analyst, degraded, degradedReason]) => ({
  bias: text(bias),
  confidence,
  analyst: text(analyst),
  degraded: degraded === 1,
  degradedReason: text(degradedReason),
});
const contexts = data.contexts.map(([session, summary, ...rest]) => ({
  session,
  summary: text(summary),
  ...opinion(rest),
}));
const biases = data.biases.map(([session, symbol, reasoning, news, ...rest]) => ({
  session,
  symbol,
  reasoning: text(reasoning),
  news: text(news),
  ...opinion(rest),
}));
