import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { iamcalNames } from './emoji.ts';
import {
  type Attachment,
  attachedTexts,
  listOf,
  maxRoomName,
  maxTopic,
  readText,
  type Skipped,
  shortened,
  skipped,
} from './exported.ts';
import { type GivenLine, parseJson } from './lines.ts';
import {
  codeBlock,
  codeInLine,
  convertPlain,
  convertText,
  escapeText,
  linkParts,
  type Markup,
} from './markup.ts';

interface SlackProfile {
  name?: string | undefined;
  real_name?: string;
  display_name?: string;
}

interface SlackUser {
  id: string;
  name?: string | undefined;
  real_name?: string;
  profile?: SlackProfile;
}

interface SlackRoom {
  id: string;
  name?: string;
  members?: string[];
  topic?: { value?: string };
}

interface SlackFile {
  name?: string;
  title?: string;
}

interface SlackMessage {
  subtype?: string;
  user?: string;
  /** The author in messages of people of other workspaces, whom users.json does not list. */
  user_profile?: SlackProfile;
  /** The name that a bot chose for this message. */
  username?: string;
  bot_id?: string;
  bot_profile?: { name?: string };
  text?: string;
  ts: string;
  thread_ts?: string;
  files?: SlackFile[];
  /** The only file of a message before 2018. */
  file?: SlackFile;
  /** The comment of a `file_comment`, which has no `user`. */
  comment?: { user?: string };
  attachments?: Attachment[];
  blocks?: unknown[];
  reactions?: unknown[];
}

/** Subtypes of messages about events in a channel (https://docs.slack.dev/reference/events/message). */
const notices =
  /^(channel|group)_|^(bot_add|bot_remove|pinned_item|unpinned_item|tombstone|sh_room_created|reminder_add)$/;

/** Maximum characters from the blocks of a message. The import cuts longer texts anyway. */
const maxBlockText = 20_000;

/**
 * Converts the folder of an unzipped Slack export: users.json, channels.json (public), groups.json (private), and a
 * folder for each channel with a file for each day (https://slack.com/help/articles/220556107). Other exporters write
 * the same files; slackdump names the folders by ID and omits members. Skips direct conversations. File names are added
 * to the text, because the export contains only the addresses of files.
 */
export function* slackLines(folder: string): Generator<GivenLine | Skipped> {
  const users = list<SlackUser>(folder, 'users.json');
  const names = new Map(users.map((user) => [user.id, nameOf(user)]));
  for (const [id, name] of names) yield { type: 'user', id, name };
  for (const file of ['dms.json', 'mpims.json'])
    for (const { id } of list<SlackRoom>(folder, file)) yield skipped('direct', `${file}, ${id}`);
  for (const [file, kind] of [
    ['channels.json', 'public'],
    ['groups.json', 'private'],
  ] as const) {
    const rooms = list<SlackRoom>(folder, file);
    const roomNames = new Map(rooms.map(({ id, name = id }) => [id, name]));
    const markup = markupOf(names, roomNames);
    for (const { id, name = id, members, topic } of rooms) {
      const days = daysOf(folder, [name, id]);
      if (days === undefined) {
        yield skipped('folder', `${file}, ${id}`);
        continue;
      }
      const about = topic?.value ? { topic: shortened(convertPlain(topic.value, markup), maxTopic) } : {};
      yield { type: 'room', id, name: shortened(name, maxRoomName), kind, ...about };
      for (const user of listOf(members)) yield { type: 'member', room: id, user };
      // A mention may come before the first message of the mentioned user, whose name only that message has.
      for (const day of days)
        for (const { user, user_profile: profile } of list<SlackMessage>(folder, day))
          if (user !== undefined && profile !== undefined && !names.has(user)) {
            const shown = nameOf({ id: user, name: profile.name, profile });
            names.set(user, shown);
            yield { type: 'user', id: user, name: shown };
          }
      for (const day of days) {
        const messages = list<SlackMessage>(folder, day).sort((a, b) => timeOf(a) - timeOf(b));
        for (const message of messages) {
          const { subtype, ts, thread_ts: thread, reactions } = message;
          const place = `${day}, ${ts}`;
          const user = authorOf(message, names);
          if (subtype !== undefined && notices.test(subtype)) {
            yield skipped('notice', place);
            continue;
          }
          if (user === undefined) {
            yield skipped('author', place);
            continue;
          }
          if (!names.has(user)) {
            const shown = message.username || message.bot_profile?.name || user;
            names.set(user, shown);
            yield { type: 'user', id: user, name: shown };
          }
          // If a public channel has no list of members, its authors become members.
          if (members === undefined && kind === 'public') yield { type: 'member', room: id, user };
          if (listOf(reactions).length > 0) yield skipped('reactions', place);
          yield {
            type: 'message',
            id: `${id} ${ts}`,
            room: id,
            user,
            at: timeOf(message),
            text: [convertText(textOf(message), markup), ...fileNames(message).map(escapeText)]
              .filter((line) => line !== '')
              .join('\n'),
            replyTo: thread === undefined || thread === ts ? undefined : `${id} ${thread}`,
          };
        }
      }
    }
  }
}

function list<Item>(folder: string, file: string): Item[] {
  const text = readText(join(folder, file));
  return text === '' ? [] : listOf(parseJson(text, join(folder, file)) as Item[]);
}

/** Returns the daily files of a channel, relative to the export; undefined if the channel has no folder. */
function daysOf(folder: string, names: readonly string[]): string[] | undefined {
  for (const name of names.filter((name) => !/[/\\]|^\./.test(name))) {
    try {
      const files = readdirSync(join(folder, name));
      return files
        .filter((file) => /^\d{4}-\d\d-\d\d\.json$/.test(file))
        .sort()
        .map((file) => join(name, file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return undefined;
}

/** Returns the ID of the author. Several bots may share an ID, and choose a name for each message. */
function authorOf(
  { user, comment, bot_id: bot, username, subtype }: SlackMessage,
  names: ReadonlyMap<string, string>,
): string | undefined {
  const id = user || comment?.user || bot;
  const isBot = bot !== undefined || subtype === 'bot_message';
  if (!id || !isBot || !username || names.get(id) === username) return id || username || undefined;
  return `${id} ${username}`;
}

function fileNames({ files, file }: SlackMessage): string[] {
  const all = files === undefined && file !== undefined ? [file] : listOf(files);
  return all.map(({ title, name }) => title || name || '');
}

/**
 * Returns the text of a message. Bots write in attachments or blocks, with or without a text. Attachments of a user's
 * text are ignored, because they contain only Slack's previews of its links.
 */
function textOf({ text: given, bot_id: bot, attachments, blocks }: SlackMessage): string {
  const text = typeof given === 'string' ? given : '';
  if (text !== '' && bot === undefined) return text;
  const written = joined([text, ...attachedTexts(attachments)]);
  return written || blockText(listOf(blocks)).slice(0, maxBlockText);
}

/** Maximum depth of blocks in blocks. Slack allows fewer. */
const maxBlockDepth = 12;

/** Returns the text of a block with Slack's formatting (https://docs.slack.dev/reference/block-kit/blocks). */
function blockText(given: unknown, depth = 0): string {
  if (typeof given !== 'object' || given === null || depth > maxBlockDepth) return '';
  if (Array.isArray(given)) return joined(given.map((one) => blockText(one, depth + 1)));
  const block = given as Block;
  const parts = listOf(block.elements).map((one) => blockText(one, depth + 1));
  switch (block.type) {
    case 'rich_text_section':
      return parts.join('');
    case 'rich_text_quote':
      return parts.join('').replaceAll(/^/gm, '&gt; ');
    case 'rich_text_preformatted':
      return `\`\`\`\n${parts.join('')}\n\`\`\``;
    case 'rich_text_list': {
      const { indent = 0, offset = 0 } = block;
      const signOf = (n: number) => (block.style === 'ordered' ? `${offset + n + 1}.` : '•');
      return parts.map((part, n) => `${indent > 0 ? '    ' : ''}${signOf(n)} ${part}`).join('\n');
    }
    case 'text':
      return styled(encodeEntities(block.text), block.style);
    case 'plain_text':
      return encodeEntities(block.text);
    case 'link':
      return styled(
        block.text ? `<${block.url}|${encodeEntities(block.text)}>` : `<${block.url}>`,
        block.style,
      );
    case 'emoji':
      return `:${block.name}:`;
    case 'user':
      return `<@${block.user_id}>`;
    case 'usergroup':
      return `<!subteam^${block.usergroup_id}>`;
    case 'channel':
      return `<#${block.channel_id}>`;
    case 'broadcast':
      return `<!${block.range}>`;
    case 'date':
      return block.fallback
        ? encodeEntities(block.fallback)
        : new Date(Number(block.timestamp) * 1000).toISOString();
    default: {
      const text = typeof block.text === 'string' ? block.text : blockText(block.text, depth + 1);
      return joined([text, blockText(block.fields, depth + 1), ...parts]);
    }
  }
}

interface Block {
  type?: string;
  /** A string, or an object that has a `text`. */
  text?: unknown;
  elements?: unknown[];
  fields?: unknown;
  style?: unknown;
  /** How deep a list is in others, from 0. */
  indent?: number;
  /** The number of the first item, from 0. */
  offset?: number;
  url?: string;
  name?: string;
  user_id?: string;
  usergroup_id?: string;
  channel_id?: string;
  range?: string;
  timestamp?: number;
  fallback?: string;
}

function styled(text: string, style: unknown): string {
  const { code, bold, italic } = (style ?? {}) as Record<'code' | 'bold' | 'italic', boolean | undefined>;
  const signs = code ? '`' : `${bold ? '*' : ''}${italic ? '_' : ''}`;
  // Slack's signs do not format next to blanks.
  const [, before = '', words = '', after = ''] = /^(\s*)([\s\S]*?)(\s*)$/.exec(text) ?? [];
  return words === '' ? text : `${before}${signs}${words}${[...signs].reverse().join('')}${after}`;
}

const joined = (texts: readonly string[]): string => texts.filter((text) => text !== '').join('\n');

const encodeEntities = (text: unknown): string =>
  String(text ?? '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');

const timeOf = ({ ts }: SlackMessage) => Math.floor(Number(ts) * 1000);

const nameOf = ({ id, name, real_name: real, profile }: SlackUser): string =>
  profile?.display_name || profile?.real_name || real || name || id;

/** The formatting of Slack (https://docs.slack.dev/messaging/formatting-message-text). */
function markupOf(users: ReadonlyMap<string, string>, rooms: ReadonlyMap<string, string>): Markup {
  return {
    signs: { '*': ['**'], _: ['_'] },
    passages: [
      [/```\n?([\s\S]+?)\n?```/g, ([, code = '']) => codeBlock(decodeEntities(withoutLinks(code)))],
      [/(?<!`)`([^`\n]+)`(?!`)/g, ([, code = '']) => codeInLine(decodeEntities(withoutLinks(code)))],
      [
        /<@(\w+)(?:\|([^<>]*))?>/g,
        ([, id = '', label]) => [`@${users.get(id) ?? (label?.replace(/^@/, '') || id)}`],
      ],
      [/<#(\w+)(?:\|([^<>]*))?>/g, ([, id = '', label]) => [`#${label || (rooms.get(id) ?? id)}`]],
      [/<!(here|channel|everyone)(?:\|[^<>]*)?>/g, ([, group = '']) => [`@${group}`]],
      [/<!subteam\^(\w+)(?:\|([^<>]*))?>/g, ([, id = '', label]) => [`@${label?.replace(/^@/, '') || id}`]],
      [
        /<!date\^(\d{1,11})\^([^|<>]*)(?:\|([^<>]*))?>/g,
        ([, seconds = '', , fallback]) => [fallback || new Date(Number(seconds) * 1000).toISOString()],
      ],
      [/<!([^|<>]+)(?:\|([^<>]*))?>/g, ([, command = '', label]) => [label || command]],
      [
        /<([^|<>]+)(?:\|([^<>]*))?>/g,
        ([, address, title]) =>
          linkParts(address ?? '', title).map((part) =>
            typeof part === 'object' && 'formatted' in part
              ? { ...part, formatted: decodeEntities(part.formatted) }
              : part,
          ),
      ],
    ],
    emoji: iamcalNames,
    quote: /^(?:&gt;|>)\s?/,
    longQuote: /^(?:&gt;|>){3}\s?/,
    item: /^\s*[•◦▪●○]\s+(?=\S)/,
    decode: decodeEntities,
  };
}

/** Slack also makes links of addresses in code. */
const withoutLinks = (code: string): string =>
  code.replaceAll(/<((?:https?|mailto):[^|<>]+)(?:\|([^<>]*))?>/g, (_, address, title) => title ?? address);

const decodeEntities = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
