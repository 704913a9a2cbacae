import type { MessageFile } from '../../../server/events.ts';
import { plain } from './format.ts';

/** What a message says; of files, what they are. */
export function wordsOf(text: string, files: readonly Pick<MessageFile, 'alt' | 'name'>[] = []): string {
  return [plain(text), ...files.map(({ alt, name }) => alt ?? name)].filter(Boolean).join(', ');
}
