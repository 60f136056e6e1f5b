// A plan is data: the base on a DDIM grid of its own, then fresh noise up to where the distilled model takes over.
import { describePlan, openPair, planFor } from "variegate";

const pair = await openPair();
const plan = planFor(pair, { mode: "hybrid", switch: 1, baseScheduler: "DDIMScheduler", baseSteps: 8 });
const { columns, rows } = describePlan(plan);
for (const row of [columns, ...rows]) console.log(row.join(" | "));
await pair.close();
