import type { Plugin } from 'vite';

/** Vite's module that wraps each `import()`, so that a chunk's own imports and sheets load with it. The chat has none. */
const helper = '\0vite/preload-helper.js';
const plain = 'const __vitePreload = (load) => load();';

/** An `import()` with the wrapper, and the definition of the wrapper at the beginning of a chunk. */
const wrapped = /[\w$]+\(\(\)=>(import\(`[^`]+`\)[^`]*?),\[\],import\.meta\.url\)/g;
const definition = /^\s*const ([\w$]+)=\1=>\1\(\);/;

/** The line of Rolldown's own file, and of a chunk that imports it. */
const runtimeExport = /;export\{(\w+)\};?\s*$/;
const runtimeImport = /import\{\w+ as ([\w$]+)\}from"\.\/rolldown-runtime-[^"]*";/;

/**
 * Takes Vite's wrapper away from each `import()`, because every byte of it would be on every page. Puts Rolldown's runtime,
 * a line, into the chunks that use it: as a file of its own it would cost a round trip before the chat starts.
 */
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
      const runtime = Object.values(bundle).find(({ fileName }) => fileName.includes('rolldown-runtime-'));
      const [, exported] = runtimeExport.exec(runtime?.type === 'chunk' ? runtime.code : '') ?? [];
      if (runtime?.type === 'chunk' && exported !== undefined) {
        const code = runtime.code.replace(runtimeExport, `;return ${exported}`);
        for (const file of Object.values(bundle))
          if (file.type === 'chunk')
            file.code = file.code.replace(runtimeImport, (_, name) => `const ${name}=(()=>{${code}})();`);
        delete bundle[runtime.fileName];
      }
      for (const file of Object.values(bundle)) {
        if (file.type !== 'chunk') continue;
        file.code = file.code.replace(wrapped, '$1');
        if (!file.code.includes(',[],import.meta.url)')) file.code = file.code.replace(definition, '');
      }
    },
  },
};
