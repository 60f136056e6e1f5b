// Prints commit curves, the distance of x0 at every step to the final image, and the effect of running single rows with the base.
import { openPair, trace } from "variegate";

await using pair = await openPair();
const request = { prompt: "a cartoon character wearing a party hat", seeds: [0, 1, 2], fullSteps: 10 };
for await (const event of trace(pair, request)) {
  if (event.type !== "trace") continue;
  for (const { mode, steps, commit } of event.trace.modes) {
    const curve = (commit.perceptual ?? commit.pixel).mean.map((e) => e.mean.toFixed(2)).join(" ");
    console.log(`${mode}, ${steps.length} steps: ${curve}`);
  }
  for (const { row, diversity } of event.trace.causal ?? []) {
    if (!diversity) continue; // With one seed there is no diversity.
    const spread = diversity.perceptual ?? diversity.pixel;
    console.log(`${row === null ? "distilled alone" : `base at row ${row}`}: spread ${spread.toFixed(3)}`);
  }
}
