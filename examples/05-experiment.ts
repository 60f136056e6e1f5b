// Runs an experiment: one step of the base against none, over four seeds of five prompts, and one claim. A second run reuses the results.
import { parseDefinition, runExperiments } from "variegate";

const definition = parseDefinition("example", {
  name: "hand-off",
  title: "No step of the base, or one",
  prompts: [
    "a cartoon character",
    "a red cartoon character",
    "a round cartoon character",
    "a cartoon character with one eye",
    "a cartoon character wearing a hat",
  ],
  seeds: 4,
  rows: [
    { name: "distilled", sampling: { mode: "distilled" } },
    { name: "hybrid", sampling: { mode: "hybrid", switch: 1 } },
  ],
  measures: ["distance", "entropy", "calls"],
  claims: [
    {
      says: "one step of the base makes the images more diverse",
      measure: "distance",
      row: "hybrid",
      is: "more",
      than: "distilled",
    },
  ],
});

const { tables } = await runExperiments({
  definitions: [definition],
  out: "out/examples/hand-off",
  resume: true,
  command: "example 05",
});
for (const { rows, judgements } of tables) {
  for (const { name, values } of rows) console.log(`${name}: CLIP distance ${values["distance"]?.mean.toFixed(3)}`);
  for (const { claim, verdict } of judgements) console.log(`${claim.says}: ${verdict}`);
}
