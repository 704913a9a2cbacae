import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type ChatClient, connectChat } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import { usual } from '../../helpers/chat-server.ts';
import { ownPort } from '../../helpers/child.ts';
import { doctorRun } from '../../helpers/doctor-says.ts';
import { postgresDatabase } from '../../helpers/history-database.ts';
import { startPostgres } from '../../helpers/postgres.ts';
import { smallDisk } from '../../helpers/small-disk.ts';

const megabyte = 1024 * 1024;

const send = (client: ChatClient) =>
  client
    .request('message:send', { room: 'lobby', clientId: crypto.randomUUID(), text: 'x'.repeat(4000) })
    .then(
      () => 'sent',
      ({ message }: Error) => message,
    );

/** Returns a folder with the session of a user, and the cookie. */
function oneSession() {
  const folder = mkdtempSync(join(tmpdir(), 'disk-full-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const session = 'a'.repeat(26);
  writeFileSync(join(folder, `sess_${session}`), 'user_id|i:7;firstname|s:3:"Ann";');
  return { store: `file://${folder}`, cookie: `PHPSESSID=${session}` };
}

const readinessOf = async (url: string) => (await fetch(`${url}/readyz`)).json();

test('a full disk is reported by the doctor and /readyz until there is space again, without a restart', async () => {
  const { store, cookie } = oneSession();
  const env = {
    ...usual,
    CHAT_PORT: String(await ownPort()),
    CHAT_SESSION_STORE: store,
    CHAT_FILES: 'off',
    CHAT_ADMINS: '7',
  };
  const disk = await smallDisk(8 * megabyte, env);
  onTestFinished(async () => void (await disk.remove()));
  const server = await disk.start();
  const readiness = () => readinessOf(server.url);
  const doctor = () => doctorRun({ ...env, CHAT_HISTORY: `sqlite:${disk.path}` });
  const client = await connectChat(server.url, cookie);
  await client.request('room:join', { room: 'lobby' });
  expect(await send(client)).toBe('sent');
  expect(await readiness()).toEqual({ status: 'ready' });
  expect(await client.request('moderate:overview', {})).not.toHaveProperty('missing');

  disk.fill();
  // Before a message fails.
  expect(await readiness()).toEqual({ status: 'not ready', missing: ['disk space'] });
  expect(await client.request('moderate:overview', {})).toMatchObject({ missing: ['disk space'] });
  let outcome = await send(client);
  for (let n = 0; n < 1000 && outcome === 'sent'; n++) outcome = await send(client);
  expect(outcome).toBe('storage_full');
  expect(await readiness()).toEqual({ status: 'not ready', missing: ['disk space'] });
  await server.until(/"missing":\["disk space"\],"msg":"session store or history not responding/);
  const full = await doctor();
  expect(full.output).toMatch(
    /^✗ The disk of the history, \/mnt, is full: no messages can be sent: .*\n {2}→ Enlarge the disk/m,
  );
  expect(full.code).toBe(1);

  disk.free();
  expect(await readiness()).toEqual({ status: 'ready' });
  expect((await doctor()).output).not.toMatch(/^✗/m);
  expect(await send(client)).toBe('sent');
  client.close();
  await server.stop();

  disk.fill();
  const stopped = await doctor();
  expect(stopped.output).toMatch(/^✗ The disk of the history, \S+, is full\./m);
  expect(stopped.output).not.toContain('✓ The history');
});

test('/readyz reports a full disk of a database until the database stores messages again', async () => {
  const database = await startPostgres();
  const { url, query, close } = await postgresDatabase(database);
  const { store, cookie } = oneSession();
  const server = await chatServerHere({ ...usual, CHAT_SESSION_STORE: store, CHAT_HISTORY: url });
  onTestFinished(async () => {
    await server.stop();
    await close();
    await database.remove();
  });
  const client = await connectChat(server.url, cookie);
  await client.request('room:join', { room: 'lobby' });
  // Rejects rows as a full disk does, and writes that change nothing work.
  await query(`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$`);
  const tables = ['chat_messages', 'chat_vapid_keys'];
  for (const table of tables)
    await query(
      `CREATE TRIGGER full_disk BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION full_disk()`,
    );
  expect(await send(client)).toBe('storage_full');
  const full = { status: 'not ready', missing: ['disk space'] };
  expect(await readinessOf(server.url)).toEqual(full);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
  onTestFinished(() => void vi.useRealTimers());
  expect(await readinessOf(server.url)).toEqual(full);
  for (const table of tables) await query(`DROP TRIGGER full_disk ON ${table}`);
  expect(await readinessOf(server.url)).toEqual({ status: 'ready' });
  client.close();
});
