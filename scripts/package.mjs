import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildClient, mark } from './client-build.mjs';
import { Problem, runCommand } from './command.mjs';
import { root, runtime } from './npm-packages.mjs';
import { runQuietly } from './quiet.mjs';

const dist = join(root, 'dist');

/**
 * Makes what `npm pack` packs. `dist/` has the folders of the checkout, so that files find each other in both by the same
 * paths. Node runs no TypeScript in a package.
 */
async function build() {
  rmSync(dist, { recursive: true, force: true });
  await compile('tsconfig.build.json');
  // Once more, for programs of others: with types, and for older versions of Node.
  await compile('server/session/tsconfig.build.json');
  await compile('client/tsconfig.build.json');
  await buildClient();
  cpSync(join(root, 'client/dist'), join(dist, 'client/dist'), {
    recursive: true,
    filter: (path) => path !== mark,
  });
  // Migrations and the texts of mails.
  for (const part of ['server', 'session-server']) {
    cpSync(join(root, part), join(dist, part), {
      recursive: true,
      filter: (path) => !/\.(ts|md)$|tsconfig\b[^/]*$/.test(path),
    });
  }
  return 0;
}

/** `npm run types` checks the types, which takes three times as long. @param {string} project */
async function compile(project) {
  const { node, env } = runtime();
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const result = await runQuietly(node, [compiler, '--noCheck', '--project', project], { cwd: root, env });
  if (!result.ok) throw new Problem(`${project} could not be compiled:\n\n${result.output}`);
}

await runCommand(build);
