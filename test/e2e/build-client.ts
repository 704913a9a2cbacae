import { execFileSync } from 'node:child_process';

/**
 * Builds the client, because the tests use it like sites do. The build is the same as that of `npm start`, so a test
 * that runs `npm start` need not build again.
 */
export default function buildClient(): void {
  const root = new URL('../../', import.meta.url);
  const build = `import('./scripts/client-build.mjs').then(({ buildClient }) => buildClient())`;
  execFileSync(process.execPath, ['-e', build], { cwd: root, stdio: 'inherit' });
}
