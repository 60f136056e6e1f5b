// Prints a plan: the base on its own DDIM schedule, a re-noise row up to the level at which the distilled model starts, then its rows.
import { describePlan, openPair, planFor } from "variegate";

await using pair = await openPair();
const plan = planFor(pair, { mode: "hybrid", switch: 1, baseScheduler: "DDIMScheduler", baseSteps: 8 });
const { columns, rows } = describePlan(plan);
for (const row of [columns, ...rows]) console.log(row.join(" | "));
