import type { History, Reads } from '../../history/history.ts';
import type { Pin } from '../../wire/events.ts';
import type { Directory } from '../directory.ts';
import type { Person } from '../model.ts';
import { namesIn } from '../names.ts';
import { previewOf } from '../summary.ts';

interface Source {
  history: History;
  directory: Directory;
}

/** The pin as everybody in the room gets it; undefined if the message is not pinned any more. */
export async function pinOf(source: Source, room: string, seq: number): Promise<Pin | undefined> {
  const [pin] = await shownPins(source, room, await source.history.read.pins({ room, seq }));
  return pin;
}

export async function shownPins(
  source: Source,
  room: string,
  stored: Reads['pins']['out'],
  reader?: Person,
): Promise<Pin[]> {
  const by = stored.map(({ pin }) => pin.by);
  const names = await namesIn(source, room, by, reader?.user.id);
  return stored.map(({ pin: { by, at, after }, message }) => ({
    ...previewOf(message),
    ...(reader?.blocked.has(message.user.id) ? { hidden: true as const } : {}),
    by: names.get(by) ?? { id: by, name: by },
    at,
    after,
  }));
}
