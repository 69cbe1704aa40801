// The header's facts, the key figures, and the map of sessions and symbols.

function drawHead() {
  const run = data.run;
  const days =
    sessions.length === 1
      ? dateLabel(sessions[0].date, true)
      : sessions.length
        ? `${sessions[0].label} – ${dateLabel(sessions.at(-1).date, true)}`
        : "no session";
  const degraded = lanes.length
    ? lanes[0].analyses.filter((analysis) => analysis.degraded).length
    : 0;
  const fact = (name, value, title) => h("div", {}, h("dt", {}, name), h("dd", { title }, value));
  show(
    byId("facts"),
    fact("Sessions", `${sessions.length} · ${days}`),
    fact("Symbols", data.symbols.join(" ")),
    fact("Feed", run.feed),
    fact("Analyst", run.analyst),
    fact("Validation", run.validation),
    lanes.length && lanes[0].analyses.length
      ? fact("Analyses", [
          `${lanes[0].analyses.length}, `,
          degraded ? degradedLink(degraded) : "none degraded",
        ])
      : null,
    fact("Run", h("code", {}, run.id), `settings ${run.config}, code ${run.code}`),
  );
  const identity = [`settings ${run.config}`, `code ${run.code}`];
  identity.push(...Object.entries(run.chains).map(([name, head]) => `ledger of ${name} ${head}`));
  const lines = [...run.notes, identity.join(" · ")];
  const title = run.notes.length ? plural(run.notes.length, "note") : "Identity of the run";
  const open = run.notes.length > 0 && run.notes.length <= 3;
  show(
    byId("notes"),
    h(
      "details",
      { open },
      h("summary", {}, title),
      h(
        "ul",
        {},
        lines.map((line) => h("li", {}, line)),
      ),
    ),
  );
}

function degradedLink(count) {
  const first = lanes[0].analyses.find((analysis) => analysis.degraded);
  return h(
    "a",
    {
      class: "warn",
      href: "#analyses",
      onclick: () => {
        select({ lane: 0, session: sessionAt(first.minute).index });
        choose(first.position);
      },
    },
    h("b", {}, `${count} DEGRADED`),
  );
}

function drawFigures() {
  const names = lanes.length ? lanes[0].figures.map(([label]) => label) : [];
  show(
    byId("figures"),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("td", {}),
        lanes.map((lane) => h("th", { scope: "col" }, swatch(lane.name), lane.name)),
      ),
    ),
    h(
      "tbody",
      {},
      names.map((name, i) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, name),
          lanes.map((lane) => figureCell(lane.figures[i])),
        ),
      ),
    ),
  );
}

function figureCell([, shownText, why, feel]) {
  const undefinedOne = shownText === DASH;
  return h(
    "td",
    {
      class: `number ${feel} ${undefinedOne ? "undefined" : ""}`,
      title: why,
      tabindex: undefinedOne ? "0" : null,
      "aria-label": undefinedOne ? `undefined: ${why}` : null,
    },
    shownText,
  );
}

/** P/L by symbol and session of the selected lane; a cell opens the chart. */
function drawMap() {
  const lane = lanes[view.lane];
  if (!lane || !sessions.length)
    return show(byId("map"), h("p", { class: "empty" }, "Nothing was replayed."));
  const sums = data.symbols.map(() => sessions.map(() => ({ pnl: 0, trades: 0 })));
  for (const trade of lane.trades) {
    const cell = sums[trade.symbol]?.[sessionAt(trade.minute).index];
    if (cell) Object.assign(cell, { pnl: cell.pnl + trade.pnl, trades: cell.trades + 1 });
  }
  const largest = Math.max(1, ...sums.flat().map((cell) => Math.abs(cell.pnl)));
  const total = (cells) => cells.reduce((sum, cell) => sum + cell.pnl, 0);
  const count = (cells) => cells.reduce((sum, cell) => sum + cell.trades, 0);
  const sumCell = (cells, day) =>
    h(
      "td",
      { class: `number sum ${tone(total(cells))}`, title: day && dayWords(day) },
      count(cells) ? money(total(cells), true, 0) : "",
      day && day.state !== "ACTIVE" ? h("small", { class: "warn" }, ` ${day.state}`) : null,
    );
  return show(
    byId("map"),
    h(
      "table",
      {
        class: "map",
        role: "grid",
        "aria-label": `P/L of ${lane.name} by symbol and session`,
        onkeydown: mapKey,
      },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("td", {}),
          sessions.map(mapDate),
          h("th", { scope: "col", class: "number" }, "All"),
        ),
      ),
      h(
        "tbody",
        {},
        data.symbols.map((name, symbol) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, name),
            sessions.map((session) =>
              mapCell(symbol, session, sums[symbol][session.index], largest),
            ),
            sumCell(sums[symbol]),
          ),
        ),
      ),
      h(
        "tfoot",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "row" }, "All"),
          sessions.map((session) =>
            sumCell(
              sums.map((row) => row[session.index]),
              lane.days.find((day) => day.date === session.date),
            ),
          ),
          sumCell(sums.flat()),
        ),
      ),
    ),
  );
}

const dayWords = (day) =>
  [
    `equity ${money(day.start, false)} → ${money(day.end, false)}`,
    plural(day.signals, "signal"),
    plural(day.trades, "trade"),
    day.state,
    ...day.notes,
  ].join(", ");

function mapDate(session, i) {
  const [weekday, day, month] = session.label.split(" ");
  const first = i === 0 || !sessions[i - 1].label.endsWith(month);
  return h(
    "th",
    { scope: "col", title: session.label },
    h("small", {}, first ? month : weekday.slice(0, 2)),
    day,
  );
}

function mapCell(symbol, session, cell, largest) {
  const snapshot = snapshotOf(session.index, symbol);
  const resting = snapshot && snapshot.reasons.length > 0;
  const chosenOne = symbol === view.symbol && session.index === view.session;
  const strength = cell.trades ? 0.12 + (0.6 * Math.abs(cell.pnl)) / largest : 0;
  const words = `${symbolName(symbol)} ${session.label}: ${cell.trades ? `${plural(cell.trades, "trade")}, ${money(cell.pnl)}` : resting ? `does not arm (${snapshot.reasons.join("; ")})` : "no trade"}`;
  return h(
    "td",
    {},
    h(
      "button",
      {
        type: "button",
        class: `cell ${tone(cell.pnl)} ${resting ? "resting" : ""}`,
        title: words,
        "aria-label": words,
        "aria-pressed": String(chosenOne),
        tabindex: chosenOne ? "0" : "-1",
        "data-symbol": symbol,
        "data-session": session.index,
        vars: { "--strength": `${Math.round(100 * strength)}%` },
        onclick: () => select({ symbol, session: session.index }, { focus: true }),
      },
      cell.trades ? fixed(cell.pnl, 0, true) : resting ? "×" : "·",
    ),
  );
}

function mapKey(event) {
  const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[
    event.key
  ];
  if (!move || !event.target.matches(".cell")) return;
  event.preventDefault();
  const symbol = Math.min(data.symbols.length - 1, Math.max(0, view.symbol + move[0]));
  const session = Math.min(sessions.length - 1, Math.max(0, view.session + move[1]));
  select({ symbol, session }, { focus: true });
}

function focusMap() {
  const cell = byId("map").querySelector(".cell[aria-pressed=true]");
  if (cell) cell.focus({ preventScroll: true });
}
