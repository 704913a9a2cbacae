import { createHash } from 'node:crypto';
import type { History, Reads } from '../history/history.ts';
import { Announcements } from './announcements.ts';
import { Directory } from './directory.ts';
import { NewestPages } from './newest-pages.ts';
import { obey } from './orders.ts';
import type { Order, OtherServers, ThisServer } from './other-servers.ts';
import type { Publisher } from './publisher.ts';
import { Reactions } from './reactions.ts';
import { keepEnding } from './restriction-ends.ts';
import { reportOf } from './shown-reports.ts';
import type { ChatSettings } from './summary.ts';
import { Typing } from './typing.ts';

/** What the operator has set. Texts and names are counted in Unicode code points. */
export interface Limits {
  /** Characters of a message. */
  text: number;
  /** Members of a private room; 0 lifts the limit. */
  members: number;
  /** Rooms that one user has made and that still exist; 0 lifts the limit. */
  roomsOfUser: number;
}

/** Milliseconds after which a private room without members is deleted. */
const emptyFor = 30 * 24 * 60 * 60 * 1000;
/** The longest time between two sweeps, in milliseconds, the shortest, and how many rooms are deleted at once. */
const sweepEvery = 60 * 60 * 1000;
const sweepAtMost = 1000;
const sweepMost = 100;

/** The parts of the chat that its operations work on. */
export interface Chat {
  history: History;
  directory: Directory;
  publisher: Publisher;
  typing: Typing;
  newest: NewestPages;
  reactions: Reactions;
  settings: ChatSettings;
  limits: Limits;
  /**
   * Has an order carried out on all servers: here at once, whether the others can be told or not.
   * @returns how many connections the user has there
   * @throws RequestError if the others cannot be told and the order may safely be given again
   */
  everywhere(user: string, order: Order): Promise<number>;
  /** What the other servers need of this one. */
  here: ThisServer;
  /** The ids of the rooms of CHAT_ROOMS, in their order. */
  configured: readonly string[];
  /** Begins no more work of its own. */
  close(): void;
}

/** The id of a room of CHAT_ROOMS: its name, if that is a valid id. */
function roomIdOf(name: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(name)) return name;
  return `r-${createHash('sha256').update(name.normalize('NFC')).digest('hex').slice(0, 16)}`;
}

/** How long messages are kept, in milliseconds; 0 for ever. */
export interface Retention {
  /** Of public and private rooms. */
  rooms: number;
  direct: number;
}

/**
 * Deletes such rooms, and what is too old, now and from time to time, until it is aborted: a message is gone by a tenth of
 * its time later. If the history fails, the next turn tries again.
 */
function keepSweeping(
  history: History,
  retention: Retention,
  signal: AbortSignal,
  onFailure: (error: Error) => void,
): void {
  const sweep = async () => {
    const before = Date.now() - emptyFor;
    let more = true;
    while (more && !signal.aborted) {
      more = (await history.write('deleteEmptyRooms', { before, most: sweepMost })).deleted === sweepMost;
    }
    await sweepMessages();
  };
  const sweepMessages = async () => {
    const [before, beforeDirect] = [retention.rooms, retention.direct].map((kept) =>
      kept === 0 ? 0 : Date.now() - kept,
    ) as [number, number];
    let from: number | undefined = before === 0 && beforeDirect === 0 ? undefined : 0;
    while (from !== undefined && !signal.aborted) {
      const { rooms, next }: Reads['expired']['out'] = await history.read('expired', {
        before,
        beforeDirect,
        from,
      });
      for (const room of rooms) await history.write('expire', room);
      from = next;
    }
  };
  let sweeping = false;
  const turn = async () => {
    if (sweeping) return;
    sweeping = true;
    try {
      await sweep();
    } catch (error) {
      onFailure(error as Error);
    } finally {
      sweeping = false;
    }
  };
  const times = [retention.rooms, retention.direct].filter((kept) => kept > 0);
  const every = Math.max(sweepAtMost, Math.min(sweepEvery, ...times.map((kept) => kept / 10)));
  const timer = setInterval(() => void turn(), every).unref();
  signal.addEventListener('abort', () => clearInterval(timer));
  void turn();
}

/** @param rooms of CHAT_ROOMS: an id, or undefined where it is made of the name */
export async function openChat(options: {
  history: History;
  publisher: Publisher;
  settings: ChatSettings;
  limits: Limits;
  rooms: readonly { id?: string; name: string }[];
  retention: Retention;
  /** Closes all connections of a user. */
  kick: (user: string) => void;
  /** Absent for a server alone. */
  others?: OtherServers | undefined;
  /** Mutes and bans whose time is over could not be lifted. */
  onEndFailure: (error: Error) => void;
  /** Rooms without members, or what is too old, could not be deleted. */
  onSweepFailure: (error: Error) => void;
}): Promise<Chat> {
  const { history, publisher, settings, limits, kick, others } = options;
  const typing = new Typing(publisher, others);
  const rooms = options.rooms.map(({ id, name }) => ({ id: id ?? roomIdOf(name), name }));
  await history.write('publicRooms', { rooms, at: Date.now() });
  const announcements: Announcements = new Announcements({
    publisher,
    typing,
    directory: () => directory,
    kick,
    onRestrictions: () => endInTime(),
    readReport: (id) => reportOf({ history, directory }, id),
    async hasJoinedElsewhere(user, room) {
      if (others === undefined || !others.isConnected(user)) return false;
      return (await others.orderOthers(user, { is: 'joined', room })) > 0;
    },
  });
  const findAll = settings.findPeople === 'all';
  const directory = await Directory.open(history, announcements, { findAll, others });
  const here: ThisServer = {
    seen: (user) => directory.seen(user),
    everybody: () => directory.everybody(),
    presenceChanged: (room, user) => directory.presenceChanged(room, user),
    typing(id, user, isTyping) {
      const room = directory.room(id);
      if (room !== undefined) typing.setElsewhere(room, user, isTyping);
    },
    obey: (user, order) => obey({ directory, publisher, kick }, user, order),
  };
  const closing = new AbortController();
  const endInTime = keepEnding({ history, directory }, closing.signal, options.onEndFailure);
  endInTime();
  // Nobody waits for it: there may be very many such rooms, and the port opens meanwhile.
  keepSweeping(history, options.retention, closing.signal, options.onSweepFailure);
  return {
    history,
    directory,
    publisher,
    typing,
    newest: new NewestPages(history),
    reactions: new Reactions(history),
    settings,
    limits,
    here,
    async everywhere(user, order) {
      const count = here.obey(user, order);
      if (others === undefined) return count;
      try {
        return count + (await others.orderOthers(user, order));
      } catch (error) {
        // What has been pushed here would come twice.
        if (order.is === 'kick' || (order.is === 'push' && count === 0)) throw error;
        return count;
      }
    },
    configured: rooms.map(({ id }) => id),
    close: () => closing.abort(),
  };
}
