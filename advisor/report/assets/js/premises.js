// What the sessions began with, and how good the bars were.

let premarketDate = null;

function drawPremarket() {
  const session = premarketDate ?? view.session;
  const rows = snapshots.filter((row) => row.session === session);
  byId("premarket-date").value = String(session);
  drawContext(contexts.find((one) => one.session === session));
  drawBiases(biases.filter((one) => one.session === session));
  if (!rows.length)
    return show(
      byId("premarket"),
      h("caption", { class: "empty" }, "No snapshot for this session."),
    );
  const columns = [
    "Symbol",
    "Arms",
    "Trend",
    "Slope day",
    "Slope hour",
    "Swings",
    "ATR percentile",
    "ATR 5m",
    "Mean 5m",
    "σ 5m",
    "Avg volume",
    "Prev close",
  ];
  return show(
    byId("premarket"),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        columns.map((name, i) =>
          h("th", { scope: "col", class: i > 2 && i !== 5 ? "number" : "" }, name),
        ),
      ),
    ),
    h("tbody", {}, rows.map(premarketRow)),
  );
}

/** What the market was expected to do, in one line. */
function drawContext(context) {
  byId("context").hidden = !context;
  if (!context) return;
  show(
    byId("context"),
    h("b", {}, `Market ${context.bias}`),
    ` (confidence ${whole(context.confidence)}, ${context.analyst}): ${context.summary} `,
    failed(context),
  );
}

/** What each symbol was expected to do; opinions, no trade came of them. */
function drawBiases(rows) {
  byId("biases").hidden = !rows.length;
  const news = rows.some((row) => row.news);
  show(
    byId("biases"),
    headRow(["Symbol", "Bias", "Confidence", "Reasoning", ...(news ? ["News"] : [])], [2]),
    h(
      "tbody",
      {},
      rows.map((row) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, symbolName(row.symbol)),
          h("td", { title: row.analyst }, row.bias),
          h("td", { class: "number" }, whole(row.confidence)),
          h("td", { class: "words" }, row.reasoning, " ", failed(row)),
          news ? h("td", { class: "words" }, row.news) : null,
        ),
      ),
    ),
  );
}

const failed = (one) =>
  one.degraded
    ? h("span", { class: "badge block", title: one.degradedReason }, `DEGRADED: ${one.degradedReason}`)
    : null;

function premarketRow(row) {
  const cell = (value, style = "number") => h("td", { class: style }, value);
  const arrow = row.trend > 0 ? "▲ up" : row.trend < 0 ? "▼ down" : "– none";
  const arms = row.reasons.length
    ? h("span", { class: "badge block" }, "no")
    : h("span", { class: "badge plain" }, "yes");
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, symbolName(row.symbol)),
    h(
      "td",
      { class: "arms" },
      arms,
      row.reasons.length
        ? h(
            "ul",
            {},
            row.reasons.map((reason) => h("li", {}, reason)),
          )
        : null,
    ),
    cell(arrow, `trend ${tone(row.trend)}`),
    cell(fixed(row.slopeDaily, 3, true)),
    cell(fixed(row.slopeHourly, 3, true)),
    cell(row.tag, ""),
    h(
      "td",
      {
        class: "number",
        title: `rank of the daily ATR-14 among ${plural(row.sample, "session")}; cap ${data.rules.cap}`,
      },
      percentileBar(row.percentile),
      h("span", { class: "percentile" }, fixed(row.percentile, 1)),
      h("small", {}, ` n ${row.sample}`),
    ),
    cell(brief(row.atr, 4)),
    cell(price(row.mean)),
    cell(brief(row.deviation, 4)),
    cell(whole(row.volume)),
    cell(price(row.previous)),
  );
}

function percentileBar(value) {
  if (missing(value)) return null;
  const over = value > data.rules.cap;
  return h("i", {
    class: `gauge ${over ? "over" : ""}`,
    "aria-hidden": "true",
    vars: { "--size": `${value}%` },
  });
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

function headRow(names, numeric) {
  return h(
    "thead",
    {},
    h(
      "tr",
      {},
      names.map((name, i) =>
        h("th", { scope: "col", class: numeric.includes(i) ? "number" : "" }, name),
      ),
    ),
  );
}

function drawQuality() {
  const { read, accepted, gaps } = data.quality;
  const line = (name, taken, kept, holes, reasons) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      [
        whole(taken),
        whole(kept),
        whole(taken - kept),
        taken ? percent((taken - kept) / taken, 1, false) : DASH,
      ].map((value) => h("td", { class: "number" }, value)),
      h("td", {}, reasons),
      [holes.length, whole(sum(holes.map((gap) => gap[2])))].map((value) =>
        h("td", { class: "number" }, value),
      ),
    );
  show(
    byId("quality"),
    headRow(
      [
        "Symbol",
        "Rows read",
        "Accepted",
        "Refused",
        "Share",
        "Refused because",
        "Sessions with gaps",
        "Missing minutes",
      ],
      [1, 2, 3, 4, 6, 7],
    ),
    h(
      "tbody",
      {},
      data.symbols.map((name, i) =>
        line(
          name,
          read[i],
          accepted[i],
          gaps.filter((gap) => gap[1] === i),
          refusedBecause(name),
        ),
      ),
    ),
    data.symbols.length > 1
      ? h("tfoot", {}, line("All", sum(read), sum(accepted), gaps, refusedBecause(null)))
      : null,
  );
  drawRejections(data.quality.rejected);
  drawGaps(gaps);
}

/** The reasons of refused minutes of a symbol (null: of all), the most frequent first. */
function refusedBecause(symbol) {
  const counts = new Map();
  for (const [kind, , name, reason, count] of data.quality.rejected) {
    if (text(kind) === "bar" && (symbol === null || text(name) === symbol))
      counts.set(reason, (counts.get(reason) || 0) + count);
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([reason, count]) => `${human(text(reason))} ${whole(count)}`)
    .join(" · ");
}

function drawRejections(rejected) {
  byId("rejections-title").textContent = rejected.length
    ? `${whole(sum(rejected.map((row) => row[4])))} refused rows by reason and file`
    : "No row was refused.";
  show(
    byId("rejections"),
    headRow(["Reason", "Rows", "Kind", "Symbol", "File"], [1]),
    h(
      "tbody",
      {},
      rejected.map(([kind, file, symbol, reason, count]) =>
        h(
          "tr",
          {},
          h("td", {}, human(text(reason))),
          h("td", { class: "number" }, whole(count)),
          h("td", {}, human(text(kind))),
          h("td", {}, text(symbol)),
          h("td", { class: "file" }, text(file) || DASH),
        ),
      ),
    ),
  );
}

function drawGaps(gaps) {
  byId("gaps-title").textContent = gaps.length
    ? `${plural(gaps.length, "gap")} by session`
    : "No gap: every session is whole.";
  show(
    byId("gaps"),
    headRow(["Session", "Symbol", "Missing", "Longest", "First missing"], [2, 3]),
    h(
      "tbody",
      {},
      gaps.map(([session, symbol, lost, first, longest]) =>
        h(
          "tr",
          {},
          h("td", {}, sessions[session].label),
          h("td", {}, symbolName(symbol)),
          h("td", { class: "number" }, whole(lost)),
          h("td", { class: "number" }, whole(longest)),
          h("td", {}, moment(first)),
        ),
      ),
    ),
  );
}
