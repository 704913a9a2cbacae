import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { bodies, names as pathNames, routes } from '../server/http/api.ts';
import { connectErrors, httpErrors, requestErrors } from '../server/wire/errors.ts';
import { answers, events, requests, shapes } from '../server/wire/events.ts';
import { javaFiles } from './java-client.ts';
import { javaFolder } from './java-types.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** Named shapes are defined once and referenced elsewhere. */
const registry = z.registry<{ id: string }>();
for (const [id, shape] of Object.entries(shapes)) {
  registry.add(shape, { id });
  // Also global, because only the global registry has the `meta` of fields, such as maximum lengths.
  z.globalRegistry.add(shape, { id });
}

type Json = Record<string, unknown>;

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const {
    $schema: _,
    $defs: __,
    ...json
  } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
  });
  return JSON.parse(JSON.stringify(json).replaceAll('"#/$defs/', '"#/components/schemas/'));
}

function sharedSchemas(): Json {
  const uri = (name: string) => `#/components/schemas/${name}`;
  const { schemas } = z.toJSONSchema(registry, { io: 'output', uri, unrepresentable: 'any' });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _, $id: __, ...json }]) => [name, json]),
  );
}

const errorSchema = (codes: object, more: Json = {}) => ({
  type: 'object',
  properties: {
    code: { type: 'string', enum: Object.keys(codes) },
    message: { type: 'string' },
    retryAfterMs: { type: 'integer', description: 'milliseconds, with rate_limited' },
    ...more,
  },
  required: ['code', 'message'],
});

/** Returns the Socket.IO events as AsyncAPI 3.0. */
export function asyncApi(): Json {
  const messages: Json = {};
  const channels = { connection: { address: '/socket.io/', messages: {} as Json } };
  const operations: Json = {};
  const add = (name: string, payload: Json) => {
    const key = name.replaceAll(':', '-');
    messages[key] = { name, payload };
    channels.connection.messages[key] = { $ref: `#/components/messages/${key}` };
    return { $ref: `#/channels/connection/messages/${key}` };
  };
  for (const [name, schema] of Object.entries(requests)) {
    const asked = add(name, schemaOf(schema, 'input'));
    const answered = add(`${name}:answer`, {
      oneOf: [
        {
          type: 'object',
          properties: {
            ok: { const: true },
            data: schemaOf(answers[name as keyof typeof answers], 'output'),
          },
          required: ['ok', 'data'],
        },
        {
          type: 'object',
          properties: { ok: { const: false }, error: { $ref: '#/components/schemas/RequestError' } },
          required: ['ok', 'error'],
        },
      ],
    });
    operations[name.replace(':', '-')] = {
      action: 'receive',
      channel: { $ref: '#/channels/connection' },
      messages: [asked],
      reply: { channel: { $ref: '#/channels/connection' }, messages: [answered] },
    };
  }
  for (const [name, schema] of Object.entries(events)) {
    operations[`on-${name.replace(':', '-')}`] = {
      action: 'send',
      channel: { $ref: '#/channels/connection' },
      messages: [add(name, schemaOf(schema, 'output'))],
    };
  }
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'php-session-chat',
      version,
      description:
        'The events over Socket.IO 4, seen from the server. Generated from server/wire/events.ts; see protocol.md.',
    },
    defaultContentType: 'application/json',
    channels,
    operations,
    components: {
      messages,
      schemas: {
        ...sharedSchemas(),
        RequestError: errorSchema(requestErrors, {
          current: { $ref: '#/components/schemas/Message', description: 'with conflict of message:edit' },
          question: { $ref: '#/components/schemas/Question', description: 'with conflict of question:take' },
        }),
        ConnectError: {
          type: 'object',
          properties: {
            code: { type: 'string', enum: Object.keys(connectErrors) },
            message: { type: 'string' },
            retryable: { type: 'boolean' },
            retryAfterMs: { type: 'integer' },
          },
          required: ['code', 'message', 'retryable'],
        },
      },
    },
  };
}

/** Returns the method name for generated clients: `patchRoomMembers` for `PATCH /api/rooms/{room}/members`. */
function operationId(method: string, template: string): string {
  const names = template
    .replace('/api/', '')
    .replaceAll(/s\/\{\w+\}/g, '')
    .split('/');
  return method.toLowerCase() + names.map((name) => name.charAt(0).toUpperCase() + name.slice(1)).join('');
}

/** Returns the HTTP API for the PHP application as OpenAPI 3.1. */
export function openApi(): Json {
  const paths: Record<string, Json> = {};
  for (const { method, template, summary, names, body, statuses, query = {} } of routes) {
    const responses: Json = Object.fromEntries(statuses.map((status) => [status, { description: 'done' }]));
    for (const status of ['400', '401', '404', '503', 'default']) {
      responses[status] = { $ref: '#/components/responses/Error' };
    }
    const place = { name: /\{(\w+)\}/.exec(template)?.[1] };
    const path = paths[template] ?? {};
    paths[template] = path;
    path[method.toLowerCase()] = {
      operationId: operationId(method, template),
      summary,
      security: [{ key: [] }],
      parameters: [
        ...(names === undefined
          ? []
          : [{ ...place, in: 'path', required: true, schema: schemaOf(pathNames[names], 'input') }]),
        ...Object.entries(query).map(([name, schema]) => ({
          name,
          in: 'query',
          ...(schema.safeParse(undefined).success ? {} : { required: true }),
          schema: schemaOf(schema, 'input'),
        })),
      ],
      ...(body === 'nothing'
        ? {}
        : {
            requestBody: {
              required: true,
              content: { 'application/json': { schema: schemaOf(bodies[body], 'input') } },
            },
          }),
      responses,
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'php-session-chat',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'The requests of the PHP application, with its key. Generated from server/http/api.ts; see api.md.',
    },
    servers: [
      { url: 'http://127.0.0.1:7070', description: 'the chat server next to the site, at CHAT_PORT' },
    ],
    paths,
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      responses: {
        Error: {
          description: 'an error',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      },
      schemas: {
        Error: {
          type: 'object',
          properties: { error: errorSchema({ ...httpErrors, ...requestErrors }) },
          required: ['error'],
        },
      },
    },
  };
}

const written = (value: Json) => `${JSON.stringify(value, null, 2)}\n`;

if (import.meta.main) {
  const events = asyncApi();
  writeFileSync(new URL('../docs/asyncapi.json', import.meta.url), written(events));
  writeFileSync(new URL('../docs/openapi.json', import.meta.url), written(openApi()));
  for (const [name, source] of javaFiles(events)) writeFileSync(new URL(name, javaFolder), source);
}
