// What the sessions began with, and how good the bars were.

let premarketDate = null;

function drawPremarket() {
  const session = premarketDate ?? view.session;
  const rows = snapshots.filter((row) => row.session === session);
  byId("premarket-date").value = String(session);
  if (!rows.length) return show(byId("premarket"), h("caption", { class: "empty" }, "No snapshot for this session."));
  const columns = ["Symbol", "Arms", "Trend", "Slope day", "Slope hour", "Swings", "ATR percentile", "ATR 5m", "Mean 5m", "σ 5m", "Avg volume", "Prev close"];
  return show(byId("premarket"),
    h("thead", {}, h("tr", {}, columns.map((name, i) => h("th", { scope: "col", class: i > 2 && i !== 5 ? "number" : "" }, name)))),
    h("tbody", {}, rows.map(premarketRow)));
}

function premarketRow(row) {
  const cell = (value, style = "number") => h("td", { class: style }, value);
  const arrow = row.trend > 0 ? "▲ up" : row.trend < 0 ? "▼ down" : "– none";
  const arms = row.reasons.length ? h("span", { class: "badge block" }, "no") : h("span", { class: "badge plain" }, "yes");
  return h("tr", {},
    h("th", { scope: "row" }, symbolName(row.symbol)),
    h("td", { class: "arms" }, arms, row.reasons.length ? h("ul", {}, row.reasons.map((reason) => h("li", {}, reason))) : null),
    cell(arrow, `trend ${tone(row.trend)}`), cell(fixed(row.slopeDaily, 3, true)), cell(fixed(row.slopeHourly, 3, true)), cell(row.tag, ""),
    h("td", { class: "number", title: `rank of the daily ATR-14 among ${plural(row.sample, "session")}; cap ${data.rules.cap}` },
      percentileBar(row.percentile), fixed(row.percentile, 1), h("small", {}, ` of ${row.sample}`)),
    cell(brief(row.atr, 4)), cell(price(row.mean)), cell(brief(row.deviation, 4)), cell(whole(row.volume)), cell(price(row.previous)));
}

function percentileBar(value) {
  if (missing(value)) return null;
  const over = value > data.rules.cap;
  return h("i", { class: `gauge ${over ? "over" : ""}`, "aria-hidden": "true", vars: { "--size": `${value}%` } });
}

function drawQuality() {
  const { read, accepted, rejected, gaps } = data.quality;
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const gapsOf = (symbol) => gaps.filter((gap) => gap[1] === symbol);
  const line = (name, taken, kept, holes, header) => h("tr", {},
    h("th", { scope: "row" }, name), ...[whole(taken), whole(kept), whole(taken - kept), taken ? percent((taken - kept) / taken, 1, false) : DASH,
      holes.length, whole(sum(holes.map((gap) => gap[2])))].map((value) => h(header ? "th" : "td", { class: "number" }, value)));
  show(byId("quality"),
    h("thead", {}, h("tr", {}, ["Symbol", "Rows read", "Accepted", "Refused", "Share", "Sessions with gaps", "Missing minutes"].map((name, i) => h("th", { scope: "col", class: i ? "number" : "" }, name)))),
    h("tbody", {}, data.symbols.map((name, i) => line(name, read[i], accepted[i], gapsOf(i)))),
    data.symbols.length > 1 ? h("tfoot", {}, line("All", sum(read), sum(accepted), gaps, true)) : null);
  show(byId("rejections"), rejected.length
    ? [h("thead", {}, h("tr", {}, ["Reason", "Rows", "Kind", "Symbol", "File"].map((name, i) => h("th", { scope: "col", class: i === 1 ? "number" : "" }, name)))),
        h("tbody", {}, rejected.map(([kind, file, symbol, reason, count]) => h("tr", {}, h("td", {}, human(text(reason))), h("td", { class: "number" }, whole(count)),
          h("td", {}, human(text(kind))), h("td", {}, text(symbol)), h("td", { class: "file" }, text(file) || DASH))))]
    : h("caption", { class: "empty" }, "No row was refused."));
  byId("gaps-title").textContent = gaps.length ? `${plural(gaps.length, "gap")} by session` : "No gap: every session is whole.";
  show(byId("gaps"), gaps.length
    ? [h("thead", {}, h("tr", {}, ["Session", "Symbol", "Missing", "Longest", "First missing"].map((name, i) => h("th", { scope: "col", class: i > 1 && i < 4 ? "number" : "" }, name)))),
        h("tbody", {}, gaps.map(([session, symbol, lost, first, longest]) => h("tr", {}, h("td", {}, sessions[session].label), h("td", {}, symbolName(symbol)),
          h("td", { class: "number" }, whole(lost)), h("td", { class: "number" }, whole(longest)), h("td", {}, moment(first)))))]
    : null);
}
