import { ask, inList, sql } from '../engine/dialect.ts';
import { findRows, type ReadsOf } from '../engine/read.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { table } from '../engine/table.ts';
import { rows } from '../engine/work.ts';
import { aboutUser, isGone } from '../erasure/erasures.ts';

/** Devices of one user. */
export const mostDevices = 10;

/** A device of a user that is notified while no page is open. It holds no address in plain text. */
export interface StoredDevice {
  /** The digest of its address at its push service: a device has one user. */
  id: string;
  user: string;
  kind: 'browser' | 'app';
  /** As the device calls itself; absent if it does not. */
  name?: string;
  /** Its address and its login, sealed by a key outside the history. */
  sealed: string;
  /** When it was registered last, in milliseconds since 1970. */
  at: number;
  /** When its login ends by itself, as far as that is known. */
  until?: number;
  /** Since when its login is expired, or a server had no key for the device. */
  since?: number;
}

/** A device of a user; with `sealed`, as it was registered then. */
type DeviceOf = Pick<StoredDevice, 'id' | 'user'> & Partial<Pick<StoredDevice, 'sealed'>>;

/** A key by which push services know this chat. */
export interface StoredVapidKey {
  /** The public key in base64url. */
  id: string;
  /** The private key, sealed by a key outside the history. */
  sealed: string;
  at: number;
}

export interface DeviceWrites {
  /**
   * A device is this user's from now on, whosever it was before. Beyond `mostDevices` the one goes that was registered
   * the longest ago. Of a user who is being erased, or was, nothing is stored.
   */
  registerDevice: { in: StoredDevice; out: Nothing };
  /** If the device is that user's; with `sealed`, if it was not registered again since. */
  removeDevice: { in: DeviceOf; out: Nothing };
  /** The known state of the login of a device; nothing if it would not be removed. */
  noteDevice: { in: DeviceOf & Pick<StoredDevice, 'until' | 'since'>; out: Nothing };
  /** Forgets devices whose login is expired since before that time. */
  forgetDevices: { in: { before: number }; out: Nothing };
  addVapidKey: { in: StoredVapidKey; out: Nothing };
}

export interface DeviceReads {
  /** The users among these who have devices that are notified while no page is open. */
  withDevices: { in: { users: readonly string[] }; out: string[] };
  /** The devices of a user, the last one registered first. */
  devices: { in: { user: string }; out: StoredDevice[] };
  /** The oldest first. */
  vapidKeys: { in: null; out: StoredVapidKey[] };
}

/** The devices of users that are notified while no page is open. */
export const devices = table<StoredDevice>(
  'chat_devices',
  ['id'],
  {
    id: 'id',
    user: 'user_id',
    kind: 'kind',
    name: 'name',
    sealed: 'sealed',
    at: 'at',
    until: 'until',
    since: 'since',
  },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The keys by which push services know this chat. */
export const vapidKeys = table<StoredVapidKey>('chat_vapid_keys', ['id'], {
  id: 'id',
  sealed: 'sealed',
  at: 'at',
});

export const registerDevice: Rule<DeviceWrites['registerDevice']> = {
  needs: ({ id, user }) => [rows(devices, { id }), rows(devices, { user }), ...aboutUser(user)],
  run(work, device) {
    const { id, user } = device;
    work.find(devices, { id });
    if (isGone(work, user)) return {};
    const others = work.find(devices, { user }).filter((one) => one.id !== id);
    others.sort((a, b) => b.at - a.at || (a.id < b.id ? -1 : 1));
    for (const oldest of others.slice(mostDevices - 1)) work.remove(devices, { id: oldest.id });
    work.put(devices, device);
    return {};
  },
};

const isSame = (known: StoredDevice | undefined, { user, sealed = known?.sealed }: DeviceOf) =>
  known?.user === user && known.sealed === sealed;

export const removeDevice: Rule<DeviceWrites['removeDevice']> = {
  needs: ({ id }) => [rows(devices, { id })],
  run(work, device) {
    const { id } = device;
    const [known] = work.find(devices, { id });
    if (isSame(known, device)) work.remove(devices, { id });
    return {};
  },
};

export const noteDevice: Rule<DeviceWrites['noteDevice']> = {
  needs: ({ id }) => [rows(devices, { id })],
  run(work, { until, since, ...device }) {
    const [known] = work.find(devices, { id: device.id });
    if (known === undefined || !isSame(known, device)) return {};
    const { until: _, since: __, ...rest } = known;
    work.put(devices, {
      ...rest,
      ...(until === undefined ? {} : { until }),
      ...(since === undefined ? {} : { since }),
    });
    return {};
  },
};

export const forgetDevices: Rule<DeviceWrites['forgetDevices']> = {
  needs: () => [],
  run(work, { before }) {
    work.later(() => sql`DELETE FROM chat_devices WHERE since < ${before}`);
    return {};
  },
};

export const addVapidKey: Rule<DeviceWrites['addVapidKey']> = {
  needs: ({ id }) => [rows(vapidKeys, { id })],
  run(work, key) {
    work.put(vapidKeys, key);
    return {};
  },
};

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
