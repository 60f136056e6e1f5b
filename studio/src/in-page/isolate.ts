/** The service worker of the page: it sets the headers that several threads need where the host does not, and serves the page offline. */

/** Marks that the page was loaded again for these headers, once. */
const TRIED = "variegate-isolated";

/** Registers the service worker. Resolves with true if the page should be loaded again to be isolated. */
export async function isolate(): Promise<boolean> {
  if (!("serviceWorker" in navigator)) return false;
  const { serviceWorker } = navigator;
  try {
    await serviceWorker.register("./sw.js");
    if (crossOriginIsolated || sessionStorage.getItem(TRIED) !== null) return false;
    sessionStorage.setItem(TRIED, "yes");
    await serviceWorker.ready;
    if (serviceWorker.controller) return true;
    await new Promise((resolve) => serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
    return true;
  } catch {
    // Without one, as in a private window, the page runs in one thread and needs its host.
    return false;
  }
}
