import { openAsBlob } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { AwsV4Signer } from 'aws4fetch';
import type { FilesPlace } from './place.ts';
import { type Storage, storedName } from './storage.ts';
import { WorkFolder } from './work-folder.ts';

/** Milliseconds for which a bucket may be silent. */
const answerLimit = 10_000;
/** Bytes of a refusal that are read: its code is at the beginning. */
const mostOfRefusal = 8 * 1024;
/** The slowest accepted upload in bytes per millisecond, beyond that time. */
const slowest = 100;

/** Ends an exchange when the other side is silent. Time in which this side does not read is not counted. */
class Silence {
  readonly #abort = new AbortController();
  readonly signal = this.#abort.signal;

  /** Waits for something from the other side. */
  async bounded<T>(awaited: Promise<T>, limit = answerLimit): Promise<T> {
    const late = setTimeout(
      () => this.#abort.abort(new DOMException('The other side is silent.', 'TimeoutError')),
      limit,
    );
    return awaited.finally(() => clearTimeout(late));
  }

  /** The bytes of an answer, as fast as they are read. The connection is free as soon as nobody wants them any more. */
  stream(body: ReadableStream<Uint8Array>): Readable {
    const reader = body.getReader();
    const silence = this;
    return new Readable({
      read() {
        silence.bounded(reader.read()).then(
          ({ done, value }) => this.push(done ? null : value),
          (error: Error) => this.destroy(error),
        );
      },
      destroy(error, done) {
        if (!this.readableEnded) silence.#abort.abort();
        done(error);
      },
    });
  }
}

async function beginningOf({ body }: Response, silence: Silence): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  if (body === null) return '';
  for await (const piece of silence.stream(body)) {
    pieces.push(piece);
    length += piece.length;
    if (length >= mostOfRefusal) break;
  }
  return Buffer.concat(pieces).toString('utf8', 0, mostOfRefusal);
}

/** Files in a bucket of S3 or a compatible service. */
export function bucketStorage({ url, region, prefix, credentials }: FilesPlace & { kind: 's3' }): Storage {
  const { key = '', secret = '' } = credentials ?? {};
  // All servers of this account on this machine share it: each cleans up after those that were killed.
  const work = new WorkFolder(join(tmpdir(), `php-session-chat-files-${process.getuid?.() ?? ''}`), 'own');

  async function ask(
    method: string,
    name: string,
    options: { body?: Blob; headers?: Record<string, string> } = {},
  ): Promise<{ answer: Response; silence: Silence }> {
    const { body, headers = {} } = options;
    const silence = new Silence();
    const signed = await new AwsV4Signer({
      method,
      url: `${url}${prefix}${name}`,
      headers: { ...headers, 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD' },
      accessKeyId: key,
      secretAccessKey: secret,
      service: 's3',
      region,
    }).sign();
    // Not signed: a proxy may change it. Of a file that was packed on its way, the length would be unknown.
    signed.headers.set('Accept-Encoding', 'identity');
    const taken = Math.ceil((body?.size ?? 0) / slowest);
    const answer = await silence
      .bounded(
        fetch(signed.url, {
          method,
          headers: signed.headers,
          signal: silence.signal,
          redirect: 'manual',
          ...(body === undefined ? {} : { body }),
        }),
        answerLimit + taken,
      )
      .catch((error: Error) => {
        const { cause } = error as { cause?: NodeJS.ErrnoException };
        throw new Error(`the bucket does not answer (${cause?.code ?? error.name})`, { cause: error });
      });
    return { answer, silence };
  }

  /** A short answer is read to its end, so that the connection can be used again. */
  async function refusal(answer: Response, silence: Silence): Promise<Error> {
    const text = await silence.bounded(beginningOf(answer, silence)).catch(() => '');
    const code = /<Code>([A-Za-z]{1,60})<\/Code>/.exec(text)?.[1] ?? '';
    return new Error(`the bucket answers ${answer.status} ${code}`.trim());
  }

  return {
    work: () => work.path(),
    // Stored files leave this disk.
    reserve: (user, bytes) => work.reserve(user, bytes),
    async put(name, path) {
      const body = await openAsBlob(path);
      const { answer, silence } = await ask('PUT', name, { body });
      if (!answer.ok) throw await refusal(answer, silence);
      await answer.body?.cancel();
      await rm(path, { force: true });
    },
    async open(name, part) {
      if (!storedName.test(name)) return null;
      const headers = part === undefined ? {} : { Range: `bytes=${part.start}-${part.end}` };
      const { answer, silence } = await ask('GET', name, { headers });
      if (answer.status === 404) {
        await answer.body?.cancel();
        return null;
      }
      const size = answer.headers.get('content-length');
      if (answer.status !== (part === undefined ? 200 : 206) || answer.body === null || size === null)
        throw await refusal(answer, silence);
      const coding = answer.headers.get('content-encoding') ?? 'identity';
      const isAnother = part !== undefined && Number(size) !== part.end - part.start + 1;
      if (coding !== 'identity' || isAnother) {
        await answer.body.cancel();
        throw new Error(
          isAnother
            ? 'the bucket sends another part than the requested one'
            : `the bucket packs files (${coding}); switch that off, also in a proxy before it`,
        );
      }
      return { size: Number(size), bytes: silence.stream(answer.body) };
    },
    async delete(name) {
      if (!storedName.test(name)) return;
      const { answer, silence } = await ask('DELETE', name);
      if (!answer.ok && answer.status !== 404) throw await refusal(answer, silence);
      await answer.body?.cancel();
    },
    isCopied: () => Promise.resolve(false),
    tidy: () => work.tidy(),
    async check() {
      // The account may lack the right to list the bucket, so this asks for a file.
      const { answer, silence } = await ask('GET', 'check');
      if (answer.ok) return void (await answer.body?.cancel());
      const refused = await refusal(answer, silence);
      if (answer.status !== 404 || refused.message.includes('NoSuchBucket')) throw refused;
    },
  };
}
