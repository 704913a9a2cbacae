import type { Lanes } from '../limits/lanes.ts';

/** Maximum rows of one claim. */
export const maxClaimed = 50;
/** The interval for polling rows that other servers queued, in milliseconds. */
const pollMs = 30_000;
/** The next rows are claimed after this time, in milliseconds, even if a task of the last ones still runs. */
export const slowAfterMs = 1000;

/** A claim of the rows that are due `at`. If this server crashes, another server takes them over at `until`. */
export interface Claim {
  /** Unix ms. */
  at: number;
  /** Unix ms. */
  until: number;
}

export interface ClaimOptions<Row> {
  /** The lanes in which `start` starts its tasks. */
  lanes: Lanes;
  /** How long this server holds a claim, in milliseconds. */
  claimMs: number;
  /** Whether a claim of fewer than `maxClaimed` rows ends the poll. Default: only a claim without rows. */
  endsBelowMax?: boolean;
  /** Nothing is claimed before this time, as Unix ms. */
  pausedUntil?: () => number;
  /** Claims due rows. `next`: when the next row is due, as Unix ms. */
  claim(claim: Claim & { most: number }): Promise<{ rows: readonly Row[]; next?: number | undefined }>;
  /** Called for each row that a crashed server was sending. It is unknown whether it was sent. */
  onLost(): void;
  /**
   * Starts the tasks of claimed rows.
   * @param claim.isLate whether it is too late to start a task, because the claim may end before the task does, or
   * because of `pausedUntil` or the shutdown
   */
  start(rows: readonly Row[], claim: Claim & { isLate(): boolean }): Promise<void>;
}

/** Claims due rows and starts their tasks, until none are left. @returns milliseconds until the next poll */
export async function processClaims<Row extends { sending?: unknown }>(
  signal: AbortSignal,
  { lanes, claimMs, endsBelowMax = false, pausedUntil = () => 0, claim, onLost, start }: ClaimOptions<Row>,
): Promise<number> {
  for (;;) {
    await lanes.free();
    const at = Date.now();
    if (pausedUntil() > at) return msUntil(pausedUntil());
    const until = at + claimMs;
    const { rows, next } = await claim({ at, until, most: maxClaimed });
    if (rows.length === 0) return msUntil(next);
    for (const { sending } of rows) if (sending) onLost();
    const isLate = () => signal.aborted || Date.now() > at + claimMs / 2 || pausedUntil() > Date.now();
    await start(rows, { at, until, isLate });
    await lanes.idle(slowAfterMs);
    if (signal.aborted || (endsBelowMax && rows.length < maxClaimed)) return msUntil(next);
  }
}

/** Returns the milliseconds until the next poll. @param next when the next row is due, as Unix ms */
export const msUntil = (next = Number.POSITIVE_INFINITY): number => Math.min(pollMs, next - Date.now());
