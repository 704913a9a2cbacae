import type { MessageFile } from '../../../server/wire/events.ts';
import { plain } from './format.ts';

/** The text of a message; for files, their kind. */
export function wordsOf(text: string, files: readonly Pick<MessageFile, 'alt' | 'name'>[] = []): string {
  return [plain(text), ...files.map(({ alt, name }) => alt ?? name)].filter(Boolean).join(', ');
}
