import { z } from 'zod';
import { generateJava, type JavaOptions, readJava, type Schema } from './java-types.ts';

/** Types that only the client knows. `Upload` describes the other fields of an upload. */
const clientTypes = {
  PendingFile: z.object({
    key: z.string().describe('The key of its {@link Upload}, which ends with the process.'),
    name: z.string().describe('The file name.'),
    size: z.int().describe('The size in bytes.'),
    alt: z.string().optional().describe('The description for users who cannot see the picture.'),
    file: z.unknown().optional().describe('The uploaded file. Absent if the upload is not complete.'),
  }),
  PendingMessage: z.object({
    clientId: z.string().describe('The same in every attempt, so that the server detects duplicates.'),
    room: z.string().describe('The room ID.'),
    writtenAt: z
      .int()
      .describe(
        "When it was written, by this machine's clock, in milliseconds. Messages are sent in this order.",
      ),
    files: z.array(z.unknown()).optional().describe('The files. The message is sent when all are uploaded.'),
    withoutPreview: z
      .literal(true)
      .optional()
      .describe('Whether the message is sent without a link preview: {@link NewMessage#withoutPreview}.'),
    failed: z
      .string()
      .optional()
      .describe(
        'Null: the message will be sent. Otherwise the reason why not: an error code of the protocol, `not_kept`, `not_uploaded` or `offline`; `held`: pending approval by a moderator; `rejected`: a moderator rejected it; `discarded`: the user discarded it and the server has not acknowledged that.',
      ),
  }),
};

/** Content of new messages that differs from that of stored messages, so that the classes do not share it. */
const ownContent = ['files', 'preview', 'poll'];

/** Returns the settings of the Java client's data types. */
export function javaOptions(asyncApi: object): JavaOptions {
  const { components } = asyncApi as {
    components: { schemas: Record<string, Schema>; messages: Record<string, { payload: Schema }> };
  };
  const sent = Object.keys(components.messages['message-send']?.payload.properties ?? {});
  const shared = sent.filter((name) => !['room', 'clientId', ...ownContent].includes(name));
  const { properties = {} } = components.schemas.Message ?? {};
  return {
    schemas: {
      ...components.schemas,
      ...Object.fromEntries(
        Object.entries(clientTypes).map(([name, type]) => [name, z.toJSONSchema(type) as Schema]),
      ),
      /** The content that stored and new messages share. */
      Content: {
        properties: Object.fromEntries(shared.map((name) => [name, properties[name] ?? {}])),
        required: ['text'],
      },
    },
    choices: {
      'Content.card': {
        doc: 'The reference of a card of the site, or null. {@link Chat#card} gets the card.',
      },
      'File.audio.peaks': {
        doc: 'The loudness of a voice message, as its sender measured it: {@link #PEAKS} digits from `0` to `v`. Absent for other sound.',
      },
      'Mention.user': {
        read: 'Wire.mentioned(json)',
        doc: 'The user, with the name at the time when the message was read. {@link MessageContent#textWithNames()} inserts the name. If the name is unknown, it is the ID, and the mention keeps the text that its author typed.',
      },
      'Mention.start': {
        doc: 'The start in code points; convert it by {@link String#offsetByCodePoints}.',
      },
      'Message.hidden': {
        doc: 'Whether the reader blocked the author. Hide the message, or show it only on request.',
      },
      'PendingFile.file': {
        type: '@Nullable ChatFile',
        read: 'Wire.optional(json, "file", ChatFile::fromJson)',
        write: 'file == null ? null : file.toJsonObject()',
      },
      'PendingMessage.files': {
        type: 'List<PendingFile>',
        read: 'Wire.list(json, "files", PendingFile::fromJson)',
        write: 'files.isEmpty() ? null : Wire.array(files, PendingFile::toJsonObject)',
      },
      'Preview.title': {
        doc: 'The title. Absent while the server fetches the page, and if that failed. After five seconds, show the host.',
      },
      'Preview.image': {
        type: '@Nullable ChatFile',
        read: 'Wire.previewImage(json.optJSONObject("image"))',
        write: 'Wire.previewImage(image)',
        doc: 'A small picture for {@link Chat#fileRequest}.',
      },
      'Reaction.emoji': { doc: 'The emoji, or the option of a poll: see {@link #isVote}.' },
      'Reaction.users': {
        doc: 'The IDs of the first ten users at most, by time. {@link Chat#reactions} lists all. Empty in an anonymous poll.',
      },
      'Scheduled.failed.code': { type: 'String' },
    },
    ints: new Set([
      ...['File.image.width', 'File.image.height', 'File.video.width', 'File.video.height'],
      ...['Mention.start', 'Mention.length', 'Reaction.count'],
    ]),
    written: ['Message', 'PendingFile', 'PendingMessage'],
  };
}

/** Returns the files of the Java client with generated code, by name. */
export const javaFiles = (asyncApi: object): Map<string, string> =>
  generateJava(readJava(), javaOptions(asyncApi));
