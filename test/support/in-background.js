/** Part of a test: runs the embedded pair once the page is hidden, and tells its server each event with the state of the page. */
import { generate, openPair } from "/variegate.js";

const say = (what) => fetch(`/said/${document.visibilityState}/${what}`);

document.addEventListener("visibilitychange", async () => {
  const start = performance.now();
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  await say(performance.now() - start > 1000 ? "throttled" : "not-throttled");
  const embedded = new URLSearchParams(location.search).get("embedded");
  const pair = await openPair({ embedded, runtime: { folder: "ort/", gzip: true } });
  for await (const { type } of generate(pair, { prompts: ["a"], seeds: [0], mode: "distilled", steps: 2 }))
    await say(type);
  await pair.close();
});
await say("ready");
