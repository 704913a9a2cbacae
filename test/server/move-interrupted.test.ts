import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { chatServerHere } from '../helpers/chat-here.ts';
import { historyFolder } from '../helpers/chat-server.ts';
import { startChild } from '../helpers/child.ts';
import { startPeopleSite } from '../helpers/people.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test.each(['SIGINT', 'SIGTERM'] as const)('removes the copy and the triggers after %s', async (signal) => {
  const history = historyFolder();
  const site = await startPeopleSite({ CHAT_HISTORY: history.url }, chatServerHere);
  try {
    const to = join(dirname(history.path), 'moved.db');
    const move = startChild(
      process.execPath,
      ['server/command/main.ts', 'move', '--to', `sqlite:${to}`, '--settings='],
      { cwd: root, env: { PATH: process.env.PATH, CHAT_HISTORY: history.url } },
    );
    await move.until(/stop all chat servers/);
    const triggers = () => {
      const db = new DatabaseSync(history.path, { readOnly: true });
      const found = db.prepare(`SELECT name FROM sqlite_master WHERE name LIKE 'moving%'`).all();
      db.close();
      return found.length;
    };
    expect(triggers()).toBeGreaterThan(0);
    expect(existsSync(`${to}-moving`)).toBe(true);
    expect(await move.stop(signal)).toBe(74);
    expect(move.output()).toContain(`The history was not moved: ${signal} interrupted it`);
    expect([triggers(), existsSync(`${to}-moving`), existsSync(to)]).toEqual([0, false, false]);
  } finally {
    await site.close();
    history.remove();
  }
});
