import { sql } from '../engine/dialect.ts';
import { rows } from '../engine/work.ts';
import { type DeviceOf, type DeviceWrites, mostDevices, type StoredDevice } from '../history.ts';
import { devices, vapidKeys } from '../tables.ts';
import { aboutUser, isGone } from './notify.ts';
import type { Rule } from './rule.ts';
// The devices of users that are notified while no page is open: see `Writes`.

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
