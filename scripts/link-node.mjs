import { linkPinnedNode } from './npm-packages.mjs';

// Runs after `npm install` and `npm ci`, so that npm scripts use the pinned Node, whichever npm installed it.
const problem = linkPinnedNode();
if (problem !== undefined) {
  console.warn(`The packaged Node 26 cannot run: ${problem}\n\`npm start\` says what is missing.`);
}
