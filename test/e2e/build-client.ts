import { execFileSync } from 'node:child_process';

/**
 * Builds the client, because the tests use it like sites do. It is the same build as `npm start`, so a test
 * that runs this need not build again.
 */
export default function buildClient(): void {
  const root = new URL('../../', import.meta.url);
  const build = `import('./scripts/client-build.mjs').then(({ buildClient }) => buildClient())`;
  execFileSync(process.execPath, ['-e', build], { cwd: root, stdio: 'inherit' });
}
