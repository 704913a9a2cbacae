import { isBeforeEnd } from '../erasure.ts';
import { mostDevices } from '../history.ts';
import { devices, rows, vapidKeys } from '../tables.ts';
import type { Rule } from './rule.ts';

// The devices of users that are notified while no page is open: see `Writes`.

export const registerDevice: Rule<'registerDevice'> = {
  needs: ({ id, user }) => [rows(devices, { id }), rows(devices, { user }), { what: 'erasing', user }],
  run(work, device) {
    const { id, user } = device;
    const erasure = work.erasureOf(user);
    // The stage that looks for such rows may just be over: nobody would find this one.
    if (erasure !== undefined && isBeforeEnd(erasure)) return {};
    work.find(devices, { id });
    const others = work.find(devices, { user }).filter((one) => one.id !== id);
    others.sort((a, b) => b.at - a.at || (a.id < b.id ? -1 : 1));
    for (const oldest of others.slice(mostDevices - 1)) work.remove(devices, { id: oldest.id });
    work.put(devices, device);
    return {};
  },
};

export const removeDevice: Rule<'removeDevice'> = {
  needs: ({ id }) => [rows(devices, { id })],
  run(work, { id, user }) {
    const [known] = work.find(devices, { id });
    if (known?.user === user) work.remove(devices, { id });
    return {};
  },
};

export const noteDevice: Rule<'noteDevice'> = {
  needs: ({ id }) => [rows(devices, { id })],
  run(work, { id, user, until, since }) {
    const [known] = work.find(devices, { id });
    if (known?.user !== user) return {};
    const { until: _, since: __, ...device } = known;
    work.put(devices, {
      ...device,
      ...(until === undefined ? {} : { until }),
      ...(since === undefined ? {} : { since }),
    });
    return {};
  },
};

export const forgetDevices: Rule<'forgetDevices'> = {
  needs: () => [],
  run(work, { before }) {
    work.forgetDevices(before);
    return {};
  },
};

export const addVapidKey: Rule<'addVapidKey'> = {
  needs: ({ id }) => [rows(vapidKeys, { id })],
  run(work, key) {
    work.put(vapidKeys, key);
    return {};
  },
};
