import { openAsBlob } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { AwsV4Signer } from 'aws4fetch';
import type { FilesPlace } from './place.ts';
import { type Storage, storedName } from './storage.ts';
import { WorkFolder } from './work-folder.ts';

/** A request fails after this time in ms without data from the bucket. */
const answerLimit = 10_000;
/** The part of an error response that is read, in bytes. It contains the error code. */
const mostOfRefusal = 8 * 1024;
/** The speed of the slowest accepted upload, in bytes per ms. The time at this speed is added to `answerLimit`. */
const slowest = 100;

/** Aborts a request if the bucket is silent. Time in which this server does not read is not counted. */
class Silence {
  readonly #abort = new AbortController();
  readonly signal = this.#abort.signal;

  /** Awaits a promise, and aborts the request if that takes longer than `limit` ms. */
  async bounded<T>(awaited: Promise<T>, limit = answerLimit): Promise<T> {
    const late = setTimeout(
      () =>
        this.#abort.abort(new DOMException('The bucket sent nothing before the timeout.', 'TimeoutError')),
      limit,
    );
    return awaited.finally(() => clearTimeout(late));
  }

  /** Returns the body as a stream that is read on demand. Destroying the stream aborts the request. */
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
  // All servers of this account on this machine share the folder, so each can delete files of killed servers.
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
    // Not signed, because a proxy may change this header. Without it, the length of a compressed file would be unknown.
    signed.headers.set('Accept-Encoding', 'identity');
    const taken = Math.ceil((body?.size ?? 0) / slowest);
    const answer = await silence
      .bounded(
        fetch(signed.url, {
          method,
          headers: signed.headers,
          signal: silence.signal,
          redirect: 'manual',
          body,
        }),
        answerLimit + taken,
      )
      .catch((error: Error) => {
        const { cause } = error as { cause?: NodeJS.ErrnoException };
        throw new Error(`the bucket does not respond (${cause?.code ?? error.name})`, { cause: error });
      });
    return { answer, silence };
  }

  /** Converts an error response to an error. Reads a short body to its end, so that the connection can be reused. */
  async function refusal(answer: Response, silence: Silence): Promise<Error> {
    const text = await silence.bounded(beginningOf(answer, silence)).catch(() => '');
    const code = /<Code>([A-Za-z]{1,60})<\/Code>/.exec(text)?.[1] ?? '';
    return new Error(`the bucket returned ${answer.status} ${code}`.trim());
  }

  return {
    work: () => work.path(),
    // Omits `charged`, because stored files do not stay on this disk.
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
      const headers: Record<string, string> =
        part === undefined ? {} : { Range: `bytes=${part.start}-${part.end}` };
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
            ? 'the bucket returned a different range than requested'
            : `the bucket compresses files (${coding}): turn compression off, also in proxies in front of it`,
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
      // Requests a file, because the account may lack the right to list the bucket.
      const { answer, silence } = await ask('GET', 'check');
      if (answer.ok) return void (await answer.body?.cancel());
      const refused = await refusal(answer, silence);
      if (answer.status !== 404 || refused.message.includes('NoSuchBucket')) throw refused;
    },
  };
}
