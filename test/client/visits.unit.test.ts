import { afterEach, expect, test, vi } from 'vitest';
import type { Context } from '../../client/src/views/context.ts';
import { Visits } from '../../client/src/views/visits/visits.tsx';

afterEach(() => {
  vi.unstubAllGlobals();
});

test.each([
  ['opens the message of the address in a launcher', '#m=garden/4', { slot: 'chat' }, [4]],
  ['opens no message outside of a launcher, whose page did not allow it', '#m=garden/4', {}, []],
  [
    'opens no message of another room in a launcher for a single room',
    '#m=garden/4',
    { slot: 'chat', single: '' },
    [],
  ],
  [
    'leaves an invite link to the page of the chat',
    '#join=abcdefghijklmnopqrstuvwxyz012345',
    { slot: 'chat' },
    [],
  ],
])('%s', async (_, hash, attributes: Record<string, string>, opened) => {
  vi.stubGlobal('location', new URL(hash, 'https://shop.example'));
  const jumps: (number | undefined)[] = [];
  const connected = vi.fn(async () => {});
  const context = {
    attribute: (name: string) => attributes[name] ?? null,
    chat: {
      single: 'single' in attributes,
      connection: { connected, state: { kind: 'connecting' } },
      rooms: new Map(),
      request: async () => ({ messages: [{ seq: 4 }] }),
    },
    changed() {},
    jump: ({ seq }: { seq?: number }) => jumps.push(seq),
  } as unknown as Context;
  new Visits(context).beginInLauncher();
  await expect.poll(() => jumps).toEqual(opened);
  expect(connected).toHaveBeenCalledTimes(opened.length);
});
