import type { MessageFile } from '../../../server/wire/events.ts';
import { unseen } from '../../../server/wire/file-names.ts';
import { newId } from './outbox.ts';
import { smaller } from './smaller-picture.ts';

/** The maximum number of parallel uploads, because they share the bandwidth. */
const AT_ONCE = 2;
/** An upload without progress or response for this long is aborted. */
const HANGS_MS = 60_000;

/**
 * Why a file is not uploaded. The server would reject or has rejected it, it did not arrive, or the message has no
 * space for it.
 */
export type UploadProblem =
  | 'tooLarge'
  | 'type'
  | 'limit'
  | 'damaged'
  | 'folder'
  | 'failed'
  | 'busy'
  | 'tooMany';

/** The data of a voice message that its author's client measures. */
export interface VoiceNote {
  /** In milliseconds. */
  readonly duration: number;
  /** The loudness: see docs/protocol.md. */
  readonly peaks: string;
}

/** A file that is being uploaded or was uploaded. */
export interface Upload {
  readonly key: string;
  readonly room: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  /** The bytes to send; undefined after a reload of the page. */
  readonly source: Blob | undefined;
  readonly voice?: VoiceNote | undefined;
  /** The file is the new picture of the room. */
  readonly use?: 'picture';
  /** From 0 to 1. */
  progress: number;
  problem: UploadProblem | undefined;
  /** The stored file, as the server describes it. */
  stored: MessageFile | undefined;
}

/**
 * Errors that a retry does not fix, or not at once, by error code and by HTTP status. A proxy may also send the status.
 */
const REFUSED: Partial<Record<number | string, UploadProblem>> = {
  413: 'tooLarge',
  415: 'type',
  429: 'busy',
  file_limit: 'limit',
  file_damaged: 'damaged',
};

/** Uploads files, a few at a time, and reports their progress. */
export class Uploads {
  readonly #server: string;
  readonly #isConnected: () => boolean;
  readonly #ticket: () => string | undefined;
  readonly #all = new Map<string, Upload>();
  readonly #running = new Map<string, AbortController>();
  readonly #waiting: Upload[] = [];
  readonly #listeners = new Set<(upload: Upload) => void>();
  #paused = false;

  /**
   * @param server - the server's address with a trailing slash
   * @param isConnected - nothing is uploaded while this is false; interrupted uploads wait for the next connection
   * @param ticket - the ticket of the login, if cookies are not enough
   */
  constructor(
    server: string,
    isConnected: () => boolean,
    ticket: () => string | undefined = () => undefined,
  ) {
    this.#server = server;
    this.#ticket = ticket;
    this.#isConnected = isConnected;
  }

  get(key: string): Upload | undefined {
    return this.#all.get(key);
  }

  /** Calls `listener` when an upload progresses, ends, fails or is cancelled, until the returned function is called. */
  follow(listener: (upload: Upload) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * @param most - the maximum bytes of one file
   * @param over - the key and data of a voice message, the use as the room's picture, or a problem, for example that the
   * message has no space for the file
   */
  add(
    room: string,
    file: File,
    most: number,
    over: { key: string; voice: VoiceNote } | { use: 'picture' } | { problem?: UploadProblem } = {},
  ): Upload {
    const upload: Upload = {
      key: newId(),
      room,
      name: file.name.replace(unseen, ''),
      type: file.type,
      size: file.size,
      source: file,
      progress: 0,
      problem: undefined,
      stored: undefined,
      ...over,
    };
    this.#all.set(upload.key, upload);
    // A picture may be scaled down before it is sent.
    if (file.size > most && !file.type.startsWith('image/')) upload.problem = 'tooLarge';
    if (upload.problem === undefined) this.#enqueue(upload);
    return upload;
  }

  /** Adds an upload from before the page was reloaded. */
  restore(upload: Upload): void {
    this.#all.set(upload.key, upload);
  }

  retry(upload: Upload): void {
    if (upload.source === undefined) return;
    upload.problem = undefined;
    upload.progress = 0;
    this.#enqueue(upload);
    this.#tell(upload);
  }

  cancel(key: string): void {
    const cancelled = this.#all.get(key);
    if (cancelled === undefined) return;
    this.#all.delete(key);
    const at = this.#waiting.findIndex((upload) => upload.key === key);
    if (at >= 0) this.#waiting.splice(at, 1);
    this.#running.get(key)?.abort();
    this.#tell(cancelled);
  }

  /** Interrupts the uploads, because the session may be over. They start again after `resume`. */
  pause(): void {
    this.#paused = true;
    const begun = [...this.#running];
    this.#running.clear();
    for (const [, abort] of begun) abort.abort();
    const cut = begun.flatMap(([key]) => this.#all.get(key) ?? []);
    for (const upload of cut) upload.progress = 0;
    this.#waiting.unshift(...cut);
  }

  /** Continues on a new connection. */
  resume(): void {
    this.#paused = false;
    this.#next();
  }

  /** Cancels all uploads when the user changes or logs out. */
  clear(): void {
    for (const key of [...this.#all.keys()]) this.cancel(key);
  }

  #enqueue(upload: Upload): void {
    this.#waiting.push(upload);
    this.#next();
  }

  #next(): void {
    const free = !this.#paused && this.#running.size < AT_ONCE && this.#isConnected();
    const upload = free ? this.#waiting.shift() : undefined;
    if (upload === undefined) return;
    const abort = new AbortController();
    this.#running.set(upload.key, abort);
    void this.#run(upload, abort.signal).finally(() => {
      // After a pause the upload may be running again.
      if (this.#running.get(upload.key) === abort) this.#running.delete(upload.key);
      this.#next();
      if (!abort.signal.aborted) this.#tell(upload);
    });
    this.#next();
  }

  async #run(upload: Upload, signal: AbortSignal): Promise<void> {
    const { source, name } = upload;
    if (source === undefined) return;
    const sent = await smaller(source, name);
    if (signal.aborted) return;
    const { status, file, code = '' } = await this.#send(upload, sent, signal);
    if (signal.aborted) return;
    if (file !== undefined) upload.stored = file;
    else if (status === 0 && !this.#isConnected()) {
      upload.progress = 0;
      this.#waiting.unshift(upload);
    } else {
      const isUnreadable = status === 0 && !(await isReadable(source));
      if (!signal.aborted)
        upload.problem = isUnreadable ? 'damaged' : (REFUSED[code] ?? REFUSED[status] ?? 'failed');
    }
  }

  /** Uses `XMLHttpRequest`, because only it reports upload progress. */
  #send(
    upload: Upload,
    { bytes, name }: { bytes: Blob; name: string },
    signal: AbortSignal,
  ): Promise<{ status: number; file?: MessageFile | undefined; code?: string | undefined }> {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      const query = new URLSearchParams({ room: upload.room, name });
      if (upload.voice !== undefined) query.set('peaks', upload.voice.peaks);
      if (upload.use !== undefined) query.set('use', upload.use);
      request.open('POST', `${this.#server}files?${query}`);
      request.withCredentials = true;
      request.responseType = 'json';
      // The server detects the type from the bytes alone.
      request.setRequestHeader('Content-Type', 'application/octet-stream');
      const ticket = this.#ticket();
      if (ticket !== undefined) request.setRequestHeader('Authorization', `Ticket ${ticket}`);
      let timer: ReturnType<typeof setTimeout>;
      const goesOn = () => {
        clearTimeout(timer);
        timer = setTimeout(() => request.abort(), HANGS_MS);
      };
      request.upload.onprogress = ({ loaded, total }) => {
        goesOn();
        upload.progress = total > 0 ? loaded / total : 0;
        this.#tell(upload);
      };
      request.onloadend = () => {
        clearTimeout(timer);
        const { status } = request;
        const { file, error } = (request.response ?? {}) as { file?: MessageFile; error?: { code?: string } };
        resolve({ status, file: status === 201 ? file : undefined, code: error?.code });
      };
      signal.addEventListener('abort', () => request.abort());
      goesOn();
      request.send(bytes);
    });
  }

  #tell(upload: Upload): void {
    for (const listener of this.#listeners) listener(upload);
  }
}

/** Browsers report no reason if a file was changed or deleted after the user chose it. */
async function isReadable(file: Blob): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
