import { execFileSync } from 'node:child_process';

/**
 * What is tested is what sites get: the built client, served by the chat server. Built as `npm start` does, so that one
 * that a test starts finds it.
 */
export default function buildClient(): void {
  const root = new URL('../../', import.meta.url);
  const build = `import('./scripts/client-build.mjs').then(({ buildClient }) => buildClient())`;
  execFileSync(process.execPath, ['-e', build], { cwd: root, stdio: 'inherit' });
}
