/** A process that saves images in a workspace until it is killed, and prints the id of each that is saved: `saver.mjs FOLDER RUN`. */
import { randomBytes } from "node:crypto";
import { openWorkspace } from "../../dist/server/workspace.js";

const [folder = "", run = ""] = process.argv.slice(2);
const { history, save } = await openWorkspace(folder);
history.addRun({ id: run, client: "c", created: "", state: "running", request: { prompts: ["x"] }, error: null });
for (let seed = 0; ; seed++) {
  const png = randomBytes(2_000 + seed);
  const [image] = (await save([{ png, run, prompt: 0, seed, width: 6, height: 4 }])).images;
  if (seed % 5 === 4) history.setFavourite(image.id, true);
  process.stdout.write(`${image.id} ${image.sha256}\n`);
}
