import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Chat, openChat } from '../../../server/chat/chat.ts';
import { deleteMessage } from '../../../server/chat/messages.ts';
import type { History } from '../../../server/history/history.ts';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { historyFolder } from '../../helpers/chat-server.ts';

const folder = historyFolder();
const at = 1_700_000_000_000;
let history: History;
let chat: Chat;
let readsFail = false;

beforeAll(async () => {
  const fail = (error: Error) => {
    throw error;
  };
  const stored = await openSqliteHistory({ path: folder.path, onFailure: fail });
  history = {
    ...stored,
    read: (query, input) =>
      readsFail ? Promise.reject(new Error('the disk is gone')) : stored.read(query, input),
  };
  const ignore = () => {};
  chat = await openChat({
    history,
    publisher: { toRoom: ignore, toConnections: ignore, join: ignore, leave: ignore },
    settings: { createRooms: 'all', direct: true, findPeople: 'rooms' },
    limits: { text: 4000, members: 0, roomsOfUser: 0 },
    rooms: [],
    kick: () => 0,
    onSweepFailure: fail,
  });
});
afterAll(async () => {
  chat.close();
  await history.close();
  folder.remove();
});

test('a deletion that is done is not refused because nothing could be read for the author’s notice', async () => {
  const owner = { id: 'owner', name: 'Owner' };
  const author = { id: 'author', name: 'Author' };
  const room = 'den';
  const create = { id: room, kind: 'private', name: 'Den', by: owner, clientId: 'c', most: 0, at } as const;
  await history.write('createRoom', create);
  await history.write('addMembers', { room, users: [author], source: 'people', mayReturn: true, at });
  const said = { room, clientId: 'm', user: author, text: 'rude', sentAt: at, asMember: true };
  const { message } = await history.write('send', said);
  const connection = await chat.directory.connect('c1', { ...owner, roles: [], rooms: [] });
  const found = chat.directory.room(room);
  if (found === undefined) throw new Error('the room is not in memory');
  history.onChange((change) => {
    if (change.type === 'message' && change.is === 'changed') readsFail = true;
  });
  const answer = await deleteMessage(chat, connection, found, { room, seq: message.seq, reason: 'rude' });
  expect(answer.message.deletedBy).toBe('moderator');
  expect(readsFail).toBe(true);
});
