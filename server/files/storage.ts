import type { Readable } from 'node:stream';
import type { Reservation } from './work-folder.ts';

/** The names of stored files: an ID of 32 hex digits, with `.preview` for the preview of a picture. */
export const storedName = /^[0-9a-f]{32}(\.preview)?$/;

/**
 * Stores the bytes of files under names that match `storedName`. Other names, such as a path in a row of a forged
 * backup, do not lead to a file.
 */
export interface Storage {
  /** Returns the folder for files in progress. It is on the same disk as the stored files, if they are on a disk. */
  work(): Promise<string>;
  /**
   * Reserves space in the work folder.
   * @param charged bytes that are charged to the user now, including these
   * @returns null if there is too little space
   */
  reserve(user: string, bytes: number, charged: number): Promise<Reservation | null>;
  /** Moves a file from the work folder into the storage. */
  put(name: string, path: string): Promise<void>;
  /** Opens a stored file. @param part first and last byte, both inclusive @returns null if the file does not exist */
  open(name: string, part?: { start: number; end: number }): Promise<Opened | null>;
  /** Deletes the file if it exists. */
  delete(name: string): Promise<void>;
  /** Whether a backup is running. No file may be deleted until it ends. */
  isCopied(): Promise<boolean>;
  /** Deletes files that killed servers left in the work folder. */
  tidy(): Promise<void>;
  /** Rejects with the reason if files cannot be stored. */
  check(): Promise<void>;
}

export interface Opened {
  /** Size of the file, or of the requested part, in bytes. */
  size: number;
  bytes: Readable;
}
