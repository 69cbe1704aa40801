// Marks of what happened on the price chart, the read-out under the cursor, and the session's story.

const closeAt = (row) => current.bars.close[nearest(current.bars.row, row)];

const SHAPES = {
  up: "M0 -6L5.5 4.5H-5.5Z",
  down: "M0 6L5.5 -4.5H-5.5Z",
  diamond: "M0 -4.5L4.5 0L0 4.5L-4.5 0Z",
  cross: "M-3.5 -3.5L3.5 3.5M-3.5 3.5L3.5 -3.5",
  square: "M-4.5 -4.5H4.5V4.5H-4.5Z",
  dot: "M0 -4A4 4 0 1 1 0 4A4 4 0 1 1 0 -4Z",
};

/** Shape, class, price level and vertical offset of a record's mark; null for none. */
function markOf(record) {
  const away = -record.side * 14;
  if (record.kind === "transition") {
    if (record.reason !== "armed")
      return { shape: "cross", style: "expired", level: closeAt(rowOf(record)), shift: 0 };
    const setup = record.state === "tc_armed" ? "tc" : "mr";
    return { shape: "diamond", style: `armed ${setup}`, level: closeAt(rowOf(record)), shift: 0 };
  }
  if (record.kind === "signal") {
    const style = record.quantity > 0 ? `signal ${record.setup.toLowerCase()}` : "signal blocked";
    return { shape: record.side > 0 ? "up" : "down", style, level: record.price, shift: -away };
  }
  if (record.kind === "refusal")
    return { shape: "cross", style: "refused", level: closeAt(rowOf(record)), shift: 0 };
  return null;
}

function paintRecords(stage, y, top, height) {
  const places = [];
  const put = (record, row, mark) => {
    const x = stage.x(row);
    if (x < stage.left - 1 || x > stage.right + 1) return;
    const level = Math.min(top + height - 6, Math.max(top + 6, y(mark.level) + mark.shift));
    stage.add("path", {
      class: `mark ${mark.style}`,
      d: SHAPES[mark.shape],
      transform: `translate(${x.toFixed(1)} ${level.toFixed(1)})`,
    });
    places.push({ x, y: level, record });
  };
  for (const record of current.records) {
    const mark = markOf(record);
    if (mark) put(record, rowOf(record), mark);
  }
  let free = -Infinity;
  for (const trade of current.records.filter((record) => record.kind === "trade")) {
    put(trade, trade.entry - current.session.open, {
      shape: "dot",
      style: "entry",
      level: trade.entryPrice,
      shift: 0,
    });
    put(trade, rowOf(trade), {
      shape: "square",
      style: `exit ${tone(trade.pnl)}`,
      level: trade.exitPrice,
      shift: 0,
    });
    const x = stage.x(rowOf(trade));
    if (x > free && x < stage.right - 70 && x > stage.left) {
      const level = Math.min(
        top + height - 8,
        Math.max(top + 24, y(trade.exitPrice) + (trade.exitPrice > trade.entryPrice ? -9 : 17)),
      );
      stage.add(
        "text",
        { class: `exit-label ${tone(trade.pnl)}`, x: x + 7, y: level },
        `${human(trade.reason)} ${money(trade.pnl, true, 0)}`,
      );
      free = x + 84;
    }
  }
  return places;
}

function sessionReadout(row, event) {
  const host = byId("chart-readout");
  const { session, lane, bars, limits } = current;
  const tip = byId("tip");
  tip.hidden = true;
  if (!bars.row.length) {
    readout(host, [["", `${symbolName(view.symbol)} has no bars on ${session.label}`]]);
    return;
  }
  const index = row === null ? bars.row.length - 1 : nearest(bars.row, row);
  const here = bars.row[index];
  const run = statesOf(lane.index, view.symbol, view.session).find(
    (part) => part.from <= here && here < part.to,
  );
  const step = stepAt(lane, view.session, here);
  const k = limits[index];
  show(
    host,
    h("span", { class: "pair when" }, h("b", {}, moment(session.open + here))),
    [
      ["close", price(bars.close[index])],
      ["mean", price(bars.mean[index])],
      ["σ", brief(bars.deviation[index], 3)],
      ["z", fixed(bars.z[index], 3, true)],
      ["state", `${human(run ? run.state : "idle")} ${sideWord(run ? run.side : 0)}`],
      ["arm MR / TC", `${fixed(k[0])} / ${fixed(k[2])}`],
      ["trigger", `${fixed(k[1])} / ${fixed(k[3])}`],
      ["advice", adviceWord(lane, step)],
    ].map(([name, value]) =>
      h("span", { class: "pair" }, h("small", {}, name), " ", h("b", {}, value)),
    ),
  );
  if (event instanceof Object && "clientX" in event) showTip(tip, event);
}

function adviceWord(lane, step) {
  if (step.reason === "none") return lane.analyses.length ? "none yet" : "none";
  if (step.reason === "expired") return "expired";
  const analysis = lane.analyses[step.analysis];
  return `${clock(analysis.minute)}${analysis.degraded ? " DEGRADED" : ""}${step.reason === "tightened" ? " tightened" : ""}`;
}

/** A card at the mark under the pointer. */
function showTip(tip, event) {
  const box = sessionStage.svg.getBoundingClientRect();
  const x = event.clientX - box.left;
  const y = event.clientY - box.top;
  const near = (current.places || []).filter((place) => Math.hypot(place.x - x, place.y - y) < 12);
  if (!near.length) return;
  const distinct = [...new Set(near.map((place) => place.record))];
  show(
    tip,
    distinct
      .slice(0, 4)
      .map((record) =>
        h("p", {}, moment(record.minute), " ", h("b", {}, kindWord(record)), " ", sentence(record)),
      ),
  );
  tip.hidden = false;
  const left = Math.min(Math.max(4, x + 14), Math.max(4, box.width - tip.offsetWidth - 4));
  tip.style.setProperty("left", `${left}px`);
  tip.style.setProperty("top", `${y + 18}px`);
}

/** What happened to this symbol in this session, in order; each line moves the cursor there. */
function drawStory() {
  const host = byId("story");
  if (!current.session) return;
  const snapshot = snapshotOf(view.session, view.symbol);
  const rows = current.records
    .filter((record) => record.kind !== "fill")
    .sort((a, b) => a.minute - b.minute || a.order - b.order);
  const lines = rows.map((record) => {
    const row = rowOf(record);
    return h(
      "button",
      {
        type: "button",
        class: `line-of ${record.kind}`,
        "aria-current": String(row === view.row),
        onclick: () => select({ row }),
      },
      moment(record.minute),
      h("span", { class: `badge ${badge(record)}` }, kindWord(record)),
      h("span", {}, sentence(record)),
    );
  });
  const gain = current.records.reduce(
    (sum, record) => sum + (record.kind === "trade" ? record.pnl : 0),
    0,
  );
  const trades = current.records.filter((record) => record.kind === "trade").length;
  show(
    host,
    h("h3", {}, `${symbolName(view.symbol)}, ${current.session.label}`),
    h(
      "p",
      { class: "note" },
      trendWords(snapshot),
      trades ? ` ${plural(trades, "trade")}, ` : "",
      trades ? h("b", { class: tone(gain) }, money(gain)) : "",
    ),
    snapshot && snapshot.reasons.length
      ? h("p", { class: "alert" }, "Does not arm: ", snapshot.reasons.join("; "))
      : null,
    lines.length
      ? h("div", { class: "lines" }, lines)
      : h("p", { class: "empty" }, "Nothing was armed, signalled or traded."),
  );
  const chosen = host.querySelector("[aria-current=true]");
  if (chosen)
    chosen.parentNode.scrollTop = Math.max(0, chosen.offsetTop - chosen.parentNode.offsetTop - 60);
}

const trendWords = (snapshot) =>
  snapshot
    ? `Higher-timeframe trend ${snapshot.trend > 0 ? "up" : snapshot.trend < 0 ? "down" : "none"}.`
    : "";

/** What the marks and lines mean. */
function drawLegend() {
  const sample = (style, shape) =>
    s(
      "svg",
      { viewBox: "-9 -7 18 14", "aria-hidden": "true" },
      s("path", { class: style, d: SHAPES[shape] || shape }),
    );
  const item = (style, shape, name) => h("li", {}, sample(style, shape), name);
  show(
    byId("legend"),
    item("edge mr", "M-9 0H9", "MR arm level"),
    item("edge tc", "M-9 0H9", "TC arm level"),
    item("edge faint", "M-9 0H9", "level of the other setup"),
    item("mark armed mr", "diamond", "armed"),
    item("mark expired", "cross", "expired"),
    item("mark signal mr", "up", "signal long"),
    item("mark signal tc", "down", "signal short"),
    item("mark signal blocked", "up", "blocked"),
    item("mark entry", "dot", "entry"),
    item("mark exit gain", "square", "exit"),
    item("stop", "M-9 0H9", "stop"),
    item("target", "M-9 0H9", "target"),
  );
}
