// A chart over time: an SVG that repaints to its width, with one crosshair for mouse, touch and keys.

const MARGIN = { left: 8, right: 60, top: 8, bottom: 22 };

/**
 * options: label (for screen readers), height(), domain (), paint(stage), snap(x) -> x,
 * onmove(x or null), onpick(x), onzoom([from, to] or null).
 */
class Stage {
  constructor(host, options) {
    this.host = host;
    this.options = options;
    this.pinned = null;
    this.svg = s("svg", {
      class: "stage",
      tabindex: "0",
      role: "application",
      "aria-roledescription": "chart",
      "aria-label": `${options.label}. Left and right arrows move the cursor, with Shift by 15.`,
      onpointermove: (event) => this.hover(event),
      onpointerdown: (event) => this.press(event),
      onpointerup: (event) => this.release(event),
      onpointerleave: () => this.leave(),
      ondblclick: () => options.onzoom && options.onzoom(null),
      onkeydown: (event) => this.key(event),
      onfocus: () => this.cursor === undefined && this.moveTo(options.snap(this.domain[0])),
    });
    host.append(this.svg);
    new ResizeObserver(() => this.resized()).observe(host);
  }

  resized() {
    const width = Math.floor(this.host.clientWidth);
    if (width > 0 && width !== this.width) this.repaint();
  }

  repaint() {
    this.width = Math.floor(this.host.clientWidth);
    if (!this.width) return;
    this.height = this.options.height(this.width);
    this.domain = this.options.domain();
    this.left = MARGIN.left;
    this.right = this.width - MARGIN.right;
    this.x = scale(this.domain[0], this.domain[1], this.left, this.right);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.setAttribute("height", this.height);
    this.svg.replaceChildren();
    this.options.paint(this);
    this.brush = s("rect", {
      class: "brush",
      y: MARGIN.top,
      height: this.height - MARGIN.top - MARGIN.bottom,
    });
    this.cross = s("line", {
      class: "cross",
      y1: MARGIN.top,
      y2: this.height - MARGIN.bottom,
      x1: -9,
      x2: -9,
    });
    this.svg.append(this.brush, this.cross);
    this.place(this.cursor);
  }

  /** A horizontal band of the chart with its own vertical scale and grid. */
  panel(top, height, [low, high], options = {}) {
    const y = scale(low, high, top + height, top);
    const marks = options.marks || ticks(low, high, Math.max(2, height / 42));
    const write = options.write || ((value) => fixed(value, decimalsFor(marks)));
    for (const mark of marks) {
      const level = y(mark);
      this.add("line", { class: "grid", x1: this.left, x2: this.right, y1: level, y2: level });
      this.add("text", { class: "tick", x: this.right + 6, y: level + 3.5 }, write(mark));
    }
    return y;
  }

  /** Vertical grid lines with labels below: [[x, label, strong]]. */
  columns(marks) {
    const bottom = this.height - MARGIN.bottom;
    const room = 7 * Math.max(0, ...marks.map(([, label]) => label.length)) + 12;
    const apart =
      marks.length > 1
        ? (this.x(marks.at(-1)[0]) - this.x(marks[0][0])) / (marks.length - 1)
        : room;
    const every = Math.max(1, Math.ceil(room / apart));
    marks.forEach(([value, label, strong], i) => {
      const x = this.x(value);
      if (x < this.left - 1 || x > this.right + 1) return;
      this.add("line", {
        class: strong ? "grid strong" : "grid",
        x1: x,
        x2: x,
        y1: MARGIN.top,
        y2: bottom,
      });
      if (i % every) return;
      const middle = Math.min(Math.max(x, this.left + room / 2 - 8), this.width - room / 2);
      this.add("text", { class: "tick middle", x: middle, y: this.height - 7 }, label);
    });
  }

  add(tag, attributes, ...children) {
    const node = s(tag, attributes, ...children);
    (this.layer || this.svg).append(node);
    return node;
  }

  /** Draw what `body` adds inside a rectangle only. */
  clipped(name, top, height, body) {
    const id = `clip-${name}`;
    const rect = s("rect", {
      x: this.left,
      y: top,
      width: Math.max(0, this.right - this.left),
      height,
    });
    this.svg.append(s("clipPath", { id }, rect));
    this.layer = s("g", { "clip-path": `url(#${id})` });
    this.svg.append(this.layer);
    body();
    this.layer = null;
  }

  invert(event) {
    const box = this.svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.width;
    const [from, to] = this.domain;
    return Math.min(
      to,
      Math.max(from, from + ((x - this.left) / (this.right - this.left)) * (to - from)),
    );
  }

  hover(event) {
    const value = this.invert(event);
    if (this.pressed !== undefined && this.options.onzoom) {
      const [from, to] = [this.pressed, value].map(this.x).sort((a, b) => a - b);
      this.brush.setAttribute("x", from);
      this.brush.setAttribute("width", to - from > 6 ? to - from : 0);
    }
    this.moveTo(this.options.snap(value), event);
  }

  press(event) {
    if (event.pointerType === "mouse" && event.button === 0) this.pressed = this.invert(event);
  }

  release(event) {
    const value = this.invert(event);
    const from = this.pressed;
    this.pressed = undefined;
    if (this.brush) this.brush.setAttribute("width", 0);
    if (from !== undefined && this.options.onzoom && Math.abs(this.x(from) - this.x(value)) > 6) {
      this.options.onzoom([Math.min(from, value), Math.max(from, value)].map(Math.round));
    } else if (this.options.onpick) this.options.onpick(this.options.snap(value), event);
  }

  leave() {
    this.pressed = undefined;
    if (this.brush) this.brush.setAttribute("width", 0);
    this.moveTo(this.pinned);
  }

  key(event) {
    const [from, to] = this.domain;
    const step = (event.shiftKey ? 15 : 1) * (this.options.step ? this.options.step() : 1);
    const here = this.cursor ?? from;
    const moves = { ArrowLeft: here - step, ArrowRight: here + step, Home: from, End: to };
    if (event.key in moves) {
      event.preventDefault();
      this.moveTo(
        this.options.snap(
          Math.min(to, Math.max(from, moves[event.key])),
          Math.sign(moves[event.key] - here),
        ),
      );
    } else if (event.key === "Enter" && this.options.onpick) this.options.onpick(here, event);
    else if (this.options.onkey) this.options.onkey(event, here);
  }

  pin(value) {
    this.pinned = value;
    this.moveTo(value);
  }

  moveTo(value, event) {
    this.cursor = value === null ? undefined : value;
    this.place(this.cursor);
    this.options.onmove(value === undefined ? null : value, event);
  }

  place(value) {
    if (!this.cross) return;
    const shown =
      value !== undefined && value !== null && value >= this.domain[0] && value <= this.domain[1];
    const x = shown ? this.x(value) : -9;
    this.cross.setAttribute("x1", x);
    this.cross.setAttribute("x2", x);
  }
}

/** "name value" pairs above a chart; each is [name, value, class]. */
function readout(host, pairs) {
  show(
    host,
    pairs.map(([name, value, style]) =>
      h(
        "span",
        { class: `pair ${style || ""}` },
        name && h("small", {}, name),
        " ",
        h("b", {}, value),
      ),
    ),
  );
}
