import { createWriteStream, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';

const root = new URL('..', import.meta.url).pathname;
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
  for (const name of names.sort()) add(`wordpress/${name}`, name);
  for (const name of classes) add(`php/src/${name}.php`, `lib/${name}.php`, inOwnNamespace);
  add('LICENSE', 'LICENSE');
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(file));
}

/** Moves a class into the namespace of the plugin, because another plugin may have another version of the class. */
const inOwnNamespace = (text: string) =>
  text.replace(
    /^namespace PhpSessionChat;$/m,
    "namespace PhpSessionChat\\WordPress;\n\ndefined('ABSPATH') || exit;",
  );

if (import.meta.main) await packPlugin(process.argv[2] as string);
