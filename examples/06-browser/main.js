// Images of the embedded pair, in a page. The models are served from embedded/ (vite.config.js).
import { generate, openPair } from "variegate/web";

const state = document.querySelector("#state");

function draw({ width, height, data }, title) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height, title });
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) pixels.data.set([...data.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  document.querySelector("#images").append(canvas);
}

const pair = await openPair({ embedded: "embedded/" });
for await (const event of generate(pair, { prompts: ["a red cartoon character"], seeds: [0, 1, 2, 3] })) {
  if (event.type === "step") state.textContent = `seed ${event.seed}: step ${event.step + 1} of ${event.steps}`;
  if (event.type === "image") draw(event.image, `seed ${event.seed}`);
}
await pair.close();
state.textContent = "Done";
