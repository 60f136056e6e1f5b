// Reads x0 from the step events of a run, previews it, and cancels the run with an AbortSignal between two model calls.
import { generate, openPair, openPreview } from "variegate";

await using pair = await openPair();
const preview = await openPreview(pair);
const controller = new AbortController();
try {
  const request = { mode: "base", prompts: ["a cartoon character"], seeds: [3], steps: 20 } as const;
  for await (const event of generate(pair, request, controller.signal)) {
    if (event.type !== "step") continue;
    const [image] = await preview([event.x0]);
    const size = Math.hypot(...event.x0.data);
    console.log(`${event.model} at ${event.timestep}: |x0| = ${size.toFixed(1)}, a preview of ${image?.width} pixels`);
    if (event.step === 4) controller.abort(new Error("five steps are enough"));
  }
} catch (error) {
  console.log(error instanceof Error ? error.message : error);
}
