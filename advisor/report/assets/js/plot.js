// Drawing primitives: scales, ticks and paths. Coordinates are CSS pixels.

function scale(from, to, low, high) {
  const span = to - from || 1;
  return (value) => low + ((value - from) / span) * (high - low);
}

/** About `count` round values in [low, high]. */
function ticks(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  if (!(raw > 0) || !Number.isFinite(raw)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10]
    .map((factor) => factor * power)
    .find((size) => size >= raw * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++)
    found.push(i * step);
  return found;
}

/** How many decimals tell round values apart. */
function decimalsFor(marks) {
  const step = marks.length > 1 ? Math.abs(marks[1] - marks[0]) : 1;
  const told = (digits) =>
    marks.every((mark) => Math.abs(mark - Number(mark.toFixed(digits))) < step * 1e-3);
  return [0, 1, 2, 3].find(told) ?? 4;
}

function extent(values, pad = 0.06) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  const room = (high - low || Math.abs(high) * 0.01 || 1) * pad;
  return [low - room, high + room];
}

const at = (x, y) => `${x.toFixed(1)},${y.toFixed(1)}`;

/** A line through points; NaN lifts the pen; more points than pixels become columns of extremes. */
function linePath(xs, ys, x, y) {
  if (xs.length > 2400) return columnPath(xs, ys, x, y);
  let path = "";
  let down = false;
  for (let i = 0; i < xs.length; i++) {
    if (Number.isNaN(ys[i])) {
      down = false;
      continue;
    }
    path += (down ? "L" : "M") + at(x(xs[i]), y(ys[i]));
    down = true;
  }
  return path;
}

function columnPath(xs, ys, x, y) {
  let path = "";
  let column = null;
  let low;
  let high;
  let last;
  const flush = () => {
    if (column === null) return;
    path += `${path ? "L" : "M"}${at(column, y(low))}L${at(column, y(high))}L${at(column, y(last))}`;
  };
  for (let i = 0; i < xs.length; i++) {
    const pixel = Math.round(x(xs[i]));
    if (pixel !== column) {
      flush();
      column = pixel;
      low = high = ys[i];
    }
    low = Math.min(low, ys[i]);
    high = Math.max(high, ys[i]);
    last = ys[i];
  }
  flush();
  return path;
}

/** The area between two lines over the same points; a NaN ends a part. */
function areaPath(xs, lower, upper, x, y) {
  let path = "";
  let part = [];
  const flush = () => {
    if (part.length > 1) {
      const forth = part.map((i) => at(x(xs[i]), y(upper[i])));
      const back = part.map((i) => at(x(xs[i]), y(lower[i]))).reverse();
      path += `M${forth.concat(back).join("L")}Z`;
    }
    part = [];
  };
  for (let i = 0; i < xs.length; i++) {
    if (Number.isNaN(lower[i]) || Number.isNaN(upper[i])) flush();
    else part.push(i);
  }
  flush();
  return path;
}

/** A staircase: `steps` are [x, y] where a level begins; it ends at `end`. */
function stepPath(steps, end, x, y) {
  let path = "";
  steps.forEach(([from, level], i) => {
    const to = i + 1 < steps.length ? steps[i + 1][0] : end;
    path += `${i ? "L" : "M"}${at(x(from), y(level))}L${at(x(to), y(level))}`;
  });
  return path;
}

function nearest(sorted, value) {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low > 0 && value - sorted[low - 1] <= sorted[low] - value ? low - 1 : low;
}
