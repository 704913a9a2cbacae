import { RequestError } from '../wire/errors.ts';
import { type Rate, RateLimit } from './by-key.ts';

/** Even an empty file costs disk space, a row in the history and an examination. */
const maxFilesPerHour: Rate = { count: 1000, ms: 60 * 60 * 1000 };
const dayMs = 24 * 60 * 60 * 1000;

/** The bytes of one upload, picture of a preview or copy, as they count for its user. */
export interface Charge {
  /**
   * Replaces the charged bytes.
   * @throws RequestError `rate_limited` if the user's limit does not allow as many
   */
  change(bytes: number): void;
  /** Takes everything back. */
  cancel(): void;
}

/**
 * What one user may store: the bytes of CHAT_LIMIT_FILES_USER. Uploads, re-encoded pictures, pictures of previews and
 * forwarded copies are all charged here.
 */
export class FileBudget {
  readonly #rate: Rate;
  readonly #bytes: RateLimit;
  readonly #files: RateLimit;

  /** @param rate a `count` of 0 lifts the limits; the bytes are counted all the same */
  constructor(rate: Rate) {
    this.#rate = rate;
    this.#bytes = new RateLimit(rate.count === 0 ? { count: Number.POSITIVE_INFINITY, ms: dayMs } : rate);
    this.#files = new RateLimit(rate.count === 0 ? rate : maxFilesPerHour);
  }

  /** @throws RequestError `rate_limited` */
  charge(user: string, bytes: number, files = 1): Charge {
    const at = performance.now();
    const filesRetryMs = this.#files.take(user, files, at);
    if (filesRetryMs !== null) throw limitReached('files, 1,000 in an hour', filesRetryMs);
    try {
      this.#take(user, bytes, at);
    } catch (error) {
      this.#files.giveBack(user, at, files);
      throw error;
    }
    let charged = bytes;
    const change = (to: number) => {
      if (to > charged) this.#take(user, to - charged);
      else this.#bytes.giveBack(user, at, charged - to);
      charged = to;
    };
    return {
      change,
      cancel: () => {
        change(0);
        this.#files.giveBack(user, at, files);
      },
    };
  }

  /** The bytes that are charged to the user now. */
  used(user: string): number {
    return this.#bytes.used(user);
  }

  #take(user: string, bytes: number, at?: number): void {
    const retryMs = this.#bytes.takeWhole(user, bytes, at);
    if (retryMs === null) return;
    const { count, ms } = this.#rate;
    const limit = `${count / 1024 / 1024} MB in ${ms / 3_600_000} h`;
    throw limitReached(`bytes of files, ${limit} (CHAT_LIMIT_FILES_USER)`, retryMs);
  }
}

const limitReached = (limit: string, retryAfterMs: number) =>
  new RequestError('rate_limited', `This user has reached the limit of ${limit}. Try again later.`, {
    retryAfterMs,
  });
