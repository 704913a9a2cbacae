import type { StoredMessage, Writes } from '../../server/history/history.ts';
import type { ContentField, NewContent, WaitingContent } from '../../server/wire/content.ts';

/** A value of a field in each form. */
interface Sample<Field extends ContentField> {
  /** In `message:send`. Absent if clients cannot send the field. */
  payload?: object;
  /** In the history's `send`, with other fields that it needs. Absent like `payload`. */
  sent?: Partial<NewContent>;
  /** Another value, for another request with the same `clientId`. */
  other?: Partial<NewContent>;
  /** In a line of an import. Absent if imports omit the field. */
  imported?: unknown;
  /** In the stored message. */
  shown: StoredMessage[Field];
  /** What the page for moderators shows of it. null: nothing. */
  moderators: string | null;
  /** While the message is scheduled or pending approval, if not like `shown`. */
  waiting?: Field extends keyof WaitingContent ? WaitingContent[Field] : never;
  /** For a field that an edit can replace: the edit, and the stored field after it. */
  edit?: Partial<Writes['edit']['in']>;
  edited?: StoredMessage[Field];
}

/** The author of the samples, and a user whom they mention or forward. */
export const author = { id: '1', name: 'Ann' };
export const mentionedUser = { id: '2', name: 'Ben' };

export const aboutFile = { name: 'cat.png', type: 'image/png', size: 3 };
export const link = 'https://garden.example/spring';
/** The title of the linked page, once it is fetched. */
export const previewTitle = 'Spring';
const mention = (start: number) => ({ user: mentionedUser.id, start, length: 2 });
const stored = (start: number) => [{ ...mention(start), name: mentionedUser.name, shown: true }];
const poll = { options: ['yes', 'no'] };

/**
 * A sample of each field. A field without a sample does not compile.
 * @param ids the ID of a file of the author, and of another one
 */
export const samples: { [Field in ContentField]: (...ids: [string, string]) => Sample<Field> } = {
  text: () => ({
    payload: { text: 'hello' },
    sent: { text: 'hello' },
    other: { text: 'other' },
    imported: 'hello',
    shown: 'hello',
    moderators: 'hello',
    edit: { text: 'edited' },
    edited: 'edited',
  }),
  replyTo: () => ({
    payload: { replyTo: 1 },
    sent: { replyTo: 1 },
    other: { replyTo: 2 },
    imported: 'm1',
    shown: 1,
    moderators: null,
  }),
  threadOnly: () => ({
    payload: { replyTo: 1, threadOnly: true },
    sent: { replyTo: 1, threadOnly: true },
    other: { replyTo: 1 },
    shown: true,
    moderators: 'Only in replies',
  }),
  mentions: () => ({
    payload: { mentions: [mention(0)] },
    sent: { mentions: [mention(0)] },
    other: { mentions: [mention(1)] },
    shown: stored(0),
    moderators: null,
    waiting: [mention(0)],
    edit: { mentions: [mention(2)] },
    edited: stored(2),
  }),
  files: (id, next) => ({
    payload: { files: [{ id, alt: 'a cat' }] },
    sent: { files: [{ id, alt: 'a cat' }] },
    other: { files: [{ id: next }] },
    imported: [{ path: 'cat.png', name: 'cat' }],
    shown: [{ id, ...aboutFile, alt: 'a cat' }],
    moderators: aboutFile.name,
    edit: { files: [{ id: next }] },
    edited: [{ id: next, ...aboutFile }],
  }),
  preview: () => ({
    payload: { text: link, preview: true },
    sent: { text: link, preview: link },
    other: { text: link },
    shown: { url: link },
    moderators: previewTitle,
  }),
  poll: () => ({
    payload: { poll },
    sent: { poll },
    other: { poll: { options: ['yes', 'maybe'] } },
    shown: poll,
    moderators: 'yes',
  }),
  card: () => ({
    payload: { card: 'order:1' },
    sent: { card: 'order:1' },
    other: { card: 'order:2' },
    shown: 'order:1',
    moderators: 'order:1',
  }),
  important: () => ({
    payload: { important: true },
    sent: { important: true },
    other: { important: false },
    imported: true,
    shown: true,
    moderators: 'Important',
    edit: { important: false },
    edited: undefined,
  }),
  forwarded: () => ({ shown: { user: mentionedUser, shown: true }, moderators: null }),
};
