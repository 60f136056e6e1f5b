// Reads x0 from the step events of a run, and cancels it with an AbortSignal between two model calls.
import { generate, openPair } from "variegate";

const pair = await openPair();
const controller = new AbortController();
try {
  const request = { mode: "base", prompts: ["a cartoon character"], seeds: [3], steps: 20 };
  for await (const event of generate(pair, request, controller.signal)) {
    if (event.type !== "step") continue;
    const size = Math.hypot(...event.x0.data);
    console.log(`${event.model} at ${event.timestep}: |x0| = ${size.toFixed(1)}`);
    if (event.step === 4) controller.abort(new Error("five steps are enough"));
  }
} catch (error) {
  console.log(error.message);
} finally {
  await pair.close();
}
