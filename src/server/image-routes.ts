/** Routes of saved images: their files, favourites. */
import { createRoute, z } from "@hono/zod-openapi";
import { type Api, inWords } from "./api.js";
import type { ImageRecord } from "./history.js";
import { Refusal } from "./refusal.js";
import { idParams, imageSchema, imageView, json, MOST_LISTED, partQuery, refusals } from "./schemas.js";
import type { Studio } from "./studio.js";

const fileRoute = createRoute({
  method: "get",
  path: "/api/images/{id}",
  summary: "The PNG file of an image; its text chunk records how it was made",
  request: { params: idParams },
  responses: {
    200: { description: "the file", content: { "image/png": { schema: z.string().openapi({ format: "binary" }) } } },
    ...refusals(400, 404, 422),
  },
});

const changeBody = z.strictObject({ favourite: z.boolean() }).openapi("ImageChange");

const changeRoute = createRoute({
  method: "patch",
  path: "/api/images/{id}",
  summary: "Mark an image as a favourite, or no longer",
  request: { params: idParams, body: { content: { "application/json": { schema: changeBody } }, required: true } },
  responses: { 200: json("the image", imageSchema), ...refusals(400, 404, 413, 415) },
});

const favouritesRoute = createRoute({
  method: "get",
  path: "/api/favourites",
  summary: "Favourite images, the latest saved first",
  request: { query: partQuery },
  responses: { 200: json("a part of the list", z.object({ images: z.array(imageSchema) })), ...refusals(400) },
});

export function addImageRoutes(app: Api, { workspace }: Pick<Studio, "workspace">): void {
  const { history } = workspace;
  const found = (id: string): ImageRecord => {
    const image = history.image(id);
    if (!image) throw new Refusal(404, `there is no image ${id}`);
    return image;
  };
  app.openapi(fileRoute, async (c) => {
    const { id, seed } = found(c.req.valid("param").id);
    const png = await workspace.read(id);
    c.header("Content-Type", "image/png");
    c.header("Content-Disposition", `inline; filename="${seed}.png"`);
    // An id names one image for ever.
    c.header("Cache-Control", "private, max-age=31536000, immutable");
    return c.body(new Uint8Array(png), 200);
  });
  app.openapi(
    changeRoute,
    (c) => {
      const { id } = found(c.req.valid("param").id);
      history.setFavourite(id, c.req.valid("json").favourite);
      return c.json(imageView(found(id)), 200);
    },
    inWords(changeBody),
  );
  app.openapi(favouritesRoute, (c) => {
    const { limit = MOST_LISTED, before } = c.req.valid("query");
    return c.json({ images: history.favourites({ limit, before }).map(imageView) }, 200);
  });
}
