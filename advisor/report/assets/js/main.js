// Puts the page together and keeps its parts on the same selection.

function drawSelectors() {
  const pick = (name) => (value) => select({ [name]: Number(value) });
  const step = (by) => () => {
    const session = view.session + by;
    if (sessions[session]) select({ session });
  };
  const symbols = choice(
    "Symbol",
    data.symbols.map((name, i) => [String(i), name]),
    String(view.symbol),
    pick("symbol"),
  );
  const dates = choice(
    "Session",
    sessions.map((session) => [String(session.index), session.label]),
    String(view.session),
    pick("session"),
  );
  const lanePick = segments(
    "Lane",
    lanes.map((lane) => [String(lane.index), lane.name]),
    String(view.lane),
    pick("lane"),
  );
  const zooms = segments(
    "Part of the session",
    [
      ["all", "Session"],
      ["window", "Entry window"],
    ],
    "all",
    (key) => zoomTo(key === "all" ? null : [0, windowOf(sessions[view.session]).until]),
  );
  zooms.id = "zoom";
  show(
    byId("selectors"),
    symbols,
    h(
      "span",
      { class: "joined" },
      h("button", { type: "button", "aria-label": "Previous session", onclick: step(-1) }, "‹"),
      dates,
      h("button", { type: "button", "aria-label": "Next session", onclick: step(1) }, "›"),
    ),
    lanePick,
    zooms,
  );
  onSelect(() => {
    symbols.value = String(view.symbol);
    dates.value = String(view.session);
    lanePick.mark(String(view.lane));
  });
}

function drawAdviceTools() {
  const range = segments(
    "Range",
    [
      ["session", "Session"],
      ["all", "All sessions"],
    ],
    adviceRange,
    (key) => {
      adviceRange = key;
      range.mark(key);
      drawAdvice();
    },
  );
  const bad = () => lanes[view.lane].analyses.filter((analysis) => analysis.degraded);
  const next = h("button", {
    type: "button",
    class: "plain warn",
    onclick: () => {
      const list = bad();
      choose((list.find((analysis) => analysis.position > chosen) || list[0]).position);
    },
  });
  const refresh = () => {
    const count = lanes[view.lane] ? bad().length : 0;
    next.hidden = count === 0;
    next.textContent = `${count} DEGRADED: show next`;
  };
  onSelect(refresh);
  refresh();
  show(byId("advice-tools"), range, next);
}

function drawTheme() {
  const root = document.documentElement;
  const remembered = () => {
    try {
      return localStorage.getItem("advisor-report-theme") || "auto";
    } catch {
      return "auto"; // storage may be forbidden for files
    }
  };
  const group = segments(
    "Colours",
    [
      ["auto", "Auto"],
      ["light", "Light"],
      ["dark", "Dark"],
    ],
    remembered(),
    (key) => {
      root.dataset.theme = key;
      group.mark(key);
      try {
        localStorage.setItem("advisor-report-theme", key);
      } catch {
        // the choice then lasts until the page is closed
      }
    },
  );
  root.dataset.theme = remembered();
  show(byId("theme"), group);
}

function follow(before, how) {
  const moved =
    before.symbol !== view.symbol || before.session !== view.session || before.lane !== view.lane;
  if (moved) {
    drawSession();
    drawMap();
    drawAdvice();
    if (before.session !== view.session) {
      premarketDate = null;
      drawPremarket();
    }
  } else if (sessionStage) sessionStage.pin(view.row);
  drawStory();
  if (how.focus) focusMap();
}

function goToAddress() {
  if (readAddress()) byId("sessions").scrollIntoView({ block: "start" });
}

function openReport() {
  drawTheme();
  drawHead();
  drawFigures();
  drawEquity();
  drawDifferences();
  drawSelectors();
  drawLegend();
  drawAdviceTools();
  const dates = choice(
    "Session",
    sessions.map((session) => [String(session.index), session.label]),
    String(view.session),
    (value) => {
      premarketDate = Number(value);
      drawPremarket();
    },
  );
  dates.id = "premarket-date";
  show(byId("premarket-tools"), dates);
  Object.assign(view, latestTrades());
  const linked = readAddress();
  for (const listener of listeners) listener(view, {});
  drawSession();
  drawStory();
  drawMap();
  drawAdvice();
  drawPremarket();
  drawQuality();
  drawLog();
  onSelect(follow);
  if (linked) byId("sessions").scrollIntoView();
  window.addEventListener("hashchange", () => goToAddress());
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#at/']"); // also when the address is this one already
    if (link && link.hash === location.hash) goToAddress();
  });
  document.documentElement.dataset.ready = "true";
}

openReport();
