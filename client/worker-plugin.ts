import { build, type Plugin } from 'vite';

/**
 * Builds the service worker as `sw.js`: an address that stays the same over all versions. By a build of its own, since a
 * worker can import nothing of the client.
 */
export const worker: Plugin = {
  name: 'worker',
  apply: 'build',
  async buildStart() {
    const built = await build({
      configFile: false,
      logLevel: 'error',
      build: {
        write: false,
        rolldownOptions: {
          input: new URL('./worker/sw.ts', import.meta.url).pathname,
          output: { format: 'iife' },
        },
      },
    });
    if (!('output' in built)) throw new Error('the worker is one build');
    this.emitFile({ type: 'asset', fileName: 'sw.js', source: built.output[0].code });
  },
};
