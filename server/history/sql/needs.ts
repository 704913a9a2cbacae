import { everybody, type NewMention, type Writes } from '../history.ts';
import { pairOf } from '../rules.ts';
import { nameKey } from '../text-keys.ts';
import type { Need } from './work.ts';

/**
 * The data that each rule needs, as far as its input says, so that a transaction loads it for all of its operations
 * at once. Data that is missing here is still found, at the cost of a statement and another run of the rule.
 */
const needs: { [Op in keyof Writes]: (input: Writes[Op]['in']) => Need[] } = {
  send: ({ room, user, clientId, files, mentions }) => [
    { what: 'member', room, user: user.id },
    { what: 'clientId', room, user: user.id, clientId },
    { what: 'user', id: user.id },
    ...filesNamed(files),
    ...mentioned(room, mentions),
  ],
  edit: ({ room, seq, user, files, mentions }) => [
    { what: 'member', room, user },
    { what: 'message', room, seq },
    ...filesNamed(files),
    ...mentioned(room, mentions),
  ],
  delete: ({ room, seq, user }) => [
    { what: 'member', room, user },
    { what: 'message', room, seq },
  ],
  react: ({ room, seq, reactions }) => [
    { what: 'message', room, seq },
    ...reactions.flatMap(({ user, emoji }): Need[] => [
      { what: 'member', room, user },
      { what: 'reaction', room, seq, emoji, user },
    ]),
  ],
  addFile: ({ room, user }) => [
    { what: 'room', id: room },
    { what: 'erasing', user },
  ],
  dropFiles: ({ before, most }) => [{ what: 'doomedFiles', before, most }],
  forgetFiles: () => [],
  publicRooms: ({ rooms }) => rooms.map(({ id }) => ({ what: 'room', id })),
  createRoom: ({ id, kind, name, by, clientId, most }) => [
    { what: 'room', id },
    { what: 'maker', user: by.id, clientId },
    { what: 'user', id: by.id },
    ...named(kind, name),
    ...(most > 0 ? [{ what: 'madeBy', user: by.id } as const] : []),
  ],
  putRoom: ({ id, kind, name }) => [{ what: 'lastMessage', room: id }, ...named(kind, name)],
  updateRoom: ({ room }) => [{ what: 'lastMessage', room }],
  deleteRoom: ({ room }) => [{ what: 'lastMessage', room }],
  expire: ({ room }) => [{ what: 'lastMessage', room }],
  deleteEmptyRooms: ({ before, most }) => [{ what: 'emptyRooms', before, most }],
  openDirect: ({ id, by, other }) => [
    { what: 'pair', pair: pairOf(by.id, other) },
    { what: 'blocked', user: other, other: by.id },
    { what: 'room', id },
    { what: 'user', id: by.id },
  ],
  addMembers: ({ room, users, by }) => [
    { what: 'lastMessage', room },
    ...people(room, users.map(idOf)),
    ...(by === undefined ? [] : users.map(({ id }): Need => ({ what: 'blocked', user: id, other: by }))),
  ],
  join: ({ room, user }) => [{ what: 'lastMessage', room }, ...people(room, [user.id])],
  removeMembers: ({ room, users }) => [{ what: 'lastMessage', room }, ...people(room, users)],
  restrict: ({ room, user }) => [{ what: 'lastMessage', room }, ...people(room, [user])],
  report: ({ room, seq, by }) => [
    { what: 'lastMessage', room },
    { what: 'message', room, seq },
    { what: 'member', room, user: by },
    { what: 'reportOf', room, seq, user: by },
  ],
  closeReport: ({ room, id }) => [
    { what: 'lastMessage', room },
    { what: 'report', room, id },
  ],
  endRestrictions: ({ before, most }) => [{ what: 'endedRestrictions', before, most }],
  setRole: ({ room, user }) => [
    { what: 'lastMessage', room },
    { what: 'owner', room },
    ...people(room, [user]),
  ],
  setNotify: ({ room, user }) => [{ what: 'lastMessage', room }, ...people(room, [user])],
  markRead: ({ room, user }) => [{ what: 'member', room, user }],
  arrive: ({ user, rooms }) => [
    { what: 'user', id: user.id },
    ...(rooms === undefined ? [] : [{ what: 'sessionRooms', user: user.id } as const]),
    ...(rooms ?? []).flatMap(({ id }): Need[] => [
      { what: 'lastMessage', room: id },
      { what: 'member', room: id, user: user.id },
    ]),
  ],
  setBan: () => [],
  block: ({ user, other, blocked }) => [
    { what: 'blocked', user, other },
    ...(blocked ? [{ what: 'countBlocked', user } as const] : []),
  ],
  erase: ({ user }) => [{ what: 'erasureOf', user }],
  eraseStep: ({ by, at }) => [{ what: 'openErasure', by, at }],
  consume: (input) => [{ what: 'consumer', input }],
  tell: () => [],
};

export function needsOf(op: keyof Writes, input: unknown): Need[] {
  // The map pairs each operation with its input; TypeScript cannot follow that.
  return needs[op as 'send'](input as never);
}

const idOf = ({ id }: { id: string }) => id;

const filesNamed = (files: readonly { id: string }[] = []): Need[] =>
  files.map(({ id }) => ({ what: 'file', id }));

const mentioned = (room: string, mentions: readonly NewMention[] = []): Need[] =>
  people(
    room,
    mentions.map(({ user }) => user).filter((user) => user !== everybody),
  );

const named = (kind: string, name: string): Need[] =>
  kind === 'public' ? [{ what: 'publicName', key: nameKey(name) }] : [];

const people = (room: string, users: readonly string[]): Need[] =>
  users.flatMap((user) => [
    { what: 'member', room, user },
    { what: 'user', id: user },
  ]);
