import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { json } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { size } from '../../guarantees/size.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';
import { type ContractRequest, fits, type Operation, requestsOf } from '../../helpers/contract-requests.ts';
import { apiKey } from '../../helpers/people.ts';
import { ticketKeys } from '../../helpers/tickets.ts';

const { paths, components } = JSON.parse(
  readFileSync(new URL('../../../docs/openapi.json', import.meta.url), 'utf8'),
);
const operations = Object.entries(paths as Record<string, Record<string, Operation>>).flatMap(
  ([template, methods]) =>
    Object.entries(methods).map(
      ([method, operation]) => [method.toUpperCase(), template, operation] as const,
    ),
);

const tickets = ticketKeys();
let site: ChatSite<RunningChat>;
beforeAll(async () => {
  site = await startChatSite(
    { ...tickets.env, CHAT_API_KEY: apiKey, CHAT_TEAM: 'role:moderator' },
    chatServerHere,
  );
});
afterAll(async () => {
  agent.destroy();
  await site.close();
  tickets.remove();
});

/** `fetch` would resolve dot segments, and does not send a body with GET. */
const agent = new Agent({ keepAlive: true });
function send(method: string, { path, body }: ContractRequest) {
  return new Promise<{ status: number; type: string | undefined; body: unknown }>((resolve, reject) => {
    const headers = { Authorization: `Bearer ${apiKey}`, 'Content-Length': Buffer.byteLength(body ?? '') };
    const { port } = site.chat;
    const asked = request({ agent, port, host: '127.0.0.1', method, path, headers }, async (res) => {
      const type = res.headers['content-type'];
      const answer = type === 'application/json' ? await json(res).catch(reject) : res.resume();
      resolve({ status: res.statusCode ?? 0, type, body: answer });
    });
    asked.on('error', reject).end(body);
  });
}

describe('accepts what docs/openapi.json allows, and rejects all else', () => {
  test.each(operations)('%s %s', async (method, template, operation) => {
    const schema = components.schemas.Error.properties.error;
    const counts = { valid: 0, invalid: 0 };
    const any = requestsOf(template, operation);
    // Of some operations, chance makes few valid requests.
    const valid = any.filter(({ isValid }) => isValid);
    const requests = fc.oneof({ weight: 4, arbitrary: any }, { weight: 1, arbitrary: valid });
    await fc.assert(
      fc.asyncProperty(requests, async (asked) => {
        // The contract cannot describe which cursors exist.
        fc.pre(!asked.path.includes('cursor=') || !asked.isValid);
        counts[asked.isValid ? 'valid' : 'invalid']++;
        const { status, type, body } = await send(method, asked);
        const error = (body as { error?: { code: string } }).error;
        const isAccepted = status !== 400 && error?.code !== 'not_found';
        expect({ ...asked, isValid: isAccepted, status, error }).toEqual({ ...asked, status, error });
        if (error !== undefined) expect(fits(schema, error)).toBe(true);
        if (isAccepted) {
          expect(Object.keys(operation.responses)).toContain(status < 400 ? String(status) : 'default');
          expect(type).toMatch(/^application\/(json|zip)$/);
        }
      }),
      { numRuns: size(3000, 75), endOnFailure: false },
    );
    expect(counts.invalid).toBeGreaterThan(0);
    expect(counts.valid).toBeGreaterThan(0);
  });
});
