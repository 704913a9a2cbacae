import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Tickets } from '../../client/src/connection/tickets.ts';
import { encode } from '../helpers/tickets.ts';

/** The answers of the site, in order. The last one repeats. */
let answers: (() => Response | Promise<Response>)[];
let fetched: number;
let accepts: boolean;
const offered: string[] = [];
let logouts: number;
let tickets: Tickets;

beforeEach(() => {
  vi.useFakeTimers();
  fetched = 0;
  logouts = 0;
  accepts = true;
  offered.length = 0;
  vi.stubGlobal('fetch', async () => {
    const answer = answers[Math.min(fetched++, answers.length - 1)];
    return answer?.();
  });
  tickets = new Tickets('https://site.example/ticket', {
    async renew(ticket) {
      offered.push(ticket);
      return accepts;
    },
    loggedOut: () => void logouts++,
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const ticketOf = (claims: object) => `e30.${encode(claims)}.x`;
const withTicket = (claims: object) => () => Response.json({ ticket: ticketOf(claims) });
const tenMinutes = withTicket({ iat: 1000, exp: 1600 });

async function connect(): Promise<void> {
  await tickets.take();
  tickets.start();
}

test('renews a ticket a minute before its end', async () => {
  answers = [tenMinutes, withTicket({ iat: 1540, exp: 2140 })];
  await connect();
  await vi.advanceTimersByTimeAsync(539_000);
  expect(offered).toEqual([]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(offered).toEqual([ticketOf({ iat: 1540, exp: 2140 })]);
  expect(tickets.current).toBe(ticketOf({ iat: 1540, exp: 2140 }));
});

test.each([
  ['HTML', () => new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } })],
  ['no ticket', () => Response.json({})],
  ['null', () => Response.json(null)],
  ['a ticket that is not JSON', () => Response.json({ ticket: 'a.b.c' })],
  ['an error', () => new Response(null, { status: 503 })],
  ['nothing', () => Promise.reject(new TypeError('failed to fetch'))],
])('asks again every 5 s while the site answers %s', async (_, answer) => {
  answers = [tenMinutes, answer];
  await connect();
  await vi.advanceTimersByTimeAsync(540_000 + 20_000);
  expect(fetched).toBe(1 + 5);
  expect(tickets.current).toBe(ticketOf({ iat: 1000, exp: 1600 }));
});

test.each([
  ['without times', {}],
  ['that ends before its issue', { iat: 1600, exp: 1000 }],
  ['that is valid for years', { iat: 0, exp: 1e9 }],
])('asks again every 5 s if the server rejects a ticket %s', async (_, claims) => {
  answers = [tenMinutes, withTicket(claims)];
  await connect();
  accepts = false;
  await vi.advanceTimersByTimeAsync(540_000 + 20_000);
  expect(fetched).toBe(1 + 5);
  expect(tickets.current).toBe(ticketOf({ iat: 1000, exp: 1600 }));
});

test('renews at most once a second', async () => {
  answers = [withTicket({ iat: 1000, exp: 1000.01 })];
  await connect();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(fetched).toBe(1 + 10);
});

test('stops a renewal that is in flight', async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  answers = [tenMinutes, () => promise];
  await connect();
  await vi.advanceTimersByTimeAsync(540_000);
  tickets.stop();
  resolve(new Response(null, { status: 401 }));
  await vi.advanceTimersByTimeAsync(600_000);
  expect({ fetched, logouts, offered }).toEqual({ fetched: 2, logouts: 0, offered: [] });
});

test('reports a logout once', async () => {
  answers = [tenMinutes, () => new Response(null, { status: 401 })];
  await connect();
  await vi.advanceTimersByTimeAsync(600_000);
  expect({ fetched, logouts, current: tickets.current }).toEqual({
    fetched: 2,
    logouts: 1,
    current: undefined,
  });
});
