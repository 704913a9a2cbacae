import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/** What is tested is what sites get: the built client, served by the chat server. */
export default async function buildClient(): Promise<void> {
  const root = fileURLToPath(new URL('../../client', import.meta.url));
  await build({ root, configFile: `${root}/vite.config.ts`, logLevel: 'warn' });
}
