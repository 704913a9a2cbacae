import { type History, mailStopsFor, type Reads } from '../history/history.ts';

/** Milliseconds after which a private room without members is deleted. */
const emptyFor = 30 * 24 * 60 * 60 * 1000;
/** The longest and the shortest milliseconds between two turns, and the rooms deleted at once. */
const longestPause = 60 * 60 * 1000;
const shortestPause = 1000;
const roomsAtOnce = 100;
/** Milliseconds for which an expired invite link is listed. */
const invitesFor = 30 * 24 * 60 * 60 * 1000;
/** Milliseconds for which the time is stored when somebody was last here. */
const lastHereFor = 30 * 24 * 60 * 60 * 1000;
/** Milliseconds for which a device is stored whose login has expired. */
const devicesFor = 30 * 24 * 60 * 60 * 1000;
/** Milliseconds for which a message waits for a moderator, or for which its author sees that it was rejected. */
const heldFor = 30 * 24 * 60 * 60 * 1000;
/** Messages that are discarded at once. */
const heldAtOnce = 100;
/** Milliseconds for which the numbers of messages by day are stored. */
const daysFor = 400 * 24 * 60 * 60 * 1000;

/** Milliseconds that messages and acts of moderation are kept; 0 for ever. */
export interface Retention {
  /** For public and private rooms. */
  rooms: number;
  direct: number;
  acts: number;
}

/**
 * Deletes stored data that has been kept long enough (the list is `turn` below): now and regularly, until `signal` aborts. A
 * message is deleted at most a tenth of its retention late. If the history fails, the next turn tries again. The bytes of files
 * go otherwise: `sweep` in files/files.ts.
 */
export function enforceRetention(
  history: History,
  retention: Retention,
  signal: AbortSignal,
  onFailure: (error: Error) => void,
): void {
  const times = [retention.rooms, retention.direct].filter((kept) => kept > 0);
  const deleteEmptyRooms = async () => {
    const before = Date.now() - emptyFor;
    let more = true;
    while (more && !signal.aborted) {
      more = (await history.write.deleteEmptyRooms({ before, most: roomsAtOnce })).deleted === roomsAtOnce;
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
  const forgetActs = async () => {
    if (retention.acts > 0) await history.write.forgetActs({ before: Date.now() - retention.acts });
  };
  const forgetHeld = async () => {
    let more = true;
    while (more && !signal.aborted) {
      const at = Date.now();
      const kept = Math.min(heldFor, retention.rooms || heldFor);
      const of = await history.read.heldBefore({ before: at - kept, limit: heldAtOnce });
      if (of.length > 0) await history.write.forgetHeld({ of, at });
      more = of.length === heldAtOnce;
    }
  };
  let isRunning = false;
  const turn = async () => {
    if (isRunning) return;
    isRunning = true;
    try {
      await deleteEmptyRooms();
      await expireMessages();
      await forgetActs();
      await forgetHeld();
      await history.write.forgetInvites({ before: Date.now() - invitesFor });
      await history.write.forgetDevices({ before: Date.now() - devicesFor });
      await history.write.forgetMailStops({ before: Date.now() - mailStopsFor });
      await history.write.forgetDays({ before: Date.now() - daysFor });
      await history.write.forgetHere({ before: Date.now() - lastHereFor });
    } catch (error) {
      // Once it is stopped, the history may be closed while a turn still runs.
      if (!signal.aborted) onFailure(error as Error);
    } finally {
      isRunning = false;
    }
  };
  const every = Math.max(shortestPause, Math.min(longestPause, ...times.map((kept) => kept / 10)));
  const timer = setInterval(() => void turn(), every).unref();
  signal.addEventListener('abort', () => clearInterval(timer));
  void turn();
}
