import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandProblem, exit } from '../command/problem.ts';
import type { GivenLine } from './lines.ts';

interface SlackUser {
  id: string;
  name?: string;
  real_name?: string;
  profile?: { display_name?: string; real_name?: string };
}

interface SlackRoom {
  id: string;
  name: string;
  members?: string[];
  topic?: { value?: string };
}

interface SlackMessage {
  type?: string;
  subtype?: string;
  user?: string;
  username?: string;
  bot_id?: string;
  text?: string;
  ts: string;
  thread_ts?: string;
  files?: { name?: string; title?: string }[];
}

/** Messages that say what happened in a channel. */
const notices =
  /^(channel|group)_|^(bot_add|bot_remove|pinned_item|unpinned_item|tombstone|sh_room_created|reminder_add)$/;

/**
 * The folder of an export of Slack, unzipped: users.json, channels.json (public), groups.json (private), and for each of
 * these a folder with a file a day (https://slack.com/help/articles/220556107). Conversations of few people are left out.
 * Of files the export has only addresses: their names stand in the text.
 */
export function* slackLines(folder: string): Generator<GivenLine> {
  const users = list<SlackUser>(folder, 'users.json');
  const names = new Map(users.map((user) => [user.id, nameOf(user)]));
  for (const [id, name] of names) yield { type: 'user', id, name };
  for (const [file, kind] of [
    ['channels.json', 'public'],
    ['groups.json', 'private'],
  ] as const) {
    const rooms = list<SlackRoom>(folder, file);
    const roomNames = new Map(rooms.map(({ id, name }) => [id, name]));
    for (const { id, name, members = [], topic } of rooms) {
      if (/[/\\]|^\./.test(name)) throw new CommandProblem(exit.data, `${name} is no name of a channel`);
      const about = topic?.value ? { topic: shortened(topic.value) } : {};
      yield { type: 'room', id, name, kind, ...about };
      for (const user of members) yield { type: 'member', room: id, user };
      for (const day of days(join(folder, name))) {
        for (const message of list<SlackMessage>(join(folder, name), day).sort(
          (a, b) => timeOf(a) - timeOf(b),
        )) {
          const { subtype, user = message.bot_id, text = '', ts, thread_ts: thread, files = [] } = message;
          const attached = files.map(({ title, name }) => title ?? name ?? '');
          if (user === undefined || (subtype !== undefined && notices.test(subtype))) continue;
          if (message.username !== undefined && !names.has(user)) {
            names.set(user, message.username);
            yield { type: 'user', id: user, name: message.username };
          }
          yield {
            type: 'message',
            id: `${id} ${ts}`,
            room: id,
            user,
            at: timeOf(message),
            text: [plain(text, names, roomNames), ...attached].filter((line) => line !== '').join('\n'),
            ...(thread === undefined || thread === ts ? {} : { replyTo: `${id} ${thread}` }),
          };
        }
      }
    }
  }
}

function list<Item>(folder: string, file: string): Item[] {
  let text: string;
  try {
    text = readFileSync(join(folder, file), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  try {
    return JSON.parse(text) as Item[];
  } catch {
    throw new CommandProblem(exit.data, `${join(folder, file)}: it is no JSON`);
  }
}

function days(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    throw new CommandProblem(exit.data, `there is no folder ${folder}, which the export names`);
  }
  return names.filter((name) => /^\d{4}-\d\d-\d\d\.json$/.test(name)).sort();
}

const timeOf = ({ ts }: SlackMessage) => Math.floor(Number(ts) * 1000);

const nameOf = ({ id, name, real_name: real, profile }: SlackUser) =>
  profile?.display_name || profile?.real_name || real || name || id;

const shortened = (text: string) => [...text.replaceAll(/\p{C}/gu, ' ')].slice(0, 250).join('');

/** Mentions, links and signs as people read them (https://docs.slack.dev/messaging/formatting-message-text). */
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
