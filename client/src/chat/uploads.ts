import type { MessageFile } from '../../../server/wire/events.ts';
import { unseen } from '../../../server/wire/file-names.ts';
import { newId } from './outbox.ts';
import { smaller } from './smaller-picture.ts';

/** The most uploads at once: they share the line. */
const AT_ONCE = 2;
/** A server that neither takes more nor answers for so long does so no more. */
const HANGS_MS = 60_000;

/** Why a file is not there: it would be refused, was refused, did not arrive, or waits for room in a message. */
export type UploadProblem = 'tooLarge' | 'type' | 'limit' | 'damaged' | 'failed' | 'busy' | 'tooMany';

/** A voice message as its author knows it. */
export interface VoiceNote {
  /** Milliseconds. */
  readonly duration: number;
  /** Its loudness: see the protocol. */
  readonly peaks: string;
}

/** A file on its way to the server, or there. */
export interface Upload {
  readonly key: string;
  readonly room: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  /** The bytes to send; absent after a reload of the page. */
  readonly source: Blob | undefined;
  /** Of a voice message. */
  readonly voice?: VoiceNote | undefined;
  /** From 0 to 1. */
  progress: number;
  problem: UploadProblem | undefined;
  /** The file as the server has stored it. */
  stored: MessageFile | undefined;
}

/** Refusals that another try does not change, or not at once: by status, which a proxy may send too, and by code. */
const REFUSED: Partial<Record<number | string, UploadProblem>> = {
  413: 'tooLarge',
  415: 'type',
  429: 'busy',
  file_limit: 'limit',
  file_damaged: 'damaged',
};

/** Uploads files, a few at a time, and tells what becomes of them. */
export class Uploads {
  readonly #server: string;
  readonly #isConnected: () => boolean;
  readonly #all = new Map<string, Upload>();
  readonly #running = new Map<string, AbortController>();
  readonly #waiting: Upload[] = [];
  readonly #listeners = new Set<(upload: Upload) => void>();
  #paused = false;

  /**
   * @param server - its address, with a slash at the end
   * @param isConnected - without a connection nothing is tried: what has begun waits for the next one
   */
  constructor(server: string, isConnected: () => boolean) {
    this.#server = server;
    this.#isConnected = isConnected;
  }

  get(key: string): Upload | undefined {
    return this.#all.get(key);
  }

  /** Is called with each that goes on, ends, fails or is cancelled, until the returned function is called. */
  follow(listener: (upload: Upload) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * @param most - bytes of one file
   * @param over - the key and the sound of a voice message, or a problem, such as that the message has no room for the file
   */
  add(
    room: string,
    file: File,
    most: number,
    over: { key: string; voice: VoiceNote } | { problem?: UploadProblem } = {},
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
    // A picture may get smaller before it is sent.
    if (file.size > most && !file.type.startsWith('image/')) upload.problem = 'tooLarge';
    if (upload.problem === undefined) this.#enqueue(upload);
    return upload;
  }

  /** An upload from before the page was loaded. */
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

  /** The session may be over: what is on its way begins again when the user is back. */
  pause(): void {
    this.#paused = true;
    const begun = [...this.#running];
    this.#running.clear();
    for (const [, abort] of begun) abort.abort();
    const cut = begun.flatMap(([key]) => this.#all.get(key) ?? []);
    for (const upload of cut) upload.progress = 0;
    this.#waiting.unshift(...cut);
  }

  /** There is a connection again. */
  resume(): void {
    this.#paused = false;
    this.#next();
  }

  /** Another user comes, or none. */
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
      // After a pause it may be on its way again.
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
    } else upload.problem = REFUSED[code] ?? REFUSED[status] ?? 'failed';
  }

  /** Only `XMLHttpRequest` says how much has been sent. */
  #send(
    upload: Upload,
    { bytes, name }: { bytes: Blob; name: string },
    signal: AbortSignal,
  ): Promise<{ status: number; file?: MessageFile | undefined; code?: string | undefined }> {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      const query = new URLSearchParams({ room: upload.room, name });
      if (upload.voice !== undefined) query.set('peaks', upload.voice.peaks);
      request.open('POST', `${this.#server}files?${query}`);
      request.withCredentials = true;
      request.responseType = 'json';
      // The server looks at the bytes alone.
      request.setRequestHeader('Content-Type', 'application/octet-stream');
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
