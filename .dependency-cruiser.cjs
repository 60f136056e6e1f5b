/** Walls between the rooms of src/, made from rooms.json: an import that no row allows is an error. */
const rooms = require("./rooms.json");

const inside = (room) => `^src/${room}/`;
// fields.ts is the part of a room that describes requests: help and the parsing of options load it without the code that runs models.
const face = (room) => `^src/${room}/(index|fields)\\.ts$`;
const nodeFace = (room) => `^src/${room}/node/index\\.ts$`;
const webFace = (room) => `^src/${room}/web/index\\.ts$`;

/** Rooms that import Node's modules everywhere (true), or in their folder node/ only. */
const onNode = new Set(rooms.filter(({ node }) => node === true).map(({ room }) => room));
const divided = new Set(rooms.filter(({ node }) => node === "node/").map(({ room }) => room));

/** Where Node's modules may be imported, and the faces that need them: a room on Node, or the folder node/ of a divided one. */
const nodeSide = (room) => (onNode.has(room) ? [inside(room)] : divided.has(room) ? [`${inside(room)}node/`] : []);

module.exports = {
  allowed: [
    // Outside the rooms there are the public index, errors, and packages.
    { from: { path: "^src/index\\.ts$" }, to: { path: "^src/([^/]+/(node/)?index|errors)\\.ts$" } },
    { from: {}, to: { path: "^src/errors\\.ts$" } },
    { from: {}, to: { pathNot: "^src/", dependencyTypesNot: ["core", "local"] } },
    // The page of the studio knows the server by its API only, and the engine in the page by its public face.
    { from: { path: "^studio/" }, to: { path: "^studio/" } },
    { from: { path: "^studio/src/in-page/" }, to: { path: face("browser") } },
    // What a room has for browsers is for the engine in a page.
    { from: { path: inside("browser") }, to: { path: webFace("runtime") } },
    ...rooms.map(({ room }) => ({
      from: { path: inside(room), ...(divided.has(room) && { pathNot: `${inside(room)}node/` }) },
      to: { path: inside(room), ...(divided.has(room) && { pathNot: `${inside(room)}node/` }) },
    })),
    ...rooms.flatMap(({ room, imports }) =>
      imports
        // What runs anywhere in a divided room takes no room on Node.
        .filter((other) => !(divided.has(room) && onNode.has(other)))
        .map((other) => ({ from: { path: inside(room) }, to: { path: face(other) } })),
    ),
    ...rooms.flatMap(({ room, imports }) =>
      nodeSide(room).flatMap((from) => [
        { from: { path: from }, to: { path: inside(room) } },
        { from: { path: from }, to: { dependencyTypes: ["core"] } },
        ...imports.map((other) => ({ from: { path: from }, to: { path: [face(other), nodeFace(other)] } })),
      ]),
    ),
  ],
  allowedSeverity: "error",
  forbidden: [
    {
      name: "no-circles",
      comment: "Type-only ones too: they are where seams are wrong.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
  },
};
