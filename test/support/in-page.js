/** Part of tests that runs in a page: opens a pair, runs a request, and gives back what a test compares. */

/** Bytes that pages read from Blobs, and that reach the worker in buffers and as Blobs. */
function watchBytes() {
  const bytes = { read: 0, buffers: 0, blobs: 0 };
  const { arrayBuffer } = Blob.prototype;
  Blob.prototype.arrayBuffer = function () {
    bytes.read += this.size;
    return arrayBuffer.call(this);
  };
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, moved) {
    for (const { data } of message?.bytes?.buffers ?? []) {
      if (data instanceof Blob) bytes.blobs += data.size;
      else bytes.buffers += data.byteLength;
    }
    return postMessage.call(this, message, moved);
  };
  return {
    bytes,
    stop() {
      Blob.prototype.arrayBuffer = arrayBuffer;
      Worker.prototype.postMessage = postMessage;
    },
  };
}

/** The file that was given to the page's input. */
const given = () => document.querySelector("input").files[0];

/** A tensor as JSON. */
const plain = ({ shape, data }) => ({ shape, data: [...data] });

/** `base: "the given file"` names the file of the page's input. With `keepSteps` the tensors of all steps are given back. */
export async function run(request, { abortAfter = null, keepSteps = false, ...options } = {}) {
  const violations = [];
  document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
  const { openPair, generate } = await import("/variegate.js");
  const events = [];
  const images = [];
  const steps = [];
  const downloads = [];
  const abort = new AbortController();
  let error = null;
  let pair = null;
  const watch = watchBytes();
  if (options.base === "the given file") options.base = given();
  const onDownload = (progress) => downloads.push(progress);
  try {
    pair = await openPair({ runtime: { folder: "ort/", gzip: true }, onDownload, ...options });
    for await (const event of generate(pair, request, abort.signal)) {
      events.push(event.type);
      if (event.type === abortAfter) abort.abort(new Error("stopped by the test"));
      if (event.type === "image") {
        const { width, height, data } = event.image;
        images.push({ prompt: event.prompt, seed: event.seed, width, height, data: [...data] });
      }
      if (event.type === "step" && keepSteps) {
        const { prompt, seed, timestep, xt, next, x0 } = event;
        const before = steps.findLast((step) => step.prompt === prompt && step.seed === seed);
        // Latents that go on are one object.
        const goesOn = before?.latents === xt;
        steps.push({ prompt, seed, timestep, goesOn, latents: next, xt: plain(xt), next: plain(next), x0: plain(x0) });
      }
    }
  } catch (thrown) {
    error = `${thrown.name}: ${thrown.message}`;
  }
  await pair?.close();
  watch.stop();
  for (const step of steps) delete step.latents;
  return { events, images, steps, violations, downloads, bytes: watch.bytes, error, threads: crossOriginIsolated };
}
