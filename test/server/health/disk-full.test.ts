import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type ChatClient, connectChat } from '../../helpers/chat-client.ts';
import { usual } from '../../helpers/chat-server.ts';
import { ownPort } from '../../helpers/child.ts';
import { doctorRun } from '../../helpers/doctor-says.ts';
import { smallDisk } from '../../helpers/small-disk.ts';

const megabyte = 1024 * 1024;

const send = (client: ChatClient) =>
  client
    .request('message:send', { room: 'lobby', clientId: crypto.randomUUID(), text: 'x'.repeat(4000) })
    .then(
      () => 'sent',
      ({ message }: Error) => message,
    );

test('a full disk is reported by the doctor and /readyz until there is space again, without a restart', async () => {
  const sessions = mkdtempSync(join(tmpdir(), 'disk-full-'));
  const session = 'a'.repeat(26);
  writeFileSync(join(sessions, `sess_${session}`), 'user_id|i:7;firstname|s:3:"Ann";');
  const env = {
    ...usual,
    CHAT_PORT: String(await ownPort()),
    CHAT_SESSION_STORE: `file://${sessions}`,
    CHAT_FILES: 'off',
  };
  const disk = await smallDisk(8 * megabyte, env);
  onTestFinished(async () => {
    await disk.remove();
    rmSync(sessions, { recursive: true });
  });
  const server = await disk.start();
  const readiness = async () => (await fetch(`${server.url}/readyz`)).json();
  const doctor = () => doctorRun({ ...env, CHAT_HISTORY: `sqlite:${disk.path}` });
  const client = await connectChat(server.url, `PHPSESSID=${session}`);
  await client.request('room:join', { room: 'lobby' });
  expect(await send(client)).toBe('sent');
  expect(await readiness()).toEqual({ status: 'ready' });

  disk.fill();
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
});
