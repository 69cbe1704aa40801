// Every record with its reasons: one table to filter, sort and open.

const BATCH = 120;
const filters = {
  lane: "",
  symbol: "",
  session: "",
  text: "",
  kinds: new Set(),
  sort: "time",
  down: false,
};
let found = [];
let shown = 0;
const searchable = remember((lane, order) => searchText(lanes[lane].records[order]));

const SORTS = {
  time: (record) => record.minute,
  lane: (record) => record.lane.index,
  symbol: (record) => (record.symbol < 0 ? 1e9 : record.symbol),
  kind: (record) => KINDS.findIndex(([kind]) => kind === record.kind),
  pnl: (record) => record.pnl ?? -Infinity,
};

function drawLog() {
  filters.lane = lanes.length ? lanes[0].name : "";
  filters.kinds = new Set(["signal", "trade", "refusal", "risk"]);
  show(
    byId("log-tools"),
    h("input", {
      type: "search",
      id: "log-text",
      placeholder: "Search reasons, evidence, numbers …",
      "aria-label": "Search the records",
      oninput: (event) => setFilter("text", event.target.value.trim().toLowerCase()),
    }),
    choice(
      "Lane",
      [["", "all lanes"], ...lanes.map((lane) => [lane.name, lane.name])],
      filters.lane,
      (value) => setFilter("lane", value),
    ),
    choice(
      "Symbol",
      [["", "all symbols"], ...data.symbols.map((name, i) => [String(i), name])],
      "",
      (value) => setFilter("symbol", value),
    ),
    choice(
      "Session",
      [["", "all sessions"], ...sessions.map((session) => [String(session.index), session.label])],
      "",
      (value) => setFilter("session", value),
    ),
    kindChips(),
    h("output", { id: "log-count", "aria-live": "polite" }),
  );
  show(
    byId("log-head"),
    h(
      "tr",
      {},
      headCell("time", "Time"),
      headCell("lane", "Lane"),
      headCell("symbol", "Symbol"),
      headCell("kind", "What"),
      h("th", { scope: "col" }, "In words"),
      headCell("pnl", "P/L", "number"),
      h("th", { scope: "col" }, h("span", { class: "hidden" }, "Chart")),
    ),
  );
  new IntersectionObserver((entries) => entries[0].isIntersecting && more()).observe(
    byId("log-more"),
  );
  byId("log-more").addEventListener("click", more);
  refreshLog();
}

function kindChips() {
  const group = h("div", { class: "chips", role: "group", "aria-label": "Kinds of record" });
  for (const [kind, name] of KINDS) {
    if (!lanes.some((lane) => lane.records.some((record) => record.kind === kind))) continue;
    const chip = h(
      "button",
      {
        type: "button",
        "data-kind": kind,
        "aria-pressed": String(filters.kinds.has(kind)),
        onclick: () => {
          if (filters.kinds.has(kind)) filters.kinds.delete(kind);
          else filters.kinds.add(kind);
          chip.setAttribute("aria-pressed", String(filters.kinds.has(kind)));
          refreshLog();
        },
      },
      name,
      " ",
      h("small", {}),
    );
    group.append(chip);
  }
  return group;
}

function headCell(key, name, style = "") {
  const button = h(
    "button",
    {
      type: "button",
      onclick: () => {
        filters.down = filters.sort === key ? !filters.down : key === "pnl";
        filters.sort = key;
        refreshLog();
      },
    },
    name,
  );
  return h("th", { scope: "col", "data-sort": key, class: style }, button);
}

function setFilter(name, value) {
  filters[name] = value;
  refreshLog();
}

function matches(record) {
  if (!filters.kinds.has(record.kind)) return false;
  if (filters.symbol !== "" && record.symbol !== Number(filters.symbol)) return false;
  if (filters.session !== "" && !inSession(sessions[Number(filters.session)], record.minute))
    return false;
  return (
    !filters.text ||
    filters.text
      .split(/\s+/)
      .every((word) => searchable(record.lane.index, record.order).includes(word))
  );
}

function refreshLog() {
  const chosenLanes = lanes.filter((lane) => !filters.lane || lane.name === filters.lane);
  const key = SORTS[filters.sort];
  const sign = filters.down ? -1 : 1;
  const all = chosenLanes.flatMap((lane) => lane.records);
  found = all.filter(matches).sort((a, b) => {
    const [first, second] = [key(a), key(b)];
    return first === second
      ? a.minute - b.minute || a.order - b.order
      : sign * (first < second ? -1 : 1);
  });
  for (const cell of byId("log-head").querySelectorAll("th[data-sort]")) {
    const active = cell.dataset.sort === filters.sort;
    cell.setAttribute("aria-sort", active ? (filters.down ? "descending" : "ascending") : "none");
  }
  for (const chip of byId("log-tools").querySelectorAll("[data-kind]")) {
    chip.lastChild.textContent = whole(
      all.filter((record) => record.kind === chip.dataset.kind).length,
    );
  }
  byId("log-count").textContent = `${whole(found.length)} of ${whole(all.length)}`;
  byId("log-body").replaceChildren();
  shown = 0;
  more();
}

function more() {
  const rows = found.slice(shown, shown + BATCH);
  shown += rows.length;
  byId("log-body").append(...rows.flatMap(logRow));
  byId("log-more").hidden = shown >= found.length;
  byId("log-empty").hidden = found.length > 0;
}

function logRow(record) {
  const explained =
    record.kind === "signal" || record.kind === "analysis" || record.kind === "trade";
  const row = h("tr", { class: `row ${record.kind}` });
  const toggle =
    explained &&
    h(
      "button",
      {
        type: "button",
        class: "open",
        "aria-expanded": "false",
        "aria-label": "Reasons",
        onclick: () => unfold(row, record, toggle),
      },
      "›",
    );
  fill(row, {}, [
    h(
      "td",
      { class: "time" },
      toggle || h("span", { class: "open" }),
      moment(
        record.minute,
        `${sessions.length > 1 ? `${dateLabel(localDate(record.minute)).slice(4)} ` : ""}${clock(record.minute)}`,
      ),
    ),
    h("td", { class: "lane" }, swatch(record.lane.name), record.lane.name),
    h("td", { class: "symbol" }, symbolName(record.symbol)),
    h("td", {}, h("span", { class: `badge ${badge(record)}` }, kindWord(record))),
    h("td", { class: "words" }, sentence(record)),
    h("td", { class: `number ${tone(record.pnl)}` }, "pnl" in record ? money(record.pnl) : ""),
    h("td", { class: "link" }, momentLink(record)),
  ]);
  if (explained)
    row.addEventListener(
      "click",
      (event) => event.target.closest("a,button,time") || unfold(row, record, toggle),
    );
  return [row];
}

/** A link to where the page shows the record: the chart, or the multipliers for an analysis. */
function momentLink(record) {
  if (record.kind !== "analysis") {
    const href = linkTo(record.lane.index, record.symbol, record.minute);
    return h("a", { href, "aria-label": `Show ${clock(record.minute)} on the chart` }, "chart");
  }
  return h(
    "a",
    {
      href: "#analyses",
      "aria-label": `Show the analysis of ${clock(record.minute)}`,
      onclick: () => {
        select({ lane: record.lane.index, session: sessionAt(record.minute).index });
        choose(record.position);
      },
    },
    "show",
  );
}

function unfold(row, record, toggle) {
  const open = toggle.getAttribute("aria-expanded") === "true";
  toggle.setAttribute("aria-expanded", String(!open));
  if (open) row.nextSibling.remove();
  else row.after(h("tr", { class: "reasons" }, h("td", { colspan: "7" }, reasonsOf(record))));
}
