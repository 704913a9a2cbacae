import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { size } from '../guarantees/size.ts';
import { cardsContract } from './history-cards.ts';
import { contentContract } from './history-content.ts';
import { devicesContract } from './history-devices.ts';
import { erasureContract } from './history-erasure.ts';
import { expiryContract } from './history-expiry.ts';
import { filesContract } from './history-files.ts';
import { invitesContract } from './history-invites.ts';
import { laterContract } from './history-later.ts';
import { logContract } from './history-log.ts';
import { membersContract } from './history-members.ts';
import { mentionsContract } from './history-mentions.ts';
import { messagesContract } from './history-messages.ts';
import { moderationContract } from './history-moderation.ts';
import { moderatorsContract } from './history-moderators.ts';
import { notifyContract } from './history-notify.ts';
import { pendingContract } from './history-pending.ts';
import { pollsContract } from './history-polls.ts';
import { previewsContract } from './history-previews.ts';
import { questionsContract } from './history-questions.ts';
import { reactionsContract } from './history-reactions.ts';
import { roomsContract } from './history-rooms.ts';
import { searchContract } from './history-search.ts';
import {
  actionsOf,
  ann,
  at,
  ben,
  callsOf,
  expectRefusal,
  message,
  type TestedHistory,
} from './history-tested.ts';
import { threadsContract } from './history-threads.ts';
import { webhooksContract } from './history-webhooks.ts';

/** Tests every history. @param open opens a history, which `empty` empties between the tests */
export function historyContract(name: string, open: () => Promise<TestedHistory>) {
  describe(`the history contract: ${name}`, () => contract(open));
}

function contract(open: () => Promise<TestedHistory>) {
  let tested: TestedHistory;
  const now = () => tested;
  const { write, read } = callsOf(now);
  const { send, create, addPeople, join } = actionsOf(now);

  beforeAll(async () => {
    tested = await open();
  });
  beforeEach(async () => {
    await tested.empty();
    const rooms = [
      { id: 'lobby', name: 'lobby' },
      { id: 'garden', name: 'Garden' },
    ];
    await write.publicRooms({ rooms, at });
    tested.changes.length = 0;
  });
  afterAll(() => tested.close());

  describe('messages', () => {
    messagesContract(now);
  });

  describe('reactions', () => {
    reactionsContract(now);
  });

  describe('files', () => {
    filesContract(now);
  });

  describe('mentions', () => {
    mentionsContract(now);
  });

  describe('rooms', () => {
    roomsContract(now);
  });

  describe('members', () => {
    membersContract(now);
  });

  test('dispatches a node message in order with the other changes of its batch', async () => {
    const nodeMessage = { from: 'one', what: { is: 'beat' } };
    await Promise.all([send(message()), write.broadcast(nodeMessage), send(message())]);
    const relevant = tested.changes.filter(({ type }) => type === 'broadcast' || type === 'message');
    expect(relevant.map(({ type }) => type)).toEqual(['message', 'broadcast', 'message']);
    expect(relevant[1]).toEqual({ type: 'broadcast', ...nodeMessage });
    await write.broadcast(nodeMessage);
    expect(tested.changes.at(-1)).toEqual({ type: 'broadcast', ...nodeMessage });
  });

  test('replaces the name of an unknown user in a node message with the ID', async () => {
    await write.join({ room: 'lobby', user: ann });
    const users = [ann.id, 'erased'].map((id) => [id, { name: 'Ann', rooms: ['lobby'] }]);
    await write.broadcast({ from: 'one', what: { is: 'here', users: [...users, ['ben', null]] } });
    const named = [users[0], ['erased', { name: 'erased', rooms: ['lobby'] }], ['ben', null]];
    expect(tested.changes.at(-1)).toEqual({
      type: 'broadcast',
      from: 'one',
      what: { is: 'here', users: named },
    });
    // A user being erased is renamed here, because the erasure may already have scanned the log.
    await write.erase({ user: ann.id });
    await write.broadcast({ from: 'one', what: { is: 'here', users: [users[0] as [string, object]] } });
    const erased = [ann.id, { name: ann.id, rooms: ['lobby'] }];
    expect(tested.changes.at(-1)).toEqual({
      type: 'broadcast',
      from: 'one',
      what: { is: 'here', users: [erased] },
    });
  });

  test('dispatches earlier changes before a read resolves', async () => {
    const lost = new Set<string>();
    tested.history.onChange((change) => {
      if (change.type === 'member' && change.now.sources === 0) lost.add(change.room.id);
    });
    await join(ann);
    let early = 0;
    for (let round = 0; round < size(20, 4); round++) {
      const { id: room } = await create();
      await addPeople(room, [ben.id]);
      const { seq } = await send(message({ room, asMember: false }));
      let isDone = false;
      const reading = async (read: () => Promise<{ messages: readonly { text: string }[] }>) => {
        while (!isDone) {
          const { messages } = await read();
          if (messages.some(({ text }) => text === 'a secret') && !lost.has(room)) early++;
        }
      };
      const readings = [
        reading(() => read.after({ room, after: 0, upTo: seq, limit: 1 })),
        reading(() => read.search({ query: 'secret', rooms: [room], everyPublic: false, limit: 1 })),
      ];
      await read.room({ room });
      await Promise.all([
        // These messages make the transaction long.
        ...Array.from({ length: 200 }, () => send(message({ text: 'x'.repeat(2000), asMember: false }))),
        write.removeMembers({ room, users: [ben.id] }),
        write.edit({ room, seq, user: ann.id, text: 'a secret' }),
      ]);
      isDone = true;
      await Promise.all(readings);
    }
    expect(early).toBe(0);
  });

  describe('moderation, threads and invites', () => {
    invitesContract(now);
    previewsContract(now);
    pollsContract(now);
    cardsContract(now);
    contentContract(now);
    threadsContract(now);
    moderationContract(now);
    pendingContract(now);
    laterContract(now);
    devicesContract(now);
  });

  describe('questions', () => {
    questionsContract(now);
  });

  describe('events for the site', () => {
    webhooksContract(now);
  });

  describe('the moderators’ page', () => {
    moderatorsContract(now);
  });

  describe('notify', () => {
    notifyContract(now);
  });

  describe('erasure', () => {
    erasureContract(now);
  });

  describe('expiry', () => {
    expiryContract(now);
  });

  describe('the change log', () => {
    logContract(now);
  });

  describe('search', () => {
    searchContract(now);
  });

  test('finishes pending requests on close and rejects new ones', async () => {
    const sends = Array.from({ length: 100 }, () => send(message()));
    await tested.history.close();
    await Promise.all(sends);
    await expectRefusal(send(message()), 'storage_unavailable');
    await expectRefusal(read.bans(null), 'storage_unavailable');
  });
}
