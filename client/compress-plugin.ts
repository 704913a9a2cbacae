import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

/**
 * Adds a Brotli (`FILE.br`) and a gzip (`FILE.gz`) copy of each file of the build, for clients that accept them. HTML
 * files get no copies, because the server inserts the login URL into them.
 */
export const compress: Plugin = {
  name: 'compress',
  apply: 'build',
  enforce: 'post',
  generateBundle: {
    // Runs after Vite's own hooks, which still modify the files.
    order: 'post',
    handler(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.fileName.endsWith('.html')) continue;
        const plain = Buffer.from(file.type === 'chunk' ? file.code : file.source);
        const forms = {
          br: smallest(plain),
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

/** Which encoding of distances is the smallest differs between files, and changes with each name of a file in them. */
const smallest = (plain: Buffer): Buffer =>
  [0, 1, 2, 3]
    .map((postfix) =>
      brotliCompressSync(plain, {
        params: {
          [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
          [constants.BROTLI_PARAM_NPOSTFIX]: postfix,
        },
      }),
    )
    .reduce((best, one) => (one.length < best.length ? one : best));
