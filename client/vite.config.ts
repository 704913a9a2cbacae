import { defineConfig } from 'vite';
import { shared } from './build-settings.ts';
import { compress } from './compress-plugin.ts';
import { emoji } from './emoji-plugin.ts';
import { guide } from './guide-plugin.ts';
import { lean } from './lean-plugin.ts';
import { moderate } from './moderate-plugin.ts';
import { preload } from './preload-plugin.ts';
import { strings } from './strings-plugin.ts';
import { worker } from './worker-plugin.ts';

export default defineConfig({
  ...shared,
  plugins: [strings('chat'), emoji(), guide, worker, moderate, preload, lean, compress],
  // For `npm run dev`. The chat server runs on the same machine, with this page's origin in CHAT_ORIGINS.
  server: { proxy: { '/socket.io': { target: 'http://127.0.0.1:7070', ws: true } } },
  build: {
    ...shared.build,
    // The licences of the bundled packages, which require that their text is distributed with the code.
    license: { fileName: 'licenses.json' },
    rolldownOptions: {
      output: {
        // Sites embed this address, so it must be the same in all versions.
        entryFileNames: 'php-chat.js',
        // The first load contains these names, so the hash is short. Six characters are enough to tell versions apart.
        chunkFileNames: 'assets/[name]-[hash:6].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
        // Puts the chat's first code into one file and the panels into another, although later chunks share code with
        // them. Each further imported file would cost a round trip.
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
