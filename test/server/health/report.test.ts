import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { chatServerHere } from '../../helpers/chat-here.ts';
import { emptyHistory, startChatServer, usual } from '../../helpers/chat-server.ts';
import { ownPort } from '../../helpers/child.ts';
import { doctorRun } from '../../helpers/doctor-says.ts';

const sessions = mkdtempSync(join(tmpdir(), 'report-'));
afterAll(() => rmSync(sessions, { recursive: true }));

/** Settings of a server that the doctor can find. */
async function settings() {
  const history = await emptyHistory();
  onTestFinished(() => history.remove());
  return {
    path: history.path,
    env: {
      ...usual,
      CHAT_PORT: String(await ownPort()),
      CHAT_SESSION_STORE: `file://${sessions}`,
      CHAT_HISTORY: history.url,
      CHAT_FILES: history.files,
    },
  };
}

const firstFinding = (output: string) => /^[✓!✗] .*$/m.exec(output)?.[0];

test('the doctor first shows the report of the running server', async () => {
  const { env } = await settings();
  const server = await chatServerHere(env);
  onTestFinished(async () => void (await server.stop()));
  const { code, output } = await doctorRun(env);
  expect(firstFinding(output)).toBe('✓ The chat server runs, and reports:');
  expect(output).toMatch(/^✓ The server can read logins\.$/m);
  expect(output).toMatch(/^✓ The server uses the history .*chat\.db\.$/m);
  expect(output).toMatch(/^✓ The server can store files in the folder /m);
  expect(code).toBe(0);
});

test('the doctor first says that no server runs, as a problem', async () => {
  const { env } = await settings();
  const server = await chatServerHere(env);
  await server.stop();
  const { code, output } = await doctorRun(env);
  expect(firstFinding(output)).toMatch(
    /^✗ The chat server does not run: nothing answers at http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\)/,
  );
  expect(code).toBe(1);
});

test('the doctor tells a server without a report from a missing server', async () => {
  const { env } = await settings();
  const other = await emptyHistory();
  const server = await chatServerHere({ ...env, CHAT_HISTORY: other.url });
  onTestFinished(async () => {
    await server.stop();
    other.remove();
  });
  const { output } = await doctorRun(env);
  expect(firstFinding(output)).toMatch(/^! A chat server answers at .*, but cannot be asked for its report/);
});

test('the doctor names settings that changed since the start of the server', async () => {
  const { env } = await settings();
  const server = await chatServerHere(env);
  onTestFinished(async () => void (await server.stop()));
  const { output } = await doctorRun({
    ...env,
    CHAT_ORIGINS: 'https://www.example.org',
    CHAT_NAME: 'Garden',
  });
  expect(output).toMatch(
    /^! The running server started with other values of CHAT_ORIGINS, CHAT_NAME\.\n {2}→ Restart/m,
  );
});

test('doctor --chat leaves nothing in the log of the server', async () => {
  const { env } = await settings();
  const server = await chatServerHere(env);
  const before = server.output().length;
  const { output } = await doctorRun({ ...env, CHAT_URL: server.url });
  expect(output).toMatch(/^✓ A WebSocket reaches/m);
  expect(output).toMatch(/^✓ Polling also reaches/m);
  await server.stop();
  expect(server.output().slice(before)).not.toMatch(/"level":[456]0/);
});

test('only the account of the server may open its socket, and a killed server does not prevent the next start', async () => {
  const { env, path } = await settings();
  const killed = await startChatServer(env);
  expect(statSync(`${path}-server`).mode & 0o777).toBe(0o600);
  await killed.stop('SIGKILL');
  expect(existsSync(`${path}-server`)).toBe(true);
  const next = await chatServerHere(env);
  expect(firstFinding((await doctorRun(env)).output)).toBe('✓ The chat server runs, and reports:');
  await next.stop();
  expect(existsSync(`${path}-server`)).toBe(false);
});
