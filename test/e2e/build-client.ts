import { execFileSync } from 'node:child_process';

/**
 * The tests use the built client, served by the chat server, like sites. It is built like `npm start` does, so that a
 * test that starts it finds the build.
 */
export default function buildClient(): void {
  const root = new URL('../../', import.meta.url);
  const build = `import('./scripts/client-build.mjs').then(({ buildClient }) => buildClient())`;
  execFileSync(process.execPath, ['-e', build], { cwd: root, stdio: 'inherit' });
}
