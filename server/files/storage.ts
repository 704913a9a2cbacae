import type { Readable } from 'node:stream';
import type { Reservation } from './work-folder.ts';

/** The names that a server makes: an id of 32 hex digits, and that of the preview of a picture. */
export const storedName = /^[0-9a-f]{32}(\.preview)?$/;

/**
 * Stores the bytes of files under names that this server makes. No other name leads to a file, such as a path in a row of a
 * forged backup.
 */
export interface Storage {
  /** A folder for files being made, on the same disk as the finished ones if they are on a disk. */
  work(): Promise<string>;
  /**
   * Reserves space in the work folder.
   * @param charged bytes that the user has stored lately, with these
   * @returns null if there is too little
   */
  reserve(user: string, bytes: number, charged: number): Promise<Reservation | null>;
  /** Takes over a file from the work folder. */
  put(name: string, path: string): Promise<void>;
  /** @param part first and last byte, both inclusive */
  open(name: string, part?: { start: number; end: number }): Promise<Opened | null>;
  /** Deletes the file if it exists. */
  delete(name: string): Promise<void>;
  /** Whether a backup is being made: nothing is deleted until it is done. */
  isCopied(): Promise<boolean>;
  /** Deletes what killed servers have left in the work folder. */
  tidy(): Promise<void>;
  /** Rejects if files cannot be stored; the message says why. */
  check(): Promise<void>;
}

export interface Opened {
  /** Of the whole file, or of the part. */
  size: number;
  bytes: Readable;
}
