// Runs an experiment with two hand-offs, four seeds and one claim. A second run reuses the results.
import { parseDefinition, runExperiments } from "variegate";

const definition = parseDefinition("example", {
  name: "hand-off",
  title: "One or two steps of the base",
  prompts: ["a cartoon character", "a red cartoon character"],
  seeds: 4,
  rows: [1, 2].map((k) => ({ name: `k = ${k}`, sampling: { mode: "hybrid", switch: k } })),
  measures: ["distance", "entropy", "calls"],
  claims: [
    { says: "two base steps are more diverse than one", measure: "distance", row: "k = 2", is: "more", than: "k = 1" },
  ],
});

const { tables } = await runExperiments({
  definitions: [definition],
  out: "out/hand-off",
  resume: true,
  command: "example 05",
});
for (const { rows, judgements } of tables) {
  for (const { name, values } of rows) console.log(name, values.distance.mean.toFixed(3));
  for (const { claim, verdict } of judgements) console.log(`${claim.says}: ${verdict}`);
}
