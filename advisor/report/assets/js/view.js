// What is selected: lane, symbol, session, and a minute of it. The address bar carries it, so every
// moment of the report has a link: #at/SYMBOL/DATE/LANE/MINUTE-OF-SESSION.

const view = { lane: 0, symbol: 0, session: Math.max(0, sessions.length - 1), row: null };
const listeners = [];
const onSelect = (listener) => listeners.push(listener);

function linkTo(lane, symbol, minute) {
  const session = sessionAt(minute);
  const parts = [
    symbolName(symbol < 0 ? view.symbol : symbol),
    session.date,
    lanes[lane].name,
    minute - session.open,
  ];
  return `#at/${parts.map(encodeURIComponent).join("/")}`;
}

function select(change, how = {}) {
  const before = { ...view };
  Object.assign(view, change);
  if (!("row" in change) && (view.symbol !== before.symbol || view.session !== before.session))
    view.row = null;
  for (const listener of listeners) listener(before, how);
  if (how.quiet || !sessions.length) return;
  const minute = sessions[view.session].open + (view.row ?? 0);
  try {
    history.replaceState(null, "", linkTo(view.lane, view.symbol, minute));
  } catch {
    // an embedded page may not change its address; the selection holds all the same
  }
}

function readAddress() {
  if (!location.hash.startsWith("#at/")) return false;
  let parts;
  try {
    parts = location.hash.slice(4).split("/").map(decodeURIComponent);
  } catch {
    return false;
  }
  const [name, date, laneName, row] = parts;
  const symbol = data.symbols.indexOf(name);
  const session = sessions.findIndex((candidate) => candidate.date === date);
  if (symbol < 0 || session < 0) return false;
  select(
    { symbol, session, lane: (laneNamed(laneName) || lanes[0]).index, row: Number(row) || 0 },
    { quiet: true },
  );
  return true;
}

/** Where a fresh report opens: the latest session with a trade, at its most traded symbol. */
function latestTrades() {
  const last = lanes.length ? lanes[0].trades.at(-1) : undefined;
  if (!last) return {};
  const session = sessionAt(last.minute).index;
  const counts = data.symbols.map(() => 0);
  for (const trade of lanes[0].trades)
    if (inSession(sessions[session], trade.minute)) counts[trade.symbol]++;
  return { session, symbol: counts.indexOf(Math.max(...counts)) };
}
