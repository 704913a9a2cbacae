import type { Plugin } from 'vite';

/**
 * Vite's module that wraps each `import()` to preload the chunk's imports and style sheets. This build preloads
 * nothing.
 */
const helper = '\0vite/preload-helper.js';
const plain = 'const __vitePreload = (load) => load();';

/** Match a wrapped `import()`, and the definition of the wrapper at the start of a chunk. */
const wrapped = /[\w$]+\(\(\)=>(import\(`[^`]+`\)[^`]*?),\[\],import\.meta\.url\)/g;
const definition = /^\s*const ([\w$]+)=\1=>\1\(\);/;

/** Match the export line of Rolldown's runtime file, and its import in another chunk. */
const runtimeExport = /;export\{(\w+)\};?\s*$/;
const runtimeImport = /import\{\w+ as ([\w$]+)\}from"\.\/rolldown-runtime-[^"]*";/;

/**
 * Removes Vite's wrapper from each `import()`, because every page would load its bytes. Inlines Rolldown's runtime,
 * which is one line, into the chunks that use it. As a separate file it would cost a round trip before the chat starts.
 */
export const lean: Plugin = {
  name: 'lean',
  apply: 'build',
  enforce: 'pre',
  load: (id) => (id.endsWith(helper) ? `export ${plain}` : undefined),
  // Each chunk defines the wrapper itself, because the page's script neither imports the chat statically nor is
  // imported.
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
    // Runs after Vite's own hook, which fills in the preload lists. Here they are all empty.
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
