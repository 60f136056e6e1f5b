/** Types of the studio's HTTP API, written by scripts/studio-types.js from its OpenAPI document. */

export interface paths {
    readonly "/api/adapters": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Adapters that a request may name */
        readonly get: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description the adapters */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": {
                            readonly adapters: readonly components["schemas"]["Adapter"][];
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
        /** Put an adapter into the workspace. It is checked against the models */
        readonly post: {
            readonly parameters: {
                readonly query: {
                    /** @description name of the file */
                    readonly name: string;
                };
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody: {
                readonly content: {
                    readonly "application/octet-stream": string;
                };
            };
            readonly responses: {
                /** @description the adapter; one that was there already has its earlier name */
                readonly 201: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["AddedAdapter"];
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
    readonly "/api/adapters/{ref}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        readonly post?: never;
        /** Remove an adapter from the workspace */
        readonly delete: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path: {
                    readonly ref: string;
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
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/diversity": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /** Diversity of saved images with 95 % intervals; images of one prompt are compared with each other */
        readonly post: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody: {
                readonly content: {
                    readonly "application/json": components["schemas"]["DiversityRequest"];
                };
            };
            readonly responses: {
                /** @description the diversity */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Diversity"];
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
                /** @description a file cannot be used */
                readonly 422: {
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
    readonly "/api/export": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /** A request for other programs; loads nothing */
        readonly post: {
            readonly parameters: {
                readonly query: {
                    readonly as: "command" | "library" | "diffusers" | "comfyui";
                };
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
                /** @description the text */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Export"];
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
    readonly "/api/images/{id}/trace": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** x0 at each step of an image, its commit curve, and phrases that were seen and dropped */
        readonly get: {
            readonly parameters: {
                readonly query?: {
                    /** @description phrases to look for, separated by commas */
                    readonly phrases?: string;
                };
                readonly header?: never;
                readonly path: {
                    readonly id: string;
                };
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description the trace */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["ImageTrace"];
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
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/models": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Named pairs, and the models of the model folders */
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
                        readonly "application/json": components["schemas"]["Models"];
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
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/models/check": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /** What a model is, what it lacks and what fits it, as `models check` says it; downloads and loads nothing */
        readonly post: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody: {
                readonly content: {
                    readonly "application/json": components["schemas"]["ModelCheck"];
                };
            };
            readonly responses: {
                /** @description the report */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["ModelReport"];
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
        /** Open other models: a named pair, or paths and Hub ids, which may be downloaded. From this machine only */
        readonly post: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody: {
                readonly content: {
                    readonly "application/json": components["schemas"]["PairReference"];
                };
            };
            readonly responses: {
                /** @description GET /api/pair has the progress */
                readonly 202: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Pair"];
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
                /** @description the run goes on, or other models are being opened */
                readonly 409: {
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
    readonly "/api/restore": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /** The request that made a PNG, or that a run.json records */
        readonly post: {
            readonly parameters: {
                readonly query?: {
                    /** @description name of the file, for what is said about it */
                    readonly name?: string;
                };
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody: {
                readonly content: {
                    readonly "application/json": unknown;
                    readonly "application/octet-stream": string;
                    readonly "image/png": string;
                };
            };
            readonly responses: {
                /** @description the request */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["Restored"];
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
                /** @description the run goes on, or other models are being opened */
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
    readonly "/sdapi/v1/interrupt": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /** End the run of this client that is executed */
        readonly post: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: {
                    /** @description name of the client, for fair turns; default: its address */
                    readonly "variegate-client"?: string;
                };
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description nothing */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": Record<string, never>;
                    };
                };
                /** @description the request makes no sense; the field is named */
                readonly 400: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
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
    readonly "/sdapi/v1/loras": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Adapters that <lora:NAME:1> in a prompt may name */
        readonly get: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description the list */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": readonly {
                            readonly alias: string;
                            readonly metadata: Record<string, never>;
                            readonly name: string;
                            readonly path: string;
                        }[];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description a file cannot be used */
                readonly 422: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
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
    readonly "/sdapi/v1/options": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** The settings that are read */
        readonly get: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description the settings */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Options"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
            };
        };
        readonly put?: never;
        /** Set the model's mode or CLIP's last layer for later calls of txt2img, until the studio ends */
        readonly post: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody: {
                readonly content: {
                    readonly "application/json": components["schemas"]["A1111Options"];
                };
            };
            readonly responses: {
                /** @description settings that are not read */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": {
                            readonly unsupported: readonly {
                                readonly field: string;
                                readonly why: string;
                            }[];
                        };
                    };
                };
                /** @description the request makes no sense; the field is named */
                readonly 400: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description there is no such run or image */
                readonly 404: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the body is too large */
                readonly 413: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the body is not JSON */
                readonly 415: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
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
    readonly "/sdapi/v1/progress": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Progress of the run that is executed */
        readonly get: {
            readonly parameters: {
                readonly query?: {
                    readonly skip_current_image?: "true" | "false" | "True" | "False";
                };
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description the progress */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Progress"];
                    };
                };
                /** @description the request makes no sense; the field is named */
                readonly 400: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
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
    readonly "/sdapi/v1/samplers": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Samplers by A1111's names */
        readonly get: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description the list */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": readonly {
                            readonly aliases: readonly string[];
                            readonly name: string;
                            readonly options: {
                                readonly [key: string]: string;
                            };
                        }[];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description a file cannot be used */
                readonly 422: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
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
    readonly "/sdapi/v1/sd-models": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** The pair, in each of its modes */
        readonly get: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: never;
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody?: never;
            readonly responses: {
                /** @description the list */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": readonly {
                            readonly config: string | null;
                            readonly filename: string;
                            readonly hash: string | null;
                            readonly model_name: string;
                            readonly sha256: string | null;
                            readonly title: string;
                        }[];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description a file cannot be used */
                readonly 422: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
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
    readonly "/sdapi/v1/txt2img": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /** Images in the form of A1111's API; its field variegate has the fields of the hand-off */
        readonly post: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: {
                    /** @description name of the client, for fair turns; default: its address */
                    readonly "variegate-client"?: string;
                };
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody: {
                readonly content: {
                    readonly "application/json": components["schemas"]["A1111Txt2Img"];
                };
            };
            readonly responses: {
                /** @description the images */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Images"];
                    };
                };
                /** @description the request makes no sense; the field is named */
                readonly 400: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description there is no such run or image */
                readonly 404: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the run goes on, or other models are being opened */
                readonly 409: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the body is too large */
                readonly 413: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the body is not JSON */
                readonly 415: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description a file cannot be used */
                readonly 422: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the queue is full, or tokens were wrong too often; Retry-After says when to try again */
                readonly 429: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
                    };
                };
                /** @description the machine cannot do it now */
                readonly 503: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["A1111Error"];
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
    readonly "/v1/images/generations": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /** Images in the form of OpenAI's API */
        readonly post: {
            readonly parameters: {
                readonly query?: never;
                readonly header?: {
                    /** @description name of the client, for fair turns; default: its address */
                    readonly "variegate-client"?: string;
                };
                readonly path?: never;
                readonly cookie?: never;
            };
            readonly requestBody: {
                readonly content: {
                    readonly "application/json": components["schemas"]["OpenAIImageRequest"];
                };
            };
            readonly responses: {
                /** @description the images */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIImages"];
                    };
                };
                /** @description the request makes no sense; the field is named */
                readonly 400: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIError"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIError"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIError"];
                    };
                };
                /** @description there is no such run or image */
                readonly 404: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIError"];
                    };
                };
                /** @description the run goes on, or other models are being opened */
                readonly 409: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIError"];
                    };
                };
                /** @description the body is too large */
                readonly 413: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIError"];
                    };
                };
                /** @description the body is not JSON */
                readonly 415: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIError"];
                    };
                };
                /** @description a file cannot be used */
                readonly 422: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIError"];
                    };
                };
                /** @description the queue is full, or tokens were wrong too often; Retry-After says when to try again */
                readonly 429: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIError"];
                    };
                };
                /** @description the machine cannot do it now */
                readonly 503: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIError"];
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
    readonly "/v1/models": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** The models in the form of OpenAI's API: the pair, in each of its modes */
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
                        readonly "application/json": components["schemas"]["OpenAIModels"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIError"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIError"];
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
    readonly "/v1/models/{id}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** One model */
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
                /** @description the model */
                readonly 200: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIModel"];
                    };
                };
                /** @description the token is missing or wrong */
                readonly 401: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIError"];
                    };
                };
                /** @description the request comes from another site */
                readonly 403: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIError"];
                    };
                };
                /** @description there is no such run or image */
                readonly 404: {
                    headers: {
                        readonly [name: string]: unknown;
                    };
                    content: {
                        readonly "application/json": components["schemas"]["OpenAIError"];
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
        readonly A1111Error: {
            readonly body: string;
            readonly detail: string;
            readonly error: string;
            readonly errors: string;
        };
        readonly A1111Images: {
            /** @description PNG files in base64 */
            readonly images: readonly string[];
            /** @description JSON with seeds, prompts and infotexts */
            readonly info: string;
            readonly parameters: {
                readonly [key: string]: unknown;
            };
            readonly variegate: {
                readonly notices: readonly string[];
                readonly request: {
                    readonly [key: string]: unknown;
                };
                readonly run: string;
                /** @description fields that ask for something that is not done */
                readonly unsupported: readonly {
                    readonly field: string;
                    readonly why: string;
                }[];
            };
        };
        readonly A1111Options: {
            readonly [key: string]: unknown;
        } | null;
        readonly A1111Progress: {
            readonly current_image: string | null;
            readonly eta_relative: number;
            readonly progress: number;
            readonly state: {
                readonly interrupted: boolean;
                readonly job: string;
                readonly job_count: number;
                readonly job_no: number;
                readonly job_timestamp: string;
                readonly sampling_step: number;
                readonly sampling_steps: number;
                readonly skipped: boolean;
                readonly stopping_generation: boolean;
            };
            readonly textinfo: string | null;
        };
        readonly A1111Txt2Img: {
            readonly batch_size?: number | null;
            readonly cfg_scale?: number | null;
            readonly eta?: number | null;
            readonly height?: number | null;
            readonly n_iter?: number | null;
            readonly negative_prompt?: string | null;
            readonly override_settings?: components["schemas"]["A1111Options"];
            readonly override_settings_restore_afterwards?: boolean | null;
            readonly prompt?: string | null;
            readonly sampler_index?: string | null;
            readonly sampler_name?: string | null;
            readonly save_images?: boolean | null;
            readonly scheduler?: string | null;
            readonly seed?: number | null;
            readonly send_images?: boolean | null;
            readonly steps?: number | null;
            readonly variegate?: components["schemas"]["RequestFields"];
            readonly width?: number | null;
        } & {
            readonly [key: string]: unknown;
        };
        readonly Adapter: {
            /** @enum {string} */
            readonly from: "package" | "folder" | "workspace";
            /** @description name of the file */
            readonly name: string;
            /** @description what a request names: adapters[].ref */
            readonly ref: string;
        };
        readonly AddedAdapter: components["schemas"]["Adapter"] & {
            /** @description LoRA, LoHa, DoRA … */
            readonly kind: string;
            /** @description layers that it changes */
            readonly layers: number;
            readonly rank: number | null;
        };
        readonly Diversity: {
            readonly clip: components["schemas"]["Estimate"] & (Record<string, never> | null);
            readonly pixels: components["schemas"]["Estimate"];
        };
        readonly DiversityRequest: {
            readonly images: readonly string[];
        };
        readonly Error: {
            readonly error: {
                readonly field?: string;
                readonly message: string;
                /** @description class of the error */
                readonly type: string;
            };
        };
        /** @description mean pairwise root mean square difference of pixels in 0…1 */
        readonly Estimate: {
            readonly high: number | null;
            readonly low: number | null;
            readonly mean: number;
            readonly n: number;
        };
        readonly Export: {
            /** @description name of a file for the text */
            readonly file: string;
            /** @description what to know before it is run, as sentences */
            readonly notices: readonly string[];
            readonly text: string;
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
        readonly ImageTrace: {
            /** @description distance of each x0 to the final image */
            readonly commit: {
                readonly latent: readonly number[];
                readonly perceptual: readonly number[] | null;
                readonly pixel: readonly number[];
            };
            readonly concepts: readonly {
                /** @enum {string|null} */
                readonly finding: "dropped" | "late" | null;
                readonly phrase: string;
                /** @description cosine of each x0 and the phrase */
                readonly similarity: readonly number[];
                /** @description last step that shows a dropped phrase, first of a late one */
                readonly step: number | null;
            }[];
            readonly final: string;
            readonly steps: readonly {
                /** @enum {string} */
                readonly model: "base" | "distilled";
                readonly timestep: number;
                /** @description predicted clean image, a data URL */
                readonly x0: string;
            }[];
        };
        readonly ModelCheck: {
            readonly base?: string;
            readonly ref: string;
        };
        readonly ModelReport: {
            readonly family: string | null;
            readonly kind: string;
            /** @description a pipeline or checkpoint that can be a base, or another model that is supported and fits the base, where one is named */
            readonly ok: boolean;
            readonly sentences: readonly string[];
        };
        readonly Models: {
            readonly files: readonly {
                /** @enum {string} */
                readonly kind: "checkpoint" | "unet" | "text encoder" | "autoencoder" | "adapter" | "textual inversion" | "diffusers";
                /** @description name in the model folders */
                readonly ref: string;
            }[];
            readonly pairs: readonly {
                readonly about: string;
                /** @description opening it downloads nothing, as far as the cache shows */
                readonly cached: boolean;
                readonly name: string;
            }[];
        };
        readonly OpenAIError: {
            readonly error: {
                readonly code: string | null;
                readonly message: string;
                readonly param: string | null;
                readonly type: string;
            };
        };
        readonly OpenAIImageRequest: {
            readonly background?: string | null;
            /** @description an id of GET /v1/models; its part after the colon is the mode */
            readonly model?: string | null;
            readonly moderation?: string | null;
            readonly n?: number | null;
            readonly output_compression?: number | null;
            /** @enum {string|null} */
            readonly output_format?: "png" | null;
            readonly partial_images?: number | null;
            readonly prompt: string;
            readonly quality?: string | null;
            /**
             * @description default: both
             * @enum {string|null}
             */
            readonly response_format?: "url" | "b64_json" | null;
            /** @description seed of the first image; default: random */
            readonly seed?: number | null;
            readonly size?: string | null;
            /** @enum {boolean|null} */
            readonly stream?: false | null;
            readonly style?: string | null;
            readonly user?: string | null;
            readonly variegate?: components["schemas"]["RequestFields"];
        };
        readonly OpenAIImages: {
            readonly created: number;
            readonly data: readonly {
                readonly b64_json?: string;
                readonly url?: string;
            }[];
            /** @enum {string} */
            readonly output_format: "png";
            readonly size: string;
            readonly variegate: {
                readonly notices: readonly string[];
                readonly request: {
                    readonly [key: string]: unknown;
                };
                readonly run: string;
                readonly seeds: readonly number[];
                /** @description fields of the request that have no effect */
                readonly unsupported: readonly {
                    readonly field: string;
                    readonly why: string;
                }[];
            };
        };
        readonly OpenAIModel: {
            readonly created: number;
            readonly id: string;
            /** @enum {string} */
            readonly object: "model";
            readonly owned_by: string;
        };
        readonly OpenAIModels: {
            readonly data: readonly {
                readonly created: number;
                readonly id: string;
                /** @enum {string} */
                readonly object: "model";
                readonly owned_by: string;
            }[];
            /** @enum {string} */
            readonly object: "list";
        };
        readonly Pair: {
            readonly base: string;
            readonly compute: string;
            readonly device: string;
            readonly distilled: string | null;
            readonly family: string;
            /** @description other models that are being opened, or could not be; these stay open until then */
            readonly opening: {
                /** @description why it could not be opened */
                readonly error: string | null;
                /** @description what is being opened, and how far it is */
                readonly text: string;
            } | null;
            /** @description name of the named pair */
            readonly pair: string | null;
            readonly size: {
                readonly height: number;
                readonly width: number;
            };
            readonly version: string;
        };
        readonly PairReference: {
            readonly pair: string;
        } | {
            readonly base: string;
            readonly distilled?: string;
        };
        readonly Request: {
            readonly adapters?: readonly {
                readonly allowUnmatched?: boolean;
                /** @enum {string} */
                readonly on?: "both" | "base" | "distilled";
                readonly ref: string;
                readonly scale?: number | string | {
                    /** @default {} */
                    readonly blocks: {
                        readonly [key: string]: number;
                    };
                    /** @default [] */
                    readonly rows: readonly {
                        readonly from: number;
                        readonly scale: number;
                        readonly to: number;
                    }[];
                    readonly samples?: readonly {
                        readonly prompt?: number;
                        readonly scale: number;
                        readonly seed?: number;
                    }[];
                    /** @default 1 */
                    readonly whole: number;
                };
            }[];
            /** @description hybrid: k steps of the base's separate schedule (30 unless --base-steps), then a jump along their mean velocity to the switch */
            readonly anchor?: number;
            /** @description hybrid: guidance scale of the base (default: 0) */
            readonly baseGuidance?: number;
            /** @description hybrid: scheduler of a separate schedule for the base */
            readonly baseScheduler?: string;
            /**
             * @description hybrid: timestep spacing of the base's separate schedule
             * @enum {string}
             */
            readonly baseSpacing?: "leading" | "trailing" | "linspace";
            /** @description hybrid: number of steps of a separate schedule for the base */
            readonly baseSteps?: number;
            /** @description samples in one model call (default: by image size, at most 16) */
            readonly batch?: number;
            /** @description run the first step for n seeds, keep the m that differ most and fit the prompt, finish only those */
            readonly choose?: {
                readonly keep: number;
                readonly of: number;
            };
            /**
             * @description with --choose: compare latents, or images by CLIP (default: latents)
             * @enum {string}
             */
            readonly chooseBy?: "latents" | "clip";
            /** @description with --choose: weight of how well an image fits its prompt by CLIP, beside the distances (default: 0.1) */
            readonly chooseFit?: number;
            /** @description with --choose: drop this share of the seeds after each step, instead of all at once after the first */
            readonly choosePrune?: number;
            /** @description number of final text encoder layers to skip (default: 0) */
            readonly clipSkip?: number;
            /** @description diversity method with its settings, such as cads:scale=0.1 (repeatable; variegate methods lists them) */
            readonly diversity?: readonly ({
                /** @constant */
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
                /** @constant */
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
                /** @constant */
                readonly method: "interval";
            } | {
                /** @constant */
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
                /** @constant */
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
                /** @constant */
                readonly method: "particles";
                /**
                 * @description strength of the repulsion
                 * @default 0.2
                 */
                readonly scale: number;
                /**
                 * @description what is pushed apart: latents, or CLIP features of the decoded images
                 * @default latents
                 * @enum {string}
                 */
                readonly space: "latents" | "clip";
                /**
                 * @description share of the steps with it; at least the first
                 * @default 0.5
                 */
                readonly until: number;
            } | {
                /** @constant */
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
                /** @constant */
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
                /** @constant */
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
                /** @constant */
                readonly method: "low-frequency";
                /**
                 * @description gain of the lowest frequency: its amplitude becomes 1 + strength times as large
                 * @default 0.5
                 */
                readonly strength: number;
            } | {
                /** @constant */
                readonly method: "spread";
                /**
                 * @description share of the samples' mean that is taken away; at 1 two seeds get opposite noise
                 * @default 1
                 */
                readonly strength: number;
            } | {
                /** @constant */
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
                /** @constant */
                readonly method: "farthest";
            } | {
                /**
                 * @description steps of the optimisation
                 * @default 4
                 */
                readonly iterations: number;
                /** @constant */
                readonly method: "contrastive-noise";
                /**
                 * @description length of a step, as a share of the length of the noise
                 * @default 0.1
                 */
                readonly rate: number;
                /**
                 * @description temperature of the softmax over the samples
                 * @default 1
                 */
                readonly temperature: number;
            } | {
                /** @constant */
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
            /** @description stochasticity of DDIM (η) and TCD (γ), 0 to 1 (default: 0) */
            readonly eta?: number;
            /** @description guidance scale; at 1 or less, one conditional forward pass */
            readonly guidance?: number;
            /** @description largest norm of the guided prediction, as a multiple of the conditional one's (default: no limit) */
            readonly guidanceNormalization?: number;
            /** @description guidance rescale φ, 0 to 1 (default: 0) */
            readonly guidanceRescale?: number;
            /** @description no guidance once this share of the timesteps is done, 0 to 1 (default: 1) */
            readonly guidanceTruncation?: number;
            /**
             * @description hybrid: steps of the base keep their noise (ddim), renew it (lcm), or follow the distilled schedule's solver (schedule) (default: the pair's, else schedule)
             * @enum {string}
             */
            readonly handoff?: "ddim" | "lcm" | "schedule";
            /**
             * @description models that run (default: hybrid where there is a distilled model)
             * @enum {string}
             */
            readonly mode?: "base" | "distilled" | "hybrid";
            /** @description negative prompt, used with a guidance scale above 1 */
            readonly negative?: string;
            /**
             * @description models in memory: both (none), one set of weights with the distilled LoRA (shared), one model at a time (sequential); default: by the memory budget
             * @enum {string}
             */
            readonly offload?: "none" | "shared" | "sequential";
            /**
             * @description prediction type of the network
             * @enum {string}
             */
            readonly prediction?: "epsilon" | "v_prediction" | "sample";
            readonly prompts: readonly string[];
            /**
             * @description markup in prompts: none (plain), or weights, <lora:name:1> and long prompts as in A1111 (a1111) or ComfyUI (comfy); default: plain
             * @enum {string}
             */
            readonly promptSyntax?: "plain" | "a1111" | "comfy";
            /** @description hybrid: a steps of the base's separate schedule replace b distilled rows */
            readonly ratio?: {
                readonly base: number;
                readonly distilled: number;
            };
            readonly samples?: readonly {
                readonly prompt: number;
                readonly seed: number;
            }[];
            /** @description scheduler, by its name in diffusers, ComfyUI or A1111: EulerDiscreteScheduler, dpmpp_2m, "DPM++ 2M Karras" */
            readonly scheduler?: string;
            /** @description seeds, such as "0-7,42": one image for each prompt and seed (default: 0) */
            readonly seeds?: readonly number[];
            /**
             * @description schedule type of the scheduler, by its name in ComfyUI or A1111: karras, exponential, beta, sgm_uniform, simple, normal, ddim_uniform
             * @enum {string}
             */
            readonly sigmas?: "karras" | "exponential" | "beta" | "sgm_uniform" | "simple" | "normal" | "ddim_uniform";
            /** @description width and height in pixels, or one number for a square (default: the model's own) */
            readonly size?: {
                readonly height: number;
                readonly width: number;
            };
            /** @description number of initial steps to skip (default: 0) */
            readonly skip?: number;
            /**
             * @description timestep spacing of the scheduler
             * @enum {string}
             */
            readonly spacing?: "leading" | "trailing" | "linspace";
            /** @description number of sampling steps (default: the pair's); where modes are compared, the base keeps its own */
            readonly steps?: number;
            /** @description hybrid: number of initial steps run by the base, the noise level it ends near, such as σ=0.8, or auto: the calibrated setting (default: the calibrated, the pair's or the family's) */
            readonly switch?: number | readonly number[] | {
                readonly sigma: number;
            } | "auto";
            /** @description length of T5's text in tokens, padding too, 1 to 512 (default: the model's: 512 for FLUX.1-dev and Chroma, else 256) */
            readonly textTokens?: number;
            /** @description side of a decoding tile in latents, or off (default: by the memory budget) */
            readonly tile?: number | "off";
            /** @description timesteps, such as 999,749,499,249, instead of a number of steps */
            readonly timesteps?: readonly number[];
            /** @description scale of guidance by two forward passes for networks that take the guidance scale as an input, such as FLUX.1-dev; at 1 or less, none (default: 1) */
            readonly trueGuidance?: number;
        };
        readonly RequestFields: {
            readonly adapters?: readonly {
                readonly allowUnmatched?: boolean;
                /** @enum {string} */
                readonly on?: "both" | "base" | "distilled";
                readonly ref: string;
                readonly scale?: number | string | {
                    /** @default {} */
                    readonly blocks: {
                        readonly [key: string]: number;
                    };
                    /** @default [] */
                    readonly rows: readonly {
                        readonly from: number;
                        readonly scale: number;
                        readonly to: number;
                    }[];
                    readonly samples?: readonly {
                        readonly prompt?: number;
                        readonly scale: number;
                        readonly seed?: number;
                    }[];
                    /** @default 1 */
                    readonly whole: number;
                };
            }[];
            /** @description hybrid: k steps of the base's separate schedule (30 unless --base-steps), then a jump along their mean velocity to the switch */
            readonly anchor?: number;
            /** @description hybrid: guidance scale of the base (default: 0) */
            readonly baseGuidance?: number;
            /** @description hybrid: scheduler of a separate schedule for the base */
            readonly baseScheduler?: string;
            /**
             * @description hybrid: timestep spacing of the base's separate schedule
             * @enum {string}
             */
            readonly baseSpacing?: "leading" | "trailing" | "linspace";
            /** @description hybrid: number of steps of a separate schedule for the base */
            readonly baseSteps?: number;
            /** @description samples in one model call (default: by image size, at most 16) */
            readonly batch?: number;
            /** @description run the first step for n seeds, keep the m that differ most and fit the prompt, finish only those */
            readonly choose?: {
                readonly keep: number;
                readonly of: number;
            };
            /**
             * @description with --choose: compare latents, or images by CLIP (default: latents)
             * @enum {string}
             */
            readonly chooseBy?: "latents" | "clip";
            /** @description with --choose: weight of how well an image fits its prompt by CLIP, beside the distances (default: 0.1) */
            readonly chooseFit?: number;
            /** @description with --choose: drop this share of the seeds after each step, instead of all at once after the first */
            readonly choosePrune?: number;
            /** @description number of final text encoder layers to skip (default: 0) */
            readonly clipSkip?: number;
            /** @description diversity method with its settings, such as cads:scale=0.1 (repeatable; variegate methods lists them) */
            readonly diversity?: readonly ({
                /** @constant */
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
                /** @constant */
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
                /** @constant */
                readonly method: "interval";
            } | {
                /** @constant */
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
                /** @constant */
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
                /** @constant */
                readonly method: "particles";
                /**
                 * @description strength of the repulsion
                 * @default 0.2
                 */
                readonly scale: number;
                /**
                 * @description what is pushed apart: latents, or CLIP features of the decoded images
                 * @default latents
                 * @enum {string}
                 */
                readonly space: "latents" | "clip";
                /**
                 * @description share of the steps with it; at least the first
                 * @default 0.5
                 */
                readonly until: number;
            } | {
                /** @constant */
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
                /** @constant */
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
                /** @constant */
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
                /** @constant */
                readonly method: "low-frequency";
                /**
                 * @description gain of the lowest frequency: its amplitude becomes 1 + strength times as large
                 * @default 0.5
                 */
                readonly strength: number;
            } | {
                /** @constant */
                readonly method: "spread";
                /**
                 * @description share of the samples' mean that is taken away; at 1 two seeds get opposite noise
                 * @default 1
                 */
                readonly strength: number;
            } | {
                /** @constant */
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
                /** @constant */
                readonly method: "farthest";
            } | {
                /**
                 * @description steps of the optimisation
                 * @default 4
                 */
                readonly iterations: number;
                /** @constant */
                readonly method: "contrastive-noise";
                /**
                 * @description length of a step, as a share of the length of the noise
                 * @default 0.1
                 */
                readonly rate: number;
                /**
                 * @description temperature of the softmax over the samples
                 * @default 1
                 */
                readonly temperature: number;
            } | {
                /** @constant */
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
            /** @description stochasticity of DDIM (η) and TCD (γ), 0 to 1 (default: 0) */
            readonly eta?: number;
            /** @description guidance scale; at 1 or less, one conditional forward pass */
            readonly guidance?: number;
            /** @description largest norm of the guided prediction, as a multiple of the conditional one's (default: no limit) */
            readonly guidanceNormalization?: number;
            /** @description guidance rescale φ, 0 to 1 (default: 0) */
            readonly guidanceRescale?: number;
            /** @description no guidance once this share of the timesteps is done, 0 to 1 (default: 1) */
            readonly guidanceTruncation?: number;
            /**
             * @description hybrid: steps of the base keep their noise (ddim), renew it (lcm), or follow the distilled schedule's solver (schedule) (default: the pair's, else schedule)
             * @enum {string}
             */
            readonly handoff?: "ddim" | "lcm" | "schedule";
            /**
             * @description models that run (default: hybrid where there is a distilled model)
             * @enum {string}
             */
            readonly mode?: "base" | "distilled" | "hybrid";
            /** @description negative prompt, used with a guidance scale above 1 */
            readonly negative?: string;
            /**
             * @description models in memory: both (none), one set of weights with the distilled LoRA (shared), one model at a time (sequential); default: by the memory budget
             * @enum {string}
             */
            readonly offload?: "none" | "shared" | "sequential";
            /**
             * @description prediction type of the network
             * @enum {string}
             */
            readonly prediction?: "epsilon" | "v_prediction" | "sample";
            /**
             * @description markup in prompts: none (plain), or weights, <lora:name:1> and long prompts as in A1111 (a1111) or ComfyUI (comfy); default: plain
             * @enum {string}
             */
            readonly promptSyntax?: "plain" | "a1111" | "comfy";
            /** @description hybrid: a steps of the base's separate schedule replace b distilled rows */
            readonly ratio?: {
                readonly base: number;
                readonly distilled: number;
            };
            readonly samples?: readonly {
                readonly prompt: number;
                readonly seed: number;
            }[];
            /** @description scheduler, by its name in diffusers, ComfyUI or A1111: EulerDiscreteScheduler, dpmpp_2m, "DPM++ 2M Karras" */
            readonly scheduler?: string;
            /** @description seeds, such as "0-7,42": one image for each prompt and seed (default: 0) */
            readonly seeds?: readonly number[];
            /**
             * @description schedule type of the scheduler, by its name in ComfyUI or A1111: karras, exponential, beta, sgm_uniform, simple, normal, ddim_uniform
             * @enum {string}
             */
            readonly sigmas?: "karras" | "exponential" | "beta" | "sgm_uniform" | "simple" | "normal" | "ddim_uniform";
            /** @description width and height in pixels, or one number for a square (default: the model's own) */
            readonly size?: {
                readonly height: number;
                readonly width: number;
            };
            /** @description number of initial steps to skip (default: 0) */
            readonly skip?: number;
            /**
             * @description timestep spacing of the scheduler
             * @enum {string}
             */
            readonly spacing?: "leading" | "trailing" | "linspace";
            /** @description number of sampling steps (default: the pair's); where modes are compared, the base keeps its own */
            readonly steps?: number;
            /** @description hybrid: number of initial steps run by the base, the noise level it ends near, such as σ=0.8, or auto: the calibrated setting (default: the calibrated, the pair's or the family's) */
            readonly switch?: number | readonly number[] | {
                readonly sigma: number;
            } | "auto";
            /** @description length of T5's text in tokens, padding too, 1 to 512 (default: the model's: 512 for FLUX.1-dev and Chroma, else 256) */
            readonly textTokens?: number;
            /** @description side of a decoding tile in latents, or off (default: by the memory budget) */
            readonly tile?: number | "off";
            /** @description timesteps, such as 999,749,499,249, instead of a number of steps */
            readonly timesteps?: readonly number[];
            /** @description scale of guidance by two forward passes for networks that take the guidance scale as an input, such as FLUX.1-dev; at 1 or less, none (default: 1) */
            readonly trueGuidance?: number;
        };
        readonly Restored: {
            /** @description the image of the PNG among those of the request */
            readonly image: {
                readonly prompt: number;
                readonly seed: number;
            } | null;
            /** @description what differs here from the record, as sentences */
            readonly notices: readonly string[];
            readonly request: components["schemas"]["Request"];
            /** @description version that recorded it; null for another program */
            readonly version: string | null;
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
