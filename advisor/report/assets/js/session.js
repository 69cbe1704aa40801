// One symbol through one session: price in its band, z under it, the machine's states, and every
// arm, signal, entry and exit.

let sessionStage = null;
let zoom = null; // [from row, to row], or null for the whole session
const PANELS = { price: 0.62, gap: 26, ribbon: 10 };

/** Everything the chart of the current selection shows, gathered once. */
function scene() {
  const session = sessions[view.session];
  const lane = lanes[view.lane];
  const bars = session ? barsOf(view.symbol)[view.session] : { row: [] };
  const mine = (record) =>
    record.symbol === view.symbol &&
    record.minute >= session.open &&
    record.minute <= session.close;
  const records = session ? lane.records.filter(mine) : [];
  const limits = bars.row.map((row) => thresholds(stepAt(lane, view.session, row)));
  const trend = trendOf.get(`${view.session}/${view.symbol}`) || 0;
  return { session, lane, bars, records, limits, trend, window: session && windowOf(session) };
}
let current = null;

function drawSession() {
  current = scene();
  zoom = null;
  if (!sessionStage && current.session) {
    sessionStage = new Stage(byId("chart"), {
      label: "Price, band, z and decisions of one symbol in one session",
      height: (width) => Math.max(400, Math.min(560, width * 0.62)),
      domain: () => zoom || [0, current.session.minutes],
      snap: (value, towards) => snapRow(value, towards),
      onmove: (value, event) => sessionReadout(value, event),
      onpick: (value) => select({ row: value }),
      onzoom: (range) => zoomTo(range),
      onkey: (event, here) => sessionKey(event, here),
      paint: paintSession,
    });
  }
  if (!sessionStage) {
    show(byId("chart"), h("p", { class: "empty" }, "No session was replayed."));
    return;
  }
  sessionStage.cursor = undefined;
  sessionStage.repaint();
  sessionStage.pin(view.row);
}

function snapRow(value, towards = 0) {
  const rows = current.bars.row;
  if (!rows.length) return Math.round(value);
  const i = nearest(rows, value);
  const here = sessionStage.cursor;
  if (towards && rows[i] === here) return rows[Math.min(rows.length - 1, Math.max(0, i + towards))];
  return rows[i];
}

function zoomTo(range) {
  const most = current.session.minutes;
  zoom = range && [Math.max(0, range[0]), Math.min(most, Math.max(range[1], range[0] + 10))];
  if (zoom && zoom[1] - zoom[0] >= most) zoom = null;
  byId("zoom").mark(
    zoom ? (zoom[0] === 0 && zoom[1] === windowOf(current.session).until ? "window" : "") : "all",
  );
  sessionStage.repaint();
}

function sessionKey(event, here) {
  const [from, to] = sessionStage.domain;
  const half = (to - from) * (event.key === "+" || event.key === "=" ? 0.25 : 1);
  if ("+=-".includes(event.key))
    zoomTo(
      event.key === "-" && half >= current.session.minutes / 2
        ? null
        : [Math.round(here - half), Math.round(here + half)],
    );
  else if (event.key === "0") zoomTo(null);
  else if (event.key === "n" || event.key === "p") stepEvent(event.key === "n" ? 1 : -1, here);
  else if (event.key === "Escape") select({ row: null });
}

/** To the next or previous thing that happened. */
function stepEvent(direction, here) {
  const rows = [...new Set(current.records.map((record) => rowOf(record)))].sort((a, b) => a - b);
  const row = direction > 0 ? rows.find((r) => r > here) : rows.findLast((r) => r < here);
  if (row !== undefined) select({ row });
}

const rowOf = (record) => record.minute - current.session.open;

function hourMarks(session, begin) {
  const marks = [];
  const opening = (((session.open + session.offset) % 1440) + 1440) % 1440;
  for (let row = (30 - (opening % 30)) % 30; row <= session.minutes; row += 30) {
    marks.push([begin + row, clockOf(opening + row), false]);
  }
  return marks;
}

function paintSession(stage) {
  const { session, bars, window } = current;
  const body = stage.height - MARGIN.top - MARGIN.bottom - PANELS.gap - PANELS.ribbon;
  const top = MARGIN.top;
  const high = body * PANELS.price;
  const ribbon = top + high + 8;
  const zTop = ribbon + PANELS.ribbon + 10;
  const zHeight = stage.height - MARGIN.bottom - zTop;
  const shade = (tag, attributes) =>
    stage.add(tag, { y: top, height: stage.height - top - MARGIN.bottom, ...attributes });
  const from = stage.x(Math.max(window.from, stage.domain[0]));
  const until = stage.x(Math.min(window.until, stage.domain[1]));
  if (until > from) shade("rect", { class: "window", x: from, width: until - from });
  stage.columns(hourMarks(session, 0));
  if (until > from + 90)
    stage.add("text", { class: "hint", x: from + 6, y: top + 12 }, "entry window");
  if (window.flat < stage.domain[1]) paintFlat(stage, top);
  watermark(stage);
  if (!bars.row.length) {
    stage.add(
      "text",
      { class: "hint middle", x: (stage.left + stage.right) / 2, y: stage.height / 2 - 30 },
      `No bars of ${symbolName(view.symbol)} on ${session.label}`,
    );
    return;
  }
  const y = paintPrice(stage, top, high);
  paintRibbon(stage, ribbon);
  paintZ(stage, zTop, zHeight);
  current.places = paintRecords(stage, y, top, high);
}

/** From here on every position is closed. */
function paintFlat(stage, top) {
  const x = stage.x(current.window.flat);
  const y2 = stage.height - MARGIN.bottom;
  stage.add("line", { class: "flat", x1: x, x2: x, y1: top, y2 });
  stage.add("text", { class: "hint end", x: x - 4, y: top + 12 }, "flat");
}

/** The band's edges: the one at which this side would arm, and the other one, fainter. */
function edges() {
  const { bars, limits, trend } = current;
  const line = (side, which) =>
    bars.mean.map((mean, i) => mean + side * limits[i][which] * bars.deviation[i]);
  return [1, -1].map((side) => {
    const setup = trend === side ? 2 : 0;
    return { side, setup, arms: line(side, setup), other: line(side, 2 - setup) };
  });
}

const visible = (values) =>
  values.filter(
    (_, i) =>
      current.bars.row[i] >= sessionStage.domain[0] &&
      current.bars.row[i] <= sessionStage.domain[1],
  );

function paintPrice(stage, top, height) {
  const { bars, records } = current;
  const [upper, lower] = edges();
  const closes = visible(bars.close);
  const [low, high] = extent(closes, 0.35);
  const inside = (value) => value > low && value < high;
  const brackets = records
    .filter((r) => r.kind === "trade")
    .flatMap((r) => [r.stop, r.target, r.entryPrice, r.exitPrice]);
  const wide = [...visible(upper.arms), ...visible(lower.arms)].filter(inside);
  const y = stage.panel(
    top,
    height,
    extent([...closes, ...wide, ...brackets.filter(inside)], 0.05),
  );
  const path = (values, style) =>
    stage.add("path", { class: style, d: linePath(bars.row, values, stage.x, y) });
  stage.clipped("price", top, height, () => {
    stage.add("path", { class: "band", d: areaPath(bars.row, lower.arms, upper.arms, stage.x, y) });
    for (const edge of [upper, lower]) {
      path(edge.other, "edge faint");
      path(edge.arms, `edge ${edge.setup ? "tc" : "mr"}`);
    }
    path(bars.mean, "mean-line");
    for (const record of records) if (record.kind === "trade") paintTrade(stage, record, y);
    path(bars.close, "price-line");
    if (bars.row.length < 40)
      bars.row.forEach((row, i) =>
        stage.add("circle", { class: "price-dot", r: 1.6, cx: stage.x(row), cy: y(bars.close[i]) }),
      );
  });
  for (const edge of [upper, lower]) labelEdge(stage, edge, y, top, height);
  return y;
}

function labelEdge(stage, edge, y, top, height) {
  const last = edge.arms.findLastIndex(
    (value, i) => !Number.isNaN(value) && current.bars.row[i] <= stage.domain[1],
  );
  if (last < 0) return;
  const beside = edge.side > 0 ? -5 : 13; // outside the band, so that two close edges stay apart
  const level = Math.min(top + height - 4, Math.max(top + 10, y(edge.arms[last]) + beside));
  const k = fixed(current.limits[last][edge.setup], 2);
  stage.add(
    "text",
    { class: `edge-label ${edge.setup ? "tc" : "mr"}`, x: stage.right - 4, y: level },
    `${edge.setup ? "TC" : "MR"} ${edge.side > 0 ? "+" : MINUS}${k}σ`,
  );
}

/** A trade's life: the way from entry to exit, its stop and its target. */
function paintTrade(stage, trade, y) {
  const open = current.session.open;
  const from = stage.x(trade.entry - open);
  const to = Math.max(stage.x(trade.exit - open), from + 2);
  const level = (value, style) =>
    stage.add("line", { class: style, x1: from, x2: to, y1: y(value), y2: y(value) });
  const box = [y(trade.entryPrice), y(trade.exitPrice)].sort((a, b) => a - b);
  stage.add("rect", {
    class: `held ${tone(trade.pnl)}`,
    x: from,
    width: to - from,
    y: box[0],
    height: Math.max(1, box[1] - box[0]),
  });
  level(trade.stop, "stop");
  level(trade.target, "target");
}

function paintRibbon(stage, top) {
  const { lane } = current;
  for (const run of statesOf(lane.index, view.symbol, view.session)) {
    if (run.state === "idle" || run.to < stage.domain[0] || run.from > stage.domain[1]) continue;
    const from = Math.max(stage.left, stage.x(run.from));
    const to = Math.min(stage.right, stage.x(run.to));
    const bar = stage.add("rect", {
      class: `state ${run.state}`,
      x: from,
      width: Math.max(1.5, to - from),
      y: top,
      height: PANELS.ribbon,
      rx: 2,
    });
    bar.append(s("title", {}, `${human(run.state)} ${sideWord(run.side)}`));
  }
  stage.add("text", { class: "tick", x: stage.right + 6, y: top + 9 }, "state");
}

function paintZ(stage, top, height) {
  const { bars, limits } = current;
  const bound = Math.max(2.2, ...visible(bars.z).filter(Number.isFinite).map(Math.abs)) * 1.08;
  const y = stage.panel(top, height, [-bound, bound], {
    marks: [-2, 0, 2].concat(bound > 4.4 ? [-4, 4] : []),
    write: (v) => fixed(v, 0, true),
  });
  const level = (side, which) => limits.map((limit) => side * limit[which]);
  stage.clipped("z", top, height, () => {
    for (const side of [1, -1]) {
      const arm = current.trend === side ? 2 : 0;
      stage.add("path", {
        class: `edge ${arm ? "tc" : "mr"}`,
        d: linePath(bars.row, level(side, arm), stage.x, y),
      });
      stage.add("path", { class: "edge faint", d: linePath(bars.row, level(side, 1), stage.x, y) });
    }
    stage.add("path", { class: "z-line", d: linePath(bars.row, bars.z, stage.x, y) });
  });
  stage.add("text", { class: "hint", x: stage.left + 6, y: top + 10 }, "z");
}
