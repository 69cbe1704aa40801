// Elements. Text only ever enters the page as a text node, so no value can become markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "vars") for (const key in value) node.style.setProperty(key, value[key]);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return node;
}

/** An HTML element: h("p", {class: "note", onclick: f}, "text", child, [more]). */
const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

/** The same for SVG. */
const s = (tag, attributes, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

const byId = (id) => document.getElementById(id);

function show(host, ...children) {
  host.replaceChildren(...children.flat().filter(Boolean));
}

function choice(label, options, value, onchange) {
  const select = h("select", { "aria-label": label, onchange: () => onchange(select.value) });
  for (const [key, text] of options) select.append(h("option", { value: key }, text));
  select.value = value;
  return select;
}

/** A row of toggle buttons of which one is pressed; `mark(key)` presses another. */
function segments(label, options, value, onpick) {
  const group = h("div", { class: "segments", role: "group", "aria-label": label });
  group.mark = (key) => {
    for (const button of group.children)
      button.setAttribute("aria-pressed", button.dataset.key === key);
  };
  for (const [key, text, title] of options) {
    group.append(
      h("button", { type: "button", "data-key": key, title, onclick: () => onpick(key) }, text),
    );
  }
  group.mark(value);
  return group;
}

const swatch = (lane) => h("i", { class: `swatch lane-${laneClass(lane)}`, "aria-hidden": "true" });

const laneClass = (name) => (["advised", "baseline", "placebo", "shadow"].includes(name) ? name : "other");
