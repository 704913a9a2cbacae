import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sessionServers } from '../helpers/session-servers.ts';

const servers = sessionServers();
const token = 'a-token-of-some-length';

describe('settings', () => {
  test('all that cannot be used are told together, and end it with 78', async () => {
    await writeFile(join(servers.folder, 'token'), 'short');
    const { code, output } = await servers.refused({
      SESSION_SERVER_HOST: 'no host',
      SESSION_SERVER_PORT: '70000',
      SESSION_SERVER_CONTAINER: 'redis:x',
      SESSION_SERVER_LIFETIME: '-1',
      SESSION_SERVER_LOCK_TIMEOUT: '20',
      SESSION_SERVER_AUTH_FILE: join(servers.folder, 'token'),
      SESSION_SERVER_TLS_CERT: join(servers.folder, 'nowhere.pem'),
      SESSION_SERVER_HELP_PHP: 'yes',
      SESSION_SERVER_MEMORY: '0',
      SESSION_SERVER_LOG_LEVEL: 'loud',
    });
    expect(code).toBe(78);
    expect(output).toMatch(/^Settings that cannot be used:\n/);
    const lines = output.trim().split('\n').slice(1);
    expect(lines.map((line) => line.trim().split(':')[0])).toEqual([
      'SESSION_SERVER_HOST',
      'SESSION_SERVER_PORT',
      'SESSION_SERVER_CONTAINER',
      'SESSION_SERVER_LIFETIME',
      'SESSION_SERVER_LOCK_TIMEOUT',
      'SESSION_SERVER_AUTH_FILE',
      'SESSION_SERVER_TLS_CERT',
      'SESSION_SERVER_HELP_PHP',
      'SESSION_SERVER_MEMORY',
      'SESSION_SERVER_LOG_LEVEL',
      'SESSION_SERVER_TLS_CERT and SESSION_SERVER_TLS_KEY',
    ]);
    expect(output).toContain('"redis:x" is not memory:, file:PATH, sqlite:PATH');
    expect(output).not.toContain('short');
  });

  test.each(['0.0.0.0', '::', '192.0.2.1', 'example.org'])('%s is refused without a token', async (host) => {
    const { code, output } = await servers.refused({ SESSION_SERVER_HOST: host });
    expect(code).toBe(78);
    expect(output).toContain('set SESSION_SERVER_AUTH_FILE');
  });

  test('with a token it may be reached from elsewhere', async () => {
    await writeFile(join(servers.folder, 'token'), `${token}\n`);
    const server = await servers.start({
      SESSION_SERVER_HOST: '0.0.0.0',
      SESSION_SERVER_AUTH_FILE: join(servers.folder, 'token'),
    });
    expect(server.output()).toContain('"host":"0.0.0.0"');
  });

  test('a port that is taken, and a container that cannot be opened, are said so', async () => {
    const server = await servers.start({});
    const taken = await servers.refused({ SESSION_SERVER_PORT: String(server.port) });
    expect(taken.code).toBe(74);
    expect(taken.output).toMatch(/EADDRINUSE/);
    await writeFile(join(servers.folder, 'file'), '');
    const closed = await servers.refused({
      SESSION_SERVER_CONTAINER: `file:${join(servers.folder, 'file')}`,
    });
    expect(closed.code).toBe(74);
    expect(closed.output).toMatch(/cannot start/);
  });
});
