import { expect, test } from 'vitest';
import { dayOf, type Forget, type Writes } from '../../server/history/history.ts';
import { ann, at, callsOf, type Now } from './history-tested.ts';

const day = 24 * 60 * 60 * 1000;
const rows = [0, 1, 2, 3, 4];
const timeOf = (n: number) => at + n * day;
const rowAt = (time: number) => (time - at) / day;

type ForgetWrites = { [Op in keyof Writes]: Writes[Op] extends Forget ? Op : never }[keyof Writes];

/** The data of which very many rows may expire at once. */
interface Expiring {
  /** Stores rows, of which row n expires at `timeOf(n)`. */
  fill(): Promise<unknown>;
  /** Returns the rows that are left, in order. */
  left(): Promise<number[]>;
}

/** Tests the deletion of expired rows in every history. `now`: the current history, with the public room `lobby`. */
export function expiryContract(now: Now) {
  const { write, read } = callsOf(now);
  const arrive = (id: string) => write.arrive({ user: { id, name: id } });
  /** Calls `add` with the newest row first. */
  const each = async (add: (n: number) => Promise<unknown>) => {
    for (const n of rows.toReversed()) await add(n);
  };
  /** Returns the rows for which `find` finds something. */
  const found = async (find: (n: number) => Promise<unknown>) => {
    const isLeft = await Promise.all(rows.map(find));
    return rows.filter((n) => isLeft[n]);
  };

  const kinds: Record<Exclude<ForgetWrites, 'deleteEmptyRooms'>, Expiring> = {
    forgetActs: {
      async fill() {
        const consumer = { name: 'audit', by: 'me', types: ['act'], lease: 60_000, most: 9 } as const;
        const taken = await write.consume(consumer);
        if ('leasedForMs' in taken) throw new Error('another server has the lease');
        const acts = rows.toReversed().map((n) => ({ kind: 'muted', at: timeOf(n) }) as const);
        await write.consume({ ...consumer, done: taken.upTo, rows: { acts } });
      },
      left: async () => (await read.acts({ limit: 9 })).acts.map(({ at }) => rowAt(at)),
    },
    forgetDays: {
      async fill() {
        const sent = { room: 'lobby', user: ann, text: 'hello', asMember: false };
        // The count of the last day is in the row of the room.
        for (const n of [...rows, rows.length])
          await write.send({ ...sent, clientId: `day ${n}`, sentAt: timeOf(n) });
      },
      async left() {
        const days = await read.messagesByDay({ rooms: [], except: [], from: 0 });
        return days.map(({ day }) => day - dayOf(at)).filter((n) => n < rows.length);
      },
    },
    forgetInvites: {
      async fill() {
        await write.join({ room: 'lobby', user: ann });
        const invite = { room: 'lobby', by: ann.id, at };
        await each((n) =>
          write.createInvite({ invite: { ...invite, id: `i${n}`, digest: `d${n}`, until: timeOf(n) } }),
        );
      },
      async left() {
        const invites = await read.invites({ room: 'lobby' });
        return invites.map(({ until = 0 }) => rowAt(until));
      },
    },
    forgetMailStops: {
      async fill() {
        await arrive('ann');
        await each((n) => write.addMailStop({ id: `${n}`, user: 'ann', at: timeOf(n) }));
      },
      left: () => found((n) => read.mailStop({ id: `${n}` })),
    },
    forgetMailReplies: {
      async fill() {
        await arrive('ann');
        await each((n) => write.addMailReply({ id: `${n}`, user: 'ann', roomId: 'lobby', at: timeOf(n) }));
      },
      left: () => found((n) => read.mailReply({ id: `${n}` })),
    },
    forgetMailRejections: {
      async fill() {
        await arrive('ann');
        await each((n) => write.noteMailRejection({ id: `${n}`, user: 'ann', at: timeOf(n) }));
      },
      left: () =>
        found(async (n) => {
          const { repeated } = await write.noteMailRejection({ id: `${n}`, user: 'nobody', at });
          return repeated ? {} : null;
        }),
    },
    forgetDevices: {
      async fill() {
        await arrive('ann');
        const device = { user: 'ann', kind: 'app', sealed: 'x', at } as const;
        await each((n) => write.registerDevice({ ...device, id: `${n}`, since: timeOf(n) }));
        await write.registerDevice({ ...device, id: 'usable' });
      },
      async left() {
        const devices = await read.devices({ user: 'ann' });
        expect(devices.map(({ id }) => id)).toContain('usable');
        return devices.flatMap(({ since }) => (since === undefined ? [] : rowAt(since)));
      },
    },
    forgetHere: {
      async fill() {
        for (const user of ['a', 'b', 'c']) {
          await arrive(user);
          await write.hideHere({ user, hidden: true });
        }
        await each(async (n) => {
          await arrive(`${n}`);
          await write.noteHere({ user: `${n}`, at: timeOf(n) });
        });
      },
      async left() {
        for (const user of ['a', 'b', 'c'])
          expect(await read.lastHere({ user, asker: ann.id })).toEqual({ hidden: true });
        return found(async (n) => (await read.lastHere({ user: `${n}`, asker: ann.id })).at);
      },
    },
    forgetActive: {
      fill: () =>
        each(async (n) => {
          await arrive(`${n}`);
          await write.noteActive({ user: `${n}`, at: timeOf(n) });
        }),
      left: () => found(async (n) => (await read.notices({ user: `${n}` })).activeAt),
    },
    forgetEndedLogins: {
      fill: () => each((n) => write.endLogin({ id: `${n}`, until: timeOf(n) })),
      left: async () => (await read.endedLogins(null)).map(({ until }) => rowAt(until)),
    },
  };

  test.each(Object.keys(kinds) as (keyof typeof kinds)[])(
    'deletes at most the given number of expired rows, oldest first: %s',
    async (op) => {
      const { fill, left } = kinds[op];
      await fill();
      const ordered = async () => (await left()).sort();
      expect(await ordered()).toEqual(rows);
      const old = { before: timeOf(4), most: 3 };
      expect(await write[op](old)).toEqual({ deleted: 3 });
      expect(await ordered()).toEqual([3, 4]);
      expect(await write[op](old)).toEqual({ deleted: 1 });
      expect(await ordered()).toEqual([4]);
      expect(await write[op](old)).toEqual({ deleted: 0 });
      expect(await ordered()).toEqual([4]);
    },
  );
}
