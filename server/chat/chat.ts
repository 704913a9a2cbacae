import { createHash } from 'node:crypto';
import { RequestError } from '../errors.ts';
import type { History } from '../history/history.ts';
import { Announcements } from './announcements.ts';
import { Directory } from './directory.ts';
import type { Publisher } from './publisher.ts';
import type { ChatSettings } from './summary.ts';
import { Typing } from './typing.ts';

/** What the operator has set. Texts and names are counted in Unicode code points. */
export interface Limits {
  /** Characters of a message. */
  text: number;
  /** Members of a private room; 0: any number. */
  members: number;
  /** Rooms that one user has made and that still exist; 0: any number. */
  roomsOfUser: number;
}

/** Milliseconds after which a private room without members is deleted. */
const emptyFor = 30 * 24 * 60 * 60 * 1000;
/** How often such rooms are looked for, in milliseconds, and how many are deleted at once. */
const sweepEvery = 60 * 60 * 1000;
const sweepMost = 100;

/** The parts of the chat that its operations work on. */
export interface Chat {
  history: History;
  directory: Directory;
  publisher: Publisher;
  typing: Typing;
  settings: ChatSettings;
  limits: Limits;
  /** The ids of the rooms of CHAT_ROOMS, in their order. */
  configured: readonly string[];
}

/** The id of a room of CHAT_ROOMS: its name, if that is a valid id. */
function roomIdOf(name: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(name)) return name;
  return `r-${createHash('sha256').update(name.normalize('NFC')).digest('hex').slice(0, 16)}`;
}

/** If the history fails now, the next turn tries again. */
async function sweep(history: History): Promise<void> {
  try {
    const before = Date.now() - emptyFor;
    while ((await history.write('deleteEmptyRooms', { before, most: sweepMost })).deleted === sweepMost);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
  }
}

/** @param rooms of CHAT_ROOMS: an id, or undefined where it is made of the name */
export async function openChat(options: {
  history: History;
  publisher: Publisher;
  settings: ChatSettings;
  limits: Limits;
  rooms: readonly { id?: string; name: string }[];
  /** Closes all connections of a user. */
  kick: (user: string) => void;
}): Promise<Chat> {
  const { history, publisher, settings, limits, kick } = options;
  const typing = new Typing(publisher);
  const rooms = options.rooms.map(({ id, name }) => ({ id: id ?? roomIdOf(name), name }));
  await history.write('publicRooms', { rooms, at: Date.now() });
  const announcements: Announcements = new Announcements({
    publisher,
    typing,
    directory: () => directory,
    kick,
  });
  const directory = await Directory.open(history, announcements, settings.findPeople === 'all');
  await sweep(history);
  setInterval(() => void sweep(history), sweepEvery).unref();
  return { history, directory, publisher, typing, settings, limits, configured: rooms.map(({ id }) => id) };
}
