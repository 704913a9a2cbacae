import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'vite';

/**
 * Builds the service worker as `sw.js`, an address that is the same in all versions. It is a separate build, because
 * the worker cannot import the client's chunks.
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
          input: fileURLToPath(new URL('./worker/sw.ts', import.meta.url)),
          output: { format: 'iife' },
        },
      },
    });
    if (!('output' in built)) throw new Error('the worker is one build');
    this.emitFile({ type: 'asset', fileName: 'sw.js', source: built.output[0].code });
  },
};
