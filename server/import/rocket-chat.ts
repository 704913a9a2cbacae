import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { joypixelsNames } from './emoji.ts';
import { listOf, maxRoomName, readText, type Skipped, shortened, skipped } from './exported.ts';
import { type GivenLine, parseJson } from './lines.ts';
import {
  codeBlock,
  codeInLine,
  convertText,
  escapeText,
  linkParts,
  type Markup,
  markdownLinks,
} from './markup.ts';

interface RocketChatMessage {
  username?: string;
  name?: string;
  msg?: string;
  ts: string;
  /** The kind of a notice, such as `uj`. Old exports name this field `t`. */
  type?: string;
  t?: string;
  attachments?: { fileName?: string; title?: string; text?: string; message_link?: string }[];
}

/**
 * Converts the folder of an unzipped JSON export of Rocket.Chat: a file of JSON lines for each room. If a user exported
 * all their data, channels.json lists the rooms (`exportRoomMessagesToFile.ts` in Rocket.Chat). Skips direct rooms. The
 * names of files are added to the text, because the folder does not contain the files.
 *
 * Private rooms are imported without members, because the notices `ru` (removed) and `au` (added) hide the user's name.
 * Members of a public room are the users who wrote in it and did not leave afterwards.
 */
export function* rocketChatLines(folder: string): Generator<GivenLine | Skipped> {
  const about = new Map(
    linesIn<{ roomId: string; roomName: string; type: string }>(folder, 'channels.json').map((room) => [
      room.roomName,
      room,
    ]),
  );
  const known = new Set<string>();
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  for (const file of files.filter((name) => !/^(channels|user)\.json$/.test(name)).sort()) {
    const name = file.slice(0, -'.json'.length);
    const { roomId = name, type = 'p' } = about.get(name) ?? {};
    if (type === 'd') {
      yield skipped('direct', file);
      continue;
    }
    yield {
      type: 'room',
      id: roomId,
      name: shortened(name, maxRoomName),
      kind: type === 'c' ? 'public' : 'private',
    };
    const lines = linesIn<RocketChatMessage>(folder, file);
    const sorted = lines.sort((a, b) => Date.parse(a.ts) - Date.parse(b.ts));
    const members = new Set<string>();
    for (const { username: user, name: shown, ...line } of sorted) {
      if (user === undefined) continue;
      if (eventOf(line) === 'ul') members.delete(user);
      if (eventOf(line)) continue;
      if (!known.has(user)) yield { type: 'user', id: user, name: shown || user };
      known.add(user);
      members.add(user);
    }
    if (type === 'c') for (const user of members) yield { type: 'member', room: roomId, user };
    const times = new Map<string, number>();
    for (const { username: user, msg = '', ts, attachments, ...line } of sorted) {
      if (user === undefined || eventOf(line)) {
        yield skipped(user === undefined ? 'author' : 'notice', `${file}, ${ts}`);
        continue;
      }
      // Derives an ID, because exports contain none.
      const place = `${roomId} ${ts} ${user}`;
      const n = times.get(place) ?? 0;
      times.set(place, n + 1);
      const quoted = listOf(attachments).flatMap(({ message_link: link, text }) => (link && text) || []);
      const attached = listOf(attachments)
        .filter(({ message_link: link }) => link === undefined)
        .map(({ fileName, title }) => escapeText(fileName || title || ''));
      const quotes = quoted.map((text) => text.replaceAll(/^/gm, '> '));
      yield {
        type: 'message',
        id: `${place} ${n}`,
        room: roomId,
        user,
        at: Date.parse(ts),
        text: [convertText([...quotes, msg].join('\n'), markup), ...attached]
          .filter((part) => part !== '')
          .join('\n'),
      };
    }
  }
}

/** https://docs.rocket.chat/docs/message-formatting */
const markup: Markup = {
  signs: { '**': ['**'], '*': ['**'], __: ['_'], _: ['_'] },
  passages: [
    // The link of a quoted message leads to the other server.
    [/\[ ?\]\(https?:\/\/[^\s()]*[?&]msg=\w+\)\s*/g, () => []],
    [
      /```(?:([\w+#.-]{0,20})[^\S\n]*\n)?([\s\S]+?)\n?```/g,
      ([, language, code = '']) => codeBlock(code, language),
    ],
    [/(?<!`)`([^`\n]+)`(?!`)/g, ([, code = '']) => codeInLine(code)],
    [/<(https?:\/\/[^\s|<>]+)\|([^<>\n]+)>/g, ([, address = '', title]) => linkParts(address, title)],
    ...markdownLinks,
  ],
  emoji: joypixelsNames,
  quote: /^>[^\S\n]*/,
  item: /^[*-][^\S\n]+(?=\S)/,
  heading: /^#{1,4}[^\S\n]+(.+)$/,
};

const eventOf = ({ type, t }: Pick<RocketChatMessage, 'type' | 't'>) => type || t;

function linesIn<Item>(folder: string, file: string): Item[] {
  const lines = readText(join(folder, file)).split('\n');
  return lines
    .map((text, n) => ({ text, place: `${join(folder, file)}, line ${n + 1}` }))
    .filter(({ text }) => text.trim() !== '')
    .map(({ text, place }) => parseJson(text, place) as Item);
}
