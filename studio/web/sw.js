/**
 * Service worker of the page: answers without a network what was asked before, and adds the headers that WebAssembly needs for several
 * threads where the host does not set them. Downloads of models are kept by the page itself.
 */
const CACHE = "variegate-page";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

const isolated = (response) => {
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
};

/** From the network, so that a new version is seen at once; without one, from the cache. */
async function answer(request) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return isolated(response);
  } catch (error) {
    const known = await cache.match(request, { ignoreSearch: true });
    if (known) return isolated(known);
    throw error;
  }
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  // Weights are kept by the page; other origins answer for themselves.
  if (request.method !== "GET" || origin !== self.location.origin || /\/embedded-[0-9a-f]+\//.test(pathname)) return;
  event.respondWith(answer(request));
});
