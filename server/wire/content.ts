import { z } from 'zod';
import { mostOptions } from './polls.ts';
import { counter, date, entryId, fileId, line, seq, time, user, userId, visible } from './values.ts';

// The content of a message: what its author says. A message on the wire is an envelope (`id`, `seq`, `user`, …), its
// content, and what others added (`reactions`). Each field of the content is declared once, in `content` below, with all
// that the server decides by field.

/** Maximum mentions per message. */
export const mostMentions = 20;

const hasDistinct = (texts: readonly string[]) =>
  new Set(texts.map((text) => text.trim())).size === texts.length;

/** A poll or an event. The text of its message is the question or the title. Votes are reactions. */
export const poll = z.object({
  options: z
    .array(visible(100))
    .min(2)
    .max(mostOptions)
    .refine(hasDistinct, { message: 'an option appears twice' })
    .exactOptional()
    .describe('The options. Absent for an event, whose options are: coming, not coming, maybe.'),
  event: z
    .object({
      start: date.describe('When it starts, as Unix time in milliseconds.'),
      end: date.exactOptional().describe('When it ends. Absent if unknown.'),
      place: visible(250).exactOptional().describe('The place.'),
    })
    .refine(({ start, end = start }) => end >= start, { message: 'the event ends before it starts' })
    .exactOptional()
    .describe('The event. Absent for a poll.'),
  multiple: z.literal(true).exactOptional().describe('Whether users may choose several options.'),
  anonymous: z.literal(true).exactOptional().describe('Whether nobody sees who chose what.'),
  until: date
    .exactOptional()
    .describe(
      'When it stops accepting votes, as Unix time in milliseconds. Absent if there is no such time.',
    ),
  endedAt: time.exactOptional().describe('When the author or a moderator ended it. Absent if they did not.'),
});
const newPoll = poll
  .omit({ endedAt: true })
  .refine(({ options, event }) => (options === undefined) !== (event === undefined), {
    message: 'give either options or event',
  })
  .refine(({ event, multiple, anonymous }) => event === undefined || (multiple ?? anonymous) === undefined, {
    message: 'an event cannot be multiple or anonymous',
  });

/** A mention of a user, with its position in the text in characters. Mentions do not overlap. */
export const mention = z.object({
  user: user.describe('The user.'),
  start: counter.describe('The start in the text, in code points.'),
  length: seq.describe('The length in code points.'),
});

/** A mention as its author sends it. */
const newMention = mention.extend({ user: userId.describe('The user ID, or `*` for all members.') });

/** The mentions of a new or edited message. Their positions are validated with the text. */
const newMentions = z.array(newMention).max(mostMentions);

/** The description of a picture for users who cannot see it. */
const alt = line(250);
const duration = seq.describe('The duration in milliseconds. Absent if unknown.');
const width = seq.describe('The width in pixels as displayed.');
const height = seq.describe('The height in pixels as displayed.');
/** 46 loudness values from 0 to 31, each a base-32 digit. */
export const peaks = z.string().regex(/^[0-9a-v]{46}$/);
/** Maximum files per message. */
export const mostFiles = 10;
/** A file in a message. */
export const file = z.object({
  id: fileId.describe('The file ID.'),
  name: z.string().describe('The file name without a path. Another user may have chosen it.'),
  type: z.string().describe('The MIME type, detected from the bytes.'),
  size: counter.describe('The size in bytes.'),
  alt: alt.exactOptional().describe('A description for users who cannot see the picture.'),
  image: z
    .object({ width, height, blur: z.string().max(64).describe('A BlurHash, for a blurred picture.') })
    .exactOptional()
    .describe('The dimensions of a picture. Absent if the file has no preview.'),
  audio: z
    .object({
      duration: duration.exactOptional(),
      peaks: peaks
        .exactOptional()
        .describe('The loudness of a voice message, as its sender measured it. Absent for other sound.'),
    })
    .exactOptional()
    .describe('Data of sound. Absent if browsers cannot play it.'),
  video: z
    .object({ width, height, duration: duration.exactOptional() })
    .exactOptional()
    .describe('Data of a video. Absent if browsers cannot play it.'),
});
/** The files of a new or edited message, each at most once. */
const chosenFiles = z
  .array(z.object({ id: entryId, alt: alt.optional() }))
  .max(mostFiles)
  .refine((files) => new Set(files.map(({ id }) => id)).size === files.length, {
    message: 'a file appears twice',
  });

/**
 * The page of the first link in a text. Without a title, the server is fetching the page, or stopped before the page
 * arrived. `image` is a file that is not among the files of the message.
 */
export const preview = z.object({
  url: z.string().describe('The address.'),
  title: z
    .string()
    .exactOptional()
    .describe('The title. Absent while the server fetches the page, and if that failed.'),
  description: z.string().exactOptional().describe('The description.'),
  image: z.object({ id: fileId, width: seq, height: seq }).exactOptional().describe('A small picture.'),
});

/** What a card is about, by an ID that the site understands, such as `order:4711`. */
export const cardRef = z.string().regex(/^[!-~]{1,200}$/);
/** The decisions about a field of the content. */
interface Field {
  /** The schema in a message. */
  shown: z.ZodType;
  /** The schema in a message that is scheduled or pending approval. null: such a message cannot have the field. */
  waiting: z.ZodType | null;
  /** The schema in `message:send`. null: only the server sets it. */
  sent: z.ZodType | null;
  /**
   * The schema in a line of an import, with IDs and paths of the export. null: not imported. server/import/import.ts
   * converts a form that differs from that of a new message.
   */
  imported: z.ZodType | null;
  /** Whether guests can send it. Otherwise it is dropped. */
  guests: boolean;
  /** Whether the PHP application can send it. */
  api: boolean;
  /** `replaced`: an edit can change it. `derived`: it follows from the text. `fixed`: a message with it cannot be edited. */
  edit: 'replaced' | 'kept' | 'derived' | 'fixed';
  /** What a forwarded copy has. `set`: the server sets it on every copy. */
  forward: 'copied' | 'dropped' | 'set';
  /** Whether a request with the same `clientId` and another value is a conflict instead of a repeat. */
  repeats: boolean;
  /** What remains of a deleted message. */
  deleted: 'kept' | 'dropped';
  /** What remains if the author is erased, and the message and its forwarded copies stay. */
  erased: 'kept' | 'dropped';
  /** A column of its own, because SQL uses it, or in the JSON of the column `content`. */
  stored: 'column' | 'content';
  /** Returns the texts to check for words and links that need approval. */
  words(value: never): string[];
}

/** An ID of another chat, in an import. */
export const importedId = z.string().min(1).max(200);
/** Files of a message in an import, by paths relative to the file of the import. */
const importedFiles = z
  .array(z.object({ path: z.string().min(1), name: z.string().min(1).optional() }))
  .max(mostFiles);

const noWords = () => [];

const text = z.string().describe('The text. Empty if the message was deleted, or has only files.');
const replyTo = seq
  .exactOptional()
  .describe('The `seq` of the message that it replies to. Absent if it is not a reply.');
const threadOnly = z
  .literal(true)
  .exactOptional()
  .describe('Whether clients show the reply in its thread, and not among the messages of the room.');
const files = z.array(file).exactOptional().describe('The files in display order. Absent without files.');
const linkPreview = preview.exactOptional().describe('A preview of the first link in the text.');
const card = cardRef
  .exactOptional()
  .describe('The reference of a card, which each reader gets by `card:get`.');
const important = z
  .literal(true)
  .exactOptional()
  .describe('Whether its author or a moderator marked it as important.');

/** The fields of the content, in the order in which clients get them. */
export const content = {
  text: {
    shown: text,
    waiting: text,
    sent: z.string(),
    imported: z.string().default(''),
    guests: true,
    api: true,
    edit: 'replaced',
    forward: 'copied',
    repeats: true,
    deleted: 'dropped',
    erased: 'kept',
    stored: 'column',
    words: (text: string) => [text],
  },
  replyTo: {
    shown: replyTo,
    waiting: replyTo,
    sent: seq.optional(),
    imported: importedId.optional(),
    guests: true,
    api: false,
    edit: 'kept',
    forward: 'dropped',
    repeats: true,
    deleted: 'kept',
    erased: 'kept',
    stored: 'column',
    words: noWords,
  },
  /** Dropped in direct rooms. */
  threadOnly: {
    shown: threadOnly,
    waiting: threadOnly,
    sent: z.literal(true).optional(),
    imported: null,
    guests: true,
    api: false,
    edit: 'kept',
    forward: 'dropped',
    repeats: true,
    deleted: 'kept',
    erased: 'kept',
    stored: 'column',
    words: noWords,
  },
  mentions: {
    shown: z
      .array(mention)
      .exactOptional()
      .describe('The mentions by position, with current names. Absent without mentions.'),
    waiting: z
      .array(newMention)
      .exactOptional()
      .describe('The mentions by position. Absent without mentions.'),
    sent: newMentions.optional(),
    // An export names users in the text.
    imported: null,
    guests: false,
    api: false,
    edit: 'replaced',
    forward: 'dropped',
    repeats: true,
    deleted: 'dropped',
    erased: 'kept',
    stored: 'content',
    // The names of the mentioned users are checked in the text: see `findHoldReason`.
    words: noWords,
  },
  /** A forwarded copy has copies of the files. */
  files: {
    shown: files,
    waiting: files,
    sent: chosenFiles.optional(),
    imported: importedFiles.optional(),
    guests: true,
    api: false,
    edit: 'replaced',
    forward: 'copied',
    repeats: true,
    deleted: 'dropped',
    erased: 'dropped',
    stored: 'content',
    words: (files: readonly { name?: string; alt?: string }[]) =>
      files.flatMap(({ name = '', alt = '' }) => [name, alt]),
  },
  /** Clients send whether to add a preview of the link. The history gets the URL of the page. */
  preview: {
    shown: linkPreview,
    waiting: linkPreview,
    sent: z.boolean().default(true),
    imported: null,
    guests: false,
    api: false,
    edit: 'derived',
    forward: 'dropped',
    repeats: false,
    deleted: 'dropped',
    erased: 'dropped',
    stored: 'content',
    words: noWords,
  },
  poll: {
    shown: poll.exactOptional().describe('A poll or an event.'),
    waiting: null,
    sent: newPoll.optional(),
    imported: null,
    guests: true,
    api: false,
    edit: 'fixed',
    forward: 'dropped',
    repeats: true,
    deleted: 'dropped',
    erased: 'kept',
    stored: 'content',
    words: ({ options = [], event }: z.output<typeof poll>) => [...options, event?.place ?? ''],
  },
  card: {
    shown: card,
    waiting: card,
    sent: cardRef.optional(),
    imported: null,
    guests: false,
    api: true,
    edit: 'kept',
    // The copy shows its readers what the site shows them.
    forward: 'copied',
    repeats: true,
    deleted: 'dropped',
    erased: 'dropped',
    stored: 'content',
    words: (about: string) => [about],
  },
  important: {
    shown: important,
    waiting: important,
    sent: z.boolean().optional(),
    imported: z.boolean().optional(),
    // The members do not know guests, and could not tell whether the mark is justified.
    guests: false,
    api: true,
    edit: 'replaced',
    // The mark is for the readers of the other room.
    forward: 'dropped',
    repeats: true,
    deleted: 'dropped',
    erased: 'kept',
    stored: 'content',
    words: noWords,
  },
  forwarded: {
    shown: z
      .object({
        user: user
          .exactOptional()
          .describe('The author of the original message. Absent if it was not in a public room.'),
      })
      .exactOptional()
      .describe('The original message. Absent if this is not a copy of a message.'),
    waiting: null,
    sent: null,
    imported: null,
    guests: false,
    api: false,
    edit: 'fixed',
    forward: 'set',
    repeats: false,
    deleted: 'dropped',
    erased: 'kept',
    stored: 'column',
    words: noWords,
  },
} as const satisfies Record<string, Field>;

/** A room lists its messages with pictures, with other files, with links, and the important ones. Searches use the lists. */
export const holdings = ['pictures', 'files', 'links', 'important'] as const;
export type Holding = (typeof holdings)[number];

type Declared = typeof content;
export type ContentField = keyof Declared;
type Form = 'shown' | 'waiting' | 'sent' | 'imported';

const contentFields = Object.keys(content) as ContentField[];

/** The fields for which a decision has the value. */
export type FieldsWith<Decision extends keyof Field, Is> = {
  [Name in ContentField]: Declared[Name][Decision] extends Is ? Name : never;
}[ContentField];

export const fieldsWith = <Decision extends keyof Field, const Is extends Field[Decision]>(
  decision: Decision,
  is: Is,
) => contentFields.filter((name) => (content[name] as Field)[decision] === is) as FieldsWith<Decision, Is>[];

/** The fields with a schema in this form. */
type FieldsIn<In extends Form> = Exclude<ContentField, FieldsWith<In, null>>;

export const fieldsIn = <In extends Form>(form: In) =>
  contentFields.filter((name) => content[name][form] !== null) as FieldsIn<In>[];

type Schemas<In extends Form, Name extends ContentField> = {
  [Field in Name & FieldsIn<In>]: Extract<Declared[Field][In], z.ZodType>;
};

const schemas = <In extends Form, Name extends ContentField>(form: In, names: readonly Name[]) =>
  Object.fromEntries(names.map((name) => [name, content[name][form]])) as unknown as Schemas<In, Name>;

export const shownContent = schemas('shown', fieldsIn('shown'));
export const waitingContent = schemas('waiting', fieldsIn('waiting'));
export const sentContent = schemas('sent', fieldsIn('sent'));
export const editedContent = schemas('sent', fieldsWith('edit', 'replaced'));
export const importedContent = schemas('imported', fieldsIn('imported'));
export const apiContent = schemas('sent', fieldsWith('api', true));

type Refused = FieldsWith<'waiting', null> & FieldsIn<'sent'>;

/** The fields of `message:send` that a message cannot have while it is scheduled or pending approval. */
export const refusedWaiting = fieldsWith('waiting', null).filter(
  (name): name is Refused => content[name].sent !== null,
);

/** The content of `scheduled:add`. */
export const scheduledContent = {
  ...sentContent,
  ...(Object.fromEntries(
    refusedWaiting.map((name) => [name, z.never(`a scheduled message cannot have a ${name}`).optional()]),
  ) as Record<Refused, z.ZodOptional<z.ZodNever>>),
};

type Output<Shape extends z.core.$ZodShape> = z.output<z.ZodObject<Shape>>;
type WithReadonlyLists<Of> = {
  [Name in keyof Of]: Of[Name] extends (infer Item)[] | undefined
    ? readonly Item[] | Extract<Of[Name], undefined>
    : Of[Name];
};

/** The content of a message that is scheduled or pending approval. Mentions and files are as their author sent them. */
export type WaitingContent = Output<typeof waitingContent>;

/** The content of a new message, as the history gets it. `preview`: the URL of the page. */
export type NewContent = WithReadonlyLists<Omit<Output<typeof sentContent>, 'preview'>> & {
  preview?: string;
};

/** Returns the given fields that are not undefined. */
export function pick<Of extends object, Name extends keyof Of>(
  from: Of,
  names: readonly Name[],
): Pick<Of, Name> {
  const picked: Partial<Of> = {};
  for (const name of names) if (from[name] !== undefined) picked[name] = from[name];
  return picked as Pick<Of, Name>;
}

/** Whether the value is to be stored. An empty list and `false` mean the same as an absent field. */
export const isSet = (value: unknown): boolean =>
  value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);

/** Returns the texts of a message to check for words and links that need approval. */
export const wordsOf = (message: { [Name in ContentField]?: unknown }): string[] =>
  contentFields.flatMap((name) =>
    message[name] === undefined ? [] : (content[name].words as (value: unknown) => string[])(message[name]),
  );
