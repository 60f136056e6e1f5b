// Slider over precomputed images, one for each mode, seed and scale. All data is in the page.
const { at, element, legendEntry, tabButton } = globalThis.viewer;
const slide = JSON.parse(document.getElementById("slide").textContent);
let stop = Math.max(0, slide.scales.indexOf(0));

/** What is measured at every scale, by name: (a stop) → estimate { mean, low, high } or null. */
const MEASURES = new Map([
  ...Object.keys(slide.rows[0]?.stops[0]?.readings ?? {}).map((name) => [
    `${name} (classifier)`,
    (s) => s.readings[name],
  ]),
  ["change of CLIP score, %", (s) => s.change],
  ["CLIP score to the concept", (s) => s.clipScore],
  ["distance to scale 0", (s) => s.distance],
  // Needs no CLIP, so that there is always a measure.
  [`pixel distance to scale ${slide.reference}`, (s) => s.pixels],
]);
for (const [name, of] of MEASURES)
  if (slide.rows.some((r) => r.stops.some((s) => of(s) === null))) MEASURES.delete(name);

/** Change between the smallest and the largest scale in units of the intervals there, averaged over modes. */
function clearness(of) {
  const each = slide.rows.map(({ stops }) => {
    const [first, last] = [of(stops[0]), of(stops.at(-1))];
    const width = first.high === null ? 0 : (first.high - first.low + last.high - last.low) / 4;
    // Without an interval, as with few seeds, the change itself.
    return Math.abs(last.mean - first.mean) / (width || 1);
  });
  return each.reduce((a, b) => a + b, 0) / each.length;
}

const hasIntervals = slide.rows.every(({ stops }) =>
  stops.every((s) => [...MEASURES.values()].every((of) => of(s).high !== null)),
);

/**
 * The measure that sees the change best; distances, which grow with any change, only where there is no other. Changes without
 * intervals are compared among the classifier's numbers, which have one unit, where there are any.
 */
function clearest() {
  const [...names] = MEASURES.keys();
  const classified = names.filter((name) => name.endsWith("(classifier)"));
  const comparable = hasIntervals || classified.length === 0 ? names : classified;
  const directed = comparable.filter((name) => !name.includes("distance to scale"));
  return directed.sort((a, b) => clearness(MEASURES.get(b)) - clearness(MEASURES.get(a)))[0] ?? names[0];
}

let measure = clearest();

function build() {
  document.title = `${slide.prompt} · slider · Variegate`;
  at("prompt").textContent = slide.prompt;
  const concept = slide.concept === null ? "" : ` towards “${slide.concept}”`;
  at("facts").textContent =
    `${slide.slider}${concept} · seeds ${slide.seeds.join(", ")} · variegate ${slide.versions.variegate}`;
  at("scale").max = String(slide.scales.length - 1);
  const grid = at("grid");
  grid.style.gridTemplateColumns = `max-content repeat(${slide.seeds.length}, max-content)`;
  for (const { mode } of slide.rows) {
    const label = document.createElement("div");
    label.textContent = mode;
    grid.append(label);
    for (const strip of slide.strips.filter((s) => s.mode === mode)) {
      const image = document.createElement("img");
      image.dataset.strip = slide.strips.indexOf(strip);
      image.style.imageRendering = slide.small ? "pixelated" : "auto";
      grid.append(image);
    }
  }
  at("finding").textContent = finding();
  drawTable();
}

/** The change of the clearest measure in every mode, in a sentence. */
function finding() {
  const of = MEASURES.get(measure);
  const [from, to] = [slide.scales[0], slide.scales.at(-1)];
  const each = slide.rows.map(
    ({ mode, stops }) => `${mode} ${of(stops[0]).mean.toFixed(2)} → ${of(stops.at(-1)).mean.toFixed(2)}`,
  );
  return `From scale ${from} to ${to}, ${measure}: ${each.join(", ")}.`;
}

/** The chosen measure over scales: a line and a 95 % band for each mode, and the scale shown. */
function drawChart() {
  const svg = at("chart");
  svg.replaceChildren();
  const [width, height, left, bottom] = [svg.clientWidth || 500, 260, 58, 40];
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const of = MEASURES.get(measure);
  const all = slide.rows.flatMap(({ stops }) => stops.map(of));
  const low = Math.min(...all.map((e) => e.low ?? e.mean));
  const high = Math.max(...all.map((e) => e.high ?? e.mean), low + 1e-9);
  const [first, last] = [slide.scales[0], slide.scales.at(-1)];
  const x = (scale) => left + ((scale - first) / Math.max(1e-9, last - first)) * (width - left - 14);
  const y = (value) => height - bottom - ((value - low) / (high - low)) * (height - bottom - 10);
  for (let i = 0; i <= 4; i++) {
    const value = low + ((high - low) * i) / 4;
    element("line", { x1: left, x2: width - 14, y1: y(value), y2: y(value), stroke: "var(--line)" }, svg);
    element("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, svg).textContent = value.toFixed(2);
  }
  for (const scale of slide.scales) {
    element("text", { x: x(scale), y: height - 22, "text-anchor": "middle" }, svg).textContent = scale;
  }
  element("text", { x: (left + width) / 2, y: height - 5, "text-anchor": "middle" }, svg).textContent =
    "scale of the slider";
  const middle = (height - bottom) / 2;
  const up = { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` };
  element("text", up, svg).textContent = measure;
  for (const { mode, stops } of slide.rows) {
    const points = stops.map((s) => ({ at: x(s.scale), ...of(s) }));
    if (points.every((p) => p.high !== null)) {
      const band = [...points.map((p) => [p.at, p.high]), ...points.map((p) => [p.at, p.low]).reverse()];
      const path = band.map(([at, value]) => `${at},${y(value)}`).join(" ");
      element("polygon", { points: path, fill: `var(--${mode})`, opacity: 0.15 }, svg);
    }
    const line = points.map((p) => `${p.at},${y(p.mean)}`).join(" ");
    element("polyline", { points: line, fill: "none", stroke: `var(--${mode})`, "stroke-width": 2 }, svg);
    for (const p of points) element("circle", { cx: p.at, cy: y(p.mean), r: 3, fill: `var(--${mode})` }, svg);
  }
  const here = x(slide.scales[stop]);
  const dashed = { x1: here, x2: here, y1: 8, y2: height - bottom, stroke: "var(--ink)", "stroke-dasharray": "3 3" };
  element("line", dashed, svg);
}

/** Tabs of the measures, the colours of the modes, and a word on what CLIP does not see. */
function drawMeasures() {
  at("measures").replaceChildren(
    ...[...MEASURES.keys()].map((name) =>
      tabButton(name, name === measure, () => {
        measure = name;
        drawMeasures();
        drawChart();
      }),
    ),
  );
  at("legend").replaceChildren(
    ...slide.rows.map(({ mode }) => legendEntry(mode, `var(--${mode})`)),
    slide.seeds.length === 1 ? "one seed" : hasIntervals ? "mean over seeds, 95 % interval" : "mean over seeds",
  );
  const classifier = [...MEASURES.keys()].some((name) => name.endsWith("(classifier)"));
  at("note").textContent =
    classifier && measure.includes("CLIP")
      ? "CLIP need not see what a slider changes: where the classifier has the attribute, its reading is the one to trust."
      : "";
}

function drawTable() {
  const rows = slide.rows.flatMap(({ mode, stops }) => stops.map((s, i) => ({ mode, i, ...s })));
  const digitsOf = (name) => (name.includes("CLIP score") ? 1 : 3);
  const table = document.createElement("table");
  const head = ["mode", "scale", ...MEASURES.keys()];
  const line = (cells, tag, hidden) => {
    const row = document.createElement("tr");
    table.append(row);
    for (const cell of cells) {
      const made = document.createElement(tag);
      made.textContent = cell;
      if (tag === "td" && /^[-–\d.]+$/.test(cell)) made.className = "number";
      row.append(made);
    }
    if (hidden !== undefined) row.dataset.stop = hidden;
  };
  line(head, "th");
  for (const r of rows) {
    const numbers = [...MEASURES].map(([name, of]) => of(r).mean.toFixed(digitsOf(name)));
    line([r.mode, String(r.scale), ...numbers], "td", r.i);
  }
  at("table").replaceChildren(table);
}

function show() {
  for (const image of document.querySelectorAll("#grid img")) {
    const strip = slide.strips[image.dataset.strip];
    image.src = strip.images[stop];
    image.alt = `${strip.mode}, seed ${strip.seed}, scale ${slide.scales[stop]}`;
  }
  for (const row of document.querySelectorAll("tr[data-stop]"))
    row.classList.toggle("here", Number(row.dataset.stop) === stop);
  drawChart();
  at("scale").value = String(stop);
  at("value").textContent = String(slide.scales[stop]);
}

function move(to) {
  stop = Math.min(slide.scales.length - 1, Math.max(0, to));
  show();
}

at("scale").addEventListener("input", (event) => move(Number(event.target.value)));
addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by) return;
  event.preventDefault();
  move(stop + by);
});
addEventListener("resize", drawChart);
build();
drawMeasures();
show();
