import type { Plugin } from 'vite';

/** Vite's module that wraps each `import()`, so that a chunk's own imports and sheets load with it. The chat has none. */
const helper = '\0vite/preload-helper.js';
const plain = 'const __vitePreload = (load) => load();';

/** An `import()` with the wrapper, and the definition of the wrapper at the beginning of a chunk. */
const wrapped = /[\w$]+\(\(\)=>(import\(`[^`]+`\)[^`]*?),\[\],import\.meta\.url\)/g;
const definition = /^\s*const ([\w$]+)=\1=>\1\(\);/;

/** Takes Vite's wrapper away from each `import()`: every byte of it would be on every page. */
export const lean: Plugin = {
  name: 'lean',
  apply: 'build',
  enforce: 'pre',
  load: (id) => (id.endsWith(helper) ? `export ${plain}` : undefined),
  // Each chunk has its own: the page's script is imported by nothing, and does not import the chat.
  renderChunk: (code) =>
    code.replace(
      /^import \{ (.*?)[\w$]+ as __vitePreload\b(.*) \} from ("[^"]*");$/m,
      (_, before, after, from) => {
        const others = `${before}${after}`.split(', ').filter((name) => name.trim() !== '');
        const rest = others.length === 0 ? '' : `import { ${others.join(', ')} } from ${from};`;
        return `${rest}\n${plain}`;
      },
    ),
  generateBundle: {
    // After Vite's own, which fills in what is to be loaded before a chunk: here nothing ever is.
    order: 'post',
    handler(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type !== 'chunk') continue;
        file.code = file.code.replace(wrapped, '$1');
        if (!file.code.includes(',[],import.meta.url)')) file.code = file.code.replace(definition, '');
      }
    },
  },
};
