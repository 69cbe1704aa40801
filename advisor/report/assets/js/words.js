// Records in words: the sentence of a row, its badge, and the text by which it is found.

const KINDS = [
  ["signal", "Signals"],
  ["trade", "Trades"],
  ["analysis", "Analyses"],
  ["refusal", "Order refusals"],
  ["risk", "Risk state"],
  ["fill", "Fills"],
  ["transition", "Arms and expiries"],
];

// name: [label, unit, how the two numbers relate]
const CHECKS = {
  risk_state: ["Account may enter", "", "state"],
  session_window: ["Inside the entry window", "", "flag"],
  atr_5m_known: ["5-minute ATR known (stop distance)", "$", "above"],
  bar_age: ["Age of the bar", "s", "limit"],
  z_age: ["Age of z", "s", "limit"],
  average_volume: ["Average daily volume", "", "floor"],
  spread: ["Spread", "%", "limit"],
  earnings_blackout: ["Earnings blackout", "", "flag"],
  reward_risk: ["Reward : risk", "", "floor"],
  daily_loss: ["Daily loss", "$", "limit"],
  daily_loss_percent: ["Daily loss, share of equity", "$", "limit"],
  positions: ["Open positions", "", "below"],
  trades_per_day: ["Trades today", "", "below"],
  trades_per_symbol: ["Trades today in the symbol", "", "below"],
  orders_per_minute: ["Orders this minute", "", "below"],
  sector_exposure: ["Sector exposure", "$", "limit"],
  cvar_95: ["CVaR 95", "%", "limit"],
  risk_per_trade: ["Size by risk per trade", "shares", "cap"],
  position_size: ["Cap: share of equity", "shares", "cap"],
  symbol_exposure: ["Cap: symbol exposure", "shares", "cap"],
  total_exposure: ["Cap: total exposure", "shares", "cap"],
  open_risk: ["Cap: open risk", "shares", "cap"],
  validation: ["Validator's size factor", "shares", "cap"],
  quantity: ["Whole shares left", "shares", "floor"],
};
const RELATION = { limit: "≤", floor: "≥", below: "<", above: ">" };
const RISK_STATES = ["ACTIVE", "REDUCING", "HALTED"];
const checkOf = (name) => CHECKS[name] || [human(name), "", "limit"];

function amount(value, unit) {
  if (unit === "$") return money(value, false);
  if (unit === "shares") return whole(value);
  return unit ? `${brief(value)} ${unit}` : brief(value, 7);
}

/** Why a check ended as it did: "3 of 3", "$612.20, limit $500.00", "70 → 0 shares". */
function checkWords(check) {
  const [, unit, relation] = checkOf(check.name);
  if (check.outcome === "not_applicable") return "no source configured";
  if (relation === "flag") return check.before ? "yes" : "no";
  if (relation === "state") return RISK_STATES[check.before] || brief(check.before);
  if (relation === "cap") return `${whole(check.before)} → ${whole(check.after)} shares`;
  return `${amount(check.before, unit)}, must be ${RELATION[relation]}\u00a0${amount(check.after, unit)}`;
}

function blockedWords(signal) {
  const check = signal.checks.find((line) => line.name === signal.blocked);
  if (signal.blocked === "validation" && signal.verdict)
    return `${signal.verdict.ruling} by the validator`;
  return check ? `${checkOf(check.name)[0]}: ${checkWords(check)}` : human(signal.blocked);
}

function kindWord(record) {
  if (record.kind === "transition")
    return record.reason === "armed"
      ? `${record.state.slice(0, 2).toUpperCase()} armed`
      : human(record.reason);
  if (record.kind === "signal") return record.quantity > 0 ? "signal" : "blocked";
  if (record.kind === "trade") return `exit ${human(record.reason)}`;
  if (record.kind === "refusal") return "order refused";
  if (record.kind === "analysis") return record.degraded ? "DEGRADED" : "analysis";
  return record.kind;
}

function badge(record) {
  if (record.kind === "signal") return record.quantity > 0 ? record.setup.toLowerCase() : "block";
  if (record.kind === "trade") return tone(record.pnl) || "plain";
  if (record.kind === "transition")
    return record.reason === "armed" ? record.state.slice(0, 2) : "quiet";
  if (record.kind === "analysis") return record.degraded ? "warn" : "plain";
  return { refusal: "block", risk: "warn" }[record.kind] || "quiet";
}

/** One line that says what happened. */
function sentence(record) {
  const side = sideWord(record.side);
  switch (record.kind) {
    case "transition":
      return `${side} at z ${fixed(record.z, 2, true)}`;
    case "signal": {
      const plan = `${record.setup} ${side} at ${price(record.price)}, stop ${price(record.stop)}, target ${price(record.target)}, z ${fixed(record.z, 2, true)}`;
      return `${plan} → ${record.quantity > 0 ? plural(record.quantity, "share") : blockedWords(record)}`;
    }
    case "trade":
      return `${record.setup} ${side} ${whole(record.quantity)} at ${price(record.entryPrice)} → ${price(record.exitPrice)}, held ${record.exit - record.entry} min, ${money(record.pnl)}`;
    case "fill":
      return `${record.reason === "entry" ? "entry" : `exit (${human(record.reason)})`}: ${record.side > 0 ? "bought" : "sold"} ${whole(record.quantity)} at ${price(record.price)}${record.fees ? `, fees ${money(record.fees, false)}` : ""}`;
    case "refusal":
      return `${plural(record.quantity, "share")}: ${human(record.reason)}`;
    case "risk":
      return `${record.state}: ${record.reason}, equity ${money(record.equity, false)}`;
    default:
      return record.degraded
        ? `${record.degradedReason} — thresholds at base`
        : `${record.assessment || record.reasoning}`;
  }
}

/** Everything of a record that a person might search for. */
function searchText(record) {
  const parts = [
    record.lane.name,
    symbolName(record.symbol),
    kindWord(record),
    sentence(record),
    record.reason,
    record.blocked,
  ];
  if (record.kind === "analysis") {
    parts.push(
      record.analyst,
      record.reasoning,
      record.degradedReason,
      ...record.opportunities,
      ...record.evidence,
    );
  }
  if (record.verdict) {
    parts.push(
      record.verdict.ruling,
      record.verdict.reasoning,
      record.verdict.validator,
      ...record.verdict.evidence,
    );
  }
  return parts.filter(Boolean).join(" ").toLowerCase();
}
