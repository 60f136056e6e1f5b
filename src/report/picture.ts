/** A picture inside a page: a data URL of the size that it is looked at. */
import type { RgbImage } from "../tensor/index.js";

/** Pictures up to `side` pixels keep every pixel; larger ones are made smaller and lose what nobody sees. */
export async function pictureUrl({ width, height, data }: RgbImage, side = 96): Promise<string> {
  const { default: sharp } = await import("sharp");
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  const small = Math.max(width, height) <= side;
  const bytes = small
    ? await image.png().toBuffer()
    : await image
        .resize(2 * side, 2 * side, { fit: "inside" })
        .webp({ quality: 80 })
        .toBuffer();
  return `data:image/${small ? "png" : "webp"};base64,${bytes.toString("base64")}`;
}
