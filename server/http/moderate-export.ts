import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { answerInTime } from '../limits/answer-in-time.ts';
import { type Rate, RateLimit } from '../limits/by-key.ts';
import { type HttpErrorCode, RequestError } from '../wire/errors.ts';
import { userId } from '../wire/events.ts';
import { answerError, isEmbedded } from './answer.ts';
import { answerZip, type ZipFile } from './zip.ts';

/** Maximum archives of one admin, because each reads all stored data of a user. */
const mostExports: Rate = { count: 10, ms: 60 * 1000 };
/**
 * The admin's right is checked again after this time (ms) within a file, and while the session store is unavailable.
 */
const againAfter = 1000;

/** The dependencies of the export. `Who` is a user from a session. */
export interface ModerateExportRoute<Who extends { id: string }> {
  /** Returns the user of the request. */
  who(req: IncomingMessage): Promise<Who | 'banned' | HttpErrorCode>;
  /** See `Admission.stranger`. */
  stranger(req: IncomingMessage): number | (() => void);
  draining(): boolean;
  /** An archive is not cut off while the session store is unavailable for less than this time (ms). */
  grace: number;
  /** Checks that this user may export data. @throws RequestError if not */
  may(who: Who): Promise<void>;
  /** Returns the files of the archive. @throws RequestError if `who` may not export the data of `user` */
  archive(who: Who, user: string): Promise<AsyncIterable<ZipFile>>;
}

/**
 * Serves the data of a user to admins, for the moderators' page. Each archive creates an audit entry, so neither a page
 * of another origin nor an image in one of our own pages may request one.
 */
export function createModerateExport<Who extends { id: string }>(
  route: ModerateExportRoute<Who>,
): (req: IncomingMessage, res: ServerResponse) => Promise<void> {
  const limit = new RateLimit(mostExports);
  return async (req, res) => {
    if (req.method !== 'GET') return answerError(res, 'method_not_allowed', undefined, { Allow: 'GET' });
    if (route.draining()) return answerError(res, 'server_draining');
    if (req.headers['sec-fetch-site'] !== 'same-origin' || isEmbedded(req))
      return answerError(res, 'origin_not_allowed');
    const [user, ...more] = new URL(req.url ?? '', 'http://localhost').searchParams.getAll('user');
    if (more.length > 0 || !userId.safeParse(user).success) return answerError(res, 'bad_request');
    const known = route.stranger(req);
    if (typeof known === 'number') return answerError(res, 'rate_limited', known);
    const who = await answerInTime(route.who(req));
    if (who === 'banned') throw new RequestError('forbidden');
    if (who === 'unauthorized') return answerError(res, who, undefined, { 'WWW-Authenticate': 'Cookie' });
    if (typeof who === 'string') return answerError(res, who);
    known();
    const wait = limit.take(who.id);
    if (wait !== null) {
      throw new RequestError(
        'rate_limited',
        `An admin can export ${mostExports.count} times a minute. Try again later.`,
        {
          retryAfterMs: wait,
        },
      );
    }
    const archive = await answerInTime(route.archive(who, user as string));
    // The admin may lose the right during a slow download.
    const stillMay = async () => {
      const end = performance.now() + route.grace;
      let now = await answerInTime(route.who(req));
      while (now === 'session_store_unavailable' && performance.now() < end) {
        await pause(againAfter);
        now = await answerInTime(route.who(req));
      }
      if (typeof now === 'string' || now.id !== who.id) throw new RequestError('forbidden');
      await answerInTime(route.may(now));
    };
    await answerZip(req, res, 'chat-export.zip', checked(archive, stillMay));
  };
}

/** Checks the right before each file of the archive, and once a second within a file. */
async function* checked(archive: AsyncIterable<ZipFile>, check: () => Promise<void>): AsyncIterable<ZipFile> {
  for await (const { name, bytes } of archive) {
    await check();
    yield { name, bytes: checkedPieces(bytes, check) };
  }
}

async function* checkedPieces(
  bytes: ZipFile['bytes'],
  check: () => Promise<void>,
): AsyncIterable<string | Buffer> {
  let checkedAt = performance.now();
  for await (const piece of bytes) {
    if (performance.now() - checkedAt >= againAfter) {
      await check();
      checkedAt = performance.now();
    }
    yield piece;
  }
}
