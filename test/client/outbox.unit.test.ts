import { describe, expect, test, vi } from 'vitest';
import { compareHeld, followHeld, heldItem } from '../../client/src/chat/held.ts';
import { type Alone, newId, Outbox, type OutboxPort } from '../../client/src/chat/outbox.ts';
import { memoryStorage, Store } from '../../client/src/chat/storage.ts';
import type { Pending } from '../../client/src/store/entries.ts';
import type { Held, Message } from '../../server/wire/events.ts';

const stored = ({ mentions: _, files: _files, preview: _preview, ...item }: Pending): Message => ({
  ...item,
  id: item.clientId,
  seq: 1,
  rev: 1,
  user: { id: '1', name: 'Alice' },
});

class Fake implements OutboxPort {
  online = true;
  /** Codes to fail with, one per request. */
  refuse: string[] = [];
  readonly requests: string[] = [];
  readonly failures: string[] = [];
  readonly texts: string[];

  constructor(texts: string[] = []) {
    this.texts = texts;
  }
  canSend = () => this.online;
  async send(item: Pending): Promise<Message | Pending> {
    this.requests.push(item.clientId);
    await Promise.resolve();
    const code = this.refuse.shift();
    if (code !== undefined) throw Object.assign(new Error(code), { code, retryAfterMs: 5 });
    this.texts.push(item.text);
    return stored(item);
  }
  sent = () => {};
  held = () => {};
  failed = (item: Pending) => this.failures.push(item.failed ?? '');
  changed = () => {};
  waiting = () => {};
}

/** Web Locks, for tabs of one process. */
function locks(): Alone {
  const last = new Map<string, Promise<void>>();
  return (name, task) => {
    const turn = (last.get(name) ?? Promise.resolve()).then(task);
    last.set(name, turn);
    return turn;
  };
}

const direct: Alone = (_name, task) => task();
const open = (port: OutboxPort, storage = memoryStorage(), alone = direct, user = '1') =>
  new Outbox(new Store(storage, 'https://chat.example', user), port, alone);

describe('the outbox', () => {
  test('sends in order and keeps nothing that was acknowledged', async () => {
    const port = new Fake();
    const outbox = open(port);
    for (const text of ['a', 'b', 'c']) outbox.add('lobby', text);
    await vi.waitFor(() => expect(outbox.list()).toEqual([]));
    expect(port.texts).toEqual(['a', 'b', 'c']);
  });

  test('survives a reload, with the same clientId and in the same order', async () => {
    const storage = memoryStorage();
    const before = new Fake();
    before.online = false;
    const first = open(before, storage);
    for (let i = 0; i < 20; i++) first.add('lobby', `t${i}`);
    const ids = first.list().map(({ clientId }) => clientId);

    const after = new Fake();
    open(after, storage).flush();
    await vi.waitFor(() => expect(after.requests).toEqual(ids));
    expect(after.texts).toEqual(Array.from({ length: 20 }, (_, i) => `t${i}`));
  });

  test('a page whose library replaces Array.from, as MooTools and Prototype.js do, loses no message and keeps none of others', () => {
    const storage = memoryStorage();
    const port = new Fake();
    port.online = false;
    let texts: string[] = [];
    const { from } = Array;
    Array.from = ((items: ArrayLike<unknown>) => Array.prototype.slice.call(items)) as never;
    try {
      open(port, storage).add('lobby', 'a');
      texts = open(port, storage)
        .list()
        .map(({ text }) => text);
      new Store(storage, 'https://chat.example').keepOnly('2');
    } finally {
      Array.from = from;
    }
    expect(texts).toEqual(['a']);
    expect(storage.length).toBe(0);
  });

  test('a lost acknowledgement, a limit, a store that is down: the same message again, before the next', async () => {
    const port = new Fake();
    port.refuse = ['timeout', 'rate_limited', 'storage_unavailable', 'server_draining', 'internal'];
    const outbox = open(port);
    outbox.add('lobby', 'a');
    outbox.add('lobby', 'b');
    await vi.waitFor(() => expect(port.texts).toEqual(['a', 'b']));
    expect(new Set(port.requests.slice(0, 6)).size).toBe(1);
    expect(port.requests).toHaveLength(7);
  });

  test.each(['forbidden', 'too_long', 'unknown_room', 'bad_request'])(
    '%s waits for the user, the next is sent',
    async (code) => {
      const port = new Fake();
      port.refuse = [code];
      const outbox = open(port);
      outbox.add('lobby', 'a');
      outbox.add('lobby', 'b');
      await vi.waitFor(() => expect(port.texts).toEqual(['b']));
      expect(port.failures).toEqual([code]);
      const [item] = outbox.list();
      expect(item).toMatchObject({ text: 'a', failed: code });
      if (item !== undefined) outbox.retry(item);
      await vi.waitFor(() => expect(port.texts).toEqual(['b', 'a']));
      expect(port.requests.at(-1)).toBe(item?.clientId);
    },
  );

  test('a conflict is sent as a new message only when the user retries it', async () => {
    const port = new Fake();
    port.refuse = ['conflict'];
    const outbox = open(port);
    outbox.add('lobby', 'a', 7);
    await vi.waitFor(() => expect(port.failures).toEqual(['conflict']));
    const [item] = outbox.list();
    if (item !== undefined) outbox.confirm({ ...stored(item), text: 'what was sent first' });
    expect(outbox.list()).toHaveLength(1);
    if (item !== undefined) outbox.retry(item);
    await vi.waitFor(() => expect(outbox.list()).toEqual([]));
    expect(new Set(port.requests).size).toBe(2);
  });

  test('a pending message is kept, without sending it again, until it is decided on', async () => {
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
    outbox.add('lobby', 'a');
    await vi.waitFor(() => expect(outbox.list()).toMatchObject([{ text: 'a', failed: 'held', held: 'h1' }]));
    outbox.flush();
    const [item] = outbox.list();
    const held = { ...waits, clientId: item?.clientId ?? '' };
    const change = { id: 'h1', room: 'lobby' };
    followHeld(outbox, { ...change, is: 'rejected', held: { ...held, rejected: { at: 6, reason: 'spam' } } });
    expect(outbox.list()).toMatchObject([{ failed: 'rejected', reason: 'spam', sentAt: item?.sentAt }]);
    followHeld(outbox, { ...change, is: 'discarded' });
    expect(outbox.list()).toEqual([]);
    // Sent by another device, and decided while this one was away.
    const other = { ...held, id: 'h2', clientId: 'other' };
    compareHeld(outbox, [other], []);
    expect(outbox.list()).toMatchObject([{ clientId: 'other', held: 'h2', failed: 'held' }]);
    compareHeld(outbox, [], outbox.list());
    expect(outbox.list()).toEqual([]);
  });

  test('a copy whose original is gone keeps nothing of its words, also in the storage', async () => {
    const storage = memoryStorage();
    const port = new Fake();
    port.refuse = ['forbidden', 'unknown_message'];
    const outbox = open(port, storage);
    const original = { ...stored({ clientId: 'c1', room: 'den', text: 'secret', sentAt: 1 }), seq: 7 };
    outbox.forward('lobby', original);
    await vi.waitFor(() => expect(port.failures).toEqual(['forbidden']));
    const [refused] = outbox.list();
    expect(refused).toMatchObject({ text: 'secret', failed: 'forbidden' });
    if (refused !== undefined) outbox.retry(refused);
    await vi.waitFor(() => expect(port.failures).toEqual(['forbidden', 'unknown_message']));
    expect(outbox.list()).toMatchObject([{ text: '', failed: 'unknown_message', forward: { seq: 7 } }]);
    expect(open(port, storage).list()).toEqual(outbox.list());
  });

  test('a message that is seen stored is not sent again', () => {
    const port = new Fake();
    port.online = false;
    const outbox = open(port);
    outbox.add('lobby', 'a');
    outbox.add('lobby', 'b');
    const [a, b] = outbox.list();
    if (a !== undefined) outbox.confirm(stored(a));
    if (b !== undefined) outbox.confirm({ ...stored(b), text: 'edited since', editedAt: 1 });
    expect(outbox.list()).toEqual([]);
  });

  test('two tabs send each message in order, once with a lock and at most twice without', async () => {
    for (const [alone, requests] of [
      [locks(), 3],
      [direct, 6],
    ] as const) {
      const storage = memoryStorage();
      const port = new Fake();
      port.online = false;
      const [one, two] = [open(port, storage, alone), open(port, storage, alone)];
      for (const text of ['a', 'b', 'c']) one.add('lobby', text);
      two.reread();
      port.online = true;
      one.flush();
      two.flush();
      await vi.waitFor(() => expect(one.list()).toEqual([]));
      expect(port.requests.length).toBeLessThanOrEqual(requests);
      expect([...new Set(port.texts)]).toEqual(['a', 'b', 'c']);
    }
  });

  test('a message deleted while it is under way does not come back', async () => {
    const storage = memoryStorage();
    const store = new Store(storage, 'https://chat.example', '1');
    const port = new Fake();
    port.refuse = ['forbidden'];
    const outbox = open(port, storage);
    outbox.add('lobby', 'a');
    store.clear();
    await vi.waitFor(() => expect(port.requests).toHaveLength(1));
    await Promise.resolve();
    expect(storage.length).toBe(0);
  });

  test('a closed outbox sends nothing more, and leaves its messages to the next', async () => {
    const storage = memoryStorage();
    const port = new Fake();
    port.refuse = ['timeout'];
    const outbox = open(port, storage);
    outbox.add('lobby', 'a');
    await vi.waitFor(() => expect(port.requests).toHaveLength(1));
    outbox.close();
    outbox.add('lobby', 'b');
    outbox.flush();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(port.requests).toHaveLength(1);
    open(port, storage).flush();
    await vi.waitFor(() => expect(port.texts).toEqual(['a', 'b']));
  });

  test('users, and ids that look like paths, do not see each other', () => {
    const storage = memoryStorage();
    const port = new Fake();
    port.online = false;
    open(port, storage, direct, '1').add('lobby', 'secret');
    for (const user of ['', '1/out', '2', '%31'])
      expect(open(port, storage, direct, user).list()).toEqual([]);
  });

  test('a full storage is reported, and nothing is taken over half', () => {
    const storage = memoryStorage();
    storage.setItem = () => {
      throw new Error('QuotaExceededError');
    };
    const outbox = open(new Fake(), storage);
    expect(outbox.add('lobby', 'a')).toBe(false);
    expect(outbox.list()).toEqual([]);
  });

  describe('in a storage that has become full', () => {
    /** An outbox with this message, which cannot be changed in the storage any more. */
    function full(port: Fake, item: Partial<Pending> = {}) {
      const storage = memoryStorage();
      const outbox = open(port, storage);
      port.online = false;
      outbox.put({ clientId: 'c1', room: 'lobby', text: 'a', sentAt: 1, ...item });
      storage.setItem = () => {
        throw new Error('QuotaExceededError');
      };
      // Sent again and again, it would never let the test end.
      port.canSend = () => port.requests.length < 4;
      return outbox;
    }

    test('a refused message is not sent again, until the user says so', async () => {
      const port = new Fake();
      port.refuse = ['forbidden', 'forbidden', 'forbidden', 'forbidden'];
      const outbox = full(port);
      outbox.flush();
      await vi.waitFor(() => expect(port.failures).toEqual(['forbidden']));
      expect(port.requests).toHaveLength(1);
      const [item] = outbox.list();
      expect(item).toMatchObject({ text: 'a', failed: 'forbidden' });
      port.refuse = [];
      if (item !== undefined) outbox.retry(item);
      await vi.waitFor(() => expect(port.texts).toEqual(['a']));
      expect(outbox.list()).toEqual([]);
    });

    test('a message that waits for a moderator is not sent again', async () => {
      const port = new Fake();
      const outbox = full(port);
      port.send = async (item) => {
        port.requests.push(item.clientId);
        return { ...item, held: 'h1', failed: 'held' };
      };
      outbox.flush();
      await vi.waitFor(() => expect(outbox.list()).toMatchObject([{ held: 'h1', failed: 'held' }]));
      expect(port.requests).toHaveLength(1);
      outbox.discard('c1');
      expect(outbox.list()).toEqual([]);
    });

    test('a message whose file has come is sent', async () => {
      const port = new Fake();
      const file = { key: 'f1', name: 'a.txt', type: 'text/plain', size: 1 };
      const outbox = full(port, { files: [file] });
      const [item] = outbox.list();
      if (item !== undefined) expect(outbox.put({ ...item, files: [{ ...file, id: 'f1' }] })).toBe(true);
      await vi.waitFor(() => expect(port.texts).toEqual(['a']));
    });
  });

  test('ids fit the wire', () => expect(newId()).toMatch(/^[A-Za-z0-9_-]{1,64}$/));
});
