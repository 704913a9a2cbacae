import { readdirSync } from 'node:fs';
import { join } from 'node:path';
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

interface SlackUser {
  id: string;
  name?: string;
  real_name?: string;
  profile?: { display_name?: string; real_name?: string };
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
  username?: string;
  bot_id?: string;
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
    for (const { id, name = id, members, topic } of rooms) {
      const days = daysOf(folder, [name, id]);
      if (days === undefined) {
        yield skipped('folder', `${file}, ${id}`);
        continue;
      }
      const about = topic?.value ? { topic: shortened(topic.value, maxTopic) } : {};
      yield { type: 'room', id, name: shortened(name, maxRoomName), kind, ...about };
      for (const user of listOf(members)) yield { type: 'member', room: id, user };
      for (const day of days) {
        const messages = list<SlackMessage>(folder, day).sort((a, b) => timeOf(a) - timeOf(b));
        for (const message of messages) {
          const { subtype, ts, thread_ts: thread, reactions } = message;
          const place = `${day}, ${ts}`;
          const user = authorOf(message);
          if (subtype !== undefined && notices.test(subtype)) {
            yield skipped('notice', place);
            continue;
          }
          if (user === undefined) {
            yield skipped('author', place);
            continue;
          }
          if (!names.has(user)) {
            const shown = message.username ?? user;
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
            text: [plain(textOf(message), names, roomNames), ...fileNames(message)]
              .filter((line) => line !== '')
              .join('\n'),
            ...(thread === undefined || thread === ts ? {} : { replyTo: `${id} ${thread}` }),
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

const authorOf = ({ user, comment, bot_id: bot, username }: SlackMessage): string | undefined =>
  user || comment?.user || bot || username || undefined;

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
  const written = [text, ...attachedTexts(attachments)].filter((line) => line !== '').join('\n');
  return written || blockText(listOf(blocks)).join('\n').slice(0, maxBlockText);
}

/** Returns the texts of blocks in order. A block's `text` is a string, or an object that has a `text`. */
function blockText(blocks: readonly unknown[]): string[] {
  const waiting = [...blocks].reverse();
  const texts: string[] = [];
  while (waiting.length > 0) {
    const block = waiting.pop();
    if (typeof block !== 'object' || block === null) continue;
    if (Array.isArray(block)) {
      waiting.push(...block.toReversed());
      continue;
    }
    const { text, elements, fields } = block as { text?: unknown; elements?: unknown; fields?: unknown };
    if (typeof text === 'string') texts.push(text);
    waiting.push(fields, elements, text);
  }
  return texts;
}

const timeOf = ({ ts }: SlackMessage) => Math.floor(Number(ts) * 1000);

const nameOf = ({ id, name, real_name: real, profile }: SlackUser) =>
  profile?.display_name || profile?.real_name || real || name || id;

/** Replaces Slack's markup by readable text (https://docs.slack.dev/messaging/formatting-message-text). */
function plain(text: string, users: ReadonlyMap<string, string>, rooms: ReadonlyMap<string, string>): string {
  return text
    .replaceAll(
      /<@([A-Z0-9]+)(?:\|([^>]*))?>/g,
      (_, id: string, label?: string) => `@${users.get(id) ?? label ?? id}`,
    )
    .replaceAll(
      /<#([A-Z0-9]+)(?:\|([^>]*))?>/g,
      (_, id: string, label?: string) => `#${label || (rooms.get(id) ?? id)}`,
    )
    .replaceAll(/<!(here|channel|everyone)(?:\|[^>]*)?>/g, '@$1')
    .replaceAll(/<([^|>]+)\|([^>]*)>/g, (_, address: string, label: string) =>
      label === '' || address.endsWith(label) ? address : `${label} (${address})`,
    )
    .replaceAll(/<([^>]+)>/g, '$1')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
