/** Loaded models of a worker by id, and the inputs kept for each. Answers requests. Independent of the platform, and of what runs the models. */
import type { Tensor } from "../tensor/index.js";
import { feedProblem, missingInputs } from "./feeds.js";
import type { Answer, Request } from "./protocol.js";

export type LoadRequest = Extract<Request, { kind: "load" }>;

/** A model in the engine that runs it. */
export interface EngineSession {
  /** Runs the model once. Inputs are there and have the declared shapes and types. @throws Error with the engine's message */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
  release(): Promise<void>;
}

/** Loads a model into an engine. @throws Error with the engine's message, or when it does not have the device */
export type LoadModel = (request: LoadRequest) => Promise<EngineSession>;

/** A loaded model. */
interface Loaded {
  readonly session: EngineSession;
  readonly inputs: LoadRequest["bytes"]["inputs"];
  /** Inputs kept between runs, by the name of their set. */
  readonly held: Map<string, Readonly<Record<string, Tensor>>>;
}

/** Messages of ONNX Runtime for an invalid model. */
const INVALID_MODEL = /protobuf parsing failed|invalid model|^Type Error|ShapeInferenceError/i;

const refused = (message: string): Answer => ({ kind: "refused", message });
const released = (id: number): Answer => refused(`session ${id} was released`);

/**
 * Answers requests with models of its own.
 * @returns a function that answers a request, and throws the engine's error when the device fails
 */
export function answering(load: LoadModel): (request: Request) => Promise<Answer> {
  const sessions = new Map<number, Loaded>();
  let serial = 0;
  const answers: {
    readonly [K in Request["kind"]]: (request: Extract<Request, { kind: K }>) => Promise<Answer>;
  } = {
    async load(request) {
      try {
        const session = await load(request);
        sessions.set(++serial, { session, inputs: request.bytes.inputs, held: new Map() });
        return { kind: "loaded", session: serial };
      } catch (error) {
        if (error instanceof Error && INVALID_MODEL.test(error.message)) return refused(error.message);
        throw error;
      }
    },
    async run({ session: id, feeds, held: name }) {
      const loaded = sessions.get(id);
      if (!loaded) return released(id);
      const held = name === null ? {} : loaded.held.get(name);
      if (!held) return refused(`no inputs are kept under ${name}`);
      const problem = feedProblem(loaded.inputs, feeds) ?? missingInputs(loaded.inputs, feeds, held);
      if (problem) return refused(problem);
      const start = performance.now();
      const outputs = await loaded.session.run({ ...held, ...feeds });
      return { kind: "ran", outputs, milliseconds: performance.now() - start };
    },
    async hold({ session: id, name, tensors }) {
      const loaded = sessions.get(id);
      if (!loaded) return released(id);
      const problem = feedProblem(loaded.inputs, tensors);
      if (problem) return refused(problem);
      loaded.held.set(name, tensors);
      return { kind: "held" };
    },
    async drop({ session, name }) {
      sessions.get(session)?.held.delete(name);
      return { kind: "dropped" };
    },
    async release({ session: id }) {
      const loaded = sessions.get(id);
      if (!loaded) return released(id);
      sessions.delete(id);
      await loaded.session.release();
      return { kind: "released" };
    },
  };
  return <K extends Request["kind"]>(request: Extract<Request, { kind: K }>): Promise<Answer> => {
    const kind: K = request.kind;
    return answers[kind](request);
  };
}
