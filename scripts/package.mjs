import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
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
  await run('typescript/bin/tsc', '--project', 'tsconfig.build.json');
  // Once more, for programs of others: with types, and for older versions of Node.
  await run('typescript/bin/tsc', '--project', 'server/session/tsconfig.build.json');
  await run('typescript/bin/tsc', '--project', 'client/tsconfig.build.json');
  await run('vite/bin/vite.js', 'build', 'client', '--outDir', '../dist/client/dist', '--logLevel', 'warn');
  // Migrations and the texts of mails.
  for (const part of ['server', 'session-server']) {
    cpSync(join(root, part), join(dist, part), {
      recursive: true,
      filter: (path) => !/\.(ts|md)$|Dockerfile$|tsconfig\b[^/]*$/.test(path),
    });
  }
  return 0;
}

/** @param {string} tool @param {...string} args */
async function run(tool, ...args) {
  const { node, env } = runtime();
  const result = await runQuietly(node, [join(root, 'node_modules', tool), ...args], { cwd: root, env });
  if (!result.ok) throw new Problem(`${tool} ${args.join(' ')} failed:\n\n${result.output}`);
}

await runCommand(build);
