import { iamcalNames } from './emoji.ts';
import {
  type Attachment,
  attachedTexts,
  listOf,
  maxRoomName,
  maxTopic,
  type Skipped,
  shortened,
  skipped,
} from './exported.ts';
import type { GivenLine } from './lines.ts';
import { codeBlock, codeInLine, convertPlain, convertText, type Markup, markdownLinks } from './markup.ts';

interface MattermostPost {
  team?: string;
  channel?: string;
  user: string;
  /** The kind of a post, such as `system_join_channel`. Older exports lack it. */
  type?: string;
  message?: string;
  create_at: number;
  replies?: MattermostPost[];
  reactions?: unknown[];
  attachments?: { path?: string }[];
  props?: { attachments?: Attachment[] };
}

interface MattermostLine {
  type: string;
  channel?: { team: string; name: string; display_name?: string; type?: string; header?: string };
  user?: {
    username: string;
    nickname?: string;
    first_name?: string;
    last_name?: string;
    teams?: { name: string; channels?: { name: string; roles?: string }[] }[];
  };
  bot?: { username: string; display_name?: string };
  post?: MattermostPost;
}

/** Maximum files of a message in this chat. */
const maxFiles = 10;

/**
 * Converts a bulk export of Mattermost: a file of JSON lines, next to a folder `data` with the attachments
 * (https://docs.mattermost.com/manage/bulk-export-tool.html). Skips direct messages.
 */
export async function* mattermostLines(
  lines: AsyncIterable<{ given: unknown; place: string }>,
): AsyncGenerator<GivenLine | Skipped> {
  const posts: { post: MattermostPost; place: string }[] = [];
  const rooms = new Set<string>();
  for await (const { given, place } of lines) {
    const { type, channel, user, bot, post } = given as MattermostLine;
    if (type === 'channel' && channel !== undefined) {
      const { team, name, display_name: shown, type: kind, header } = channel;
      rooms.add(roomOf(team, name));
      yield {
        type: 'room',
        id: roomOf(team, name),
        name: shortened(shown || name, maxRoomName),
        kind: kind === 'O' ? 'public' : 'private',
        topic: header ? shortened(convertPlain(header, markup), maxTopic) : undefined,
      };
    } else if (type === 'user' && user !== undefined) {
      const { username, nickname, first_name: first = '', last_name: last = '', teams } = user;
      yield { type: 'user', id: username, name: nickname || `${first} ${last}`.trim() || username };
      for (const { name: team, channels } of listOf(teams))
        for (const { name, roles = '' } of listOf(channels))
          if (rooms.has(roomOf(team, name)))
            yield {
              type: 'member',
              room: roomOf(team, name),
              user: username,
              role: roles.includes('channel_admin') ? 'moderator' : 'member',
            };
          else yield skipped('channel', place);
    } else if (type === 'bot' && bot !== undefined)
      yield { type: 'user', id: bot.username, name: bot.display_name || bot.username };
    else if (type === 'post' && post !== undefined) posts.push({ post, place });
    else if (type === 'direct_channel' || type === 'direct_post') yield skipped('direct', place);
  }
  // The export lists replies within their root post, but they may be newer than the next root post.
  const all = posts.flatMap(({ post: root, place }) => {
    const id = idOf(root, root);
    const replies = listOf(root.replies).map((post) => ({ root, post, place, replyTo: id }));
    return [{ root, post: root, place, replyTo: undefined as string | undefined }, ...replies];
  });
  for (const { root, post, place, replyTo } of all.sort((a, b) => a.post.create_at - b.post.create_at)) {
    const room = roomOf(root.team ?? '', root.channel ?? '');
    const files = listOf(post.attachments).flatMap(({ path }) => path ?? []);
    if (!rooms.has(room)) yield skipped('channel', place);
    else if (isNotice(post)) yield skipped('notice', place);
    else {
      if (listOf(post.reactions).length > 0) yield skipped('reactions', place);
      for (const path of files.slice(maxFiles)) yield skipped('fileCount', path);
      yield {
        type: 'message',
        id: idOf(root, post),
        room,
        user: post.user,
        at: post.create_at,
        text: textOf(post),
        replyTo,
        files:
          files.length === 0 ? undefined : files.slice(0, maxFiles).map((path) => ({ path: `data/${path}` })),
      };
    }
  }
}

/**
 * Whether a post is a notice. Without a `type`, a notice is recognised by its English text (`i18n/en.json` of
 * Mattermost's server).
 */
function isNotice({ type, user, message = '' }: MattermostPost): boolean {
  if (type !== undefined && type !== '') return type.startsWith('system_');
  const [, first, last] =
    /^@?(\S+) (?:(?:joined|left|was removed from) the (?:channel|team)|(?:was )?added to the (?:channel|team) by @?(\S+))\.$/.exec(
      message,
    ) ?? [];
  return first !== undefined && (last ?? first) === user;
}

/** Returns the text of a post. Webhooks write in attachments, with or without a message. */
function textOf({ message = '', props }: MattermostPost): string {
  const texts = [message, ...attachedTexts(props?.attachments)].filter((line) => line !== '');
  return convertText(texts.join('\n'), markup);
}

/** https://docs.mattermost.com/end-user-guide/collaborate/format-messages.html */
const markup: Markup = {
  signs: { '***': ['_', '**'], '**': ['**'], __: ['**'], '*': ['_'], _: ['_'] },
  passages: [
    [
      /^(```|~~~)([\w+#.-]{0,20})[^\S\n]*\n([\s\S]*?)\n?^\1[^\S\n]*$/gm,
      ([, , language, code = '']) => codeBlock(code, language),
    ],
    [/(?<!`)`([^`\n]+)`(?!`)/g, ([, code = '']) => codeInLine(code)],
    [/\\([!-/:-@[-`{-~])/g, ([, sign = '']) => [sign]],
    ...markdownLinks,
  ],
  emoji: iamcalNames,
  quote: /^ {0,3}>\s?/,
  item: /^\s*[*+-]\s+(?=\S)/,
  heading: /^ {0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$/,
};

const roomOf = (team: string, channel: string) => `${team}/${channel}`;

/**
 * Derives the ID of a post, because exports contain none. A user does not write twice in a channel in the same
 * millisecond.
 */
const idOf = ({ team, channel }: MattermostPost, { user, create_at: at }: MattermostPost) =>
  `${team}/${channel} ${at} ${user}`;
