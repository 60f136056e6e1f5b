// Viewer of a trace: film strip, two runs under a slider, curves. All data is in the page.
const trace = JSON.parse(document.getElementById("trace").textContent);
const at = (id) => document.getElementById(id);
const SPACE_NAMES = { latent: "latents", pixel: "pixels", perceptual: "CLIP features" };
const NO_NUMBER = "–";

/** Rows of the film strip: one for each mode and seed. */
const rows = trace.images.map((images) => {
  const mode = trace.modes.find((m) => m.mode === images.mode);
  return { ...images, steps: mode.steps, traced: mode, name: `${images.mode}, seed ${images.seed}` };
});

/** ᾱ of the level at which a step begins: 1 is clean, 0 is noise alone. */
const cleanness = ({ from: { alpha, sigma } }) => alpha ** 2 / (alpha ** 2 + sigma ** 2);

/** Columns of the film strip: the noise levels of all steps, noisiest first. A step of a few-step model spans several. */
const levels = [...new Set(trace.modes.flatMap((m) => m.steps.map(cleanness)))].sort((a, b) => a - b);
const timeOf = new Map(trace.modes.flatMap((m) => m.steps.map((s) => [cleanness(s), s.timestep])));

/** Step of a row at a noise level: the last one that begins at this level or a noisier one. */
function stepAt(row, level) {
  const found = row.steps.findLastIndex((s) => cleanness(s) <= level + 1e-9);
  return Math.max(0, found);
}

const state = {
  column: 0,
  left: 0,
  right: Math.max(
    0,
    rows.findIndex((r) => r.mode === "distilled"),
  ),
  noisy: false,
  split: 0.5,
  zoom: 1,
  origin: [50, 50],
  space: trace.modes[0].commit.perceptual ? "perceptual" : "pixel",
};
if (state.right === state.left && rows.length > 1) state.right = 1;

const imageOf = (row, step) => (state.noisy ? row.xt : row.x0)[step];

// ── film strip ──────────────────────────────────────────────────────────────────────────────────────────────────────

function drawStrip() {
  const strip = at("strip");
  const size = Math.max(44, Math.min(96, Math.floor(1400 / levels.length)));
  strip.style.setProperty("--size", `${size}px`);
  strip.style.gridTemplateColumns = `max-content repeat(${levels.length}, ${size + 4}px)`;
  strip.replaceChildren();
  cellInto(strip, "label", "timestep", 1, 1);
  for (const [i, level] of levels.entries()) {
    const t = timeOf.get(level);
    cellInto(strip, "head", String(Math.round(t)), i + 2, 1);
  }
  for (const [r, row] of rows.entries()) {
    const label = cellInto(strip, "label", row.name, 1, r + 2);
    label.style.color = `var(--${row.mode})`;
    for (const [s, step] of row.steps.entries()) drawCell(strip, row, r, s, levels.indexOf(cleanness(step)));
  }
  mark();
}

function cellInto(strip, className, text, column, row) {
  const cell = document.createElement("div");
  cell.className = className;
  cell.textContent = text;
  cell.style.gridColumn = String(column);
  cell.style.gridRow = String(row);
  strip.append(cell);
  return cell;
}

function drawCell(strip, row, r, s, column) {
  const next = row.steps[s + 1] ? levels.indexOf(cleanness(row.steps[s + 1])) : levels.length;
  const cell = document.createElement("button");
  cell.type = "button";
  cell.className = "cell";
  cell.dataset.row = r;
  cell.dataset.step = s;
  cell.style.gridColumn = `${column + 2} / ${next + 2}`;
  cell.style.gridRow = String(r + 2);
  const image = document.createElement("img");
  image.alt = `${row.name}, step ${s} of ${row.steps.length}, ${state.noisy ? "x_t" : "x0"}`;
  image.src = imageOf(row, s);
  cell.append(image);
  const marks = marksOf(row, s);
  if (marks.length > 0) {
    const mark = document.createElement("span");
    mark.className = "mark";
    mark.textContent = marks.map((m) => m.sign).join(" ");
    mark.title = marks.map((m) => m.text).join("; ");
    cell.append(mark);
  }
  cell.addEventListener("click", (event) => {
    state[event.shiftKey ? "right" : "left"] = r;
    state.column = column;
    show();
  });
  strip.append(cell);
}

/** Marks of a step: commitment, and watched phrases that vanish or appear late. */
function marksOf(row, step) {
  const marks = [];
  const done = row.traced.committed?.[state.space]?.find((c) => c.seed === row.seed);
  if (done?.step === step)
    marks.push({
      sign: "◆",
      text: "committed: from here on closer to its final image than half the distance between seeds",
    });
  for (const { phrase, findings } of row.traced.watched) {
    for (const f of findings) {
      if (f.seed !== row.seed || f.step !== step) continue;
      if (f.finding === "dropped")
        marks.push({ sign: "✕", text: `"${phrase}" is seen here for the last time, not in the final image` });
      else marks.push({ sign: "★", text: `"${phrase}" is seen only from here` });
    }
  }
  return marks;
}

function mark() {
  const level = levels[state.column];
  for (const cell of document.querySelectorAll(".cell")) {
    const row = rows[cell.dataset.row];
    cell.classList.toggle("here", stepAt(row, level) === Number(cell.dataset.step));
  }
}

// ── two runs under a slider ─────────────────────────────────────────────────────────────────────────────────────────

function show() {
  const level = levels[state.column];
  for (const side of ["left", "right"]) {
    const row = rows[state[side]];
    const step = stepAt(row, level);
    at(side).src = imageOf(row, step);
    at(side).alt = `${row.name}, step ${step}`;
    at(side).style.imageRendering = trace.size.width <= 256 ? "pixelated" : "auto";
    at(side).style.transform = `scale(${state.zoom})`;
    at(side).style.transformOrigin = `${state.origin[0]}% ${state.origin[1]}%`;
    at(`${side}-name`).textContent = `${row.name} · step ${step + 1} of ${row.steps.length} (${row.steps[step].model})`;
  }
  at("right-clip").style.clipPath = `inset(0 0 0 ${100 * state.split}%)`;
  at("bar").style.left = `${100 * state.split}%`;
  at("scrub").value = String(state.column);
  const t = timeOf.get(level);
  at("where").textContent = `timestep ${Math.round(t)}, ${(100 * Math.sqrt(level)).toFixed(0)} % signal`;
  mark();
  drawCurves();
}

function readSplit() {
  const split = at("split");
  split.style.aspectRatio = `${trace.size.width} / ${trace.size.height}`;
  let dragging = false;
  const place = (event) => {
    const box = split.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  split.addEventListener("pointerdown", (event) => {
    dragging = true;
    split.setPointerCapture(event.pointerId);
    state.split = place(event)[0];
    show();
  });
  split.addEventListener("pointermove", (event) => {
    if (!dragging) return;
    state.split = Math.min(1, Math.max(0, place(event)[0]));
    show();
  });
  split.addEventListener("pointerup", () => {
    dragging = false;
  });
  split.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      state.origin = place(event).map((x) => 100 * x);
      zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2);
    },
    { passive: false },
  );
}

function zoom(factor) {
  state.zoom = factor === 0 ? 1 : Math.min(16, Math.max(1, state.zoom * factor));
  show();
}

// ── curves ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

/** Plots lines over timesteps. series: { mode, points [[timestep, value]], band [[timestep, low, high]], thin }. */
function plot(svg, series) {
  svg.replaceChildren();
  const [width, height, left, bottom] = [svg.clientWidth || 600, 190, 44, 24];
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const values = series.flatMap((s) => s.points.map((p) => p[1]));
  const most = Math.max(...values, 1e-9) * 1.05;
  const x = (t) => left + ((999 - t) / 999) * (width - left - 12);
  const y = (v) => height - bottom - (v / most) * (height - bottom - 8);
  for (let i = 0; i <= 4; i++) {
    const v = (most * i) / 4;
    element("line", { x1: left, x2: width - 12, y1: y(v), y2: y(v), stroke: "var(--line)" }, svg);
    element("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, svg).textContent = v.toFixed(2);
  }
  for (const t of [999, 750, 500, 250, 0]) {
    element("text", { x: x(t), y: height - 6, "text-anchor": "middle" }, svg).textContent = t;
  }
  for (const { mode, points, band, thin } of series) {
    const colour = `var(--${mode})`;
    if (band) {
      const there = band.map(([t, , high]) => `${x(t)},${y(high)}`);
      const back = [...band].reverse().map(([t, low]) => `${x(t)},${y(low)}`);
      element("polygon", { points: [...there, ...back].join(" "), fill: colour, opacity: 0.15 }, svg);
    }
    const line = points.map(([t, v]) => `${x(t)},${y(v)}`).join(" ");
    element(
      "polyline",
      { points: line, fill: "none", stroke: colour, "stroke-width": thin ? 0.7 : 2, opacity: thin ? 0.5 : 1 },
      svg,
    );
    if (thin) continue;
    for (const [t, v] of points) {
      const dot = element("circle", { cx: x(t), cy: y(v), r: 3, fill: colour, class: "point", "data-mode": mode }, svg);
      element("title", {}, dot).textContent = `${mode} at ${Math.round(t)}: ${v.toFixed(4)}`;
    }
  }
  const here = x(timeOf.get(levels[state.column]));
  element(
    "line",
    { x1: here, x2: here, y1: 8, y2: height - bottom, stroke: "var(--ink)", "stroke-dasharray": "3 3" },
    svg,
  );
}

function drawCurves() {
  const times = (mode) => mode.steps.map((s) => s.timestep);
  const commit = trace.modes.flatMap((mode) => {
    const curve = mode.commit[state.space];
    if (!curve) return [];
    const t = times(mode);
    const intervals = curve.mean.every((e) => e.low !== null);
    return [
      ...curve.perSeed.map((d) => ({ mode: mode.mode, points: d.map((v, i) => [t[i], v]), thin: true })),
      {
        mode: mode.mode,
        points: curve.mean.map((e, i) => [t[i], e.mean]),
        band: intervals ? curve.mean.map((e, i) => [t[i], e.low, e.high]) : null,
      },
    ];
  });
  plot(at("commit"), commit);
  plot(
    at("spread"),
    trace.modes.flatMap((mode) => {
      const values = mode.spread?.[state.space];
      const t = times(mode);
      return values ? [{ mode: mode.mode, points: values.map((v, i) => [t[i], v]) }] : [];
    }),
  );
}

// ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function drawTable(into, title, head, body) {
  into.replaceChildren();
  const heading = document.createElement("h2");
  heading.textContent = title;
  const table = document.createElement("table");
  for (const [i, cells] of [head, ...body].entries()) {
    const line = table.insertRow();
    for (const cell of cells) {
      const made = document.createElement(i === 0 ? "th" : "td");
      made.textContent = cell;
      if (i > 0 && /^[\d.–-]+$/.test(cell)) made.className = "number";
      line.append(made);
    }
  }
  into.append(heading, table);
}

function drawTables() {
  const number = (v) => (v === null || v === undefined ? NO_NUMBER : v.toFixed(3));
  if (trace.causal) {
    drawTable(
      at("causal"),
      "Effect of single rows run by the base",
      ["rows run by the base", "spread of final images", "change of the final images"],
      trace.causal.map(({ row, timestep, diversity, change }) => [
        row === null ? "none (distilled alone)" : `row ${row} (timestep ${Math.round(timestep)})`,
        number(diversity?.[state.space]),
        number(change[state.space]),
      ]),
    );
  }
  const watched = trace.modes.flatMap(({ mode, watched, steps }) =>
    watched.flatMap(({ phrase, findings }) =>
      findings.map((f) => [
        `${mode}, seed ${f.seed}`,
        phrase,
        f.finding === "dropped" ? "vanishes after" : "appears late, at",
        `step ${f.step + 1} of ${steps.length}`,
      ]),
    ),
  );
  if (trace.modes.some((m) => m.watched.length > 0)) {
    const none = [["no phrase vanishes or appears late", "", "", ""]];
    drawTable(
      at("watched"),
      "Watched phrases",
      ["run", "phrase", "finding", "step"],
      watched.length > 0 ? watched : none,
    );
  }
}

function drawSpaces() {
  at("spaces").replaceChildren(
    ...Object.entries(SPACE_NAMES)
      .filter(([space]) => trace.modes[0].commit[space])
      .map(([space, name]) => {
        const tab = document.createElement("button");
        tab.type = "button";
        tab.role = "tab";
        tab.dataset.space = space;
        tab.ariaSelected = String(space === state.space);
        tab.textContent = name;
        tab.addEventListener("click", () => {
          state.space = space;
          draw();
        });
        return tab;
      }),
  );
}

// ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function walk(by) {
  state.column = Math.min(levels.length - 1, Math.max(0, state.column + by));
  show();
}

function swap() {
  state.noisy = !state.noisy;
  at("noisy").ariaPressed = String(state.noisy);
  draw();
}

function turn() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

const KEYS = {
  ArrowLeft: () => walk(-1),
  ArrowRight: () => walk(1),
  Home: () => walk(-levels.length),
  End: () => walk(levels.length),
  x: swap,
  d: turn,
  "+": () => zoom(1.2),
  "-": () => zoom(1 / 1.2),
  0: () => zoom(0),
};

function draw() {
  drawSpaces();
  drawStrip();
  drawTables();
  show();
}

document.title = `${trace.prompt} · trace · Variegate`;
at("prompt").textContent = trace.prompt;
at("facts").textContent = [
  `${trace.modes.map((m) => `${m.mode} (${m.steps.length})`).join(", ")} · seeds ${trace.seeds.join(", ")}`,
  `${trace.size.width} × ${trace.size.height}`,
  `preview: ${trace.preview}`,
  `variegate ${trace.versions.variegate}`,
].join(" · ");
at("scrub").max = String(levels.length - 1);
at("scrub").addEventListener("input", (event) => {
  state.column = Number(event.target.value);
  show();
});
at("noisy").addEventListener("click", swap);
at("theme").addEventListener("click", turn);
addEventListener("keydown", (event) => {
  const act = KEYS[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
});
addEventListener("resize", drawCurves);
readSplit();
draw();
