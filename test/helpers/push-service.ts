import { createDecipheriv, createECDH, type ECDH, hkdfSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { makeCertificate } from './certificate.ts';
import type { ChatClient } from './chat-client.ts';

/** The keys of a subscription, as a browser generates them. */
export interface BrowserKeys {
  ecdh: ECDH;
  p256dh: Buffer;
  auth: Buffer;
}

export function browserKeys(): BrowserKeys {
  const ecdh = createECDH('prime256v1');
  return { ecdh, p256dh: ecdh.generateKeys(), auth: randomBytes(16) };
}

/** Decrypts the text of a push as a browser does (RFC 8291). @throws if it is not for these keys */
export function decrypted(body: Buffer, { ecdh, p256dh, auth }: BrowserKeys): Buffer {
  const hkdf = (secret: Buffer, salt: Buffer, info: string | Buffer, bytes: number) =>
    Buffer.from(hkdfSync('sha256', secret, salt, info, bytes));
  const salt = body.subarray(0, 16);
  const sender = body.subarray(21, 21 + (body[20] as number));
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), p256dh, sender]);
  const secret = hkdf(ecdh.computeSecret(sender), auth, info, 32);
  const key = hkdf(secret, salt, 'Content-Encoding: aes128gcm\0', 16);
  const decipher = createDecipheriv('aes-128-gcm', key, hkdf(secret, salt, 'Content-Encoding: nonce\0', 12), {
    authTagLength: 16,
  });
  const sealed = body.subarray(21 + sender.length);
  decipher.setAuthTag(sealed.subarray(-16));
  const record = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
  if (record.at(-1) !== 2) throw new Error('the last record must end with 2');
  return record.subarray(0, -1);
}

export interface TakenPush {
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface PushServiceOfTest {
  /** As in `URL.host`, for CHAT_PUSH_HOSTS. */
  host: string;
  /** The path of its certificate, for NODE_EXTRA_CA_CERTS. */
  certificate: string;
  taken: TakenPush[];
  /** Responds to a push, by default with 201. */
  answer(response: ServerResponse, push: TakenPush): void;
  close(): Promise<void>;
}

const authorities = getCACertificates();

/** Starts a push service on this machine, with its own certificate. */
export async function startPushService(): Promise<PushServiceOfTest> {
  const folder = mkdtempSync(join(tmpdir(), 'chat-push-'));
  const { certificate, key } = makeCertificate(folder, 'localhost');
  const service: PushServiceOfTest = {
    host: '',
    certificate,
    taken: [],
    answer: (response) => response.writeHead(201).end(),
    async close() {
      setDefaultCACertificates(authorities);
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      rmSync(folder, { recursive: true });
    },
  };
  const server = createServer(
    { cert: readFileSync(certificate), key: readFileSync(key) },
    async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      const push = { path: request.url ?? '', headers: request.headers, body: Buffer.concat(pieces) };
      service.taken.push(push);
      service.answer(response, push);
    },
  );
  await once(server.listen(0, 'localhost'), 'listening');
  service.host = `localhost:${(server.address() as AddressInfo).port}`;
  return service;
}

/** Makes this process trust the services until one of them closes. */
export function trust(...services: PushServiceOfTest[]): void {
  const certificates = services.map(({ certificate }) => readFileSync(certificate, 'utf8'));
  setDefaultCACertificates([...authorities, ...certificates]);
}

let devices = 0;

/** Creates the subscription that a browser registers. @param key the chat's key: see `pushKeyOf` */
export function subscription({ host }: PushServiceOfTest, key: string, over: object = {}) {
  const { p256dh, auth } = browserKeys();
  return {
    endpoint: `https://${host}/${devices++}`,
    p256dh: p256dh.toString('base64url'),
    auth: auth.toString('base64url'),
    key,
    page: 'http://localhost:8080/forum/',
    ...over,
  };
}

/** Returns the key that browsers use to subscribe. */
export async function pushKeyOf(chat: { url: string }): Promise<string> {
  const answer = await fetch(`${chat.url}/push/key`);
  return ((await answer.json()) as { key: string }).key;
}

/** A browser that a user has registered, with the pushes that it has received. */
export interface RegisteredBrowser {
  path: string;
  taken(): TakenPush[];
  pushes(): { web_push: number; notification: object }[];
}

export async function registerBrowser(
  service: PushServiceOfTest,
  key: string,
  client: ChatClient,
): Promise<RegisteredBrowser> {
  const keys = browserKeys();
  const [p256dh, auth] = [keys.p256dh.toString('base64url'), keys.auth.toString('base64url')];
  const device = subscription(service, key, { p256dh, auth });
  await client.request('device:register', device);
  const path = new URL(device.endpoint).pathname;
  const taken = () => service.taken.filter((push) => push.path === path);
  return { path, taken, pushes: () => taken().map(({ body }) => JSON.parse(`${decrypted(body, keys)}`)) };
}
