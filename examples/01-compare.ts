// Compares base, distilled and hybrid on the embedded pair: the diversity of eight seeds. Saves the images under out/examples/compare.
import { diversity, type Mode, openEvaluator, openPair, savePng } from "variegate";

await using pair = await openPair();
const clip = await openEvaluator(pair);
const modes: readonly Mode[] = ["base", "distilled", "hybrid"];
for (const mode of modes) {
  const images = await pair.generate({
    prompt: "a cartoon character wearing a crown",
    seeds: [0, 1, 2, 3, 4, 5, 6, 7],
    mode,
  });
  for (const image of images) await savePng(image, `out/examples/compare/${mode}-${image.seed}.png`);
  const distances = await diversity(images, clip);
  const calls = images[0]?.plan.rows.filter((row) => row.kind === "step").length;
  console.log(
    `${mode}: ${calls} steps, CLIP distance ${distances.clip?.mean.toFixed(3)}, pixel distance ${distances.pixels.mean.toFixed(3)}`,
  );
}
