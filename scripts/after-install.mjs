import { cannotRun, dropEngines, linkPinnedNode } from './npm-packages.mjs';

// npm runs this after each change of node_modules, and shows its output only if it fails. Other scripts, such as
// `npm pack`, also link the pinned Node.
const problem = linkPinnedNode();
if (problem !== undefined) console.warn(cannotRun(problem));
dropEngines();
