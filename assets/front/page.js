// Fronts of experiments: two measures chosen as axes, a point for each row, and the images and command of the one that is looked at.
const SVG = "http://www.w3.org/2000/svg";
const NAMED = ["base", "distilled", "hybrid"];
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 20, 14, 42];

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

function node(name, text, parent) {
  const made = document.createElement(name);
  made.textContent = text;
  parent.append(made);
  return made;
}

/** Round numbers between two, at most six. */
function ticksBetween(low, high) {
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= raw);
  const ticks = [];
  for (let v = Math.ceil(low / step) * step; v <= high + 1e-12; v += step) ticks.push(Number(v.toPrecision(12)));
  return ticks;
}

/** Scale of a measure over all points, with room for the intervals. */
function scaleOf(points, measure, from, to) {
  const all = points.flatMap((p) => {
    const e = p.values[measure];
    return e ? [e.low ?? e.mean, e.high ?? e.mean] : [];
  });
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const room = (high - low || 1) * 0.04;
  const [a, b] = [low - room, high + room];
  return { at: (v) => from + ((v - a) / (b - a)) * (to - from), ticks: ticksBetween(a, b) };
}

function start(figure) {
  const data = JSON.parse(figure.querySelector("script").textContent);
  const [svg, side, axes] = ["svg", "aside", ".axes"].map((s) => figure.querySelector(s));
  const chosen = { x: data.x, y: data.y };
  const arrow = { more: " ↑", less: " ↓", "–": "" };
  let shown = null;

  function choose(axis, label) {
    const box = node("label", `${label} `, axes);
    const select = node("select", "", box);
    for (const { measure, title, better } of data.axes) {
      const option = node("option", title + arrow[better], select);
      option.value = measure;
      option.selected = measure === chosen[axis];
    }
    select.addEventListener("change", () => {
      chosen[axis] = select.value;
      draw();
    });
  }

  function show(point) {
    shown = point;
    side.replaceChildren();
    node("h3", point.name, side);
    node("p", point.dominatedBy === null ? "on the front" : `dominated by ${point.dominatedBy}`, side);
    const images = node("div", "", side);
    images.className = "images";
    for (const src of point.images) {
      const image = node("img", "", images);
      image.src = src;
      image.alt = `image of ${point.name}`;
    }
    const table = node("table", "", side);
    for (const { measure, title } of data.axes) {
      const row = node("tr", "", table);
      node("td", title, row);
      node("td", point.texts[measure], row).className = "number";
    }
    const command = node("code", point.command, side);
    const copy = node("button", "Copy the command", side);
    copy.type = "button";
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(point.command);
        copy.textContent = "Copied";
      } catch {
        // A browser that gives pages from disk no clipboard: the command is selected for the keyboard.
        getSelection().selectAllChildren(command);
        copy.textContent = "Selected: copy with Ctrl+C";
      }
    });
    for (const made of svg.querySelectorAll(".point"))
      made.setAttribute("aria-pressed", String(made.dataset.name === point.name));
  }

  function draw() {
    svg.replaceChildren();
    const [width, height] = [svg.clientWidth || 640, svg.clientHeight || 416];
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const x = scaleOf(data.points, chosen.x, LEFT, width - RIGHT);
    const y = scaleOf(data.points, chosen.y, height - BOTTOM, TOP);
    const titleOf = (measure) => data.axes.find((a) => a.measure === measure);
    for (const v of x.ticks) {
      element("line", { x1: x.at(v), x2: x.at(v), y1: TOP, y2: height - BOTTOM, stroke: "var(--line)" }, svg);
      const text = element("text", { x: x.at(v), y: height - BOTTOM + 15, "text-anchor": "middle" }, svg);
      text.textContent = v;
    }
    for (const v of y.ticks) {
      element("line", { x1: LEFT, x2: width - RIGHT, y1: y.at(v), y2: y.at(v), stroke: "var(--line)" }, svg);
      element("text", { x: LEFT - 6, y: y.at(v) + 4, "text-anchor": "end" }, svg).textContent = v;
    }
    const [across, up] = [titleOf(chosen.x), titleOf(chosen.y)];
    const under = element("text", { x: (LEFT + width) / 2, y: height - 8, "text-anchor": "middle" }, svg);
    under.textContent = across.title + arrow[across.better];
    const middle = (height - BOTTOM) / 2;
    const turned = { x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` };
    element("text", turned, svg).textContent = up.title + arrow[up.better];
    // Below all points: an interval neither hides another row's point nor catches its pointer.
    const intervals = element("g", { class: "intervals" }, svg);
    // Those of the front are drawn last, over the others.
    const order = [...data.points].sort((a, b) => (b.dominatedBy !== null) - (a.dominatedBy !== null));
    for (const point of order) {
      const [a, b] = [point.values[chosen.x], point.values[chosen.y]];
      if (!a || !b) continue;
      const named = NAMED.includes(point.name);
      const made = element("g", { tabindex: 0, role: "button", "aria-pressed": "false" }, svg);
      made.setAttribute("class", `point${point.dominatedBy === null ? "" : " dominated"}${named ? " named" : ""}`);
      made.setAttribute(
        "aria-label",
        `${point.name}: ${up.title} ${point.texts[chosen.y]}, ${across.title} ${point.texts[chosen.x]}`,
      );
      made.dataset.name = point.name;
      const [cx, cy] = [x.at(a.mean), y.at(b.mean)];
      if (b.low !== null) element("line", { x1: cx, x2: cx, y1: y.at(b.low), y2: y.at(b.high) }, intervals);
      if (a.low !== null) element("line", { x1: x.at(a.low), x2: x.at(a.high), y1: cy, y2: cy }, intervals);
      element("circle", { cx, cy, r: named ? 6 : 5 }, made);
      if (named) {
        // About 7 pixels a letter: a name that does not fit on the right stands on the left.
        const left = cx + 9 + 7 * point.name.length > width;
        const at = { x: cx + (left ? -9 : 9), y: cy + 4, "text-anchor": left ? "end" : "start" };
        element("text", at, made).textContent = point.name;
      }
      for (const event of ["mouseenter", "focus", "click"]) made.addEventListener(event, () => show(point));
    }
    if (shown) show(shown);
  }

  choose("y", "up");
  choose("x", "across");
  draw();
  show(data.points.find((p) => p.name === "hybrid") ?? data.points[0]);
  addEventListener("resize", draw);
}

for (const figure of document.querySelectorAll("figure.front")) start(figure);
