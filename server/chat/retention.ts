import {
  type Forget,
  type History,
  mailRepliesStoredFor,
  mailStopsFor,
  type Reads,
  sources,
  type Writes,
} from '../history/history.ts';
import { guestKeptMs } from '../wire/guest.ts';
import { forgetOldAddresses } from './questions/address.ts';

/** A private room without members is deleted after this time, in ms. */
const emptyFor = 30 * 24 * 60 * 60 * 1000;
/** The maximum and minimum interval between two turns, in ms. */
const longestPause = 60 * 60 * 1000;
const shortestPause = 1000;
/** Maximum rooms, and rows of other data, that are deleted in one write. Messages are sent between two such writes. */
const roomsAtOnce = 100;
const rowsAtOnce = 1000;
/** An expired invite link stays in the list for this time, in ms. */
const invitesFor = 30 * 24 * 60 * 60 * 1000;
/** Last-seen times are deleted at this age, in ms. */
const lastHereFor = 30 * 24 * 60 * 60 * 1000;
/** User activity is deleted at this age, in ms. It shows whether a user was online since a notification. */
const activeFor = 365 * 24 * 60 * 60 * 1000;
/** A device is deleted this long after a check found it unusable, in ms: see `StoredDevice.since`. */
const devicesFor = 30 * 24 * 60 * 60 * 1000;
/** Pending and rejected messages are discarded at this age, in ms, or at `Retention.rooms` if it is lower. */
const pendingTtlMs = 30 * 24 * 60 * 60 * 1000;
/** Pending and rejected messages discarded in one write. */
const pendingBatchSize = 100;
/** Daily message counts are deleted at this age, in ms. */
const daysFor = 400 * 24 * 60 * 60 * 1000;

const guestsAtOnce = 100;

/** The writes that delete expired rows. */
type Forgetting = { [Op in keyof Writes]: Writes[Op] extends Forget ? Op : never }[keyof Writes];

/** The retention of messages and of audit entries (`acts`), in ms. 0 means no limit. */
export interface Retention {
  /** For public and private rooms. */
  rooms: number;
  direct: number;
  acts: number;
}

/**
 * Deletes expired data now and regularly, until `signal` aborts. A message expires at most a tenth of its retention
 * late. If one of the `kinds` of data fails, the others are still deleted, and the next turn tries again. `sweep` in
 * files/files.ts deletes the bytes of files.
 * @param isHere whether the user is connected
 * @param endTeam ends the memberships of former members of the team
 * @param onFailure called for each kind of data that fails in a turn
 */
export function enforceRetention(
  history: History,
  retention: Retention,
  isHere: (user: string) => boolean,
  endTeam: () => Promise<void>,
  signal: AbortSignal,
  onFailure: (error: Error) => void,
): void {
  const times = [retention.rooms, retention.direct].filter((kept) => kept > 0);
  /** Deletes what is older than `age`, in ms, in steps. */
  const forget = async (op: Forgetting, age: number, most = rowsAtOnce) => {
    let deleted = most;
    while (deleted === most && !signal.aborted) {
      ({ deleted } = await history.write[op]({ before: Date.now() - age, most }));
    }
  };
  const expireMessages = async () => {
    const endOf = (kept: number) => (kept === 0 ? 0 : Date.now() - kept);
    const [before, beforeDirect] = [endOf(retention.rooms), endOf(retention.direct)];
    let from = times.length === 0 ? undefined : 0;
    while (from !== undefined && !signal.aborted) {
      const page: Reads['expired']['out'] = await history.read.expired({ before, beforeDirect, from });
      for (const room of page.rooms) await history.write.expire(room);
      from = page.next;
    }
  };
  const forgetPending = async () => {
    let more = true;
    while (more && !signal.aborted) {
      const at = Date.now();
      const kept = Math.min(pendingTtlMs, retention.rooms || pendingTtlMs);
      const of = await history.read.pendingBefore({ before: at - kept, limit: pendingBatchSize });
      if (of.length > 0) await history.write.forgetPending({ of, at });
      more = of.length === pendingBatchSize;
    }
  };
  const endGuests = async () => {
    const how = { sources: sources.people, by: 'people', cause: 'left' } as const;
    let after: string | undefined = '';
    while (after !== undefined && !signal.aborted) {
      const at = Date.now();
      const page: Reads['guestMembers']['out'] = await history.read.guestMembers({
        before: at - guestKeptMs,
        after,
        limit: guestsAtOnce,
      });
      for (const { room, user } of page.members)
        if (!isHere(user)) await history.write.removeMembers({ room, users: [user], ...how, at });
      after = page.next;
    }
  };
  const kinds: readonly (() => Promise<void>)[] = [
    () => forget('deleteEmptyRooms', emptyFor, roomsAtOnce),
    expireMessages,
    async () => {
      if (retention.acts > 0) await forget('forgetActs', retention.acts);
    },
    forgetPending,
    endGuests,
    endTeam,
    () => forgetOldAddresses(history, signal),
    () => forget('forgetInvites', invitesFor),
    () => forget('forgetDevices', devicesFor),
    () => forget('forgetMailStops', mailStopsFor),
    () => forget('forgetMailReplies', mailRepliesStoredFor),
    () => forget('forgetMailRejections', mailRepliesStoredFor),
    () => forget('forgetDays', daysFor),
    () => forget('forgetHere', lastHereFor),
    () => forget('forgetActive', activeFor),
    () => forget('forgetEndedLogins', 0),
  ];
  let isRunning = false;
  const turn = async () => {
    if (isRunning) return;
    isRunning = true;
    for (const remove of kinds) {
      try {
        await remove();
      } catch (error) {
        // After `signal` aborts, the history may be closed while a turn still runs.
        if (!signal.aborted) onFailure(error as Error);
      }
    }
    isRunning = false;
  };
  const every = Math.max(shortestPause, Math.min(longestPause, ...times.map((kept) => kept / 10)));
  const timer = setInterval(() => void turn(), every).unref();
  signal.addEventListener('abort', () => clearInterval(timer));
  void turn();
}
