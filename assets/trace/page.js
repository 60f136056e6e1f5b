// Viewer of a trace: film strip, two runs under a slider, curves. All data is in the page.
const { at, element, legendEntry, tabButton } = globalThis.viewer;
const trace = JSON.parse(document.getElementById("trace").textContent);
const SPACE_NAMES = { latent: "latents", pixel: "pixels", perceptual: "CLIP features" };
const NO_NUMBER = "–";

/** Rows of the film strip: one for each mode and seed. */
const rows = trace.images.map((images) => {
  const mode = trace.modes.find((m) => m.mode === images.mode);
  return { ...images, steps: mode.steps, traced: mode, name: `${images.mode}, seed ${images.seed}` };
});

/** ᾱ of the level at which a step begins: 1 is clean, 0 is noise alone. Rounded, so that schedules share a column where they begin alike. */
const cleanness = ({ from: { alpha, sigma } }) => Math.round((1e4 * alpha ** 2) / (alpha ** 2 + sigma ** 2)) / 1e4;

/** Columns of the film strip: the noise levels of all steps, noisiest first. A step of a few-step model spans several. */
const levels = [...new Set(trace.modes.flatMap((m) => m.steps.map(cleanness)))].sort((a, b) => a - b);
const timeOf = new Map(trace.modes.flatMap((m) => m.steps.map((s) => [cleanness(s), s.timestep])));

/** Most columns of the film strip: all steps of few-step models, and evenly chosen ones of a longer run. */
const MOST_COLUMNS = 13;
const columns = chooseColumns();

function chooseColumns() {
  const few = trace.modes.filter((m) => m.steps.length <= 8).flatMap((m) => m.steps.map(cleanness));
  const long = Math.max(2, MOST_COLUMNS - new Set(few).size);
  const chosen = new Set(few);
  for (let i = 0; i < long; i++) chosen.add(levels[Math.round((i * (levels.length - 1)) / (long - 1))]);
  return levels.length <= MOST_COLUMNS ? levels : levels.filter((level) => chosen.has(level));
}

/** Step of a row at a noise level: the last one that begins at this level or a noisier one. */
function stepAt(row, level) {
  const found = row.steps.findLastIndex((s) => cleanness(s) <= level + 1e-9);
  return Math.max(0, found);
}

const state = {
  column: levels.length - 1,
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

state.column = decidedColumn();

/** Noise level from which both runs shown are committed to their images; the last one where that is not known. */
function decidedColumn() {
  const decided = [rows[state.left], rows[state.right]].map(({ traced, seed, steps }) => {
    const done = traced.committed?.[state.space]?.find((c) => c.seed === seed);
    return done ? levels.indexOf(cleanness(steps[done.step])) : levels.length - 1;
  });
  return Math.max(...decided);
}

/** Image of a step. The last x0 of a run is its final image, which the page holds in full where the decoder made both. */
function imageOf(row, step) {
  if (state.noisy) return row.xt[step];
  return step === row.steps.length - 1 && trace.preview === "vae" ? row.final : row.x0[step];
}

// ── film strip ──────────────────────────────────────────────────────────────────────────────────────────────────────

function drawStrip() {
  const strip = at("strip");
  const room = (strip.parentElement.clientWidth || 1240) - 120;
  const size = Math.max(44, Math.min(96, Math.floor(room / columns.length) - 7));
  strip.style.setProperty("--size", `${size}px`);
  strip.style.gridTemplateColumns = `max-content repeat(${columns.length}, ${size + 4}px)`;
  strip.replaceChildren();
  cellInto(strip, "label", "timestep", 1, 1);
  for (const [i, level] of columns.entries()) {
    cellInto(strip, "head", String(Math.round(timeOf.get(level))), i + 2, 1);
  }
  for (const [r, row] of rows.entries()) {
    const label = cellInto(strip, "label", row.name, 1, r + 2);
    label.style.color = `var(--${row.mode})`;
    const shown = columns.flatMap((level, i) => {
      const step = row.steps.findIndex((s) => cleanness(s) === level);
      return step < 0 ? [] : [{ step, column: i }];
    });
    for (const [i, { step, column }] of shown.entries()) {
      drawCell(
        strip,
        row,
        r,
        step,
        column,
        shown[i + 1]?.column ?? columns.length,
        shown[i + 1]?.step ?? row.steps.length,
      );
    }
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

/** A step of a run, from its column to that of the next step shown; steps between the two are marked here too. */
function drawCell(strip, row, r, s, column, next, nextStep) {
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
  const between = Array.from({ length: nextStep - s }, (_, i) => s + i);
  cell.dataset.until = nextStep;
  const marks = between.flatMap((step) => marksOf(row, step));
  if (marks.length > 0) {
    const mark = document.createElement("span");
    mark.className = "mark";
    mark.textContent = marks.map((m) => m.sign).join(" ");
    mark.title = marks.map((m) => m.text).join("; ");
    cell.append(mark);
  }
  cell.addEventListener("click", (event) => {
    state[event.shiftKey ? "right" : "left"] = r;
    state.column = levels.indexOf(columns[column]);
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
    const step = stepAt(row, level);
    cell.classList.toggle("here", step >= Number(cell.dataset.step) && step < Number(cell.dataset.until));
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

/** Plots lines over timesteps. series: { mode, points [[timestep, value]], band [[timestep, low, high]], thin }; label: of the y axis. */
function plot(svg, series, label) {
  svg.replaceChildren();
  const [width, height, left, bottom] = [svg.clientWidth || 600, 210, 58, 38];
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
    element("text", { x: x(t), y: height - 22, "text-anchor": "middle" }, svg).textContent = t;
  }
  const across = { x: (left + width - 12) / 2, y: height - 5, "text-anchor": "middle" };
  element("text", across, svg).textContent = "timestep (noise on the left, image on the right)";
  const middle = (height - bottom) / 2;
  const up = { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` };
  element("text", up, svg).textContent = label;
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
  const distance = `distance, ${SPACE_NAMES[state.space]}`;
  plot(at("commit"), commit, distance);
  plot(
    at("spread"),
    trace.modes.flatMap((mode) => {
      const values = mode.spread?.[state.space];
      const t = times(mode);
      return values ? [{ mode: mode.mode, points: values.map((v, i) => [t[i], v]) }] : [];
    }),
    distance,
  );
  const agreements = trace.modes.flatMap((mode) => {
    const t = times(mode);
    const points = (mode.agreement ?? []).flatMap((v, i) => (v === null ? [] : [[t[i], Math.max(0, v)]]));
    return points.length > 0 ? [{ mode: mode.mode, points }] : [];
  });
  at("attributes").hidden = agreements.length === 0;
  if (agreements.length > 0) plot(at("agreement"), agreements, "share, above chance");
}

/** What lines and marks mean, with what the marks of this trace are. */
function drawLegend() {
  const banded = trace.modes.some((m) => m.commit[state.space]?.mean.every((e) => e.low !== null));
  at("legend").replaceChildren(
    ...trace.modes.map(({ mode, steps }) =>
      legendEntry(`${mode}, ${steps.length} ${steps.length === 1 ? "step" : "steps"}`, `var(--${mode})`),
    ),
    legendEntry("level shown", "var(--ink)", "dashed"),
    trace.seeds.length > 1 ? `thick: mean over seeds${banded ? " · band: 95 % interval" : ""} · thin: one seed` : "",
  );
  const committed = trace.modes.some((m) => m.committed?.[state.space]);
  const watched = trace.modes.some((m) => m.watched.length > 0);
  at("marks").replaceChildren(
    [
      `${state.noisy ? "x_t" : "x0"} at each step, by noise level; a line shows how far a step reaches`,
      ...(columns.length < levels.length ? [`${columns.length} of ${levels.length} levels shown`] : []),
      ...(committed
        ? ["◆ committed: from here on nearer to its final image than half the distance between seeds"]
        : []),
      ...(watched ? ["✕ a watched phrase is seen for the last time", "★ a watched phrase appears late"] : []),
    ].join(" · "),
  );
}

// ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function drawTable(into, title, head, body) {
  into.replaceChildren();
  const heading = document.createElement("h2");
  heading.textContent = title;
  const table = document.createElement("table");
  for (const [i, cells] of [head, ...body].entries()) {
    const line = document.createElement("tr");
    table.append(line);
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
      ["rows run by the base", "diversity", "change of the images"],
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
        const tab = tabButton(name, space === state.space, () => {
          state.space = space;
          draw();
        });
        tab.dataset.space = space;
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
  drawLegend();
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
at("summary").replaceChildren(
  ...trace.summary.map((sentence) => {
    const made = document.createElement("p");
    made.textContent = sentence;
    return made;
  }),
);
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
