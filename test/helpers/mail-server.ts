import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { makeCertificate } from './certificate.ts';

export interface ReceivedMail {
  /** The sender of the envelope. */
  from: string;
  to: string[];
  /** Each header as received, unfolded, by its name in lower case. */
  headers: ReadonlyMap<string, string[]>;
  /** The headers as received. */
  head: string;
  subject: string;
  text: string;
  html: string;
  pictures: { type: string; id: string; disposition: string; bytes: Buffer }[];
  /** The whole mail. */
  bytes: Buffer;
}

export interface TestMailServer {
  /** `smtps:` or `smtp:` with a valid login and the certificate. */
  url: string;
  port: number;
  /** The file of its certificate. */
  ca: string;
  mails: ReceivedMail[];
  /** Waits for the `n`th mail. */
  mail(n: number): Promise<ReceivedMail>;
  /** The response to a recipient instead of 250, such as `550 5.1.1 …`, or `silence`. */
  refusals: Map<string, string>;
  /** The recipients of all attempts. */
  attempts: string[];
  /** Greets a client. Default: at once. */
  greet(done: () => void): void;
  /** Responds to a received mail. Default: at once. */
  answer(done: () => void): void;
  /** The number of connections that were opened. */
  connections: number;
  stop(): Promise<void>;
}

/** Starts a mail server with TLS, from the first byte or after STARTTLS, that accepts mails after a login. */
export async function startMailServer(scheme: 'smtps' | 'smtp' = 'smtps'): Promise<TestMailServer> {
  const folder = mkdtempSync(join(tmpdir(), 'mail-server-'));
  const { certificate, key } = makeCertificate(folder, 'localhost');
  const waiting: { n: number; resolve: (mail: ReceivedMail) => void }[] = [];
  const server = new SMTPServer({
    secure: scheme === 'smtps',
    key: readFileSync(key),
    cert: readFileSync(certificate),
    disableReverseLookup: true,
    onConnect(_session, done) {
      self.connections++;
      self.greet(done);
    },
    onAuth({ username, password }, _session, done) {
      if (username === 'chat' && password === 'p@ss/word') done(null, { user: username });
      else done(Object.assign(new Error('5.7.8 wrong'), { responseCode: 535 }));
    },
    onRcptTo({ address }, _session, done) {
      self.attempts.push(address);
      const refusal = self.refusals.get(address) ?? '';
      const [, code, text] = /^(\d{3}) (.*)$/.exec(refusal) ?? [];
      if (refusal === 'silence') return;
      if (text === undefined) done();
      else done(Object.assign(new Error(text), { responseCode: Number(code) }));
    },
    onData(stream, { envelope: { mailFrom, rcptTo } }, done) {
      stream.toArray().then((pieces: Buffer[]) => {
        const from = mailFrom ? mailFrom.address : '';
        const mail = parsed(Buffer.concat(pieces), { from, to: rcptTo.map(({ address }) => address) });
        self.mails.push(mail);
        for (const { n, resolve } of waiting) if (n === self.mails.length) resolve(mail);
        self.answer(done);
      }, done);
    },
  });
  server.on('error', () => {});
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const { port } = server.server.address() as AddressInfo;
  const self: TestMailServer = {
    url: `${scheme}://chat:p%40ss%2Fword@localhost:${port}?ca=${certificate}`,
    port,
    ca: certificate,
    mails: [],
    refusals: new Map(),
    attempts: [],
    greet: (done) => done(),
    answer: (done) => done(),
    connections: 0,
    mail: (n) =>
      new Promise((resolve) => {
        const known = self.mails[n - 1];
        if (known === undefined) waiting.push({ n, resolve });
        else resolve(known);
      }),
    async stop() {
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(folder, { recursive: true });
    },
  };
  return self;
}

function parsed(raw: Buffer, envelope: Pick<ReceivedMail, 'from' | 'to'>): ReceivedMail {
  const whole = part(raw.toString('latin1'));
  const { headers } = whole;
  const parts = partsOf(whole);
  const textOf = (kind: string) => {
    const found = parts.find((one) => one.headers.get('content-type')?.[0]?.startsWith(kind));
    return found === undefined ? '' : decoded(found);
  };
  return {
    ...envelope,
    headers,
    head: raw.toString('latin1', 0, raw.indexOf('\r\n\r\n')),
    subject: words(headers.get('subject')?.[0] ?? ''),
    text: textOf('text/plain'),
    html: textOf('text/html'),
    pictures: parts.flatMap(({ headers, body }) => {
      const [type = ''] = headers.get('content-type') ?? [];
      const [id = ''] = headers.get('content-id') ?? [];
      const [disposition = ''] = headers.get('content-disposition') ?? [];
      return type.startsWith('image/') ? { type, id, disposition, bytes: Buffer.from(body, 'base64') } : [];
    }),
    bytes: raw,
  };
}

interface Part {
  headers: Map<string, string[]>;
  body: string;
}

/** Returns all parts, including those of nested parts. */
function partsOf({ headers, body }: Part): Part[] {
  const boundary = /boundary="([^"]+)"/.exec(headers.get('content-type')?.[0] ?? '')?.[1];
  if (boundary === undefined) return [{ headers, body }];
  return body
    .split(`--${boundary}`)
    .slice(1, -1)
    .flatMap((text) => partsOf(part(text)));
}

function part(text: string): Part {
  const from = text.replace(/^\r\n/, '');
  const end = from.indexOf('\r\n\r\n');
  const headers = new Map<string, string[]>();
  for (const line of from
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')) {
    const [, name = '', value = ''] = /^([^:]*):\s*(.*)$/.exec(line) ?? [];
    headers.set(name.toLowerCase(), [...(headers.get(name.toLowerCase()) ?? []), value]);
  }
  return { headers, body: from.slice(end + 4) };
}

function decoded({ headers, body }: Part): string {
  const coding = headers.get('content-transfer-encoding')?.[0] ?? '';
  const bytes =
    coding === 'base64'
      ? Buffer.from(body, 'base64')
      : Buffer.from(coding === 'quoted-printable' ? quotedPrintable(body) : body, 'latin1');
  return bytes.toString('utf8').replaceAll('\r\n', '\n').trimEnd();
}

const quotedPrintable = (text: string) =>
  text
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

/** Decodes a header with encoded words (RFC 2047). */
function words(header: string): string {
  const one = /=\?UTF-8\?([QB])\?([^?]*)\?=/gi;
  const bytes = header
    .replace(/(\?=)\s+(=\?)/g, '$1$2')
    .replace(one, (_, kind: string, text: string) =>
      kind.toUpperCase() === 'B'
        ? Buffer.from(text, 'base64').toString('latin1')
        : quotedPrintable(text.replaceAll('_', ' ')),
    );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
