import type { Plugin } from 'vite';

/** What packages bring along and the chat never uses: the end of a module's address, and what stands in its place. */
const unused: Record<string, string> = {
  '\0vite/preload-helper.js': 'export const __vitePreload = (load) => load();',
};

/** Vite wraps each `import()`. */
const wrapped = /\w+\(\(\)=>(import\(`[^`]+`\)[^`]*?),\[\],import\.meta\.url\)/g;

/** What wraps them, where it comes first and none is left. */
const helper = /^\s*const (\w+)=\1=>\1\(\);/;

/** Every byte is on every page. */
export const lean: Plugin = {
  name: 'lean',
  apply: 'build',
  enforce: 'pre',
  load: (id) => Object.entries(unused).find(([end]) => id.endsWith(end))?.[1],
  // Each chunk with one of its own: neither is the page's script to be imported, nor does it import the chat.
  renderChunk: (code) =>
    code.replace(
      /^import \{ (.*)\b\w+ as __vitePreload\b(.*) \} from ("[^"]*");$/m,
      (_, before, after, from) => {
        const others = `${before}${after}`.split(', ').filter((name) => name.trim() !== '');
        const rest = others.length === 0 ? '' : `import { ${others.join(', ')} } from ${from};`;
        return `${rest}\nconst __vitePreload = (load) => load();`;
      },
    ),
  generateBundle: {
    // After Vite's own, which fills in what is to be loaded before a chunk: here nothing ever is.
    order: 'post',
    handler(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type !== 'chunk') continue;
        file.code = file.code.replace(wrapped, '$1');
        if (!file.code.includes(',[],import.meta.url)')) file.code = file.code.replace(helper, '');
      }
    },
  },
};
