// Every step is an event with x_t and the predicted clean latent x0; an AbortSignal stops between two model calls.
import { generate, openPair } from "variegate";

const pair = await openPair();
const stop = new AbortController();
try {
  const request = { mode: "base", prompts: ["a cartoon character"], seeds: [3], steps: 20 };
  for await (const event of generate(pair, request, stop.signal)) {
    if (event.type !== "step") continue;
    const size = Math.hypot(...event.x0.data);
    console.log(`${event.model} at ${event.timestep}: |x0| = ${size.toFixed(1)}`);
    if (event.step === 4) stop.abort(new Error("five steps are enough"));
  }
} catch (error) {
  console.log(error.message);
} finally {
  await pair.close();
}
