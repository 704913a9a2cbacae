import { onTestFinished } from 'vitest';
import type { openChat } from '../../server/chat/open-chat.ts';
import { type History, methods, type Reads, sources, type Writes } from '../../server/history/history.ts';
import { newClientId } from './chat-client.ts';
import { openChatOver } from './chat-over-history.ts';

export const nameOf = (id: string) => ({ id, name: `Name of ${id}` });

/** Returns functions that write rooms, members and messages to a history, as the chat does. */
export function roomsOf({ read, write }: History, at = Date.now()) {
  const how = { sources: sources.people, by: 'people', cause: 'removed', at } as const;
  return {
    /** Creates a room of the first user, with the other users as members. */
    async den(room: string, users: readonly [string, ...string[]], kind: 'private' | 'public' = 'private') {
      const [owner, ...members] = users;
      const made = { id: room, kind, name: 'Den', by: nameOf(owner), clientId: room, most: 0, at };
      const add = {
        room,
        users: members.map((id) => ({ id })),
        source: 'people',
        mayReturn: true,
        at,
      } as const;
      await Promise.all([write.createRoom(made), write.addMembers(add)]);
    },
    /** @returns the number of the message */
    async say(room: string, by: string, text = 'hello', over: object = {}): Promise<number> {
      const said = { room, clientId: newClientId(), user: nameOf(by), text, sentAt: at, asMember: true };
      return (await write.send({ ...said, ...over })).message.seq;
    },
    /** @returns the id of the report */
    async report(room: string, seq: number, by: string): Promise<string> {
      await write.report({ room, seq, by, reason: 'spam', at });
      return (await read.reportsOf({ room, seq, limit: 1 }))[0]?.id ?? '';
    },
    hold(room: string, by: string, text: string) {
      const waits = { room, clientId: newClientId(), user: nameOf(by), text, sentAt: at, asMember: true };
      return write.hold({ ...waits, why: 'all' });
    },
    remove: (room: string, ...users: string[]) => write.removeMembers({ room, users, ...how }),
  };
}

/** Opens a chat over a history in which another server or the site makes a change at a chosen moment. */
export async function openInterrupted(over: Partial<Parameters<typeof openChat>[0]> = {}) {
  let next: { when: 'before' | 'after'; what: string; run: () => Promise<unknown> } | undefined;
  const happen = async (when: 'before' | 'after', what: string) => {
    if (next?.when !== when || next.what !== what) return;
    const { run } = next;
    next = undefined;
    await run();
  };
  /** Changes that the chat has not been notified of yet. */
  const late: (() => void)[] = [];
  let isLate = false;
  const hearAll = () => {
    for (const hear of late.splice(0)) hear();
  };
  /** The events that were sent, each with the connections or the room that received it. */
  const told: string[] = [];
  const { chat, history, close } = await openChatOver(
    (stored) => ({
      read: methods(async (query, input) => {
        await happen('before', query);
        const answer = await stored.read[query](input);
        if (!isLate) hearAll();
        await happen('after', query);
        return answer;
      }),
      write: methods(async (op, input, asker) => {
        await happen('before', `write ${op}`);
        const answer = await stored.write[op](input, asker);
        await happen('after', `write ${op}`);
        return answer;
      }),
      onChange: (listener) =>
        stored.onChange((change) => {
          if (isLate) late.push(() => listener(change));
          else listener(change);
        }),
      current: async () => hearAll(),
    }),
    () => ({
      publisher: {
        toRoom: (room, event, payload) => void told.push(`${room} ${event} ${JSON.stringify(payload)}`),
        toConnections(ids, event, payload) {
          if (ids.length > 0) told.push(`${ids} ${event} ${JSON.stringify(payload)}`);
        },
        join() {},
        leave() {},
      },
      ...over,
    }),
  );
  onTestFinished(close);
  return {
    chat,
    history,
    told,
    ...roomsOf(history),
    /** Runs a change once, before or after this read or write. */
    once(when: 'before' | 'after', what: keyof Reads | `write ${keyof Writes}`, run: () => Promise<unknown>) {
      next = { when, what, run };
    },
    hasHappened: () => next === undefined,
    /** Delays the change events of `run` until the chat reads or calls `current()`, or the test calls `hearOne()`. */
    async lateFor(run: () => Promise<unknown>) {
      isLate = true;
      await run();
      isLate = false;
    },
    hearOne: () => late.shift()?.(),
  };
}
