// The lanes' equity on one time axis, and what the advice was worth against the other lanes.

const axisOf = (minute) => {
  const session = sessionAt(minute);
  return session.begin + Math.min(session.minutes, Math.max(0, minute - session.open));
};

function sessionMarks() {
  return sessions.map((session) => [session.begin, session.label.slice(4), true]);
}

function drawEquity() {
  const host = byId("equity");
  const info = byId("equity-readout");
  const curves = lanes.map((lane) => {
    const { minutes, equity } = lane.curve();
    return {
      lane,
      axis: minutes.map(axisOf),
      gain: equity.map((value) => value - lane.start),
      equity,
    };
  });
  const longest = curves.reduce(
    (best, curve) => (curve.axis.length > best.axis.length ? curve : best),
    { axis: [] },
  );
  if (!longest.axis.length) {
    show(
      host,
      h("p", { class: "empty" }, "No minute was recorded, so there is no equity to draw."),
    );
    return;
  }
  const stage = new Stage(host, {
    label: "Profit and loss of the lanes over the run",
    height: (width) => Math.max(220, Math.min(330, width * 0.42)),
    domain: () => [0, Math.max(1, totalMinutes)],
    snap: (value) => longest.axis[nearest(longest.axis, value)],
    step: () => (sessions.length > 3 ? 15 : 1),
    onmove: (value) => equityReadout(info, curves, longest, value),
    onpick: (value) => pickSession(value),
    paint: (self) => paintEquity(self, curves),
  });
  stage.moveTo(null);
}

function paintEquity(stage, curves) {
  const top = MARGIN.top;
  const height = stage.height - top - MARGIN.bottom;
  const bounds = extent(curves.flatMap((curve) => extent(curve.gain, 0)).concat(0), 0.08);
  stage.columns(sessions.length > 1 ? sessionMarks() : hourMarks(sessions[0], 0));
  const y = stage.panel(top, height, bounds, {
    write: (value) => money(value, true, bounds[1] - bounds[0] < 8 ? 2 : 0),
  });
  stage.add("line", { class: "zero", x1: stage.left, x2: stage.right, y1: y(0), y2: y(0) });
  watermark(stage);
  for (const curve of [...curves].reverse()) {
    stage.add("path", {
      class: `line lane-${laneClass(curve.lane.name)}`,
      d: linePath([0, ...curve.axis], [0, ...curve.gain], stage.x, y),
      "data-lane": curve.lane.name,
    });
  }
}

function equityReadout(host, curves, longest, value) {
  const index = value === null ? longest.axis.length - 1 : nearest(longest.axis, value);
  const minute = longest.lane.curve().minutes[index];
  const pairs = curves.map((curve) => {
    const here = curve.axis.length ? nearest(curve.axis, longest.axis[index]) : -1;
    const gain = here < 0 ? NaN : curve.gain[here];
    return { curve, gain, equity: here < 0 ? NaN : curve.equity[here] };
  });
  const when = moment(minute, `${dateLabel(localDate(minute))} ${clock(minute)}`);
  show(
    host,
    h(
      "span",
      { class: "pair when" },
      h("b", {}, when),
      value === null ? h("small", {}, " end") : null,
    ),
    pairs.map(({ curve, gain, equity }) =>
      h(
        "span",
        { class: "pair", title: `equity ${money(equity, false)}` },
        swatch(curve.lane.name),
        h("small", {}, curve.lane.name),
        " ",
        h("b", { class: tone(gain) }, money(gain)),
      ),
    ),
    pairs.length > 1 &&
      h(
        "span",
        { class: "pair" },
        h("small", {}, `${pairs[0].curve.lane.name} − ${pairs[1].curve.lane.name}`),
        " ",
        h("b", {}, money(pairs[0].gain - pairs[1].gain)),
      ),
  );
}

function pickSession(value) {
  const session = sessions.findLast((candidate) => candidate.begin <= value);
  if (session) select({ session: session.index });
}

/** "SYNTHETIC" across a chart whose bars were made, not recorded. */
function watermark(stage) {
  if (data.run.feed !== "synthetic") return;
  stage.add(
    "text",
    { class: "watermark", x: (stage.left + stage.right) / 2, y: stage.height / 2 },
    "SYNTHETIC",
  );
}

function drawDifferences() {
  const host = byId("difference");
  if (!data.differences.length) {
    show(
      host,
      h(
        "p",
        { class: "empty" },
        "This run has one lane, so there is nothing to compare and nothing is claimed.",
      ),
    );
    return;
  }
  const blocks = data.differences.map(([against, words, ...figures]) => {
    const other = laneNamed(against).days;
    const each = lanes[0].days.map((day, i) => ({ date: day.date, value: day.pnl - other[i].pnl }));
    return { against, words, each, figures };
  });
  const values = blocks.flatMap(({ each, figures }) => [
    ...each.map((day) => day.value),
    figures[1],
    figures[2],
  ]);
  const range = extent([0, ...values], 0.08); // one axis for all, so that they compare by eye
  show(
    host,
    blocks.map((block) => differenceBlock(block, range)),
  );
}

function differenceBlock({ against, words, each, figures }, range) {
  const [mean, low, high, total, count] = figures;
  const known = !missing(low);
  const plot = each.length > 1 && h("div", { class: "strip" });
  if (plot) new ResizeObserver(() => paintStrip(plot, each, figures, range)).observe(plot);
  const interval = known ? `95 % interval ${money(low)} … ${money(high)}` : "no interval";
  return h(
    "article",
    { class: "difference" },
    h("h3", {}, `Advised minus ${against}`),
    h("p", { class: "big" }, h("b", {}, money(mean)), " a session ", h("small", {}, interval)),
    plot,
    h("p", {}, words),
    h(
      "p",
      { class: "note" },
      `${money(total)} in ${plural(count, "session")}.`,
      known
        ? " The interval is a block bootstrap of the daily differences; a dot is a session."
        : "",
    ),
  );
}

/** One dot a session, the mean, and its interval, on a dollar axis. */
function paintStrip(host, each, [mean, low, high], [from, to]) {
  const width = host.clientWidth;
  if (!width) return;
  const x = scale(from, to, 6, width - 6);
  const svg = s("svg", {
    viewBox: `0 0 ${width} 62`,
    height: 62,
    role: "img",
    "aria-label": "Daily differences, their mean and its interval",
  });
  for (const mark of ticks(from, to, width / 90)) {
    svg.append(
      s("line", { class: "grid", x1: x(mark), x2: x(mark), y1: 4, y2: 44 }),
      s(
        "text",
        { class: "tick middle", x: Math.min(width - 22, Math.max(22, x(mark))), y: 58 },
        money(mark, true, to - from < 8 ? 2 : 0),
      ),
    );
  }
  svg.append(s("line", { class: "zero", x1: x(0), x2: x(0), y1: 2, y2: 46 }));
  each.forEach((day, i) => {
    const dot = s("circle", { class: "dot", cx: x(day.value), cy: 12 + (i % 3) * 4, r: 3 });
    dot.append(s("title", {}, `${dateLabel(day.date)}: ${money(day.value)}`));
    svg.append(dot);
  });
  if (!missing(low))
    svg.append(s("line", { class: "interval", x1: x(low), x2: x(high), y1: 34, y2: 34 }));
  if (!missing(mean)) svg.append(s("path", { class: "mean", d: `M${x(mean)} 28l5 6l-5 6l-5 -6z` }));
  show(host, svg);
}
