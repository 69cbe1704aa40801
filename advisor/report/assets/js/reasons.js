// Why: what stands behind a signal, a trade or an analysis, in full.

function reasonsOf(record) {
  if (record.kind === "analysis") return analysisDetail(record);
  if (record.kind === "trade") return tradeReasons(record);
  return h("div", { class: "explained" }, verdictDetail(record), checksTable(record));
}

/** The trade in figures, and the signal it came from. */
function tradeReasons(trade) {
  const signal = trade.lane.records.find(
    (r) => r.kind === "signal" && r.symbol === trade.symbol && r.minute === trade.signal,
  );
  const risk = signal ? trade.quantity * Math.abs(signal.price - trade.stop) : NaN;
  const facts = [
    ["Entered", moment(trade.entry)],
    ["Exited", moment(trade.exit)],
    ["Stop", price(trade.stop)],
    ["Target", price(trade.target)],
    ["Planned risk", money(risk, false)],
    ["R", risk > 0 ? `${fixed(trade.pnl / risk, 2, true)} R` : DASH],
    ["Fees", money(trade.fees, false)],
  ];
  return h(
    "div",
    { class: "explained" },
    h(
      "dl",
      { class: "facts" },
      facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
    signal
      ? [
          h("p", { class: "note" }, "Signal of ", moment(signal.minute), ": ", sentence(signal)),
          verdictDetail(signal),
          checksTable(signal),
        ]
      : null,
  );
}

function verdictDetail(signal) {
  const verdict = signal.verdict;
  if (!verdict) return h("p", { class: "note" }, "No validator was asked.");
  const size = verdict.factor < 1 ? ` to ×${fixed(verdict.factor)} of the size` : "";
  return h(
    "div",
    { class: "verdict" },
    h(
      "p",
      {},
      h(
        "span",
        {
          class: `badge ${verdict.degraded ? "warn" : verdict.ruling === "approve" ? "plain" : "block"}`,
        },
        verdict.degraded ? "DEGRADED" : verdict.ruling,
      ),
      " ",
      h("b", {}, verdict.validator || "validator"),
      `${size} · confidence ${fixed(verdict.confidence, 0)} of 100`,
    ),
    h("p", {}, verdict.degraded ? verdict.degradedReason : verdict.reasoning || DASH),
    verdict.evidence.length
      ? h(
          "p",
          { class: "ids" },
          verdict.evidence.map((id) => h("code", {}, id)),
        )
      : null,
  );
}

/** Every risk check of a signal; those that blocked first, those that did not apply last. */
function checksTable(signal) {
  const order = { block: 0, reduce: 1, pass: 2, not_applicable: 3 };
  const glyph = {
    block: "✕ blocked",
    reduce: "▾ reduced",
    pass: "✓ passed",
    not_applicable: "○ not applicable",
  };
  const lines = [...signal.checks].sort((a, b) => order[a.outcome] - order[b.outcome]);
  return h(
    "table",
    { class: "checks" },
    h(
      "caption",
      {},
      `Risk: ${signal.quantity > 0 ? plural(signal.quantity, "share") : `blocked, ${blockedWords(signal)}`}`,
    ),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ["Check", "Before", "Limit / after", "Outcome"].map((name) =>
          h("th", { scope: "col" }, name),
        ),
      ),
    ),
    h(
      "tbody",
      {},
      lines.map((check) => checkRow(check, glyph[check.outcome])),
    ),
  );
}

function checkRow(check, outcome) {
  const [label, unit, relation] = checkOf(check.name);
  const words = ["flag", "state"].includes(relation);
  const none = check.outcome === "not_applicable";
  const limit =
    words || none
      ? DASH
      : `${RELATION[relation] ? `${RELATION[relation]} ` : ""}${amount(check.after, unit)}`;
  return h(
    "tr",
    { class: check.outcome },
    h("td", { title: check.name }, label),
    h(
      "td",
      { class: "number" },
      none ? DASH : words ? checkWords(check) : amount(check.before, unit),
    ),
    h("td", { class: "number" }, limit),
    h("td", {}, outcome),
  );
}

/** All that an analysis said, or why it said nothing. */
function analysisDetail(analysis) {
  const part = (name, ...content) => [h("dt", {}, name), h("dd", {}, ...content)];
  const list = (items) =>
    items.length
      ? h(
          "ul",
          {},
          items.map((item) => h("li", {}, item)),
        )
      : DASH;
  return h(
    "div",
    { class: "analysis-detail" },
    h(
      "p",
      {},
      h(
        "span",
        { class: `badge ${analysis.degraded ? "warn" : "plain"}` },
        analysis.degraded ? "DEGRADED" : "OK",
      ),
      " ",
      h("b", {}, analysis.analyst),
      analysis.degraded ? null : ` · confidence ${fixed(analysis.confidence, 0)} of 100`,
    ),
    analysis.degraded
      ? h(
          "p",
          { class: "alert" },
          analysis.degradedReason || "no reason was recorded",
          ". Every threshold stays at its base.",
        )
      : null,
    h(
      "p",
      { class: "factors" },
      analysis.factors.map((factor, i) =>
        h(
          "span",
          { title: factor < 1 ? "easier than base" : factor > 1 ? "harder than base" : "base" },
          h("small", {}, FACTORS[i]),
          h(
            "b",
            { class: factor < 1 ? "easier" : factor > 1 ? "harder" : "" },
            `×${fixed(factor)}`,
          ),
        ),
      ),
    ),
    h(
      "dl",
      {},
      part("Assessment", analysis.assessment || DASH),
      part("Reasoning", analysis.reasoning || DASH),
      part("Opportunities", list(analysis.opportunities)),
      part(
        "Evidence",
        analysis.evidence.length
          ? h(
              "span",
              { class: "ids" },
              analysis.evidence.map((id) => h("code", {}, id)),
            )
          : DASH,
      ),
    ),
  );
}
