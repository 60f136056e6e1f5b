/** Types of the studio's HTTP API, written by scripts/studio-types.js from its OpenAPI document. */

export interface paths {
    readonly "/api/favourites": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Favourite images, the latest saved first */
        readonly get: {
            readonly parameters: {
                readonly query?: {
                    /** @description id after which the list goes on */
                    readonly before?: string;
                    /** @description default: 50 */
                    readonly limit?: number;
                };
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description a part of the list */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": {
                            readonly images: readonly components["schemas"]["Image"][];
                        };
                    };
                };
                /** @description the request makes no sense; the field is named */
                readonly 400: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
            };
        };
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/images/{id}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** The PNG file of an image; its text chunk records how it was made */
        readonly get: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path: {
                    readonly id: string;
                };
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description the file */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "image/png": string;
                    };
                };
                /** @description the request makes no sense; the field is named */
                readonly 400: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description there is no such run or image */
                readonly 404: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description a file cannot be used */
                readonly 422: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
            };
        };
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        /** Mark an image as a favourite, or no longer */
        readonly patch: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path: {
                    readonly id: string;
                };
                readonly cookie?: never;
            };
            readonly requestBody: {
                readonly content: {
                    readonly "application/json": components["schemas"]["ImageChange"];
                };
            };
            readonly responses: {
                /** @description the image */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Image"];
                    };
                };
                /** @description the request makes no sense; the field is named */
                readonly 400: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description there is no such run or image */
                readonly 404: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the body is too large */
                readonly 413: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the body is not JSON */
                readonly 415: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
            };
        };
        readonly trace?: never;
    };
    readonly "/api/pair": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** The models of this studio */
        readonly get: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description the models */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Pair"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
            };
        };
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/plan": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /** The plan of a request, and each setting with its origin; loads nothing */
        readonly post: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody: {
                readonly content: {
                    readonly "application/json": components["schemas"]["Request"];
                };
            };
            readonly responses: {
                /** @description the plan */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": {
                            readonly plan: {
                                readonly [key: string]: unknown;
                            };
                            readonly settings: {
                                readonly [key: string]: unknown;
                            };
                        };
                    };
                };
                /** @description the request makes no sense; the field is named */
                readonly 400: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the body is too large */
                readonly 413: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the body is not JSON */
                readonly 415: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description a file cannot be used */
                readonly 422: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
            };
        };
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/queue": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Waiting runs and the run that is executed */
        readonly get: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description the queue */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": {
                            readonly running: string | null;
                            readonly waiting: number;
                        };
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
            };
        };
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/runs": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Runs of the workspace, newest first */
        readonly get: {
            readonly parameters: {
                readonly query?: {
                    /** @description id after which the list goes on */
                    readonly before?: string;
                    /** @description default: 50 */
                    readonly limit?: number;
                };
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description a part of the list */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": {
                            readonly runs: readonly components["schemas"]["Run"][];
                        };
                    };
                };
                /** @description the request makes no sense; the field is named */
                readonly 400: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
            };
        };
        readonly put?: never;
        /** Queue a run */
        readonly post: {
            readonly parameters: {
                readonly query?: {
                    /** @description steps whose x0 is sent as an image; default: first */
                    readonly previews?: "none" | "first" | "all";
                    /** @description cancel the client's earlier runs */
                    readonly supersede?: "true" | "false";
                };
                readonly header?: {
                    /** @description name of the client, for fair turns; default: its address */
                    readonly "variegate-client"?: string;
                };
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody: {
                readonly content: {
                    readonly "application/json": components["schemas"]["Request"];
                };
            };
            readonly responses: {
                /** @description the queued run */
                readonly 202: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Run"];
                    };
                };
                /** @description the request makes no sense; the field is named */
                readonly 400: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the body is too large */
                readonly 413: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the body is not JSON */
                readonly 415: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the queue is full, or tokens were wrong too often; Retry-After says when to try again */
                readonly 429: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the machine cannot do it now */
                readonly 503: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
            };
        };
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/runs/{id}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** A run with its images so far */
        readonly get: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path: {
                    readonly id: string;
                };
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description the run */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Run"];
                    };
                };
                /** @description the request makes no sense; the field is named */
                readonly 400: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description there is no such run or image */
                readonly 404: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
            };
        };
        readonly put?: never;
        readonly post?: never;
        /** Remove a run that has ended, with its images */
        readonly delete: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path: {
                    readonly id: string;
                };
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description removed */
                readonly 204: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description the request makes no sense; the field is named */
                readonly 400: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description there is no such run or image */
                readonly 404: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the run goes on */
                readonly 409: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
            };
        };
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/runs/{id}/cancel": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /** End a run: at once if it waits, else after the current model call */
        readonly post: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path: {
                    readonly id: string;
                };
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description the run */
                readonly 202: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Run"];
                    };
                };
                /** @description the request makes no sense; the field is named */
                readonly 400: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description there is no such run or image */
                readonly 404: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
            };
        };
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/runs/{id}/events": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Events of a run as server-sent events; Last-Event-ID goes on where a connection was lost */
        readonly get: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: {
                    /** @description id of the last event seen */
                    readonly "last-event-id"?: string;
                };
                readonly path: {
                    readonly id: string;
                };
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description the events */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "text/event-stream": string;
                    };
                };
                /** @description the request makes no sense; the field is named */
                readonly 400: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description there is no such run or image */
                readonly 404: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
                /** @description the machine cannot do it now */
                readonly 503: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Error"];
                    };
                };
            };
        };
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        readonly Error: {
            readonly error: {
                readonly field?: string;
                readonly message: string;
                /** @description class of the error */
                readonly type: string;
            };
        };
        readonly Image: {
            readonly bytes: number;
            readonly created: string;
            readonly favourite: boolean;
            readonly height: number;
            readonly id: string;
            /** @description index into the prompts of the request */
            readonly prompt: number;
            readonly run: string;
            readonly seed: number;
            readonly sha256: string;
            /** @description address of the PNG file, which records how it was made */
            readonly url: string;
            readonly width: number;
        };
        readonly ImageChange: {
            readonly favourite: boolean;
        };
        readonly Pair: {
            readonly base: string;
            readonly compute: string;
            readonly device: string;
            readonly distilled: string | null;
            readonly family: string;
            /** @description name of the named pair */
            readonly pair: string | null;
            readonly size: {
                readonly height: number;
                readonly width: number;
            };
            readonly version: string;
        };
        readonly Request: {
            readonly adapters: readonly {
                readonly allowUnmatched: boolean;
                /** @enum {string} */
                readonly on: "both" | "base" | "distilled";
                readonly ref: string;
                readonly scale: number | string | {
                    /** @default {} */
                    readonly blocks: {
                        readonly down?: number;
                        readonly mid?: number;
                        readonly other?: number;
                        readonly up?: number;
                    };
                    /** @default [] */
                    readonly rows: readonly {
                        readonly from: number;
                        readonly scale: number;
                        readonly to: number;
                    }[];
                    readonly samples: readonly {
                        readonly prompt: number;
                        readonly scale: number;
                        readonly seed: number;
                    }[];
                    /** @default 1 */
                    readonly whole: number;
                };
            }[];
            readonly baseGuidance: number;
            readonly baseScheduler: string;
            /** @enum {string} */
            readonly baseSpacing: "leading" | "trailing" | "linspace";
            readonly baseSteps: number;
            readonly batch: number;
            readonly clipSkip: number;
            readonly diversity: readonly ({
                /** @enum {string} */
                readonly method: "cads";
                /**
                 * @description share ψ of the embeddings that get back the mean and deviation of the clean ones
                 * @default 1
                 */
                readonly mix: number;
                /**
                 * @description scale s of the noise
                 * @default 0.25
                 */
                readonly scale: number;
                /**
                 * @description time below which the prompt is clean (1 is pure noise)
                 * @default 0.6
                 */
                readonly tau1: number;
                /**
                 * @description time above which the prompt is noise
                 * @default 0.9
                 */
                readonly tau2: number;
            } | {
                /**
                 * @description distribution of the noise
                 * @default uniform
                 * @enum {string}
                 */
                readonly distribution: "uniform" | "normal";
                /** @enum {string} */
                readonly method: "embedding-noise";
                /**
                 * @description share of the values that get noise
                 * @default 0.5
                 */
                readonly share: number;
                /**
                 * @description largest value of uniform noise, or deviation of normal noise
                 * @default 1
                 */
                readonly strength: number;
                /**
                 * @description unit of the strength: the deviation of the prompt's embeddings, or 1
                 * @default deviation
                 * @enum {string}
                 */
                readonly unit: "deviation" | "absolute";
                /**
                 * @description share of the steps that see the noise; at least the first
                 * @default 0.2
                 */
                readonly until: number;
            } | {
                /**
                 * @description noise level σ/α up to which steps are guided
                 * @default 5.42
                 */
                readonly high: number;
                /**
                 * @description noise level σ/α down to which steps are guided, itself not
                 * @default 0.28
                 */
                readonly low: number;
                /** @enum {string} */
                readonly method: "interval";
            } | {
                /** @enum {string} */
                readonly method: "late-guidance";
                /**
                 * @description number of first steps without guidance
                 * @default 1
                 */
                readonly skip: number;
            } | {
                /**
                 * @description share of the guidance along the prediction that is kept; 1 keeps all
                 * @default 0
                 */
                readonly eta: number;
                /** @enum {string} */
                readonly method: "apg";
                /**
                 * @description weight β of the guidance of earlier steps
                 * @default -0.5
                 */
                readonly momentum: number;
                /**
                 * @description largest norm of the guidance for latents of 4 × 128 × 128; 0 for no limit
                 * @default 15
                 */
                readonly norm: number;
            } | {
                /** @enum {string} */
                readonly method: "particles";
                /**
                 * @description strength of the repulsion
                 * @default 0.2
                 */
                readonly scale: number;
                /**
                 * @description share of the steps with it; at least the first
                 * @default 0.5
                 */
                readonly until: number;
            } | {
                /** @enum {string} */
                readonly method: "dpp";
                /**
                 * @description strength of the gradient
                 * @default 0.2
                 */
                readonly scale: number;
                /**
                 * @description share of the steps with it; at least the first
                 * @default 0.5
                 */
                readonly until: number;
                /**
                 * @description factor h in the exponent of the kernel
                 * @default 1
                 */
                readonly width: number;
            } | {
                /** @enum {string} */
                readonly method: "rke";
                /**
                 * @description strength of the gradient
                 * @default 0.2
                 */
                readonly scale: number;
                /**
                 * @description share of the steps with it; at least the first
                 * @default 0.5
                 */
                readonly until: number;
                /**
                 * @description width of the kernel, in units of the median distance
                 * @default 0.7
                 */
                readonly width: number;
            } | {
                /** @enum {string} */
                readonly method: "siblings";
                /**
                 * @description guidance scale less 1, away from the mean of the other samples
                 * @default 0.2
                 */
                readonly scale: number;
                /**
                 * @description share of the steps with it; at least the first
                 * @default 0.5
                 */
                readonly until: number;
            } | {
                /**
                 * @description frequency at which the gain has fallen to 61 %; 1 is the highest in each direction
                 * @default 0.1
                 */
                readonly cutoff: number;
                /** @enum {string} */
                readonly method: "low-frequency";
                /**
                 * @description gain of the lowest frequency: its amplitude becomes 1 + strength times as large
                 * @default 0.5
                 */
                readonly strength: number;
            } | {
                /** @enum {string} */
                readonly method: "spread";
                /**
                 * @description share of the samples' mean that is taken away; at 1 two seeds get opposite noise
                 * @default 1
                 */
                readonly strength: number;
            } | {
                /** @enum {string} */
                readonly method: "antithetic";
                /**
                 * @description correlation of a pair, with the opposite sign
                 * @default 1
                 */
                readonly strength: number;
            } | {
                /**
                 * @description draws of noise to choose from, the seed's own among them
                 * @default 16
                 */
                readonly candidates: number;
                /**
                 * @description frequency up to which draws are compared; 1 is the highest in each direction
                 * @default 0.15
                 */
                readonly cutoff: number;
                /** @enum {string} */
                readonly method: "farthest";
            } | {
                /** @enum {string} */
                readonly method: "partial-lora";
                /**
                 * @description scale of the distilled LoRA in those steps; 1 is the distilled model
                 * @default 0.5
                 */
                readonly scale: number;
                /**
                 * @description number of first steps of the distilled model with it
                 * @default 1
                 */
                readonly steps: number;
            })[];
            readonly eta: number;
            readonly guidance: number;
            readonly guidanceRescale: number;
            /** @enum {string} */
            readonly handoff: "ddim" | "lcm" | "schedule";
            /** @enum {string} */
            readonly mode: "base" | "distilled" | "hybrid";
            readonly negative: string;
            /** @enum {string} */
            readonly offload: "none" | "shared" | "sequential";
            /** @enum {string} */
            readonly prediction: "epsilon" | "v_prediction" | "sample";
            readonly prompts: readonly string[];
            /** @enum {string} */
            readonly promptSyntax: "plain" | "a1111" | "comfy";
            readonly ratio: {
                readonly base: number;
                readonly distilled: number;
            };
            readonly samples: readonly {
                readonly prompt: number;
                readonly seed: number;
            }[];
            readonly scheduler: string;
            readonly seeds: readonly number[];
            /** @enum {string} */
            readonly sigmas: "karras" | "exponential" | "beta" | "sgm_uniform" | "simple" | "normal" | "ddim_uniform";
            readonly size: {
                readonly height: number;
                readonly width: number;
            };
            readonly skip: number;
            /** @enum {string} */
            readonly spacing: "leading" | "trailing" | "linspace";
            readonly steps: number;
            readonly switch: number | readonly number[];
            readonly tile: number | "off";
            readonly timesteps: readonly number[];
        };
        readonly Run: {
            /** @description runs that are executed before this one; null unless it waits */
            readonly ahead: number | null;
            readonly client: string;
            readonly created: string;
            readonly error: {
                readonly field?: string;
                readonly message: string;
            } | null;
            /** @description address of its events */
            readonly events: string;
            readonly id: string;
            readonly images: readonly components["schemas"]["Image"][];
            readonly request: {
                readonly [key: string]: unknown;
            };
            /** @enum {string} */
            readonly state: "queued" | "running" | "done" | "cancelled" | "superseded" | "failed" | "interrupted";
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
