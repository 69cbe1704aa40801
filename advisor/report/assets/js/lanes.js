// A lane's records as objects, in the order in which they happened.

function readLane(raw, index) {
  const lane = { index, name: raw.name, start: raw.start, figures: raw.figures };
  lane.curve = remember(() => readCurve(raw));
  lane.days = raw.days.map(([date, start, end, trades, signals, state, notes]) => ({
    date,
    start,
    end,
    pnl: end - start,
    trades,
    signals,
    state: text(state),
    notes: notes.map(text),
  }));
  lane.analyses = raw.analyses.map((row, position) => readAnalysis(row, position, lane));
  lane.steps = raw.steps.map(([session, row, analysis, reason, factors]) => ({
    session,
    row,
    analysis,
    reason,
    factors,
  }));
  lane.records = [
    ...lane.analyses,
    ...raw.transitions.map((row) => readTransition(row, lane)),
    ...raw.signals.map((row) => readSignal(row, lane)),
    ...raw.refusals.map(([minute, symbol, quantity, reason]) => ({
      kind: "refusal",
      lane,
      minute,
      symbol,
      quantity,
      reason: text(reason),
    })),
    ...raw.fills.map(([minute, symbol, side, quantity, at, fees, reason]) => ({
      kind: "fill",
      lane,
      minute,
      symbol,
      side,
      quantity,
      price: at,
      fees,
      reason: text(reason),
    })),
    ...raw.trades.map((row) => readTrade(row, lane)),
    ...raw.risk.map(([minute, state, reason, equity]) => ({
      kind: "risk",
      lane,
      minute,
      symbol: -1,
      state: text(state),
      reason: text(reason),
      equity,
    })),
  ];
  lane.records.forEach((record, position) => (record.order = position));
  lane.trades = lane.records.filter((record) => record.kind === "trade");
  return lane;
}

function readCurve(raw) {
  let minute = -1;
  const minutes = unpack(raw.minutes).map((skipped) => (minute = minute + 1 + skipped));
  return { minutes, equity: unpackDifferences(raw.equity, 0.01).map((gain) => raw.start + gain) };
}

function readAnalysis(row, position, lane) {
  const [
    minute,
    analyst,
    confidence,
    degraded,
    reason,
    factors,
    assessment,
    chances,
    why,
    evidence,
  ] = row;
  return {
    kind: "analysis",
    lane,
    minute,
    symbol: -1,
    position,
    analyst: text(analyst),
    confidence,
    degraded: degraded === 1,
    degradedReason: text(reason),
    factors,
    assessment: text(assessment),
    opportunities: chances.map(text),
    reasoning: text(why),
    evidence: evidence.map(text),
  };
}

function readTransition([minute, symbol, state, side, z, reason], lane) {
  return {
    kind: "transition",
    lane,
    minute,
    symbol,
    state: data.states[state],
    side,
    z,
    reason: text(reason),
  };
}

function readSignal(row, lane) {
  const [minute, symbol, setup, side, at, stop, target, z, quantity, blocked, verdict, checks] =
    row;
  return {
    kind: "signal",
    lane,
    minute,
    symbol,
    setup: SETUPS[setup],
    side,
    price: at,
    stop,
    target,
    z,
    quantity,
    blocked: text(blocked),
    verdict: verdict ? readVerdict(verdict) : null,
    checks: checks.map((position) => {
      const [name, before, after, outcome] = data.checks[position];
      return { name: text(name), before, after, outcome: OUTCOMES[outcome] };
    }),
  };
}

function readVerdict([ruling, factor, confidence, why, evidence, validator, degraded, reason]) {
  return {
    ruling: text(ruling),
    factor,
    confidence,
    reasoning: text(why),
    evidence: evidence.map(text),
    validator: text(validator),
    degraded: degraded === 1,
    degradedReason: text(reason),
  };
}

function readTrade(row, lane) {
  const [
    entry,
    symbol,
    exit,
    setup,
    side,
    quantity,
    entryPrice,
    exitPrice,
    reason,
    pnl,
    fees,
    stop,
    target,
    signal,
  ] = row;
  return {
    kind: "trade",
    lane,
    minute: exit,
    symbol,
    entry,
    exit,
    setup: SETUPS[setup],
    side,
    quantity,
    entryPrice,
    exitPrice,
    reason: text(reason),
    pnl,
    fees,
    stop,
    target,
    signal,
  };
}

/** The step of multipliers in force in a row of a session. */
function stepAt(lane, session, row) {
  let found = { factors: [1, 1, 1, 1], analysis: -1, reason: "none", row: 0, session };
  for (const step of lane.steps) {
    if (step.session === session && step.row <= row) found = step;
  }
  return found;
}

const thresholds = (step) => data.rules.base.map((base, i) => base * step.factors[i]);

/** Rows in which a symbol may be armed in a session: [from, until]; and the flat row. */
function windowOf(session) {
  const [from, until] = data.rules.window;
  const flat =
    session.minutes < 390
      ? Math.min(data.rules.flat, session.minutes - data.rules.earlyFlat)
      : data.rules.flat;
  return { from: Math.max(0, from), until: Math.min(session.minutes, until), flat };
}
