import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

/**
 * Puts beside each file of the build the same compressed, as `FILE.br` and `FILE.gz`, for the server to send to those
 * who accept it. Not beside the page: the server writes the login's address into it.
 */
export const compress: Plugin = {
  name: 'compress',
  apply: 'build',
  enforce: 'post',
  generateBundle: {
    // After Vite's own, which still changes what it has written.
    order: 'post',
    handler(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.fileName.endsWith('.html')) continue;
        const plain = Buffer.from(file.type === 'chunk' ? file.code : file.source);
        const forms = {
          br: brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } }),
          gz: gzipSync(plain, { level: 9 }),
        };
        for (const [ending, source] of Object.entries(forms)) {
          if (source.length >= plain.length) continue;
          this.emitFile({ type: 'asset', fileName: `${file.fileName}.${ending}`, source });
        }
      }
    },
  },
};
