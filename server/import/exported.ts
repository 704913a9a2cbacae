import { readFileSync } from 'node:fs';

/** The reasons to skip a record, as the operator reads them. The import command counts records by reason. */
export const reasons = {
  notice: 'notices, such as "Ann joined the channel"',
  direct: 'direct and group conversations',
  author: 'messages without an author',
  folder: 'channels without a folder in the export',
  channel: 'messages and members of channels that are not in the export',
  reactions: 'messages without their reactions',
  empty: 'messages without text and files',
  cut: 'messages cut to 10,000 characters',
  line: 'invalid records',
  member: 'members that --users does not list',
  fileCount: 'files beyond ten in a message',
  fileMissing: 'files that are not in the export, or with CHAT_FILES=off',
  fileSize: 'files larger than CHAT_LIMIT_FILE',
  fileType: 'files of a type that CHAT_FILE_TYPES does not allow, or damaged',
} as const;

/** A record of the export that is skipped, or imported only in part. */
export interface Skipped {
  type: 'skipped';
  reason: keyof typeof reasons;
  /** The position in the export, such as a file with the time or the ID of the record. */
  place: string;
}

export const skipped = (reason: Skipped['reason'], place: string): Skipped => ({
  type: 'skipped',
  reason,
  place,
});

/** Returns the text of a file of the export, or `''` if the file is missing. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Returns the defined items of a list; an empty list for any other value. */
export function listOf<Item>(value: readonly Item[] | undefined): Item[] {
  return Array.isArray(value) ? value.filter((item) => item !== undefined) : [];
}

/** Maximum lengths in characters, as `roomName` and `topic` in server/wire/events.ts require. */
export const maxRoomName = 80;
export const maxTopic = 250;

/** Returns the first `max` characters on one line, as room names and topics require. */
export const shortened = (text: string, max: number): string =>
  [...text.replaceAll(/\p{C}/gu, ' ')].slice(0, max).join('');

/** An attachment of a bot's message, in Slack and in Mattermost (https://docs.slack.dev/legacy/legacy-messaging). */
export interface Attachment {
  pretext?: string;
  title?: string;
  text?: string;
  fallback?: string;
}

/** Returns the visible text of each attachment. `fallback` is for clients that cannot show the other fields. */
export const attachedTexts = (attachments: readonly Attachment[] | undefined): string[] =>
  listOf(attachments).map(
    ({ pretext, title, text, fallback }) =>
      [pretext, title, text].filter((part) => typeof part === 'string' && part !== '').join('\n') ||
      (fallback ?? ''),
  );
