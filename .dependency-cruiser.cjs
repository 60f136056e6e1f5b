/** Walls between the rooms of src/, made from rooms.json: an import that no row allows is an error. */
const rooms = require("./rooms.json");

const inside = (room) => `^src/${room}/`;
const face = (room) => `^src/${room}/index\\.ts$`;

module.exports = {
  allowed: [
    // Outside the rooms there are the public index, errors, and packages.
    { from: { path: "^src/index\\.ts$" }, to: { path: "^src/([^/]+/index|errors)\\.ts$" } },
    { from: {}, to: { path: "^src/errors\\.ts$" } },
    { from: {}, to: { pathNot: "^src/", dependencyTypesNot: ["core", "local"] } },
    ...rooms.map(({ room }) => ({ from: { path: inside(room) }, to: { path: inside(room) } })),
    ...rooms.flatMap(({ room, imports }) =>
      imports.map((other) => ({ from: { path: inside(room) }, to: { path: face(other) } })),
    ),
    // Node's modules: in the whole room (true), or in the folder that `node` names.
    ...rooms
      .filter(({ node }) => node)
      .map(({ room, node }) => ({
        from: { path: `${inside(room)}${node === true ? "" : node}` },
        to: { dependencyTypes: ["core"] },
      })),
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
