import { z } from 'zod';
import { generateJava, type JavaOptions, readJava, type Schema } from './java-types.ts';

/** Types that only the client knows. `Upload` describes the other fields of an upload. */
const clientTypes = {
  UnsentFile: z.object({
    key: z.string().describe('The key of its {@link Upload}, which ends with the process.'),
    name: z.string().describe('The file name.'),
    size: z.int().describe('The size in bytes.'),
    alt: z.string().optional().describe('The description for users who cannot see the picture.'),
    file: z.unknown().optional().describe('The uploaded file. Absent if the upload is not complete.'),
  }),
  UnsentMessage: z.object({
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

const pick = (properties: Record<string, Schema> = {}, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, properties[name] ?? {}]));

/** Returns the settings of the Java client's data types. */
export function javaOptions(asyncApi: object): JavaOptions {
  const { components } = asyncApi as {
    components: { schemas: Record<string, Schema>; messages: Record<string, { payload: Schema }> };
  };
  const sent = Object.keys(components.messages['message-send']?.payload.properties ?? {});
  const shared = sent.filter((name) => !['room', 'clientId', ...ownContent].includes(name));
  const edited = Object.keys(components.messages['message-edit']?.payload.properties ?? {});
  const { properties = {} } = components.schemas.Message ?? {};
  const answer = (name: string) =>
    components.messages[`${name}-answer`]?.payload.oneOf?.[0]?.properties?.data;
  const itemOf = (schema: Schema | undefined, field: string) => schema?.properties?.[field]?.items ?? {};
  const { Invite = {}, Pin = {} } = components.schemas;
  return {
    schemas: {
      ...components.schemas,
      ...Object.fromEntries(
        Object.entries(clientTypes).map(([name, type]) => [name, z.toJSONSchema(type) as Schema]),
      ),
      Device: itemOf(answer('device-list'), 'devices'),
      InvitedRoom: answer('invite-look') ?? {},
      Presence: answer('user-about') ?? {},
      Removal: components.messages['room-removed']?.payload ?? {},
      RoomRestriction: itemOf(answer('room-restricted'), 'users'),
      Invite: {
        ...Invite,
        properties: {
          ...Invite.properties,
          token: {
            type: 'string',
            description:
              'The secret, for `#join=` in the address of the chat page. Null except in the response to {@link Chat#createInvite}.',
          },
        },
      },
      PinnedMessage: {
        properties: {
          message: { description: 'The message as in a {@link RoomSummary}.' },
          ...pick(Pin.properties, ['by', 'at', 'after']),
        },
        required: ['by', 'at', 'after'],
      },
      /** The content that stored and new messages share. */
      Content: {
        properties: pick(properties, shared),
        required: ['text'],
      },
    },
    choices: {
      'Card.about': { doc: 'The reference, for {@link NewMessage#card}.' },
      'Card.buttons': { doc: 'The buttons, for {@link Chat#pressCard}.' },
      'Content.card': {
        doc: 'The reference of a card of the site, or null. {@link Chat#card} gets the card.',
      },
      'Device.kind': { unknown: 'BROWSER' },
      'File.audio.peaks': {
        doc: 'The loudness of a voice message, as its sender measured it: {@link #PEAKS} digits from `0` to `v`. Absent for other sound.',
      },
      'InvitedRoom.picture': { isOmitted: true },
      'LastMessage.text': { doc: 'The text, cut to 120 characters. Empty if the message was deleted.' },
      'LastMessage.voice': {
        initial: '-1',
        read: 'json.has("voice") ? Wire.number(json, "voice") : -1',
        write: 'voice < 0 ? null : voice',
        doc: 'The duration in milliseconds if the first file is a voice message, or 0 if it is unknown; -1 if there is none.',
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
      'UnsentFile.file': {
        type: '@Nullable ChatFile',
        read: 'Wire.optional(json, "file", ChatFile::fromJson)',
        write: 'file == null ? null : file.toJsonObject()',
      },
      'UnsentMessage.files': {
        type: 'List<UnsentFile>',
        read: 'Wire.list(json, "files", UnsentFile::fromJson)',
        write: 'files.isEmpty() ? null : Wire.array(files, UnsentFile::toJsonObject)',
      },
      'PinnedMessage.message': {
        type: 'RoomSummary.Last',
        read: 'RoomSummary.Last.fromJson(json)',
        write: 'message.toJsonObject()',
      },
      'Presence.role': { enum: 'RoomSummary.Role' },
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
      'Removal.reason': { enum: 'RemovalReason', unknown: 'UNKNOWN' },
      'Removal.room': { isOmitted: true },
      'Report.closed.done': { unknown: 'NOTHING' },
      'Report.reason': { unknown: 'OTHER' },
      'RoomMember.after': { isOmitted: true },
      'RoomMember.role': { enum: 'RoomSummary.Role', unknown: 'MEMBER' },
      'Scheduled.failed.code': { type: 'String' },
      'Thread.thread': { doc: 'The thread number: {@link Message#thread} of the replies.' },
      'Thread.authors': { doc: 'The last authors, at most three, newest first.' },
      'Thread.replies': { name: 'count' },
      'Thread.new': {
        name: 'unread',
        doc: 'The number of unread replies at the time of the request, up to 100. Events set 0.',
      },
    },
    ints: new Set([
      ...['Invite.uses', 'Invite.used', 'InvitedRoom.members', 'InvitedRoom.present'],
      ...['LastMessage.files', 'LastMessage.pictures', 'Thread.replies', 'Thread.new'],
      ...['File.image.width', 'File.image.height', 'File.video.width', 'File.video.height'],
      ...['Mention.start', 'Mention.length', 'Reaction.count'],
    ]),
    edited: new Set(edited),
    written: ['LastMessage', 'Message', 'UnsentFile', 'UnsentMessage'],
  };
}

/** Returns the files of the Java client with generated code, by name. */
export const javaFiles = (asyncApi: object): Map<string, string> =>
  generateJava(readJava(), javaOptions(asyncApi));
