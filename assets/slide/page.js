// Slider over precomputed images, one for each mode, seed and scale. All data is in the page.
const slide = JSON.parse(document.getElementById("slide").textContent);
const at = (id) => document.getElementById(id);
let stop = Math.max(0, slide.scales.indexOf(0));

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
  drawTable();
}

function drawTable() {
  const rows = slide.rows.flatMap(({ mode, stops }) => stops.map((s, i) => ({ mode, i, ...s })));
  const number = (e, digits) => (e === null ? "–" : e.mean.toFixed(digits));
  const table = document.createElement("table");
  const readings = Object.keys(rows[0]?.readings ?? {});
  const measures = ["CLIP score to the concept", "change, %", "distance to scale 0"];
  const head = ["mode", "scale", ...measures, ...readings.map((name) => `${name} (classifier)`)];
  const line = (cells, tag, hidden) => {
    const row = table.insertRow();
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
    const numbers = [number(r.clipScore, 1), number(r.change, 1), number(r.distance, 3)];
    line([r.mode, String(r.scale), ...numbers, ...readings.map((name) => number(r.readings[name], 3))], "td", r.i);
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
build();
show();
