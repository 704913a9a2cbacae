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
  const { Invite = {}, Pin = {}, RoomSummary = {} } = components.schemas;
  const notices = answer('notify-get');
  const sentPoll = components.messages['message-send']?.payload.properties?.poll?.properties;
  return {
    schemas: {
      ...components.schemas,
      ...Object.fromEntries(
        Object.entries(clientTypes).map(([name, type]) => [name, z.toJSONSchema(type) as Schema]),
      ),
      Device: itemOf(answer('device-list'), 'devices'),
      Identity: components.messages['session-ready']?.payload ?? {},
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
      Notices: {
        ...notices,
        properties: {
          ...notices?.properties,
          // Apps may omit the zone.
          quiet: {
            ...components.messages['notify-set']?.payload.properties?.quiet,
            description: 'The period without mails and pushes.',
          },
          canMail: {
            type: 'boolean',
            description: 'Whether mails reach the user: false if the site has no address of the user.',
          },
        },
      },
      RoomSummary: {
        ...RoomSummary,
        properties: {
          ...RoomSummary.properties,
          quiet: {
            type: 'boolean',
            description: 'Whether the reader blocked the other user of this direct room.',
          },
          unreadInThreads: {
            type: 'integer',
            description: 'The number of unread ones among {@link #threadOnly}.',
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
      'Identity.can': { isFlat: true },
      'Identity.can.direct': { name: 'canOpenDirect' },
      'Identity.can.files': { name: 'canSendFiles' },
      'Identity.can.previews': { name: 'canShowPreviews' },
      'Identity.can.seen': {
        name: 'canAskWhoHasSeen',
        doc: 'Whether the user may request read receipts: {@link Chat#seenBy}.',
      },
      'Identity.limits': { isFlat: true },
      'Identity.limits.file': { name: 'fileLimit' },
      'Identity.limits.files': { name: 'filesLimit' },
      'Identity.limits.mentions': { name: 'mentionsLimit' },
      'Identity.limits.text': { name: 'textLimit', absent: 'Integer.MAX_VALUE' },
      'Identity.profile': { isFlat: true },
      'Identity.profile.avatar': { name: 'avatarTemplate' },
      'Identity.profile.url': { name: 'profileTemplate' },
      'Identity.roles': { enum: 'SiteRole' },
      'Identity.site': { isFlat: true },
      'LastMessage.text': { doc: 'The text, cut to 120 characters. Empty if the message was deleted.' },
      'LastMessage.voice': { absent: '-1' },
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
      'Notices.canMail': {
        // Absent if the site sends the mails itself.
        read: '!json.has("mailTo") || !json.isNull("mailTo")',
      },
      'Notices.mail': {
        type: 'int',
        read: 'readMail(json)',
        doc: 'When mails are sent: {@link #OFF}, {@link #DAILY}, or the delay in minutes.',
      },
      'Notices.text': { enum: 'Shown', unknown: 'TEXT', doc: 'What mails and pushes show of a message.' },
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
      'Question.state': { unknown: 'OPEN' },
      'Reaction.emoji': { doc: 'The emoji, or the option of a poll: see {@link #isVote}.' },
      'Reaction.users': {
        doc: 'The IDs of the first ten users at most, by time. {@link Chat#reactions} lists all. Empty in an anonymous poll.',
      },
      'Removal.reason': { enum: 'RemovalReason', unknown: 'UNKNOWN' },
      'Report.closed.done': { unknown: 'NOTHING' },
      'Report.reason': { unknown: 'OTHER' },
      'RoomMember.role': { enum: 'RoomSummary.Role', unknown: 'MEMBER' },
      'RoomSummary.deleted': {
        isInternal: true,
        type: 'Runs',
        initial: 'Runs.NONE',
        read: 'Runs.of(json, "deleted")',
        doc: 'Deleted messages after {@link #readSeq}, without those that are only in a thread.',
      },
      'RoomSummary.favourite': { absent: '-1' },
      'RoomSummary.firstSeq': { absent: '1' },
      'RoomSummary.id': { doc: 'The room ID: `[A-Za-z0-9_-]{1,64}`.' },
      'RoomSummary.kind': { unknown: 'PRIVATE' },
      'RoomSummary.lastSeq': { doc: 'The `seq` of the newest message. 0 if there is none.' },
      'RoomSummary.may': { enum: 'Right' },
      'RoomSummary.mentions': { copy: 'Math.min(draft.mentions, unread)' },
      'RoomSummary.mutedForMs': {
        name: 'mutedUntil',
        read: 'Wire.until(json, "mutedForMs")',
        doc: "Until when the reader is muted, in milliseconds since 1970 by this machine's clock; {@link Long#MAX_VALUE}: permanently. 0 if not muted. {@link ChatListener#onRooms} reports the end.",
      },
      'RoomSummary.notify': {
        unknown: 'ALL',
        doc: 'Which messages the reader is notified of, except until {@link #quietUntil}.',
      },
      'RoomSummary.picture': {
        type: '@Nullable ChatFile',
        read: 'Wire.roomPicture(json, "picture")',
        doc: "The picture of the room's icon, which is shown instead of the emoji, or null. Load it with {@link Chat#fileRequest}.",
      },
      'RoomSummary.previews': {
        type: 'boolean',
        initial: 'true',
        read: '!json.has("previews")',
        doc: "Whether links in new messages get previews, if the site's operator allows it. In a direct room, both users must turn them on: see {@link Chat#setPreviews}.",
      },
      // The server does not send it.
      'RoomSummary.quiet': { isInternal: true, read: 'false' },
      'RoomSummary.question': {
        doc: 'The question to the team of the site whose conversation this room is. Absent in other rooms.',
      },
      'RoomSummary.question.state': { enum: 'Question.State', unknown: 'OPEN' },
      'RoomSummary.quietForMs': {
        name: 'quietUntil',
        read: 'Wire.until(json, "quietForMs")',
        doc: "Until when no message of the room notifies the reader, in milliseconds since 1970 by this machine's clock. 0 without a timed mute.",
      },
      'RoomSummary.seen': {
        type: 'boolean',
        initial: 'true',
        read: '!"off".equals(Wire.text(json, "seen"))',
        doc: "Whether authors get read receipts, if the site's operator allows it.",
      },
      'RoomSummary.threadOnly': { isInternal: true },
      'RoomSummary.unread': {
        copy: 'countUnread(draft)',
        doc: 'The number of unread messages, without deleted ones; 0 if the reader is not a member, and in a direct room with a blocked user. Counts {@link Message#threadOnly} replies only if they are among the {@link #mentions}.',
      },
      'RoomSummary.unreadInThreads': { isInternal: true, read: 'countUnreadInThreads(this)' },
      'RoomSummary.write': { unknown: 'ALL' },
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
      ...['Identity.limits.text', 'Identity.limits.mentions', 'Identity.limits.files'],
      ...['RoomSummary.members', 'RoomSummary.slow', 'RoomSummary.reports', 'RoomSummary.pins'],
      ...['Invite.uses', 'Invite.used', 'InvitedRoom.members', 'InvitedRoom.present'],
      ...['LastMessage.files', 'LastMessage.pictures', 'Thread.replies', 'Thread.new'],
      ...['File.image.width', 'File.image.height', 'File.video.width', 'File.video.height'],
      ...['Mention.start', 'Mention.length', 'Reaction.count'],
    ]),
    omitted: new Set([
      ...['protocol', 'rooms', 'tags', 'more', 'node', 'totals', 'fileAccess', 'serverTime'].map(
        (name) => `Identity.${name}`,
      ),
      ...['cards', 'push', 'mail', 'hold', 'moderate'].map((name) => `Identity.can.${name}`),
      ...['InvitedRoom.picture', 'Removal.room', 'RoomMember.after', 'RoomSummary.readByOther'],
      // The app does not show them.
      ...['Question', 'RoomSummary.question'].flatMap((path) => [`${path}.about`, `${path}.address`]),
    ]),
    sent: new Set([...sent, ...Object.keys(sentPoll ?? {})]),
    edited: new Set(edited),
    written: ['LastMessage', 'Message', 'Notices.quiet', 'UnsentFile', 'UnsentMessage'],
  };
}

/** Returns the files of the Java client with generated code, by name. */
export const javaFiles = (asyncApi: object): Map<string, string> =>
  generateJava(readJava(), javaOptions(asyncApi));
