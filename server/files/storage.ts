import type { Readable } from 'node:stream';

/** The bytes of files by their names, which this server makes. */
export interface Storage {
  /** A folder for what is being made, on the disk that what is finished comes to if that is one. */
  work(): Promise<string>;
  /** Whether so many bytes can be stored. */
  hasRoomFor(bytes: number): Promise<boolean>;
  /** Takes over a file of the folder for work. */
  put(name: string, path: string): Promise<void>;
  /** @param part from the first to the last byte, both included */
  open(name: string, part?: { start: number; end: number }): Promise<Opened | null>;
  /** Deletes it if it is there. */
  delete(name: string): Promise<void>;
  /** Deletes what killed servers have left in the folder for work. */
  tidy(): Promise<void>;
  /** Rejects if files cannot be stored; the message says why. */
  check(): Promise<void>;
}

export interface Opened {
  /** Of the whole file, or of the part. */
  size: number;
  bytes: Readable;
}
