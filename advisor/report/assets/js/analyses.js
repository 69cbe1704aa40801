// The multipliers over time as four staircases, and the analysis behind each step.

let adviceStage = null;
let adviceRange = "session"; // or "all"
let chosen = -1; // position of the analysis shown

function adviceScene() {
  const lane = lanes[view.lane];
  const wide = adviceRange === "all";
  const mine = (item) => wide || item.session === view.session;
  const steps = lane.steps.filter(mine);
  const analyses = lane.analyses.filter(
    (analysis) => wide || sessionAt(analysis.minute).index === view.session,
  );
  const begin = wide ? 0 : sessions[view.session].begin;
  const end = wide ? totalMinutes : begin + sessions[view.session].minutes;
  return {
    lane,
    steps,
    analyses,
    begin,
    end,
    axis: analyses.map((analysis) => axisOf(analysis.minute)),
  };
}

function drawAdvice() {
  const host = byId("advice");
  const lane = lanes[view.lane];
  const none = !lane || !lane.analyses.length || !sessions.length;
  byId("advice-body").hidden = none;
  byId("advice-none").hidden = !none;
  if (none) {
    show(
      byId("advice-none"),
      `${lane ? lane.name : "This run"} has no analyses: every threshold stays at its base (×1.00).`,
    );
    return;
  }
  if (!adviceStage) {
    adviceStage = new Stage(host, {
      label: "Multipliers on the four thresholds over time",
      height: () => 318,
      domain: () => {
        const { begin, end } = adviceScene();
        return [begin, end];
      },
      snap: (value) => Math.round(value),
      step: () => (adviceRange === "all" ? 15 : 1),
      onmove: (value) => adviceReadout(value),
      onpick: (value) => chooseAt(value),
      onkey: (event) => adviceKey(event),
      paint: paintAdvice,
    });
  }
  const positions = adviceScene().analyses.map((analysis) => analysis.position);
  if (!positions.includes(chosen)) chosen = positions.length ? positions[0] : -1;
  adviceStage.repaint();
  adviceStage.moveTo(null);
  drawAnalysisCard();
}

function paintAdvice(stage) {
  const { steps, analyses, end } = adviceScene();
  const session = sessions[view.session];
  stage.columns(adviceRange === "all" ? sessionMarks() : hourMarks(session, session.begin));
  const top = MARGIN.top + 16;
  const room = (stage.height - top - MARGIN.bottom - 10) / 4;
  const crowded = analyses.length > (stage.right - stage.left) / 9;
  for (const analysis of analyses) paintAnalysis(stage, analysis, end, crowded);
  FACTORS.forEach((name, i) => {
    const floor = top + i * room;
    const y = stage.panel(floor + 8, room - 22, [-1, 1], {
      marks: [-1, 0, 1],
      write: (power) => ({ "-1": "×0.5", 0: "×1", 1: "×2" })[power],
    });
    const points = steps.map((step) => [
      sessions[step.session].begin + step.row,
      Math.log2(step.factors[i]),
    ]);
    const line = stepPath(points, end, stage.x, y);
    if (!line) return;
    stage.add("path", {
      class: `factor-area f${i}`,
      d: `${line}V${y(0)}H${stage.x(points[0][0])}Z`,
    });
    stage.add("path", { class: `factor f${i}`, d: line });
    stage.add("text", { class: "factor-name", x: stage.left + 4, y: floor + 12 }, name);
  });
}

/** A dot where the analysis was made; a degraded one is a cross over a hatched stretch. */
function paintAnalysis(stage, analysis, end, crowded) {
  const x = stage.x(axisOf(analysis.minute));
  const bottom = stage.height - MARGIN.bottom;
  if (analysis.degraded) {
    const until = Math.min(stage.x(end), stage.x(axisOf(analysis.minute) + data.rules.interval));
    stage.add("rect", {
      class: "degraded",
      x,
      width: Math.max(2, until - x),
      y: MARGIN.top,
      height: bottom - MARGIN.top,
    });
  }
  if (analysis.position === chosen)
    stage.add("line", { class: "chosen", x1: x, x2: x, y1: MARGIN.top, y2: bottom });
  if (crowded && !analysis.degraded && analysis.position !== chosen) {
    stage.add("line", {
      class: "analysis-tick",
      x1: x,
      x2: x,
      y1: MARGIN.top + 3,
      y2: MARGIN.top + 8,
    });
    return;
  }
  const dot = stage.add("path", {
    class: `analysis-dot ${analysis.degraded ? "bad" : ""} ${analysis.position === chosen ? "on" : ""}`,
    d: SHAPES[analysis.degraded ? "cross" : "dot"],
    transform: `translate(${x.toFixed(1)} ${MARGIN.top + 6})`,
  });
  dot.append(s("title", {}, `${bothClocks(analysis.minute)}: ${sentence(analysis)}`));
}

function adviceReadout(value) {
  const { steps, lane } = adviceScene();
  const spot =
    value === null ? (chosen < 0 ? null : axisOf(lane.analyses[chosen].minute) + 1) : value;
  const host = byId("advice-readout");
  const step =
    spot === null
      ? undefined
      : steps.findLast((candidate) => sessions[candidate.session].begin + candidate.row <= spot) ||
        steps[0];
  if (!step) {
    show(host);
    return;
  }
  const session = sessions[step.session];
  const minute = session.open + Math.min(session.minutes, spot - session.begin);
  const source = step.analysis >= 0 ? lane.analyses[step.analysis] : null;
  show(
    host,
    h(
      "span",
      { class: "pair when" },
      h(
        "b",
        {},
        moment(minute, adviceRange === "all" ? `${session.label} ${clock(minute)}` : undefined),
      ),
    ),
    step.factors.map((factor, i) =>
      h(
        "span",
        { class: "pair" },
        h("small", {}, FACTORS[i]),
        " ",
        h("b", {}, `×${fixed(factor)}`),
      ),
    ),
    h(
      "span",
      { class: "pair" },
      h("small", {}, "from"),
      " ",
      h("b", { class: source && source.degraded ? "warn" : "" }, adviceWord(lane, step)),
    ),
  );
}

function chooseAt(value) {
  const { axis, analyses } = adviceScene();
  if (!analyses.length) return;
  let best = 0;
  axis.forEach((position, i) => {
    if (position <= value + 2) best = i;
  });
  choose(analyses[best].position);
}

function choose(position) {
  const lane = lanes[view.lane];
  if (position < 0 || position >= lane.analyses.length) return;
  chosen = position;
  const session = sessionAt(lane.analyses[position].minute).index;
  if (adviceRange === "session" && session !== view.session) select({ session });
  else drawAdvice();
}

function adviceKey(event) {
  if (event.key === "n") choose(chosen + 1);
  if (event.key === "p") choose(chosen - 1);
}

function drawAnalysisCard() {
  const lane = lanes[view.lane];
  const host = byId("analysis");
  if (chosen < 0) return show(host, h("p", { class: "empty" }, "No analysis in this session."));
  const analysis = lane.analyses[chosen];
  const move = (by, label, sign) =>
    h(
      "button",
      {
        type: "button",
        class: "plain",
        "aria-label": label,
        disabled: !lane.analyses[chosen + by],
        onclick: () => choose(chosen + by),
      },
      sign,
    );
  return show(
    host,
    h(
      "header",
      {},
      h(
        "h3",
        {},
        moment(
          analysis.minute,
          `${dateLabel(localDate(analysis.minute))} ${clock(analysis.minute)}`,
        ),
      ),
      h("span", { class: "spread" }),
      move(-1, "Previous analysis", "‹"),
      move(1, "Next analysis", "›"),
    ),
    analysisDetail(analysis),
  );
}
