import type { ChildProcess } from 'node:child_process';
import { extname } from 'node:path';
import { FairQueue } from '../limits/fair-queue.ts';
import { startSeparate } from '../limits/separate-process.ts';

/** A task for the fetching process. */
export interface FetchTask {
  id: number;
  url: string;
  /** Hosts that may be contacted although they are not public. */
  allowed: readonly string[];
  /** Whether the page's picture is wanted. */
  picture: boolean;
}

/** The result of a task. Without `page`, there is nothing to show. */
export interface Fetched {
  id: number;
  page?: {
    title: string;
    description?: string;
    /** The picture in base64, not re-encoded yet. */
    picture?: string;
  };
}

interface Job extends Omit<FetchTask, 'id'> {
  user: string;
  resolve(page: Fetched['page']): void;
}

/** Maximum pages that are fetched concurrently. */
const mostAtOnce = 16;
/** Maximum concurrent pages of one user, so that slow sites do not delay the links of other users. */
const mostOfUser = 2;
/** Maximum concurrent pages of one host, so that a slow site does not delay the links to others. */
const mostOfHost = mostAtOnce / 2;
/** Maximum queued links. Beyond it, the user with the most links loses the newest one. */
const mostWaiting = 500;
/** Timeout in ms for one link. Only a page that blocks the process reaches it, because each step has its own limit. */
const longest = 8000;
/** Idle time in ms after which the process ends. */
const idleFor = 60_000;
/** An idle process of this age in ms is replaced, because it cannot read a changed /etc/resolv.conf. */
const maxAge = 600_000;

/** Fetches pages in a separate process, because a hostile page may crash it. */
export class Fetcher {
  readonly #onFailure: (error: Error) => void;
  readonly #waiting = new FairQueue<Job>();
  readonly #running = new Map<number, { job: Job; done: (page: Fetched['page']) => void }>();
  #process: Promise<ChildProcess> | undefined;
  #startedAt = 0;
  #lastId = 0;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param onFailure called if the process cannot be started */
  constructor(onFailure: (error: Error) => void) {
    this.#onFailure = onFailure;
  }

  /** Fetches the page of a link. @returns undefined if there is nothing to show, or the queue is full */
  fetch(user: string, task: Omit<FetchTask, 'id'>): Promise<Fetched['page']> {
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#waiting.add(user, { ...task, user, resolve });
      if (this.#waiting.size > mostWaiting) this.#waiting.dropLast()?.resolve(undefined);
      this.#startNext();
    });
  }

  close(): void {
    this.#closed = true;
    for (const { resolve } of this.#waiting.dropAll()) resolve(undefined);
    this.#end();
  }

  #startNext(): void {
    while (this.#running.size < mostAtOnce) {
      const job = this.#waiting.next((_, job) => this.#mayStart(job));
      if (job === undefined) break;
      this.#start(job);
    }
  }

  #mayStart({ user, url }: Job): boolean {
    const running = Array.from(this.#running.values(), ({ job }) => job);
    return (
      running.filter((job) => job.user === user).length < mostOfUser &&
      running.filter((job) => hostOf(job.url) === hostOf(url)).length < mostOfHost
    );
  }

  #start(job: Job): void {
    const { user, resolve, ...task } = job;
    clearTimeout(this.#idle);
    const id = ++this.#lastId;
    const begun = performance.now();
    let late: NodeJS.Timeout | undefined;
    const done = (page: Fetched['page']) => {
      clearTimeout(late);
      this.#running.delete(id);
      this.#waiting.count(user, performance.now() - begun);
      resolve(page);
      if (this.#running.size === 0) {
        if (performance.now() - this.#startedAt > maxAge) this.#end();
        else this.#idle = setTimeout(() => this.#end(), idleFor).unref();
      }
      this.#startNext();
    };
    this.#running.set(id, { job, done });
    this.#process ??= this.#started();
    this.#process.then(
      (child) => {
        // The link was given up while the process started.
        if (!this.#running.has(id)) return;
        // A page that blocks the process also blocks the other pages, so all of them are given up.
        late = setTimeout(() => this.#end(), longest);
        child.send({ ...task, id } satisfies FetchTask, (error) => error && this.#lost());
      },
      () => this.#lost(),
    );
  }

  async #started(): Promise<ChildProcess> {
    this.#startedAt = performance.now();
    const file = new URL(`./fetch${extname(import.meta.url)}`, import.meta.url);
    const child = await startSeparate(file, 'pages').catch((error: Error) => {
      this.#process = undefined;
      this.#onFailure(error);
      throw error;
    });
    child.on('message', ({ id, page }: Fetched) => this.#running.get(id)?.done(page));
    child.on('exit', () => {
      this.#process = undefined;
      this.#lost();
    });
    return child;
  }

  /** Gives up all pages in progress, because their process ended. */
  #lost(): void {
    for (const { done } of [...this.#running.values()]) done(undefined);
  }

  #end(): void {
    clearTimeout(this.#idle);
    const ending = this.#process;
    this.#process = undefined;
    ending?.then(
      (child) => {
        child.removeAllListeners();
        child.kill('SIGKILL');
      },
      () => {},
    );
    this.#lost();
  }
}

const hostOf = (url: string) => URL.parse(url)?.host;
