import type { Held, Message, MessageFile, User } from '../../../server/wire/events.ts';
import { flag, list, number, object, optional, text } from '../chat/form.ts';

/** A file of a message that is on its way; with an `id` it has been uploaded. */
export interface SentFile extends Partial<Pick<MessageFile, 'id' | 'alt' | 'image' | 'audio' | 'video'>> {
  /** Of the upload in this browser. */
  readonly key: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  /** Nobody uploads it any more. */
  readonly lost?: boolean;
}

/** A mention: the user, and the place of the name in the text, in characters. */
export interface NewMention {
  readonly user: string;
  readonly start: number;
  readonly length: number;
}

/** A message of one's own that is not known to be stored. */
export interface Pending {
  readonly clientId: string;
  readonly room: string;
  readonly text: string;
  readonly sentAt: number;
  readonly replyTo?: number;
  readonly mentions?: readonly NewMention[];
  /** It goes when all of them are uploaded. */
  readonly files?: readonly SentFile[];
  /** False: without a preview of its link. */
  readonly preview?: boolean;
  /** It is a copy of that message, whose text is shown until it is stored. */
  readonly forward?: Pick<Message, 'room' | 'seq'>;
  /** Absent: to be sent. The code of the refusal otherwise, or `held` or `rejected`. */
  readonly failed?: string;
  /** It waits for a moderator on the server, under this id, or one has rejected it, for that reason. */
  readonly held?: string;
  readonly reason?: string;
}

/** The fields that a stored file and one on its way share. */
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
export const pendingForm = object<Pending>({
  clientId: text,
  room: text,
  text,
  sentAt: number,
  replyTo: optional(number),
  mentions: optional(list(object<NewMention>({ user: text, start: number, length: number }))),
  files: optional(
    list(object<SentFile>({ ...fileFields, key: text, id: optional(text), lost: optional(flag) })),
  ),
  preview: optional(flag),
  forward: optional(object<Pick<Message, 'room' | 'seq'>>({ room: text, seq: number })),
  failed: optional(text),
  held: optional(text),
  reason: optional(text),
});

/** A line of the timeline: the same, by `key`, from pending to stored. */
export interface Entry {
  readonly key: string;
  readonly user: User;
  readonly text: string;
  readonly sentAt: number;
  readonly replyTo?: number | undefined;
  readonly message?: Message;
  readonly pending?: Pending;
  /** It waits for the reader, who is a moderator. */
  readonly waits?: Held;
}

/** The stored messages in their order, then what is on its way, each once. */
export function entries(
  stored: readonly Message[],
  pending: readonly Pending[],
  me: User | undefined,
): Entry[] {
  const list: Entry[] = stored.map((message) => ({
    key: `${message.user.id}/${message.clientId}`,
    user: message.user,
    text: message.text,
    sentAt: message.sentAt,
    replyTo: message.replyTo,
    message,
  }));
  if (me === undefined || pending.length === 0) return list;
  const known = new Set(list.map((entry) => entry.key));
  for (const item of pending) {
    const key = `${me.id}/${item.clientId}`;
    // Refused as `conflict`: the stored message of that id is another one, and both are shown.
    const other = item.failed === 'conflict';
    if (!other && known.has(key)) continue;
    list.push({ ...item, key: other ? `${key}/conflict` : key, user: me, pending: item });
  }
  return list;
}
