/** The HTTP application of a studio: guard, routes, OpenAPI document. */
import { versions } from "../inspect/index.js";
import { addA1111Routes } from "./a1111-routes.js";
import { addAdapterRoutes } from "./adapter-routes.js";
import { type Api, answerTo, createApi } from "./api.js";
import { bodies } from "./bodies.js";
import { addExportRoutes } from "./export-routes.js";
import { headers, ownOrigin, withToken } from "./guard.js";
import { addImageRoutes } from "./image-routes.js";
import { addMeasureRoutes } from "./measure-routes.js";
import { addModelRoutes } from "./model-routes.js";
import { addOpenAiRoutes } from "./openai-routes.js";
import type { OtherModels } from "./other-models.js";
import { addPage } from "./page.js";
import { addPairRoutes } from "./pair-routes.js";
import { Refusal } from "./refusal.js";
import { addRestoreRoutes } from "./restore-routes.js";
import { addRunRoutes } from "./run-routes.js";
import type { Studio } from "./studio.js";

export interface AppOptions {
  /** Token that every request must have; null for none. */
  readonly token: string | null;
  /** Port of the server, known once it listens. */
  readonly port: () => number;
  readonly onError: (error: unknown) => void;
  /** Opens other models in place of the studio's. */
  readonly others: OtherModels;
}

export function createApp(studio: Studio, { token, port, onError, others }: AppOptions): Api {
  const app = createApi();
  app.onError((error, c) => answerTo(c, error, onError));
  app.notFound((c) => {
    const refusal = new Refusal(404, `there is no ${c.req.method} ${c.req.path}; /openapi.json lists the routes`);
    return answerTo(c, refusal, onError);
  });
  app.use(headers);
  app.use(ownOrigin(token !== null));
  if (token !== null) app.use(withToken(token, () => `variegate-${port()}`));
  app.use(async (c, next) => {
    c.header("Cache-Control", "no-store");
    await next();
  });
  app.use(bodies);
  addRunRoutes(app, studio);
  addImageRoutes(app, studio);
  addPairRoutes(app, studio, others);
  addAdapterRoutes(app, studio);
  addModelRoutes(app, studio);
  addExportRoutes(app, studio);
  addRestoreRoutes(app, studio);
  addMeasureRoutes(app, studio);
  addOpenAiRoutes(app, studio);
  addA1111Routes(app, studio);
  const { variegate: version } = versions();
  const about = { title: "Variegate studio", version, description: "Images by base, distilled and hybrid models" };
  app.doc31("/openapi.json", { openapi: "3.1.0", info: about });
  app.get("/api", (c) => c.json({ name: "variegate studio", version, openapi: "/openapi.json" }));
  addPage(app);
  return app;
}
