// Compares base, distilled and hybrid on the embedded pair: model calls, diversity over eight seeds, and CLIP score.
import { evaluate, generate, openEvaluator, openPair, summarise } from "variegate";

const prompts = ["a cartoon character wearing a crown"];
const seeds = [0, 1, 2, 3, 4, 5, 6, 7];
const pair = await openPair();
const evaluator = await openEvaluator(pair);
for (const mode of ["base", "distilled", "hybrid"]) {
  const images = [];
  let calls = 0;
  for await (const event of generate(pair, { mode, prompts, seeds })) {
    if (event.type === "image") images.push(event.image);
    if (event.type === "done") calls = event.calls / event.images;
  }
  const { distance, clipScore } = summarise(await evaluate(evaluator, [images], prompts));
  console.log(`${mode}: ${calls} calls, distance ${distance.mean.toFixed(3)}, CLIP score ${clipScore.mean.toFixed(1)}`);
}
await pair.close();
