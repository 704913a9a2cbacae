import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'vite';
import { shared } from './build-settings.ts';
import { lean } from './lean-plugin.ts';
import { strings } from './strings-plugin.ts';

/**
 * Builds the moderators' page, `moderate.html`. It is a separate build, because code shared with the chat would split
 * the chat's first load into more files.
 */
export const moderate: Plugin = {
  name: 'moderate',
  apply: 'build',
  async buildStart() {
    const root = fileURLToPath(new URL('.', import.meta.url));
    const built = await build({
      ...shared,
      configFile: false,
      logLevel: 'error',
      root,
      plugins: [strings('moderate'), lean],
      build: {
        ...shared.build,
        write: false,
        rolldownOptions: {
          input: `${root}moderate.html`,
          output: {
            entryFileNames: 'assets/moderate/[name]-[hash].js',
            chunkFileNames: 'assets/moderate/[name]-[hash].js',
            assetFileNames: 'assets/moderate/[name]-[hash][extname]',
          },
        },
      },
    });
    if (!('output' in built)) throw new Error('the page is one build');
    for (const file of built.output) {
      const source = file.type === 'chunk' ? file.code : file.source;
      this.emitFile({ type: 'asset', fileName: file.fileName, source });
    }
  },
};
