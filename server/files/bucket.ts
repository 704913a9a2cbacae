import { openAsBlob } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { AwsV4Signer } from 'aws4fetch';
import type { FilesPlace } from './place.ts';
import type { Storage } from './storage.ts';
import { WorkFolder } from './work-folder.ts';

/** Milliseconds until a bucket has to answer, and to have sent a file. */
const answerLimit = 10_000;
const downloadLimit = 120_000;
/** Bytes that it has to take in a millisecond, beyond that time. */
const slowest = 100;

/** Files in a bucket of S3, or of what speaks as it does. */
export function bucketStorage({ url, region, prefix, credentials }: FilesPlace & { kind: 's3' }): Storage {
  const { key = '', secret = '' } = credentials ?? {};
  let work: Promise<WorkFolder> | undefined;
  const folder = () => {
    work ??= mkdtemp(join(tmpdir(), 'php-session-chat-files-')).then((path) => {
      process.once('exit', () => void rm(path, { recursive: true, force: true }));
      return new WorkFolder(path);
    });
    return work;
  };

  async function ask(
    method: string,
    name: string,
    options: { body?: Blob; headers?: Record<string, string>; limit?: number } = {},
  ): Promise<Response> {
    const { body, headers = {}, limit = answerLimit } = options;
    const signed = await new AwsV4Signer({
      method,
      url: `${url}${prefix}${name}`,
      headers: { ...headers, 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD' },
      accessKeyId: key,
      secretAccessKey: secret,
      service: 's3',
      region,
    }).sign();
    const late = AbortSignal.timeout(limit);
    const answer = await fetch(signed.url, {
      method,
      headers: signed.headers,
      signal: late,
      redirect: 'error',
      ...(body === undefined ? {} : { body }),
    }).catch((error: Error) => {
      const { cause } = error as { cause?: NodeJS.ErrnoException };
      throw new Error(`the bucket does not answer (${cause?.code ?? error.name})`, { cause: error });
    });
    return answer;
  }

  /** Lets the connection be used again. */
  async function refusal(answer: Response): Promise<Error> {
    const text = await answer.text().catch(() => '');
    const code = /<Code>([A-Za-z]{1,60})<\/Code>/.exec(text)?.[1] ?? '';
    return new Error(`the bucket answers ${answer.status} ${code}`.trim());
  }

  return {
    work: async () => (await folder()).path(),
    hasRoomFor: async (bytes) => (await folder()).hasRoomFor(bytes),
    async put(name, path) {
      const body = await openAsBlob(path);
      const answer = await ask('PUT', name, { body, limit: answerLimit + Math.ceil(body.size / slowest) });
      if (!answer.ok) throw await refusal(answer);
      await answer.body?.cancel();
      await rm(path, { force: true });
    },
    async open(name, part) {
      const headers = part === undefined ? {} : { Range: `bytes=${part.start}-${part.end}` };
      const answer = await ask('GET', name, { headers, limit: downloadLimit });
      if (answer.status === 404) {
        await answer.body?.cancel();
        return null;
      }
      if (!answer.ok || answer.body === null) throw await refusal(answer);
      return {
        size: Number(answer.headers.get('content-length')),
        bytes: Readable.fromWeb(answer.body as ReadableStream),
      };
    },
    async delete(name) {
      const answer = await ask('DELETE', name);
      if (!answer.ok && answer.status !== 404) throw await refusal(answer);
      await answer.body?.cancel();
    },
    // Each server has a temporary folder of its own, and nobody can say of another one whether its server still runs.
    tidy: async () => {},
    async check() {
      // What may be asked for is what is needed: the account need not be allowed to list the bucket.
      const answer = await ask('GET', 'check');
      if (answer.status === 404 && !(await refusal(answer.clone())).message.includes('NoSuchBucket')) {
        await answer.body?.cancel();
        return;
      }
      if (!answer.ok) throw await refusal(answer);
      await answer.body?.cancel();
    },
  };
}
