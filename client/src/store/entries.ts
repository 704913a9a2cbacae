import type { WaitingContent } from '../../../server/wire/content.ts';
import type { Held, Message, MessageFile, User } from '../../../server/wire/events.ts';
import { flag, list, number, object, optional, text } from '../chat/form.ts';
import type { RequestOf } from '../connection/connection.ts';

/** A file of an unsent message. It has an `id` once it is uploaded. */
export interface SentFile extends Partial<Pick<MessageFile, 'id' | 'alt' | 'image' | 'audio' | 'video'>> {
  /** The key of the upload in this browser. */
  readonly key: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  /** No tab uploads the file any longer. */
  readonly lost?: boolean;
}

/** A mention: the user, and the position of the name in the text, in code points. */
export interface NewMention {
  readonly user: string;
  readonly start: number;
  readonly length: number;
}

/**
 * What a user writes. Drafts, unsent, scheduled and held messages have it, and pass it on as a whole. The server
 * declares its fields. It has no poll, which is sent at once.
 */
export interface NewContent
  extends Readonly<
    Pick<
      RequestOf<'message:send'>,
      Exclude<keyof WaitingContent & keyof RequestOf<'message:send'>, 'mentions' | 'files'>
    >
  > {
  readonly mentions?: readonly NewMention[];
  /** The message is sent when all files are uploaded. */
  readonly files?: readonly SentFile[];
}

/** The fields that an edit replaces, as the request `message:edit` declares them. Mentions are found in the new text. */
export type EditedContent = Readonly<
  Omit<RequestOf<'message:edit'>, 'room' | 'seq' | 'rev' | 'mentions' | 'files'>
>;

/** A message of this user in the outbox. It is queued, failed, held (pending approval) or rejected. */
export interface Unsent extends NewContent {
  readonly clientId: string;
  readonly room: string;
  readonly sentAt: number;
  /** The original of a forwarded copy. Its text is shown until the copy is stored. */
  readonly forward?: Pick<Message, 'room' | 'seq'>;
  /** Undefined while the message is queued. Otherwise the error code, `held` or `rejected`. */
  readonly failed?: string;
  /** The server's ID of the message while it is pending approval, or after a moderator rejected it for `reason`. */
  readonly held?: string;
  readonly reason?: string;
}

/** The fields that stored and unsent files share. */
const fileFields = {
  name: text,
  type: text,
  size: number,
  alt: optional(text),
  image: optional(object<NonNullable<MessageFile['image']>>({ width: number, height: number, blur: text })),
  audio: optional(
    object<NonNullable<MessageFile['audio']>>({ duration: optional(number), peaks: optional(text) }),
  ),
  video: optional(
    object<NonNullable<MessageFile['video']>>({ width: number, height: number, duration: optional(number) }),
  ),
};
export const messageFile = object<MessageFile>({ ...fileFields, id: text });
/** The forms of the stored content. A field of `NewContent` without a form is a type error. */
export const contentForms: { readonly [Field in keyof NewContent]-?: (value: unknown) => boolean } = {
  text,
  replyTo: optional(number),
  threadOnly: optional(flag),
  mentions: optional(list(object<NewMention>({ user: text, start: number, length: number }))),
  files: optional(
    list(object<SentFile>({ ...fileFields, key: text, id: optional(text), lost: optional(flag) })),
  ),
  preview: optional(flag),
  card: optional(text),
  important: optional(flag),
};
/** The forms of an edit. A field of `EditedContent` without a form is a type error. */
export const editedForms: { readonly [Field in keyof EditedContent]-?: (value: unknown) => boolean } = {
  text,
  important: optional(flag),
};
/** Returns the fields of a value that have these forms, without its other fields. */
function fieldsOf<T>(
  value: object,
  forms: { readonly [Field in keyof T]-?: (value: unknown) => boolean },
): T {
  const fields = Object.entries(value).filter(
    ([name, field]) => field !== undefined && forms[name as keyof T]?.(field),
  );
  return Object.fromEntries(fields) as T;
}
export const contentOf = (value: object) => fieldsOf<NewContent>(value, contentForms);
export const editedOf = (value: object) => fieldsOf<EditedContent>(value, editedForms);
/** Returns the fields of an edit that differ from the original. Another user may have changed the other ones since. */
export const changedIn = (edit: EditedContent, original: EditedContent): Partial<EditedContent> =>
  Object.fromEntries(
    Object.entries(editedOf(edit)).filter(([name, value]) => value !== original[name as keyof EditedContent]),
  );
export const unsentForm = object<Unsent>({
  ...contentForms,
  clientId: text,
  room: text,
  sentAt: number,
  forward: optional(object<Pick<Message, 'room' | 'seq'>>({ room: text, seq: number })),
  failed: optional(text),
  held: optional(text),
  reason: optional(text),
});

/** A message in the timeline. Its `key` does not change when an unsent message is stored. */
export interface Entry {
  readonly key: string;
  readonly user: User;
  readonly text: string;
  readonly sentAt: number;
  readonly replyTo?: number | undefined;
  readonly message?: Message;
  readonly unsent?: Unsent;
  /** Set for a held message that this user, a moderator, can approve. */
  readonly held?: Held;
}

/** The entries of the messages. Each render lists up to 2,000 messages, and few of them changed since the last one. */
const entryByMessage = new WeakMap<Message, Entry>();

function entryOf(message: Message): Entry {
  const known = entryByMessage.get(message);
  if (known !== undefined) return known;
  const { user, clientId, text, sentAt, replyTo } = message;
  const entry = { key: `${user.id}/${clientId}`, user, text, sentAt, replyTo, message };
  entryByMessage.set(message, entry);
  return entry;
}

/**
 * Returns the stored messages in their order, then the unsent messages, without duplicates.
 * @param deleting - the messages that the user is deleting, in their deleted form, by ID
 */
export function entries(
  stored: readonly Message[],
  unsent: readonly Unsent[],
  me: User | undefined,
  deleting?: ReadonlyMap<string, Message>,
): Entry[] {
  const list = stored.map((message) => entryOf(deleting?.get(message.id) ?? message));
  if (me === undefined || unsent.length === 0) return list;
  const known = new Set(list.map((entry) => entry.key));
  for (const item of unsent) {
    const key = `${me.id}/${item.clientId}`;
    // After `conflict`, the stored message with this ID is a different one, so both are shown.
    const other = item.failed === 'conflict';
    if (!other && known.has(key)) continue;
    const { text, sentAt, replyTo } = item;
    list.push({ key: other ? `${key}/conflict` : key, user: me, text, sentAt, replyTo, unsent: item });
  }
  return list;
}
