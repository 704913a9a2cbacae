import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const text = fileURLToPath(new URL('../docs/element.md', import.meta.url));
const style = fileURLToPath(new URL('src/page/guide.css', import.meta.url));

/** Renders docs/element.md as `guide.html`. The chat server serves it to the owner of a new chat. */
export const guide: Plugin = {
  name: 'guide',
  apply: 'build',
  generateBundle() {
    const sheet = this.emitFile({ type: 'asset', name: 'guide.css', source: readFileSync(style, 'utf8') });
    const source = pageOf(readFileSync(text, 'utf8'), `./${this.getFileName(sheet)}`);
    this.emitFile({ type: 'asset', fileName: 'guide.html', source });
  },
};

/** @param sheet - the address of the page's style sheet */
export function pageOf(markdown: string, sheet: string): string {
  const title = /^# (.*)/.exec(markdown)?.[1] ?? '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title.replaceAll('`', ''))}</title>
<link rel="stylesheet" href="${sheet}">
</head>
<body>
<main>
${blocks(markdown).map(block).join('\n')}
</main>
</body>
</html>
`;
}

/** Splits Markdown at blank lines. Fenced code is a single block, even if it contains blank lines. */
function blocks(markdown: string): string[] {
  return markdown
    .split(/^(```\w*\n.*?\n```)$/ms)
    .flatMap((part) => (part.startsWith('```') ? [part] : part.trim().split(/\n{2,}/)))
    .filter((part) => part !== '');
}

function block(source: string): string {
  const [, marks, heading = ''] = /^(#+) (.*)$/.exec(source) ?? [];
  if (marks !== undefined)
    return `<h${marks.length} id="${anchor(heading)}">${inline(heading)}</h${marks.length}>`;
  const [, code] = /^```\w*\n(.*)\n```$/s.exec(source) ?? [];
  if (code !== undefined) return `<pre tabindex="0"><code>${escaped(code)}</code></pre>`;
  const lines = source.split('\n');
  if (source.startsWith('- '))
    return `<ul>${lines.map((line) => `<li>${inline(line.slice(2))}</li>`).join('')}</ul>`;
  if (source.startsWith('|')) return table(lines);
  return `<p>${inline(lines.join(' '))}</p>`;
}

function table([head = '', , ...rows]: string[]): string {
  const cells = (line: string, kind: 'th' | 'td') =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => `<${kind}>${inline(cell.trim())}</${kind}>`)
      .join('');
  const body = rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('');
  return `<div class="table" tabindex="0"><table><thead><tr>${cells(head, 'th')}</tr></thead><tbody>${body}</tbody></table></div>`;
}

/** Renders code spans, bold text and links. A code span must not contain bold or link syntax. */
function inline(source: string): string {
  return source
    .split(/(`[^`]+`)/)
    .map((part) =>
      part.startsWith('`') && part.length > 1 ? `<code>${escaped(part.slice(1, -1))}</code>` : part,
    )
    .map((part) => (part.startsWith('<code>') ? part : escaped(part)))
    .join('')
    .replace(/\*\*(.+?)\*\*/g, '<b>$1</b>')
    .replace(/\[(.+?)\]\(([^)]*)\)/g, (_, words: string, address: string) =>
      // Other links point to documents that the server does not serve.
      /^(https:|#)/.test(address) ? `<a href="${address}">${words}</a>` : words,
    );
}

const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .replaceAll(' ', '-');
const escaped = (source: string) => source.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
