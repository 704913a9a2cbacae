import { about, hide } from '../chat/about-person.ts';
import type { Notifying } from '../chat/chat.ts';
import { listDevices, mayRegister, removeDevice } from '../chat/devices.ts';
import { openDirect } from '../chat/direct-rooms.ts';
import { acceptInvite, createInvite, listInvites, lookAtInvite, revokeInvite } from '../chat/invites.ts';
import {
  arrange,
  deleteRoom,
  findPeople,
  invite,
  members,
  remove,
  setNotify,
  setPreviews,
  setRole,
  update,
} from '../chat/members.ts';
import { files } from '../chat/messages/messages.ts';
import { pins } from '../chat/messages/pins.ts';
import { block, blockedBy } from '../chat/moderation/blocking.ts';
import { restrict, restricted } from '../chat/moderation/restrict.ts';
import { create, created, join, leave, list, mayCreate, sync } from '../chat/rooms.ts';
import { canOf } from '../chat/summary.ts';
import { RequestError } from '../wire/errors.ts';
import { allGuests, type RequestHandlers } from './request.ts';

export const roomRequests: RequestHandlers<
  | 'room:list'
  | 'room:join'
  | 'room:sync'
  | 'room:leave'
  | 'room:create'
  | 'room:update'
  | 'room:delete'
  | 'room:invite'
  | 'room:remove'
  | 'room:role'
  | 'room:members'
  | 'room:notify'
  | 'room:arrange'
  | 'room:previews'
  | 'room:mute'
  | 'room:ban'
  | 'room:restricted'
  | 'room:files'
  | 'room:pins'
  | 'invite:create'
  | 'invite:list'
  | 'invite:revoke'
  | 'invite:look'
  | 'invite:accept'
  | 'direct:open'
  | 'user:find'
  | 'user:block'
  | 'user:blocked'
  | 'user:about'
  | 'user:hide'
  | 'device:register'
  | 'device:remove'
  | 'session:renew'
  | 'device:list'
  | 'notify:get'
  | 'notify:set'
  | 'client:active'
> = {
  'room:list': {
    guests: allGuests,
    order: 'read',
    run: async ({ chat, connection, payload }) => list(chat, connection, payload),
  },
  'room:join': {
    guests: allGuests,
    order: 'change',
    run: ({ chat, connection, room, payload }) => join(chat, connection, room, payload),
  },
  'room:sync': {
    guests: allGuests,
    order: 'read',
    run: ({ chat, connection, room, payload }) => sync(chat, connection, room, payload),
  },
  'room:leave': {
    guests: allGuests,
    order: 'change',
    run: async ({ chat, connection, room }) => leave(chat, connection, room),
  },
  'room:create': {
    order: 'change',
    allowed: ({ chat, connection, payload }) => mayCreate(chat, connection, payload.kind),
    counts: ({ members = [] }) => ({ create: 1, invite: members.length }),
    async run({ chat, connection, payload, notCounted, active }) {
      const { answer, repeated } = await create(chat, connection, payload);
      if (repeated) notCounted();
      else active();
      return answer;
    },
    probe: ({ chat, connection, payload }) => created(chat, connection, payload),
  },
  'room:update': {
    order: 'change',
    right: 'update',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, room, payload }) => update(chat, connection, room, payload),
  },
  'room:delete': {
    order: 'change',
    right: 'delete',
    run: ({ chat, connection, room }) => deleteRoom(chat, connection, room),
  },
  'room:invite': {
    order: 'change',
    right: 'invite',
    counts: ({ users }) => ({ invite: users.length }),
    run: ({ chat, connection, room, payload }) => invite(chat, connection, room, payload),
  },
  // The rights depend on who is removed: see `remove`.
  'room:remove': {
    order: 'change',
    // Each join and leave sends an event to all members.
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, room, payload }) => remove(chat, connection, room, payload),
  },
  // Needs no right, because a repeated transfer of ownership comes from a former owner: see `setRole`.
  'room:role': {
    order: 'change',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, room, payload }) => setRole(chat, connection, room, payload),
  },
  'room:members': {
    guests: allGuests,
    order: 'read',
    // A query counts as a search, even in a small room.
    counts: ({ query }) => (query === undefined ? {} : { search: 1 }),
    run: ({ chat, connection, room, payload }) => members(chat, connection, room, payload),
  },
  'room:notify': {
    guests: allGuests,
    order: 'change',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, room, payload }) => setNotify(chat, connection, room, payload),
  },
  'room:arrange': {
    order: 'change',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, room, payload }) => arrange(chat, connection, room, payload),
  },
  'room:previews': {
    order: 'change',
    right: 'send',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, room, payload }) => setPreviews(chat, connection, room, payload),
  },
  'room:mute': {
    order: 'change',
    right: 'moderate',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, room, payload }) => restrict(chat, connection, room, 'muted', payload),
  },
  'room:ban': {
    order: 'change',
    right: 'moderate',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, room, payload }) => restrict(chat, connection, room, 'banned', payload),
  },
  'room:restricted': {
    order: 'read',
    right: 'moderate',
    run: ({ chat, connection, room, payload }) => restricted(chat, connection, room, payload),
  },
  'room:files': {
    guests: allGuests,
    order: 'read',
    run: ({ chat, connection, room, payload }) => files(chat, connection, room, payload),
  },
  'room:pins': {
    guests: allGuests,
    order: 'read',
    run: ({ chat, connection, room }) => pins(chat, connection, room),
  },
  'invite:create': {
    order: 'change',
    right: 'invite',
    counts: () => ({ invite: 1 }),
    run: ({ chat, connection, room, payload }) => createInvite(chat, connection, room, payload),
  },
  'invite:list': {
    order: 'read',
    right: 'invite',
    run: ({ chat, connection, room }) => listInvites(chat, connection, room),
  },
  'invite:revoke': {
    order: 'change',
    right: 'invite',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, room, payload }) => revokeInvite(chat, connection, room, payload),
  },
  'invite:look': {
    order: 'read',
    counts: () => ({ invite: 1 }),
    run: ({ chat, connection, payload }) => lookAtInvite(chat, connection, payload),
  },
  'invite:accept': {
    order: 'change',
    counts: () => ({ invite: 1 }),
    run: ({ chat, connection, payload }) => acceptInvite(chat, connection, payload),
  },
  'direct:open': {
    order: 'change',
    allowed: ({ chat, connection }) => canOf(chat.settings, connection.identity.roles).direct,
    counts: () => ({ create: 1 }),
    async run({ chat, connection, payload, notCounted }) {
      const { answer, repeated } = await openDirect(chat, connection, payload);
      if (repeated) notCounted();
      return answer;
    },
  },
  'user:block': {
    order: 'change',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, payload }) => block(chat, connection, payload),
  },
  'user:blocked': {
    guests: allGuests,
    order: 'read',
    run: ({ chat, connection }) => blockedBy(chat, connection),
  },
  'user:about': {
    guests: allGuests,
    order: 'read',
    run: ({ chat, connection, room, payload }) => about(chat, connection, room, payload),
  },
  'user:hide': {
    order: 'change',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, payload }) => hide(chat, connection, payload),
  },
  'device:register': {
    order: 'change',
    allowed: ({ chat, payload }) => mayRegister(chat, payload),
    counts: () => ({ change: 1 }),
    async run({ chat, connection, payload }) {
      if (chat.devices === undefined) throw new RequestError('forbidden');
      return chat.devices.register(connection, payload);
    },
  },
  'session:renew': {
    order: 'change',
    run: ({ renew, payload }) => renew(payload.ticket),
  },
  'device:remove': {
    order: 'change',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, payload }) => removeDevice(chat, connection, payload),
  },
  'device:list': {
    order: 'read',
    run: ({ chat, connection }) => listDevices(chat, connection),
  },
  'notify:get': {
    order: 'read',
    allowed: ({ chat }) => chat.notify !== undefined,
    run: ({ chat, connection }) => (chat.notify as Notifying).get(connection.person.user.id),
  },
  'notify:set': {
    order: 'change',
    allowed: ({ chat }) => chat.notify !== undefined,
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, payload }) =>
      (chat.notify as Notifying).set(connection.person.user.id, payload),
  },
  'client:active': {
    order: 'change',
    // Activity is stored at most twice a minute, but each new time zone or language is stored.
    counts: ({ zone, lang }) => (zone === undefined && lang === undefined ? {} : { change: 1 }),
    async run({ chat, connection, payload }) {
      chat.notify?.acted(connection.person.user.id, payload);
      return {};
    },
  },
  'user:find': {
    order: 'read',
    allowed: ({ chat, connection }) => canOf(chat.settings, connection.identity.roles).findPeople,
    counts: () => ({ search: 1 }),
    run: ({ chat, connection, room, payload }) => findPeople(chat, connection, room, payload),
  },
};
