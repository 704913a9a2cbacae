import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { listOf, maxRoomName, readText, type Skipped, shortened, skipped } from './exported.ts';
import { type GivenLine, parseJson } from './lines.ts';

interface RocketChatMessage {
  username?: string;
  name?: string;
  msg?: string;
  ts: string;
  /** Of a notice, such as `uj`. Old exports call it `t`. */
  type?: string;
  t?: string;
  attachments?: { fileName?: string; title?: string }[];
}

/**
 * The folder of an export of Rocket.Chat as JSON, unzipped: a file of JSON lines for each room, and channels.json with the
 * rooms where a user has exported all own data (`exportRoomMessagesToFile.ts` in Rocket.Chat). Direct rooms are left out.
 * Files are elsewhere: their names are added to the text.
 *
 * Private rooms have no members: the export does not say whom somebody has removed, since its lines `ru` and `au` hide the
 * name. Members of a public one, which is open to everybody, are who has written there and has not left since.
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
      // An export has no ids of messages.
      const place = `${roomId} ${ts} ${user}`;
      const n = times.get(place) ?? 0;
      times.set(place, n + 1);
      const attached = listOf(attachments).map(({ fileName, title }) => fileName || title || '');
      yield {
        type: 'message',
        id: `${place} ${n}`,
        room: roomId,
        user,
        at: Date.parse(ts),
        text: [msg, ...attached].filter((part) => part !== '').join('\n'),
      };
    }
  }
}

const eventOf = ({ type, t }: Pick<RocketChatMessage, 'type' | 't'>) => type || t;

function linesIn<Item>(folder: string, file: string): Item[] {
  const lines = readText(join(folder, file)).split('\n');
  return lines
    .map((text, n) => ({ text, place: `${join(folder, file)}, line ${n + 1}` }))
    .filter(({ text }) => text.trim() !== '')
    .map(({ text, place }) => parseJson(text, place) as Item);
}
