/** Workflows in ComfyUI's API format: nodes by id, each with its class and inputs. Knows no class of node. */

/** Output of a node: the node's id, and the output's index. */
export type Link = readonly [node: string, output: number];
export type NodeInputs = Readonly<Record<string, string | number | boolean | Link>>;

/** A node as ComfyUI's API format has it. */
export interface WorkflowNode {
  readonly class_type: string;
  readonly inputs: NodeInputs;
  readonly _meta: { readonly title: string };
}

export type Workflow = Readonly<Record<string, WorkflowNode>>;

/** A workflow under construction. */
export interface WorkflowGraph {
  /** Adds a node and returns its outputs by index. Two nodes with equal class and inputs are one. */
  add(className: string, inputs: NodeInputs, title?: string): (output?: number) => Link;
  readonly nodes: Workflow;
}

export function workflowGraph(): WorkflowGraph {
  const nodes: Record<string, WorkflowNode> = {};
  const ids = new Map<string, string>();
  return {
    nodes,
    add(className, inputs, title = className) {
      const key = JSON.stringify([className, inputs]);
      const id = ids.get(key) ?? String(ids.size + 1);
      ids.set(key, id);
      nodes[id] ??= { class_type: className, inputs, _meta: { title } };
      return (output = 0) => [id, output];
    },
  };
}
