import { describe, expect, test } from 'vitest';
import { compareHeld, followHeld, heldItem } from '../../client/src/chat/held.ts';
import { type Alone, newId, Outbox, type OutboxPort } from '../../client/src/chat/outbox.ts';
import type { NewContent, Unsent } from '../../client/src/store/entries.ts';
import type { Held, Message } from '../../server/wire/events.ts';
import { memoryStorage, storeIn } from './memory-storage.ts';

const stored = ({ mentions: _, files: _files, preview: _preview, important, ...item }: Unsent): Message => ({
  ...item,
  ...(important && { important }),
  id: item.clientId,
  seq: 1,
  rev: 1,
  user: { id: '1', name: 'Alice' },
});

class Fake implements OutboxPort {
  online = true;
  /** Error codes, one per request. */
  refuse: string[] = [];
  readonly requests: string[] = [];
  readonly failures: string[] = [];
  readonly texts: string[];

  constructor(texts: string[] = []) {
    this.texts = texts;
  }
  canSend = () => this.online;
  async send(item: Unsent): Promise<Message | Unsent> {
    this.requests.push(item.clientId);
    await Promise.resolve();
    const code = this.refuse.shift();
    if (code !== undefined) throw Object.assign(new Error(code), { code, retryAfterMs: 5 });
    this.texts.push(item.text);
    return stored(item);
  }
  sent = () => {};
  held = () => {};
  failed = (item: Unsent) => this.failures.push(item.failed ?? '');
  changed = () => {};
  waiting = () => {};
}

/** Web Locks for tabs of one process. */
function locks(): Alone {
  const last = new Map<string, Promise<void>>();
  return (name, task) => {
    const turn = (last.get(name) ?? Promise.resolve()).then(task);
    last.set(name, turn);
    return turn;
  };
}

const methods = ['getItem', 'setItem', 'removeItem', 'key'];

function fail(error: string): never {
  throw new Error(error);
}

const direct: Alone = (_name, task) => task();
const open = (port: OutboxPort, storage = memoryStorage(), alone = direct, user = '1') =>
  new Outbox(storeIn(storage, 'https://chat.example', user), port, alone);

describe('the outbox', () => {
  test('sends in order and removes acknowledged messages', async () => {
    const port = new Fake();
    const outbox = open(port);
    for (const text of ['a', 'b', 'c']) outbox.add('lobby', { text });
    await expect.poll(() => outbox.list()).toEqual([]);
    expect(port.texts).toEqual(['a', 'b', 'c']);
  });

  test('keeps its clientIds and order through a reload', async () => {
    const storage = memoryStorage();
    const before = new Fake();
    before.online = false;
    const first = open(before, storage);
    for (let i = 0; i < 20; i++) first.add('lobby', { text: `t${i}` });
    const ids = first.list().map(({ clientId }) => clientId);

    const after = new Fake();
    open(after, storage).flush();
    await expect.poll(() => after.requests).toEqual(ids);
    expect(after.texts).toEqual(Array.from({ length: 20 }, (_, i) => `t${i}`));
  });

  test('keeps its messages on pages where MooTools or Prototype.js replaced Array.from', () => {
    const storage = memoryStorage();
    const port = new Fake();
    port.online = false;
    let texts: string[] = [];
    const { from } = Array;
    Array.from = ((items: ArrayLike<unknown>) => Array.prototype.slice.call(items)) as never;
    try {
      open(port, storage).add('lobby', { text: 'a' });
      texts = open(port, storage)
        .list()
        .map(({ text }) => text);
      storeIn(storage, 'https://chat.example').keepOnly('2');
    } finally {
      Array.from = from;
    }
    expect(texts).toEqual(['a']);
    expect(storeIn(storage, 'https://chat.example').keys()).toEqual([]);
  });

  test('retries the same message before the next after a temporary failure', async () => {
    const port = new Fake();
    port.refuse = ['timeout', 'rate_limited', 'storage_unavailable', 'server_draining', 'internal'];
    const outbox = open(port);
    outbox.add('lobby', { text: 'a' });
    outbox.add('lobby', { text: 'b' });
    await expect.poll(() => port.texts).toEqual(['a', 'b']);
    expect(new Set(port.requests.slice(0, 6)).size).toBe(1);
    expect(port.requests).toHaveLength(7);
  });

  test.each(['forbidden', 'too_long', 'unknown_room', 'bad_request'])(
    'keeps a message rejected with %s and sends the next',
    async (code) => {
      const port = new Fake();
      port.refuse = [code];
      const outbox = open(port);
      outbox.add('lobby', { text: 'a' });
      outbox.add('lobby', { text: 'b' });
      await expect.poll(() => port.texts).toEqual(['b']);
      expect(port.failures).toEqual([code]);
      const [item] = outbox.list();
      expect(item).toMatchObject({ text: 'a', failed: code });
      if (item !== undefined) outbox.retry(item);
      await expect.poll(() => port.texts).toEqual(['b', 'a']);
      expect(port.requests.at(-1)).toBe(item?.clientId);
    },
  );

  test('sends a conflicting message as a new message only when the user retries it', async () => {
    const port = new Fake();
    port.refuse = ['conflict'];
    const outbox = open(port);
    outbox.add('lobby', { text: 'a', replyTo: 7 });
    await expect.poll(() => port.failures).toEqual(['conflict']);
    const [item] = outbox.list();
    if (item !== undefined) outbox.confirm({ ...stored(item), text: 'what was sent first' });
    expect(outbox.list()).toHaveLength(1);
    if (item !== undefined) outbox.retry(item);
    await expect.poll(() => outbox.list()).toEqual([]);
    expect(new Set(port.requests).size).toBe(2);
  });

  test('keeps a pending message without resending it until it is decided', async () => {
    const port = new Fake();
    const outbox = open(port);
    const waits: Held = {
      id: 'h1',
      room: 'lobby',
      user: { id: '1', name: 'Alice' },
      why: 'links',
      text: 'a',
      at: 5,
    };
    port.send = async (item) => heldItem({ ...waits, clientId: item.clientId }, item) ?? item;
    outbox.add('lobby', { text: 'a' });
    await expect.poll(() => outbox.list()).toMatchObject([{ text: 'a', failed: 'held', held: 'h1' }]);
    outbox.flush();
    const [item] = outbox.list();
    const held = { ...waits, clientId: item?.clientId ?? '' };
    const change = { id: 'h1', room: 'lobby' };
    followHeld(outbox, { ...change, is: 'rejected', held: { ...held, rejected: { at: 6, reason: 'spam' } } });
    expect(outbox.list()).toMatchObject([{ failed: 'rejected', reason: 'spam', sentAt: item?.sentAt }]);
    followHeld(outbox, { ...change, is: 'discarded' });
    expect(outbox.list()).toEqual([]);
    // Another device sent the message `other`, and a moderator decided about it while this device was offline.
    const other = { ...held, id: 'h2', clientId: 'other' };
    compareHeld(outbox, [other], []);
    expect(outbox.list()).toMatchObject([{ clientId: 'other', held: 'h2', failed: 'held' }]);
    compareHeld(outbox, [], outbox.list());
    expect(outbox.list()).toEqual([]);
    compareHeld(outbox, [other], []);
    followHeld(outbox, { id: 'h2', room: 'lobby', is: 'approved' });
    expect(outbox.list()).toEqual([]);
  });

  test('shows everything in a pending message that another device sent', () => {
    const storage = memoryStorage();
    const content = {
      text: '@Bob look',
      replyTo: 3,
      threadOnly: true,
      mentions: [{ user: '2', start: 0, length: 4 }],
      files: [{ key: 'f1', id: 'f1', name: 'a.txt', type: 'text/plain', size: 1 }],
      card: 'order:4711',
      important: true,
    } as const satisfies Required<Omit<NewContent, 'preview'>>;
    const { files, ...rest } = content;
    const held: Held = {
      ...rest,
      mentions: [...rest.mentions],
      files: files.map(({ key: id, name, type, size }) => ({ id, name, type, size })),
      preview: { url: 'https://a.example/' },
      id: 'h1',
      room: 'lobby',
      user: { id: '1', name: 'Alice' },
      clientId: 'c1',
      why: 'links',
      at: 5,
    };
    compareHeld(open(new Fake(), storage), [held], []);
    expect(open(new Fake(), storage).list()).toEqual([
      { ...content, clientId: 'c1', room: 'lobby', sentAt: 5, held: 'h1', failed: 'held' },
    ]);
  });

  test('removes the text of a copy whose original is deleted, also from the storage', async () => {
    const storage = memoryStorage();
    const port = new Fake();
    port.refuse = ['forbidden', 'unknown_message'];
    const outbox = open(port, storage);
    const original = { ...stored({ clientId: 'c1', room: 'den', text: 'secret', sentAt: 1 }), seq: 7 };
    outbox.forward('lobby', original);
    await expect.poll(() => port.failures).toEqual(['forbidden']);
    const [refused] = outbox.list();
    expect(refused).toMatchObject({ text: 'secret', failed: 'forbidden' });
    if (refused !== undefined) outbox.retry(refused);
    await expect.poll(() => port.failures).toEqual(['forbidden', 'unknown_message']);
    expect(outbox.list()).toMatchObject([{ text: '', failed: 'unknown_message', forward: { seq: 7 } }]);
    expect(open(port, storage).list()).toEqual(outbox.list());
  });

  test('does not resend a message that is already stored', () => {
    const port = new Fake();
    port.online = false;
    const outbox = open(port);
    outbox.add('lobby', { text: 'a' });
    outbox.add('lobby', { text: 'b' });
    const [a, b] = outbox.list();
    if (a !== undefined) outbox.confirm(stored(a));
    if (b !== undefined) outbox.confirm({ ...stored(b), text: 'edited since', editedAt: 1 });
    expect(outbox.list()).toEqual([]);
  });

  test('sends messages of two tabs in order, and each only once if the tabs share a lock', async () => {
    for (const [alone, requests] of [
      [locks(), 3],
      [direct, 6],
    ] as const) {
      const storage = memoryStorage();
      const port = new Fake();
      port.online = false;
      const [first, second] = [open(port, storage, alone), open(port, storage, alone)];
      for (const text of ['a', 'b', 'c']) first.add('lobby', { text });
      second.reread();
      port.online = true;
      first.flush();
      second.flush();
      await expect.poll(() => first.list()).toEqual([]);
      expect(port.requests.length).toBeLessThanOrEqual(requests);
      expect([...new Set(port.texts)]).toEqual(['a', 'b', 'c']);
    }
  });

  test('does not store a message again if the storage was cleared while the message was being sent', async () => {
    const storage = memoryStorage();
    const store = storeIn(storage, 'https://chat.example', '1');
    const port = new Fake();
    port.refuse = ['forbidden'];
    const outbox = open(port, storage);
    outbox.add('lobby', { text: 'a' });
    store.clear();
    await expect.poll(() => port.requests).toHaveLength(1);
    await Promise.resolve();
    expect(store.keys()).toEqual([]);
  });

  test('stops sending when closed, and leaves its messages to the next outbox', async () => {
    const storage = memoryStorage();
    const port = new Fake();
    port.refuse = ['timeout'];
    const outbox = open(port, storage);
    outbox.add('lobby', { text: 'a' });
    await expect.poll(() => port.requests).toHaveLength(1);
    outbox.close();
    outbox.add('lobby', { text: 'b' });
    outbox.flush();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(port.requests).toHaveLength(1);
    open(port, storage).flush();
    await expect.poll(() => port.texts).toEqual(['a', 'b']);
  });

  test('separates users, even if their IDs look like paths', () => {
    const storage = memoryStorage();
    const port = new Fake();
    port.online = false;
    open(port, storage, direct, '1').add('lobby', { text: 'secret' });
    for (const user of ['', '1/out', '2', '%31'])
      expect(open(port, storage, direct, user).list()).toEqual([]);
  });

  test.each<[string, Partial<Storage>]>([
    ['full', { setItem: () => fail('QuotaExceededError') }],
    ['forbidden', Object.fromEntries(methods.map((name) => [name, () => fail('SecurityError')]))],
  ])('sends in order from memory if the storage is %s', async (_, over) => {
    const storage = Object.assign(memoryStorage(), over);
    const port = new Fake();
    port.online = false;
    const outbox = open(port, storage);
    for (const text of ['a', 'b']) outbox.add('lobby', { text });
    expect(outbox.list().map(({ text }) => text)).toEqual(['a', 'b']);
    port.online = true;
    outbox.flush();
    await expect.poll(() => port.texts).toEqual(['a', 'b']);
    expect(outbox.list()).toEqual([]);
  });

  test('sends a message that the site deleted from the storage', async () => {
    const storage = memoryStorage();
    const port = new Fake();
    port.online = false;
    const outbox = open(port, storage);
    outbox.add('lobby', { text: 'a' });
    storage.clear();
    outbox.reread();
    port.online = true;
    outbox.flush();
    await expect.poll(() => port.texts).toEqual(['a']);
  });

  describe('in a storage that became full', () => {
    /** Creates an outbox with one stored message that the storage cannot update. */
    function full(port: Fake, item: Partial<Unsent> = {}) {
      const storage = memoryStorage();
      const outbox = open(port, storage);
      port.online = false;
      outbox.put({ clientId: 'c1', room: 'lobby', text: 'a', sentAt: 1, ...item });
      storage.setItem = () => {
        throw new Error('QuotaExceededError');
      };
      // Limits the requests, because an endless retry would never let the test end.
      port.canSend = () => port.requests.length < 4;
      return outbox;
    }

    test('does not resend a rejected message until the user retries it', async () => {
      const port = new Fake();
      port.refuse = ['forbidden', 'forbidden', 'forbidden', 'forbidden'];
      const outbox = full(port);
      outbox.flush();
      await expect.poll(() => port.failures).toEqual(['forbidden']);
      expect(port.requests).toHaveLength(1);
      const [item] = outbox.list();
      expect(item).toMatchObject({ text: 'a', failed: 'forbidden' });
      port.refuse = [];
      if (item !== undefined) outbox.retry(item);
      await expect.poll(() => port.texts).toEqual(['a']);
      expect(outbox.list()).toEqual([]);
    });

    test('does not resend a message pending approval', async () => {
      const port = new Fake();
      const outbox = full(port);
      port.send = async (item) => {
        port.requests.push(item.clientId);
        return { ...item, held: 'h1', failed: 'held' };
      };
      outbox.flush();
      await expect.poll(() => outbox.list()).toMatchObject([{ held: 'h1', failed: 'held' }]);
      expect(port.requests).toHaveLength(1);
      outbox.discard('c1');
      expect(outbox.list()).toEqual([]);
    });

    test('sends a message after its file is uploaded', async () => {
      const port = new Fake();
      const file = { key: 'f1', name: 'a.txt', type: 'text/plain', size: 1 };
      const outbox = full(port, { files: [file] });
      const [item] = outbox.list();
      if (item !== undefined) outbox.put({ ...item, files: [{ ...file, id: 'f1' }] });
      await expect.poll(() => port.texts).toEqual(['a']);
    });
  });

  test('creates client IDs that the protocol allows', () => expect(newId()).toMatch(/^[A-Za-z0-9_-]{1,64}$/));
});
