import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Message } from '../../../server/wire/events.ts';
import { startKilledChat } from '../../helpers/killed-chat.ts';

const kills = 200;
const senders = 4;
/** The longest life of a server in milliseconds: the next one waits up to 5 s for the lease of the last. */
const longestLife = 8000;
/** Milliseconds in which a server that has started sends what others have left. */
const claimed = 60_000;

test(`a server is killed ${kills} times while it sends webhooks: each message arrives, under one id`, async () => {
  /** The message each time that it came, by the id of the event. */
  const events = new Map<string, Message[]>();
  let [open, killedWhileOpen] = [0, 0];
  const receiver = createServer(async (request, response) => {
    open++;
    response.on('close', () => open--);
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += piece;
    const { data } = JSON.parse(body) as { data: { message: Message } };
    const id = `${request.headers['webhook-id']}`;
    events.set(id, [...(events.get(id) ?? []), data.message]);
    // A slow site, so that kills come before, between and after the answers.
    await pause(Math.random() * 300);
    response.writeHead(204).end();
  });
  await once(receiver.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    receiver.closeAllConnections();
    receiver.close();
  });
  const folder = mkdtempSync(join(tmpdir(), 'webhook-key-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const keyFile = join(folder, 'key');
  writeFileSync(keyFile, `whsec_${Buffer.alloc(24, 'a').toString('base64')}\n`);
  const chat = await startKilledChat({
    CHAT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
    CHAT_WEBHOOK_KEY_FILE: keyFile,
    CHAT_WEBHOOK_EVENTS: 'message.created',
  });
  onTestFinished(() => chat.stop());

  const acknowledged: Message[] = [];
  let isOver = false;
  const sending = Array.from({ length: senders }, async (_, sender) => {
    const user = { id: `s${sender}`, name: `Sender ${sender}` };
    for (let n = 0; !isOver; n++) {
      const clientId = `s${sender}-${n}`;
      const { message } = await chat.call('POST', '/rooms/lobby/messages', {
        user,
        clientId,
        text: `text ${clientId}`,
      });
      acknowledged.push(message as Message);
      await pause(Math.random() * 800);
    }
  });
  for (let n = 0; n < kills; n++) {
    await pause(Math.random() * longestLife);
    if (open > 0) killedWhileOpen++;
    await chat.kill();
  }
  isOver = true;
  await Promise.all(sending);
  const left = () => {
    const db = new DatabaseSync(chat.path, { readOnly: true });
    const { n } = db.prepare('SELECT count(*) AS n FROM chat_webhooks').get() as { n: number };
    db.close();
    return n;
  };
  const firsts = () => [...events.values()].flatMap(([first]) => first ?? []);
  await vi.waitFor(() => expect([events.size, left()]).toEqual([acknowledged.length, 0]), {
    timeout: claimed,
    interval: 500,
  });
  const bySeq = (a: Message, b: Message) => a.seq - b.seq;
  // Each message has one event: all tries have its id.
  expect(firsts().sort(bySeq)).toEqual(acknowledged.sort(bySeq));
  for (const [first, ...again] of events.values()) for (const one of again) expect(one).toEqual(first);
  const tries = [...events.values()].reduce((sum, { length }) => sum + length, 0);
  console.log(
    `${events.size} events came ${tries} times; at ${killedWhileOpen} of ${kills} kills some were under way`,
  );
  expect(killedWhileOpen).toBeGreaterThan(0);
  expect(tries).toBeGreaterThan(events.size);
}, 3_600_000);
