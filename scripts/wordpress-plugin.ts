import { createWriteStream, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { ZipFile } from 'yazl';

const root = fileURLToPath(new URL('..', import.meta.url));
const slug = 'php-session-chat';
/** The classes of the PHP library that the plugin uses. */
const classes = ['ChatClient', 'ChatError', 'Ticket', 'Webhook', 'WebhookError'];

/**
 * Packs the WordPress plugin as a file that WordPress can install. The same input makes the same bytes if
 * SOURCE_DATE_EPOCH and TZ are the same.
 */
export async function packPlugin(file: string): Promise<void> {
  const zip = new ZipFile();
  const mtime = new Date(Number(process.env.SOURCE_DATE_EPOCH ?? 0) * 1000);
  const add = (path: string, name: string, change = (text: string) => text) => {
    const text = change(readFileSync(join(root, path), 'utf8'));
    zip.addBuffer(Buffer.from(text), `${slug}/${name}`, { mtime, mode: 0o100644 });
  };
  const names = readdirSync(join(root, 'wordpress'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(root, 'wordpress/').length));
  for (const name of names.sort()) {
    if (!name.endsWith('.po')) {
      add(`wordpress/${name}`, name);
      continue;
    }
    const texts = toMo(readTranslations(readFileSync(join(root, 'wordpress', name), 'utf8')));
    zip.addBuffer(texts, `${slug}/${name.replace(/po$/, 'mo')}`, { mtime, mode: 0o100644 });
  }
  for (const name of classes) add(`php/src/${name}.php`, `lib/${name}.php`, inOwnNamespace);
  add('LICENSE', 'LICENSE');
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(file));
}

/**
 * Reads a file of gettext with translations (`.po`).
 * @returns the translation by text, as in `.mo` files: after `msgctxt` and \x04, and with plural forms separated by \0
 */
export function readTranslations(file: string): Map<string, string> {
  const entries = file.split(/\n{2,}/).map((entry) => {
    const fields: Record<string, string> = {};
    let field = '';
    for (const [, name = field, text = ''] of entry.matchAll(/^(msg[\w[\]]+)? ?"(.*)"$/gm)) {
      field = name;
      fields[name] = (fields[name] ?? '') + JSON.parse(`"${text}"`);
    }
    const forms = Object.keys(fields).filter((name) => name.startsWith('msgstr'));
    const context = fields.msgctxt === undefined ? '' : `${fields.msgctxt}\x04`;
    const plural = fields.msgid_plural === undefined ? '' : `\0${fields.msgid_plural}`;
    return [`${context}${fields.msgid}${plural}`, forms.map((name) => fields[name]).join('\0')] as const;
  });
  return new Map(entries);
}

/** Makes the binary file of gettext that WordPress loads (`.mo`). */
export function toMo(translations: ReadonlyMap<string, string>): Buffer {
  const sorted = [...translations]
    .map(([id, text]) => [Buffer.from(`${id}\0`), Buffer.from(`${text}\0`)] as const)
    .sort(([a], [b]) => a.compare(b));
  const strings = [...sorted.map(([id]) => id), ...sorted.map(([, text]) => text)];
  const headerBytes = 28;
  // WordPress needs the offset of the hash table, although its size is 0.
  let offset = headerBytes + 8 * strings.length;
  const header = [0x950412de, 0, sorted.length, headerBytes, headerBytes + 8 * sorted.length, 0, offset];
  for (const bytes of strings) {
    // The length does not count the final zero.
    header.push(bytes.length - 1, offset);
    offset += bytes.length;
  }
  const numbers = Buffer.alloc(4 * header.length);
  header.forEach((number, n) => {
    numbers.writeUInt32LE(number, 4 * n);
  });
  return Buffer.concat([numbers, ...strings]);
}

/**
 * Returns the English texts of the plugin with their plural after \0, and those of its block after their context and
 * \x04, as in `.mo` files.
 */
export function textsOfPlugin(): Set<string> {
  const read = (file: string) => readFileSync(join(root, 'wordpress', file), 'utf8');
  const calls = /\b(?:(?:esc_html|esc_attr)?_[_e]\(|_n\()\s*'([^']*)'(?:, '([^']*)', \$\w+)?/g;
  const texts = readdirSync(join(root, 'wordpress'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.php'))
    .flatMap((file) => [...read(file).matchAll(calls)])
    .map(([, one = '', other]) => (other === undefined ? one : `${one}\0${other}`));
  const { title, description, keywords } = JSON.parse(read('block/block.json'));
  const inContext = { 'block title': [title], 'block description': [description], 'block keyword': keywords };
  const ofBlock = Object.entries<string[]>(inContext).flatMap(([context, each]) =>
    each.map((text) => `${context}\x04${text}`),
  );
  return new Set([...texts, ...ofBlock]);
}

/** Moves a class into the namespace of the plugin, because another plugin may have another version of the class. */
const inOwnNamespace = (text: string) =>
  text.replace(
    /^namespace PhpSessionChat;$/m,
    "namespace PhpSessionChat\\WordPress;\n\ndefined('ABSPATH') || exit;",
  );

if (import.meta.main) await packPlugin(process.argv[2] as string);
