import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

/** What only the fetcher of pages may do. */
const network = [
  'connect to a port',
  'connect to a socket',
  'send a datagram',
  'ask for a name',
  'fetch an address',
  'listen',
];

test.each([
  ['root', 'pictures', 0, '65530'],
  ['root', 'pages', 0, '65531'],
  ['its own user', 'types', 1234, '1234'],
  ['its own user', 'pictures', 1234, '1234'],
  ['its own user', 'pages', 1234, '1234'],
])(
  'a server that runs as %s: its process for %s reads no files, environment or memory, starts nothing, uses no network unless it fetches pages, and is killed first if memory runs out',
  async (_, kind, uid, user) => {
    const folder = mkdtempSync(join(tmpdir(), 'chat-confined-'));
    const socket = join(folder, 'socket');
    const files = ['key', 'upload', 'history'].map((name) => join(folder, name));
    for (const path of files) writeFileSync(path, '{}', { mode: 0o600 });
    const [server, local] = [createServer((_, res) => res.end()), createServer()];
    server.listen(0, '127.0.0.1');
    local.listen(socket);
    await Promise.all([once(server, 'listening'), once(local, 'listening')]);
    onTestFinished(() => {
      for (const one of [server, local]) one.close().closeAllConnections();
      rmSync(folder, { recursive: true });
    });
    chmodSync(socket, 0o777);
    for (const path of [folder, ...files]) chownSync(path, uid, uid);
    if (uid === 0) chmodSync(folder, 0o755);
    const { port } = server.address() as AddressInfo;
    const script = join(import.meta.dirname, '../../helpers/try-stand-in.ts');
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [script, kind, JSON.stringify({ files, folder, port, socket })],
      { uid, gid: uid, env: { CHAT_API_KEY: 'secret', PATH: process.env.PATH ?? '' } },
    );
    const { results, ...confined } = JSON.parse(stdout);
    const done = Object.keys(results).filter((what) => results[what] === 'done');
    expect(done).toEqual(kind === 'pages' ? network : []);
    expect(Object.keys(results)).toHaveLength(34);
    expect(confined).toEqual({ user, noNewPrivileges: '1', fileSize: '0', core: '0', killedFirst: '1000' });
    for (const path of files) expect(readFileSync(path, 'utf8')).toBe('{}');
  },
);
