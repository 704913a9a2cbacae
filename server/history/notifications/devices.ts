import { ask, inList, sql } from '../engine/dialect.ts';
import { findRows, type ReadsOf } from '../engine/read.ts';
import { type DeviceReads, mostDevices } from '../history.ts';
import { devices, vapidKeys } from '../tables.ts';

export const deviceReads: ReadsOf<DeviceReads> = {
  devices: (_, { user }) =>
    findRows(devices, sql`WHERE user_id = ${user} ORDER BY at DESC, id LIMIT ${mostDevices}`),
  *withDevices({ dialect }, { users }) {
    if (users.length === 0) return [];
    const rows = yield* ask(
      sql`SELECT DISTINCT user_id FROM chat_devices WHERE ${inList(dialect, 'user_id', users)}`,
    );
    return rows.map(({ user_id }) => user_id as string);
  },
  vapidKeys: () => findRows(vapidKeys, sql`ORDER BY at, id`),
};
