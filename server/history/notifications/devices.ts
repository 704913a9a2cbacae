import { ask, inList, sql } from '../engine/dialect.ts';
import { expiryOf, type Forget, forgetting } from '../engine/expired-rows.ts';
import { findRows, type ReadsOf } from '../engine/read.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { table } from '../engine/table.ts';
import { rows } from '../engine/work.ts';
import { aboutUser, isGone } from '../rows/erasures.ts';

/** Maximum number of devices of a user. */
export const mostDevices = 10;

/** A browser or app that receives push notifications for a user. Its address is stored encrypted only. */
export interface StoredDevice {
  /** The digest of the device's address at its push service. A device therefore belongs to one user only. */
  id: string;
  user: string;
  kind: 'browser' | 'app';
  /** The name that the device gave itself, if any. */
  name?: string;
  /** The device's address and the credentials of its login, encrypted with a key that is stored outside the history. */
  sealed: string;
  /** When the device was last registered, as Unix ms. */
  at: number;
  /** When the login expires, as Unix ms; absent if unknown. */
  until?: number;
  /** When a check first found that the login has expired or that no key decrypts `sealed`, as Unix ms. */
  since?: number;
}

/** Identifies a device of a user and, with `sealed`, one registration of it. */
type DeviceOf = Pick<StoredDevice, 'id' | 'user'> & Partial<Pick<StoredDevice, 'sealed'>>;

/** A VAPID key, which identifies this chat to push services. */
export interface StoredVapidKey {
  /** The public key in base64url. */
  id: string;
  /** The private key, encrypted with a key that is stored outside the history. */
  sealed: string;
  at: number;
}

export interface DeviceWrites {
  /**
   * Registers a device for a user. A device of another user changes its owner. Beyond `mostDevices`, removes the user's
   * devices with the oldest registration. No-op for a user who is unknown or being erased.
   */
  registerDevice: { in: StoredDevice; out: Nothing };
  /** Removes a device. No-op if it belongs to another user or, with `sealed`, was registered again since. */
  removeDevice: { in: DeviceOf; out: Nothing };
  /** Replaces `until` and `since` of a device. No-op under the same conditions as `removeDevice`. */
  noteDevice: { in: DeviceOf & Pick<StoredDevice, 'until' | 'since'>; out: Nothing };
  /** Deletes devices with `since` < `before`. */
  forgetDevices: Forget;
  addVapidKey: { in: StoredVapidKey; out: Nothing };
}

export interface DeviceReads {
  /** Returns the users among `users` who have devices. */
  withDevices: { in: { users: readonly string[] }; out: string[] };
  /** Returns the devices of a user, latest registration first. */
  devices: { in: { user: string }; out: StoredDevice[] };
  /** Returns all keys, oldest first. */
  vapidKeys: { in: null; out: StoredVapidKey[] };
}

/** The devices that receive push notifications. */
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

/** The VAPID keys of this chat. */
export const vapidKeys = table<StoredVapidKey>('chat_vapid_keys', ['id'], {
  id: 'id',
  sealed: 'sealed',
  at: 'at',
});

const registerDevice: Rule<DeviceWrites['registerDevice']> = {
  needs: ({ id, user }) => [rows(devices, { id }), rows(devices, { user }), ...aboutUser(user)],
  run(work, device) {
    const { id, user } = device;
    work.find(devices, { id });
    if (isGone(work, user)) return {};
    const otherDevices = work.find(devices, { user }).filter((other) => other.id !== id);
    otherDevices.sort((a, b) => b.at - a.at || (a.id < b.id ? -1 : 1));
    for (const oldest of otherDevices.slice(mostDevices - 1)) work.remove(devices, { id: oldest.id });
    work.put(devices, device);
    return {};
  },
};

const isSameDevice = (stored: StoredDevice | undefined, { user, sealed = stored?.sealed }: DeviceOf) =>
  stored?.user === user && stored.sealed === sealed;

const removeDevice: Rule<DeviceWrites['removeDevice']> = {
  needs: ({ id }) => [rows(devices, { id })],
  run(work, device) {
    const { id } = device;
    const [stored] = work.find(devices, { id });
    if (isSameDevice(stored, device)) work.remove(devices, { id });
    return {};
  },
};

const noteDevice: Rule<DeviceWrites['noteDevice']> = {
  needs: ({ id }) => [rows(devices, { id })],
  run(work, { until, since, ...device }) {
    const [stored] = work.find(devices, { id: device.id });
    if (stored === undefined || !isSameDevice(stored, device)) return {};
    const { until: _until, since: _since, ...fields } = stored;
    work.put(devices, {
      ...fields,
      until,
      since,
    });
    return {};
  },
};

const forgetDevices = forgetting(expiryOf(devices, 'since'));

const addVapidKey: Rule<DeviceWrites['addVapidKey']> = {
  needs: ({ id }) => [rows(vapidKeys, { id })],
  run(work, key) {
    work.put(vapidKeys, key);
    return {};
  },
};

const reads: ReadsOf<DeviceReads> = {
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

export const deviceSubject = subject<DeviceWrites, DeviceReads>({
  tables: [devices, vapidKeys],
  rules: { registerDevice, removeDevice, noteDevice, forgetDevices, addVapidKey },
  reads,
});
