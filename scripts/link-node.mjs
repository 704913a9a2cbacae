import { linkPinnedNode } from './npm-packages.mjs';

// After `npm install` and `npm ci`, so that npm scripts run on the pinned Node whatever npm installed it.
const problem = linkPinnedNode();
if (problem !== undefined) {
  console.warn(`The packaged Node 26 cannot run: ${problem}\n\`npm start\` says what is missing.`);
}
