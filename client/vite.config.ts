import { defineConfig, type Plugin } from 'vite';
import { compress } from './compress-plugin.ts';
import { strings } from './strings-plugin.ts';

/** Vite's own loads style sheets and other files before a chunk; here no chunk has any, and every byte is on every page. */
const plainImports: Plugin = {
  name: 'plain-imports',
  enforce: 'pre',
  load: (id) =>
    id === '\0vite/preload-helper.js' ? 'export const __vitePreload = (load) => load();' : undefined,
  // Each chunk with one of its own: the page's script is not to be imported.
  renderChunk: (code) =>
    code.replace(
      /^import \{ \w+ as __vitePreload \} from "[^"]*php-chat\.js";$/m,
      'const __vitePreload = (load) => load();',
    ),
};

export default defineConfig({
  base: './',
  plugins: [strings(), plainImports, compress],
  // `npm run dev`: the chat server beside it, with this page's origin in CHAT_ORIGINS.
  server: { proxy: { '/socket.io': { target: 'http://127.0.0.1:7070', ws: true } } },
  build: {
    target: ['chrome123', 'firefox128', 'safari18'],
    modulePreload: false,
    // The chat page's policy allows no data: addresses.
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        // Sites include this address: it stays the same over all versions.
        entryFileNames: 'php-chat.js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
});
