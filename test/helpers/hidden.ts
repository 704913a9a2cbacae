import type { RequestName } from '../../server/wire/events.ts';
import { size } from '../guarantees/size.ts';
import { emptyHistory } from './chat-server.ts';
import { mariadbDatabase, postgresDatabase } from './history-database.ts';
import { startMariadb } from './mariadb.ts';
import { startPostgres } from './postgres.ts';

type Started = () => Promise<{
  env: NodeJS.ProcessEnv;
  close(): Promise<unknown>;
  /** Runs the maintenance that the database does automatically after many writes. The tests turn that off. */
  tidy(): Promise<unknown>;
}>;
const sqlite: Started = async () => {
  const { url, files, remove } = await emptyHistory();
  return { env: { CHAT_HISTORY: url, CHAT_FILES: files }, close: async () => remove(), tidy: async () => {} };
};

/** The settings of a chat server with a history in each database. */
export const databases = size<Record<string, Started>>(
  {
    SQLite: sqlite,
    PostgreSQL: async () => {
      const server = await startPostgres();
      const database = await postgresDatabase(server);
      const close = async () => {
        await database.close();
        await server.remove();
      };
      return {
        env: { CHAT_HISTORY: database.url },
        close,
        tidy: () => database.query('VACUUM (ANALYZE)'),
      };
    },
    MariaDB: async () => {
      const server = await startMariadb();
      const database = await mariadbDatabase(server);
      const close = async () => {
        await database.close();
        await server.remove();
      };
      return { env: { CHAT_HISTORY: database.url }, close, tidy: async () => {} };
    },
  },
  { SQLite: sqlite },
);

/** Returns the requests that read without naming a room, and those on a room that the user has joined. */
export const readsOf = (room: string): readonly (readonly [RequestName, object])[] => [
  ['room:list', { limit: 1 }],
  ['room:list', { limit: 1, query: 'den' }],
  ['room:list', { member: false, limit: 1 }],
  ['room:list', { member: false, query: 'e' }],
  ['room:join', { room }],
  ['room:join', { room, since: 1 }],
  ['room:sync', { room, since: 0, limit: 1 }],
  ['room:members', { room, limit: 1 }],
  ['room:members', { room, query: 'name' }],
  ['room:members', { room, present: true }],
  ['room:restricted', { room }],
  ['invite:list', { room }],
  ['invite:look', { token: 'none' }],
  ['invite:accept', { token: 'none' }],
  ['user:find', { query: 'name' }],
  ['user:find', { query: 'name', room }],
  ['user:blocked', {}],
  ['user:about', { room, user: 'nobody' }],
  ['user:hide', { hidden: false }],
  ['notify:get', {}],
  ['notify:set', {}],
  ['client:active', {}],
  ['device:list', {}],
  ['device:register', { token: 'none' }],
  ['device:remove', { id: 'none' }],
  ['message:history', { room, limit: 1 }],
  ['message:history', { room, after: 0, limit: 1 }],
  ['message:reactions', { room, seq: 1, emoji: '👍' }],
  ['message:seen', { room, seq: 1 }],
  ['thread:get', { room, thread: 1 }],
  ['room:pins', { room }],
  ['room:files', { room, what: 'links' }],
  ['message:search', { query: 'code', limit: 1 }],
  ['message:search', { query: 'code', room, limit: 1 }],
  ['message:search', { query: 'code is 7', limit: 1 }],
  ['message:search', { query: 'o', limit: 50 }],
  ['message:search', { has: 'links', limit: 1 }],
  ['message:search', { has: 'links', room }],
  ['message:search', { from: 'nobody', query: 'code' }],
  ['message:search', { sentFrom: 0, limit: 1 }],
  ['report:list', { limit: 1 }],
  ['moderate:people', { limit: 1 }],
  ['moderate:person', { user: 'nobody' }],
  ['moderate:ban', { user: 'nobody' }],
  ['moderate:erase', { user: 'nobody', name: 'nobody' }],
  ['moderate:acts', { limit: 1 }],
  ['moderate:overview', {}],
  ['moderate:rooms', { rooms: [room, 'nowhere'] }],
  ['held:list', {}],
  ['held:list', { mine: true }],
  ['held:approve', { id: 'none' }],
  ['held:reject', { id: 'none' }],
  ['held:discard', { id: 'none' }],
  ['scheduled:list', {}],
  ['scheduled:edit', { id: 'none' }],
  ['scheduled:send', { id: 'none' }],
  ['scheduled:delete', { id: 'none' }],
  ['reminder:list', {}],
  ['reminder:delete', { id: 'none' }],
  ['question:about', {}],
  ['question:ask', { text: 'x', clientId: 'q' }],
  ['question:address', { mail: null }],
  ['question:claim', { guest: 'x'.repeat(43) }],
  ['question:list', { which: 'all' }],
  ['question:open', { question: room }],
  ['question:take', { question: room }],
  ['question:hand', { question: room, to: 'nobody' }],
  ['question:close', { question: room }],
  ['question:note', { question: room, text: 'x', clientId: 'n' }],
  ['question:unnote', { question: room, id: 'none' }],
  ['question:snippets', {}],
  ['question:snippet', { name: 'x', text: 'x' }],
  ['read:mark', { room, seq: 1 }],
];
