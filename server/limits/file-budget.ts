import { RequestError } from '../wire/errors.ts';
import { type Rate, RateLimit } from './by-key.ts';

/** Even an empty file costs disk space, a row in the history and an examination. */
const maxFilesPerHour: Rate = { count: 1000, ms: 60 * 60 * 1000 };
const dayMs = 24 * 60 * 60 * 1000;

/** The charge of one upload, preview image or copy to its user. */
export interface Charge {
  /**
   * Replaces the charged bytes.
   * @throws RequestError `rate_limited` if the user's limit does not allow them
   */
  change(bytes: number): void;
  /** Reverts the whole charge. */
  cancel(): void;
}

/**
 * Limits what one user may store (CHAT_LIMIT_FILES_USER). Uploads, re-encoded pictures, preview images and forwarded
 * copies are all charged here.
 */
export class FileBudget {
  readonly #rate: Rate;
  readonly #bytes: RateLimit;
  readonly #files: RateLimit;

  /** @param rate a `count` of 0 lifts the limits, but bytes are still counted */
  constructor(rate: Rate) {
    this.#rate = rate;
    this.#bytes = new RateLimit(rate.count === 0 ? { count: Number.POSITIVE_INFINITY, ms: dayMs } : rate);
    this.#files = new RateLimit(rate.count === 0 ? rate : maxFilesPerHour);
  }

  /** Charges files to a user. @throws RequestError `rate_limited` if the user's limit does not allow them */
  charge(user: string, bytes: number, files = 1): Charge {
    const at = performance.now();
    const filesRetryMs = this.#files.take(user, files, at);
    if (filesRetryMs !== null) throw limitReached(`${maxFilesPerHour.count} files an hour`, filesRetryMs);
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

  /** Returns the bytes that are currently charged to the user. */
  used(user: string): number {
    return this.#bytes.used(user);
  }

  #take(user: string, bytes: number, at?: number): void {
    const retryMs = this.#bytes.takeWhole(user, bytes, at);
    if (retryMs === null) return;
    const { count, ms } = this.#rate;
    const limit = `${count / 1024 / 1024} MB of files in ${ms / 3_600_000} h`;
    throw limitReached(`${limit} (CHAT_LIMIT_FILES_USER)`, retryMs);
  }
}

const limitReached = (limit: string, retryAfterMs: number) =>
  new RequestError('rate_limited', `This user has reached the limit of ${limit}. Try again later.`, {
    retryAfterMs,
  });
