import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { answerInTime } from '../limits/answer-in-time.ts';
import { type Rate, RateLimit, tryAgainAfter } from '../limits/by-key.ts';
import { type ReachedLimit, SharedSlots } from '../limits/shared-slots.ts';
import { fileErrors, type HttpErrorCode, httpErrors, RequestError, requestErrors } from '../wire/errors.ts';
import { type MessageFile, peaks, roomId } from '../wire/events.ts';
import { isGuest } from '../wire/guest.ts';
import { answerJson, conditionOf, securityHeaders } from './answer.ts';
import { statusOf } from './api.ts';
import { askForBody } from './held-body.ts';
import { loginChallenge, type OwnLogin, ownLogin } from './own-login.ts';
import { leastProgress, watchProgress, watchReader } from './progress.ts';
import { type ByteRange, partOf } from './range.ts';
import { targetOf } from './target.ts';

/** Concurrent uploads of one user, and of all users. Our client sends two. */
const mostOfUser = 4;
const mostOfAll = 200;
/**
 * Bytes that an upload must receive in each period of `watchProgress` while half of the slots are taken, so that slow
 * uploads cannot hold all of them for hours. A 2G line is as fast.
 */
const leastWhileBusy = 256 * 1024;
/**
 * Upload attempts of one user into rooms that the user may not use. The limit keeps a user from probing which rooms
 * exist.
 */
const mostTries: Rate = { count: 60, ms: 60 * 1000 };

/** Types that are sent with their own content type. Browsers show or play them, but run no code in them. */
const shown: ReadonlySet<string> = new Set([
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/avif',
  'video/mp4',
  'video/webm',
  'audio/mpeg',
  'audio/ogg',
  'audio/wav',
  'audio/mp4',
  'audio/webm',
]);

type Refusal = HttpErrorCode | RequestError['code'];

/** The dependencies of the file routes. `Who` is a user from a session. */
export interface FileParts<Who extends { id: string }> {
  /** Maximum bytes of a file. */
  limit: number;
  admission: {
    /**
     * Whether the request may upload a file.
     * @param hasOwnLogin whether the request sends its session or ticket itself, not in a cookie
     */
    mayUpload(req: IncomingMessage, hasOwnLogin: boolean): boolean;
    mayDownload(req: IncomingMessage): boolean;
    allowReading(req: IncomingMessage, res: ServerResponse): void;
    /** See `Admission.stranger`. */
    stranger(req: IncomingMessage): number | (() => void);
  };
  /**
   * Returns the user of the request.
   * @param own the session or ticket that the request sends itself, or a token of `FileAccess`
   * @param startedAt when a ticket had to be valid, in Unix ms; by default now
   */
  who(
    req: IncomingMessage,
    own: OwnLogin & { access?: string },
    startedAt?: number,
  ): Promise<Who | 'banned' | HttpErrorCode>;
  draining(): boolean;
  /**
   * Checks that this user may upload into the room, or its picture.
   * @throws RequestError if not
   */
  check(who: Who, room: string, isPicture: boolean): Promise<void>;
  add(upload: {
    room: string;
    user: string;
    name: string;
    length: number;
    bytes: AsyncIterable<Buffer>;
    /** The loudness of a voice message. */
    peaks?: string;
    /** The file is the new picture of the room. */
    isPicture?: true;
    /** Aborted when the client disconnects. */
    signal: AbortSignal;
    /** Rejects if the user may no longer upload. */
    check(): Promise<void>;
  }): Promise<MessageFile | { code: HttpErrorCode; words?: string }>;
  /** Called after each upload, unless its client disconnected. `code` is `ok`, or why the upload was rejected. */
  onUpload(code: 'ok' | Refusal): void;
  /**
   * Returns the file if this user may see it, and the ID of its stored bytes.
   * @param invite the `invite` of the answer to `invite:look`
   */
  find(who: Who, id: string, invite?: string): Promise<{ about: MessageFile; stored: string } | null>;
  open(
    stored: string,
    what: 'file' | 'preview',
    part?: ByteRange,
  ): Promise<{ size: number; bytes: Readable } | null>;
}

/** Whether the request uploads a file, which may take long. */
export const isUpload = (req: IncomingMessage, path: string): boolean =>
  path === '/files' && req.method === 'POST';

export const isOfFiles = (path: string): boolean => path === '/files' || path.startsWith('/files/');

/** Creates the handler of requests under `/files`. */
export function createFileRoutes<Who extends { id: string }>(
  parts: FileParts<Who>,
): (req: IncomingMessage, res: ServerResponse) => Promise<void> {
  const { admission } = parts;
  const limit = `${parts.limit} bytes (CHAT_LIMIT_FILE)`;
  const slots = new SharedSlots(mostOfAll, mostOfUser);
  const tries = new RateLimit(mostTries);

  /**
   * Returns the user of the request, and limits requests without a valid session.
   * @param access a token of `FileAccess`; if given, only the token counts
   * @throws RequestError `rate_limited`
   */
  async function knownIn(req: IncomingMessage, access?: string): Promise<Who | 'banned' | HttpErrorCode> {
    const known = admission.stranger(req);
    if (typeof known === 'number') {
      const words = 'Too many requests without a session from this address. Try again later.';
      throw new RequestError('rate_limited', words, { retryAfterMs: known });
    }
    const who = await answerInTime(parts.who(req, access === undefined ? ownLogin(req) : { access }));
    // Guests stay counted, because anyone can make up the token of a guest.
    if (who !== 'unauthorized' && (typeof who === 'string' || !isGuest(who.id))) known();
    return who;
  }

  /** Handles an upload. @returns `ok` if the response was sent, or why the upload is rejected */
  async function upload(
    req: IncomingMessage,
    res: ServerResponse,
    query: URLSearchParams,
  ): Promise<'ok' | Refusal> {
    if (!admission.mayUpload(req, Object.keys(ownLogin(req)).length > 0)) return 'origin_not_allowed';
    admission.allowReading(req, res);
    if (parts.draining()) return 'server_draining';
    const length = lengthOf(req);
    if (length === null) return 'length_required';
    if (length > parts.limit) throw new Refused('too_large', `The file is larger than ${limit}.`);
    const room = query.get('room') ?? '';
    const name = query.get('name') ?? '';
    const voice = query.has('peaks') ? { peaks: query.get('peaks') ?? '' } : {};
    const isVoice = voice.peaks === undefined || peaks.safeParse(voice.peaks).success;
    const use = query.get('use');
    const isPicture = use === 'picture';
    const isKnownUse = use === null || (isPicture && voice.peaks === undefined);
    if (query.size > new Set(query.keys()).size || !roomId.safeParse(room).success || !isVoice || !isKnownUse)
      return 'bad_request';
    const startedAt = Date.now();
    const who = await knownIn(req);
    if (typeof who === 'string') return who === 'banned' ? 'forbidden' : who;
    const at = performance.now();
    const tooOften = tries.take(who.id, 1, at);
    if (tooOften !== null)
      throw tooMuch(
        `This user has reached the limit of ${mostTries.count} failed upload attempts in a minute.`,
        tooOften,
      );
    await answerInTime(parts.check(who, room, isPicture)).catch((error: unknown) => {
      // A storage failure does not reveal whether the room exists.
      if (isOwnFailure(error)) tries.giveBack(who.id, at);
      throw error;
    });
    tries.giveBack(who.id, at);
    const release = slots.take(who.id);
    if (typeof release !== 'function') throw tooManyUploads(release, slots.isBusy);
    const gone = new AbortController();
    res.once('close', () => gone.abort(new Error('the client disconnected')));
    try {
      // Watches only while the body arrives, because afterwards the client waits for the server.
      const stopped = watchProgress(
        req,
        () => req.socket.bytesRead,
        () => (slots.isBusy ? leastWhileBusy : leastProgress),
      );
      const body = async function* () {
        askForBody(req);
        yield* req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
        stopped();
      };
      const check = async () => {
        const now = await answerInTime(parts.who(req, ownLogin(req), startedAt));
        if (typeof now === 'string') throw new Refused(now === 'banned' ? 'forbidden' : now);
        if (now.id !== who.id) throw new Refused('unauthorized');
        await answerInTime(parts.check(now, room, isPicture));
      };
      const file = await parts
        .add({
          ...{ room, user: who.id, name, length, bytes: body(), signal: gone.signal, check },
          ...voice,
          isPicture: isPicture || undefined,
        })
        .finally(stopped);
      if ('code' in file) throw new Refused(file.code, file.words);
      answerJson(res, 201, { file });
      return 'ok';
    } finally {
      release();
    }
  }

  async function download(
    req: IncomingMessage,
    res: ServerResponse,
    id: string,
    query: URLSearchParams,
  ): Promise<void> {
    const access = query.get('access') ?? undefined;
    const invite = query.get('invite') ?? undefined;
    if (admission.mayDownload(req)) admission.allowReading(req, res);
    else if (access === undefined) return refuse(res, 'not_found');
    const who = await knownIn(req, access);
    if (who === 'session_store_unavailable') return refuse(res, who);
    const found = typeof who === 'string' ? null : await answerInTime(parts.find(who, id, invite));
    const file = found?.about;
    const size = query.get('size');
    if (
      found === null ||
      file === undefined ||
      (size !== null && (size !== 'preview' || file.image === undefined))
    ) {
      return refuse(res, 'not_found');
    }
    const what = size === null ? 'file' : 'preview';
    const etag = `"${id}${size === null ? '' : '-preview'}"`;
    // The Back button shows a stored page without revalidation, perhaps to another user after a logout.
    const isPage = req.headers['sec-fetch-dest'] === 'document';
    const headers = {
      ...securityHeaders,
      ETag: etag,
      'Cache-Control': isPage ? 'private, no-store' : 'private, no-cache',
      // Otherwise Back could show the copy that the chat later requested at the same address.
      Vary: 'Origin, Sec-Fetch-Dest',
      'Content-Security-Policy': "sandbox; default-src 'none'",
      'Cross-Origin-Resource-Policy': 'same-site',
    };
    const condition = conditionOf(req, etag);
    if (condition === 'changed') return refuse(res, 'precondition_failed');
    if (condition === 'known') return void res.writeHead(304, headers).end();
    const part = what === 'file' ? partOf(req, file.size, etag) : undefined;
    if (part === null) {
      return void res
        .writeHead(416, { ...headers, 'Content-Range': `bytes */${file.size}`, 'Content-Length': 0 })
        .end();
    }
    const opening = parts.open(found.stored, what, part);
    const opened = await answerInTime(opening).catch((error) => {
      // Closes the file if it opens after the timeout, because it will not be read.
      opening.then((late) => late?.bytes.destroy()).catch(() => {});
      throw error;
    });
    if (opened === null) return refuse(res, 'not_found');
    res.writeHead(part === undefined ? 200 : 206, {
      ...headers,
      ...describe(file, what),
      'Content-Length': opened.size,
      ...(what === 'file' ? { 'Accept-Ranges': 'bytes' } : {}),
      ...(part === undefined ? {} : { 'Content-Range': `bytes ${part.start}-${part.end}/${file.size}` }),
    });
    if (req.method === 'HEAD') {
      opened.bytes.destroy();
      return void res.end();
    }
    const stopped = watchReader(req, res);
    // A disconnect is not a failure. A client that is still connected sees that the file is incomplete.
    await pipeline(opened.bytes, res)
      .catch(() => res.destroy())
      .finally(() => {
        // If the client disconnected before, `pipeline` does not touch the file. An open file that is never closed ends
        // the process.
        opened.bytes.destroy();
        stopped();
      });
  }

  return async (req, res) => {
    const target = targetOf(req);
    const [, id] = /^\/files\/([A-Za-z0-9_-]{16,64})\/[^/]+$/.exec(target?.path ?? '') ?? [];
    const isList = target?.path === '/files';
    if (target === null || (id === undefined && !isList)) return refuse(res, 'not_found');
    const methods = isList ? ['POST'] : ['GET', 'HEAD'];
    if (req.method === 'OPTIONS' && admission.mayDownload(req)) {
      admission.allowReading(req, res);
      return void res.writeHead(204).end();
    }
    if (!methods.includes(req.method ?? '')) {
      res.setHeader('Allow', methods.join(', '));
      return refuse(res, 'method_not_allowed');
    }
    const answer = (code: Refusal, retryAfterMs?: number, words?: string) => {
      if (id === undefined) parts.onUpload(code);
      refuse(res, code, retryAfterMs, words);
    };
    try {
      const query = target.url.searchParams;
      if (id !== undefined) return await download(req, res, id, query);
      const code = await upload(req, res, query);
      if (code === 'ok') parts.onUpload(code);
      else answer(code);
    } catch (error) {
      // The client disconnected during its upload.
      if (res.headersSent || req.errored || res.destroyed) return void res.destroy();
      if (error instanceof Refused) return answer(error.code, undefined, error.words);
      if (!(error instanceof RequestError)) throw error;
      const words = error.code === 'rate_limited' ? error.message : undefined;
      answer(error.code, error.retryAfterMs, words);
    }
  };
}

/** Thrown to reject an upload. */
class Refused extends Error {
  readonly code: HttpErrorCode | 'forbidden';
  /** Replaces the default message of the code. */
  readonly words: string | undefined;

  constructor(code: HttpErrorCode | 'forbidden', words?: string) {
    super(words ?? code);
    this.code = code;
    this.words = words;
  }
}

/** Whether the storage failed, and not the upload. */
const isOwnFailure = (error: unknown): boolean => error instanceof RequestError && error.isOfStorage;

const tooMuch = (limit: string, retryAfterMs: number) =>
  new RequestError('rate_limited', `${limit} Try again later.`, { retryAfterMs });

/** @param isBusy whether the limit of the user is lower because all users upload much */
function tooManyUploads({ of, most }: ReachedLimit, isBusy: boolean): RequestError {
  const who = of === 'all' ? 'All users together have' : 'This user has';
  const uploads = most === 1 ? 'one upload at a time' : `${most} simultaneous uploads`;
  const why = of === 'user' && isBusy ? `, while all users together have ${mostOfAll / 2} or more` : '';
  return tooMuch(`${who} reached the limit of ${uploads}${why}.`, tryAgainAfter);
}

/** Returns the length of the body, or null if it is not specified. */
function lengthOf({ headers }: IncomingMessage): number | null {
  const length = headers['content-length'];
  return length === undefined || headers['transfer-encoding'] !== undefined ? null : Number(length);
}

function refuse(res: ServerResponse, code: Refusal, retryAfterMs?: number, words?: string): void {
  const known = code in httpErrors ? httpErrors[code as HttpErrorCode] : undefined;
  const { status, message } = known ?? {
    status: statusOf[code as RequestError['code']] ?? 400,
    message: fileErrors[code as RequestError['code']] ?? requestErrors[code as RequestError['code']],
  };
  if (code === 'unauthorized') res.setHeader('WWW-Authenticate', loginChallenge);
  answerJson(res, status, { error: { code, message: words ?? message } }, retryAfterMs);
}

function describe({ type, name }: MessageFile, what: 'file' | 'preview'): Record<string, string> {
  if (what === 'preview') return { 'Content-Type': 'image/webp' };
  const asItIs = shown.has(type);
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  return {
    'Content-Type': asItIs ? type : 'application/octet-stream',
    'Content-Disposition': `${asItIs ? 'inline' : 'attachment'}; filename*=UTF-8''${encoded}`,
  };
}
