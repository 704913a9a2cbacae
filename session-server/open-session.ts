import type { Saved } from './containers/container.ts';
import type { Lock } from './locks.ts';
import { Values } from './values.ts';

/** A session as one connection has it open: its values as they were read, and what was done to them since. */
export class OpenSession {
  id: string;
  /** Null in mode r, and after a commit. */
  lock: Lock | null;
  /** What the container has of it. */
  saved: Saved | null;
  values: Values;
  /** Seconds; 0 for ever. */
  lifetime: number;

  constructor(id: string, lock: Lock | null, saved: Saved | null, lifetime: number) {
    this.id = id;
    this.lock = lock;
    this.saved = saved;
    this.lifetime = saved?.lifetime ?? lifetime;
    this.values = saved === null ? new Values() : Values.read(saved.data);
  }

  /** Whether what is done to it may still be saved. */
  get writable(): boolean {
    return this.lock?.held === true;
  }

  /** Opened for writing, and the lock has gone to somebody else since: nothing more may come of it. */
  get late(): boolean {
    return this.lock !== null && !this.lock.held;
  }
}
