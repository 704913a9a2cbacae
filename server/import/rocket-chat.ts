import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandProblem, exit } from '../command/problem.ts';
import type { GivenLine } from './lines.ts';

interface RocketChatMessage {
  username?: string;
  name?: string;
  msg?: string;
  ts: string;
  type?: string;
  t?: string;
}

/**
 * The folder of an export of Rocket.Chat as JSON, unzipped: a file of JSON lines for each room, and channels.json with the
 * rooms where a user has exported all own data (`exportRoomMessagesToFile.ts` in Rocket.Chat). Direct rooms are left out.
 *
 * Private rooms have no members: the export does not say whom somebody has removed, since its lines `ru` and `au` hide the
 * name. Members of a public one, which is open to everybody, are who has written there and has not left since.
 */
export function* rocketChatLines(folder: string): Generator<GivenLine> {
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
    if (type === 'd') continue;
    yield { type: 'room', id: roomId, name, kind: type === 'c' ? 'public' : 'private' };
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
    for (const { username: user, msg = '', ts, ...line } of sorted) {
      if (user === undefined || eventOf(line)) continue;
      // An export has no ids of messages.
      const place = `${roomId} ${ts} ${user}`;
      const n = times.get(place) ?? 0;
      times.set(place, n + 1);
      yield { type: 'message', id: `${place} ${n}`, room: roomId, user, at: Date.parse(ts), text: msg };
    }
  }
}

/** Of a message that says what happened in the room. */
const eventOf = ({ type, t }: Pick<RocketChatMessage, 'type' | 't'>) => type || t;

function linesIn<Item>(folder: string, file: string): Item[] {
  let text: string;
  try {
    text = readFileSync(join(folder, file), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, n) => {
      try {
        return JSON.parse(line) as Item;
      } catch {
        throw new CommandProblem(exit.data, `${join(folder, file)}, line ${n + 1}: it is no JSON`);
      }
    });
}
