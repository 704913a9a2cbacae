import { cannotRun, dropEngines, linkPinnedNode } from './npm-packages.mjs';

// npm runs this after each change of node_modules, and hides the output unless it fails. A problem does not fail the
// installation, because the project's commands link the pinned Node again.
const problem = linkPinnedNode();
if (problem !== undefined) console.warn(cannotRun(problem));
dropEngines();
