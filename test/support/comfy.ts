/** Checks workflows against ComfyUI's node definitions, as its server does before it runs one. */
import { expect } from "vitest";
import { z } from "zod";
import type { Workflow, WorkflowNode } from "../../src/convert/index.js";
import { description } from "./parity.js";

const inputSchema = z.object({
  type: z.string(),
  required: z.boolean(),
  min: z.number().optional(),
  max: z.number().optional(),
  choices: z.array(z.string()).optional(),
});
type Input = z.output<typeof inputSchema>;
const nodeSchema = z.object({ inputs: z.record(z.string(), inputSchema), outputs: z.array(z.string()) });
const { nodes: DEFINITIONS } = description("comfy-nodes", z.object({ nodes: z.record(z.string(), nodeSchema) }));

/** Expects what ComfyUI's server expects: known classes, every required input, links to outputs of the right type, values in range. */
export function expectValid(workflow: Workflow): void {
  const problems = Object.entries(workflow).flatMap(([id, node]) => problemsOf(workflow, id, node));
  expect(problems).toEqual([]);
  expect(Object.values(workflow).some(({ class_type }) => class_type === "SaveImage")).toBe(true);
}

function problemsOf(workflow: Workflow, id: string, node: WorkflowNode): string[] {
  const definition = DEFINITIONS[node.class_type];
  if (!definition) return [`${id}: no class ${node.class_type}`];
  const given = Object.keys(node.inputs);
  const unknown = given.filter((name) => !(name in definition.inputs));
  const missing = Object.entries(definition.inputs).filter(([name, { required }]) => required && !given.includes(name));
  const wrong = Object.entries(definition.inputs).flatMap(([name, input]) => {
    const value = node.inputs[name];
    const problem = value === undefined ? null : problemOf(workflow, input, value);
    return problem === null ? [] : [`${name}: ${problem}`];
  });
  const list = [...unknown.map((name) => `unknown ${name}`), ...missing.map(([name]) => `missing ${name}`), ...wrong];
  return list.map((problem) => `${id} ${node.class_type}: ${problem}`);
}

function problemOf(workflow: Workflow, input: Input, value: WorkflowNode["inputs"][string]): string | null {
  const { type, choices = [], min = -Infinity, max = Infinity } = input;
  if (typeof value === "object") {
    const from = DEFINITIONS[workflow[value[0]]?.class_type ?? ""]?.outputs[value[1]];
    return from === type ? null : `a link to ${from}, expected ${type}`;
  }
  const fits: Record<string, () => boolean> = {
    FILE: () => typeof value === "string" && value !== "",
    COMBO: () => choices.includes(String(value)),
    STRING: () => typeof value === "string",
    BOOLEAN: () => typeof value === "boolean",
    INT: () => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
    FLOAT: () => Number.isFinite(value) && Number(value) >= min && Number(value) <= max,
  };
  return fits[type]?.() ? null : `${value} is not ${type} ${choices.join(" ")}`;
}

/** Nodes of a class, in order. */
export const nodesOf = (workflow: Workflow, className: string): WorkflowNode[] =>
  Object.values(workflow).filter(({ class_type }) => class_type === className);

/** The only node of a class. */
export function nodeOf(workflow: Workflow, className: string): WorkflowNode {
  const [node, ...others] = nodesOf(workflow, className);
  if (!node || others.length > 0) throw new Error(`${className}: ${node ? others.length + 1 : 0} nodes, expected one`);
  return node;
}

/** Inputs of the node that a link leads to. */
export function linked(workflow: Workflow, link: WorkflowNode["inputs"][string] | undefined): WorkflowNode {
  const node = typeof link === "object" ? workflow[link[0]] : undefined;
  if (!node) throw new Error(`${String(link)} is no link to a node`);
  return node;
}
