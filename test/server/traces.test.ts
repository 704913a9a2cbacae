import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { startChatServer } from '../helpers/chat-server.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { eventsOf } from '../helpers/people.ts';

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  attributes: { key: string; value: { stringValue?: string } }[];
  status: { code?: number };
}
interface Batch {
  resourceSpans: {
    resource: Pick<Span, 'attributes'>;
    scopeSpans: { spans: Span[] }[];
  }[];
}

/** Starts a trace collector for JSON. It responds with this status, and stores the bodies if it is 200. */
async function startCollector(status = 200) {
  const bodies: string[] = [];
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part) => {
      body += part;
    });
    request.on('end', () => {
      asked.push(`${request.method} ${request.url}`);
      if (collector.status === 200) bodies.push(body);
      response.writeHead(collector.status, { 'Content-Type': 'application/json' }).end('{}');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const collector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    ...{ bodies, asked, status },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return collector;
}

async function startServer(env: NodeJS.ProcessEnv) {
  const server = await startChatServer({ CHAT_SESSION_STORE: memcached.url, ...env });
  return server;
}

/** Connects a user, who joins the lobby, sends a message and creates a room. @returns the announced rooms */
async function talk({ url }: { url: string }) {
  const client = await connectChat(url, 'PHPSESSID=secret-session');
  await client.request('room:join', { room: 'lobby' });
  await client.request('message:send', { room: 'lobby', text: 'secret text', clientId: newClientId() });
  const made = { kind: 'private' as const, name: 'Den', members: [], clientId: newClientId() };
  await client.request('room:create', made);
  await client.request('room:sync', { room: 'lobby', since: 0 });
  const added = eventsOf(client, 'room:added');
  client.close();
  return added;
}

let memcached: Memcached;
let collector: Awaited<ReturnType<typeof startCollector>>;
let output: string;
let announced: unknown[];
beforeAll(async () => {
  memcached = await startMemcached();
  await memcached.set('sessions/secret-session', '{"user_id":"quincunx"}');
  collector = await startCollector(400);
  const server = await startServer({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    OTEL_BSP_SCHEDULE_DELAY: '50',
    CHAT_NODE: 'one',
    CHAT_CREATE_ROOMS: 'all',
  });
  await talk(server);
  await server.until(/could not send traces/);
  collector.status = 200;
  announced = await talk(server);
  await expect(connectChat(server.url, 'PHPSESSID=unknown')).rejects.toThrow('unauthorized');
  // Pending spans are sent when the server stops.
  expect(await server.stop()).toBe(0);
  output = server.output();
});
afterAll(async () => {
  collector?.close();
  await memcached?.stop();
});

test('does not announce a room to its creator while spans are recorded', () => {
  expect(announced).toEqual([]);
});

test('logs that a collector rejects spans', () => {
  expect(output).toMatch(/"reason":"[^"]+".*"msg":"could not send traces/);
});

test('sends spans of connections and requests with their reads and writes, without secrets', () => {
  expect(new Set(collector.asked)).toEqual(new Set(['POST /v1/traces']));
  const batches = collector.bodies.flatMap((body) => (JSON.parse(body) as Batch).resourceSpans);
  const texts = ({ attributes }: Pick<Span, 'attributes'>) =>
    Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));
  expect(texts(batches[0]?.resource as Span)).toMatchObject({
    'service.name': 'php-session-chat',
    'service.instance.id': 'one',
    'deployment.environment.name': 'test',
  });
  const spans = batches.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
  const begun = spans.filter((span) => !span.parentSpanId);
  const below = (parent: Span | undefined) =>
    spans.filter((span) => span.parentSpanId === parent?.spanId && span.traceId === parent?.traceId);
  const named = (name: string) => begun.filter((span) => span.name === name);
  expect(new Set(begun.map(({ name }) => name))).toEqual(
    new Set(['connect', 'room:join', 'message:send', 'room:create', 'room:sync']),
  );

  const connects = named('connect').sort((a, b) => a.attributes.length - b.attributes.length);
  const [accepted, refused] = [connects[0], connects.at(-1)];
  expect(below(accepted).map(({ name }) => name)).toContain('session.identify');
  expect([texts(accepted as Span), texts(refused as Span)]).toEqual([{}, { 'error.type': 'unauthorized' }]);
  expect(refused?.status.code).not.toBe(2);
  expect(below(named('message:send')[0]).map(({ name }) => name)).toContain('history.write.send');
  expect(below(named('room:sync')[0]).map(({ name }) => name)).toContainEqual(
    expect.stringMatching(/^history\.read\./),
  );
  expect(collector.bodies.join('\n')).not.toMatch(/secret|quincunx|lobby|PHPSESSID/);
});
