import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { startChatServer } from '../helpers/chat-server.ts';
import { startMemcached } from '../helpers/memcached.ts';

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

/** A collector that takes traces as JSON, and answers with the status. */
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
      bodies.push(body);
      response.writeHead(status, { 'Content-Type': 'application/json' }).end('{}');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, bodies, asked };
}

async function startServer(env: NodeJS.ProcessEnv) {
  const memcached = await startMemcached();
  onTestFinished(async () => void (await memcached.stop()));
  await memcached.set('sessions/secret-session', '{"user_id":"quincunx"}');
  const server = await startChatServer({
    CHAT_SESSION_STORE: memcached.url,
    ...env,
  });
  onTestFinished(() => void server.stop('SIGKILL'));
  return server;
}

/** A user writes into the lobby. */
async function talk({ url }: { url: string }) {
  const client = await connectChat(url, 'PHPSESSID=secret-session');
  await client.request('room:join', { room: 'lobby' });
  await client.request('message:send', { room: 'lobby', text: 'secret text', clientId: newClientId() });
  await client.request('room:sync', { room: 'lobby', since: 0 });
  client.close();
}

test('a collector gets the spans of connections and requests, with the reads and writes below them, and no secret', async () => {
  const collector = await startCollector();
  const server = await startServer({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    CHAT_NODE: 'one',
  });
  await talk(server);
  await expect(connectChat(server.url, 'PHPSESSID=unknown')).rejects.toThrow('unauthorized');
  // Spans that are not sent yet are sent at the end.
  expect(await server.stop()).toBe(0);

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
    new Set(['connect', 'room:join', 'message:send', 'room:sync']),
  );

  const [accepted, refused] = named('connect').sort((a, b) => a.attributes.length - b.attributes.length);
  expect(below(accepted).map(({ name }) => name)).toContain('session.identify');
  expect([texts(accepted as Span), texts(refused as Span)]).toEqual([{}, { 'error.type': 'unauthorized' }]);
  expect(refused?.status.code).not.toBe(2);
  expect(below(named('message:send')[0]).map(({ name }) => name)).toContain('history.write.send');
  expect(below(named('room:sync')[0]).map(({ name }) => name)).toContainEqual(
    expect.stringMatching(/^history\.read\./),
  );
  expect(collector.bodies.join('\n')).not.toMatch(/secret|quincunx|lobby|PHPSESSID/);
});

test('a collector that refuses them, or is not there, disturbs nobody, and the log says so', async () => {
  const collector = await startCollector(400);
  const server = await startServer({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: '50',
  });
  await talk(server);
  expect(await server.stop()).toBe(0);
  expect(server.output()).toMatch(/"reason":"[^"]+".*"msg":"traces cannot be sent: the collector/);
});
