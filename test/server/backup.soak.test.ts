import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setInterval as every } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { openHistory, readHistoryPlace } from '../../server/history/open.ts';
import { newClientId } from '../helpers/chat-client.ts';
import { historyFolder, startChatServer } from '../helpers/chat-server.ts';
import { startChild } from '../helpers/child.ts';
import { type HistoryDatabase, mariadbDatabase, postgresDatabase } from '../helpers/history-database.ts';
import { startMariadb } from '../helpers/mariadb.ts';
import { startPeopleSite } from '../helpers/people.ts';
import { startPostgres } from '../helpers/postgres.ts';

const root = new URL('../..', import.meta.url).pathname;
/** 500 messages a second, by ten people. */
const [pace, people] = [20, 10];
const texts = ['hello', 'two\nlines', 'a\ttab \\ and \\N', `'quotes" and ; ?`, '🌱 ü', 'long '.repeat(200)];

interface Sent {
  id: string;
  seq: number;
  user: { id: string };
  text: string;
  clientId: string;
}

/** The places of two histories of one kind. */
async function places(kind: string): Promise<[string, string]> {
  if (kind === 'SQLite') {
    const kept = [historyFolder(), historyFolder()] as const;
    onTestFinished(() => kept.forEach((one) => void one.remove()));
    return [kept[0].url, kept[1].url];
  }
  let database: () => Promise<HistoryDatabase>;
  if (kind === 'PostgreSQL') {
    const server = await startPostgres();
    onTestFinished(() => server.remove());
    database = () => postgresDatabase(server);
  } else {
    const server = await startMariadb();
    onTestFinished(() => server.remove());
    database = () => mariadbDatabase(server);
  }
  const made = [await database(), await database()] as const;
  onTestFinished(async () => void (await Promise.all(made.map((one) => one.close()))));
  return [made[0].url, made[1].url];
}

test.each(['SQLite', 'PostgreSQL', 'MariaDB'])(
  'a backup in %s under 500 messages a second, restored: each message that was acknowledged before it began is there as it was, and none is torn',
  async (kind) => {
    const [from, to] = await places(kind);
    const folder = mkdtempSync(join(tmpdir(), 'backup-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const site = await startPeopleSite({ CHAT_HISTORY: from }, startChatServer);
    onTestFinished(() => site.close());
    const senders = await Promise.all(Array.from({ length: people }, () => site.person()));
    for (const one of senders) await one.request('room:join', { room: 'lobby' });
    const acknowledged: Sent[] = [];
    const sending = new Set<Promise<unknown>>();
    const stop = new AbortController();
    const paced = (async () => {
      for await (const _ of every(pace, undefined, { signal: stop.signal })) {
        for (const one of senders) {
          const text = `${acknowledged.length} ${texts[acknowledged.length % texts.length]}`;
          const sent = one
            .request('message:send', { room: 'lobby', text, clientId: newClientId() })
            .then(({ message }) => void acknowledged.push(message as Sent))
            .finally(() => sending.delete(sent));
          sending.add(sent);
        }
      }
    })().catch(() => {});
    await expect.poll(() => acknowledged.length, { timeout: 120_000 }).toBeGreaterThan(5000);

    const file = join(folder, 'chat.tar');
    const command = async (name: string, url: string) => {
      const args = [name, file, ...(name === 'restore' ? ['--yes'] : []), '--without-files', '--settings='];
      const child = startChild(process.execPath, ['server/command/main.ts', ...args], {
        cwd: root,
        env: { PATH: process.env.PATH, CHAT_SESSION_STORE: site.memcached.url, CHAT_HISTORY: url },
      });
      const code = await new Promise<number>((resolve) => child.process.on('close', resolve));
      expect([code, child.output()]).toEqual([0, expect.stringMatching(/^✓ /)]);
    };
    const before = [...acknowledged];
    await command('backup', from);
    expect(acknowledged.length).toBeGreaterThan(before.length);
    stop.abort();
    await paced;
    await Promise.all(sending);
    await command('restore', to);

    const place = readHistoryPlace(to);
    const history = await openHistory(place as NonNullable<typeof place>, {
      onFailure(error) {
        throw error;
      },
    });
    onTestFinished(() => history.close());
    const restored = new Map<number, Sent>();
    for (let after = 0; ; after += 500) {
      const { messages } = await history.read.after({ room: 'lobby', after, upTo: 10 ** 9, limit: 500 });
      if (messages.length === 0) break;
      for (const message of messages) restored.set(message.seq, message as unknown as Sent);
    }
    const shown = (message: Sent | undefined) =>
      message && [message.id, message.seq, message.user.id, message.text, message.clientId];
    expect(before.filter((one) => `${shown(restored.get(one.seq))}` !== `${shown(one)}`)).toEqual([]);
    // Messages that came while it was made are whole, too, and leave no gap.
    const all = new Map(acknowledged.map((one) => [one.seq, one]));
    expect([...restored.values()].filter((one) => `${shown(all.get(one.seq))}` !== `${shown(one)}`)).toEqual(
      [],
    );
    expect([...restored.keys()].sort((a, b) => a - b)).toEqual([...restored.keys()].map((_, n) => n + 1));
  },
  600_000,
);
