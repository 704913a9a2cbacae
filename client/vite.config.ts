import { defineConfig } from 'vite';
import { shared } from './build-settings.ts';
import { compress } from './compress-plugin.ts';
import { emoji } from './emoji-plugin.ts';
import { guide } from './guide-plugin.ts';
import { lean } from './lean-plugin.ts';
import { moderate } from './moderate-plugin.ts';
import { strings } from './strings-plugin.ts';
import { worker } from './worker-plugin.ts';

export default defineConfig({
  ...shared,
  plugins: [strings('chat'), emoji(), guide, worker, moderate, lean, compress],
  // `npm run dev`: the chat server beside it, with this page's origin in CHAT_ORIGINS.
  server: { proxy: { '/socket.io': { target: 'http://127.0.0.1:7070', ws: true } } },
  build: {
    ...shared.build,
    // The packages whose code is in the build, with their licences, which ask to go along.
    license: { fileName: 'licenses.json' },
    rolldownOptions: {
      output: {
        // Sites include this address: it stays the same over all versions.
        entryFileNames: 'php-chat.js',
        // The first load has these names in it, and six characters tell versions apart, too.
        chunkFileNames: 'assets/[name]-[hash:6].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
        // The first code of the chat is a single file, and so are the panels, though later code shares some of it: what a
        // file imports would cost a round trip.
        codeSplitting: {
          groups: [
            { name: 'chat-app', test: /\/src\/element\/chat-app\.ts$/, priority: 1 },
            { name: 'panels', test: /\/src\/views\/panels\.ts$/ },
          ],
        },
      },
    },
  },
});
