/** Part of tests that runs in a page: opens a pair, runs a request, and gives back what a test compares. */
export async function run(request, { abortAfter = null, ...options } = {}) {
  const violations = [];
  document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
  const { openPair, generate } = await import("/variegate.js");
  const events = [];
  const images = [];
  const abort = new AbortController();
  let error = null;
  let pair = null;
  try {
    pair = await openPair({ runtime: { folder: "ort/", gzip: true }, ...options });
    for await (const event of generate(pair, request, abort.signal)) {
      events.push(event.type);
      if (event.type === abortAfter) abort.abort(new Error("stopped by the test"));
      if (event.type === "image") images.push({ seed: event.seed, data: [...event.image.data] });
    }
  } catch (thrown) {
    error = `${thrown.name}: ${thrown.message}`;
  }
  await pair?.close();
  return { events, images, violations, error, threads: crossOriginIsolated };
}
