import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';

/**
 * A tar archive. Its last entry lists the SHA-256 of all other entries in the format of `sha256sum -c`. It is written
 * and read in one pass, with one piece in memory. Only the headers are written again, when the sizes are known. Each
 * header has a single valid encoding, so a reader detects every changed byte.
 */
const block = 512;
const piece = 1024 * 1024;
/** An archive ends with two empty blocks. */
const ending = Buffer.alloc(2 * block);
const sums = 'SHA256SUMS';
/** Larger sizes do not fit into the octal digits of a header. */
const mostInDigits = 0o77777777777;

/** The file is not a backup, or is damaged. */
export class Unreadable extends Error {}

interface Header {
  name: string;
  /** In bytes. */
  size: number;
  /** In Unix seconds. */
  time: number;
}

function encoded({ name, size, time }: Header): Buffer {
  const header = Buffer.alloc(block);
  const digits = (value: number, at: number, length: number) =>
    header.write(value.toString(8).padStart(length - 1, '0'), at);
  header.write(name, 0, 100);
  digits(0o600, 100, 8);
  digits(0, 108, 8);
  digits(0, 116, 8);
  if (size <= mostInDigits) digits(size, 124, 12);
  else {
    header.writeUInt8(0x80, 124);
    header.writeBigUInt64BE(BigInt(size), 128);
  }
  digits(time, 136, 12);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** Decodes a header. @throws Unreadable if it is not valid */
function decoded(bytes: Buffer): Header {
  const text = (at: number, length: number) =>
    bytes.toString('latin1', at, at + length).replace(/\0.*$/s, '');
  const large = bytes[124] === 0x80;
  const header = {
    name: text(0, 100),
    size: large ? Number(bytes.readBigUInt64BE(128)) : Number.parseInt(text(124, 12), 8),
    time: Number.parseInt(text(136, 12), 8),
  };
  const isKnown = Number.isSafeInteger(header.size) && Number.isSafeInteger(header.time);
  if (!isKnown || header.size < 0 || header.time < 0 || !encoded(header).equals(bytes))
    throw new Unreadable('one of its headers is damaged');
  return header;
}

const paddingOf = (size: number) => (block - (size % block)) % block;

/** Writes an archive into a file. */
export class ArchiveWriter {
  readonly #to: FileHandle;
  readonly #list: FileHandle;
  readonly #time: number;
  /** The length of the archive so far. */
  #length = 0;

  /**
   * @param to an empty file, which is synced at the end
   * @param list an empty file for the list of digests, opened for reading too
   * @param at the time of all entries, in Unix ms
   */
  constructor(to: FileHandle, list: FileHandle, at: number) {
    this.#to = to;
    this.#list = list;
    this.#time = Math.floor(at / 1000);
  }

  /**
   * Adds an entry.
   * @param name at most 100 bytes
   * @param size expected size in bytes, if known
   * @throws Error if there are more or fewer bytes
   */
  async add(name: string, bytes: AsyncIterable<Buffer> | Iterable<Buffer>, size?: number): Promise<void> {
    const digest = await this.#entry(name, bytes, size);
    await this.#list.appendFile(`${digest}  ${name}\n`);
  }

  async end(): Promise<void> {
    await this.#entry(sums, this.#list.createReadStream({ start: 0, autoClose: false }));
    await this.#to.appendFile(ending);
    await this.#to.sync();
  }

  async #entry(
    name: string,
    bytes: AsyncIterable<Buffer> | Iterable<Buffer>,
    expected = Number.POSITIVE_INFINITY,
  ): Promise<string> {
    const start = this.#length;
    await this.#append(Buffer.alloc(block));
    const hash = createHash('sha256');
    let size = 0;
    for await (const part of bytes) {
      size += part.length;
      if (size > expected) break;
      hash.update(part);
      await this.#append(part);
    }
    if (size !== expected && expected !== Number.POSITIVE_INFINITY)
      throw new Error(`${name} changed while it was copied`);
    await this.#append(Buffer.alloc(paddingOf(size)));
    await this.#to.write(encoded({ name, size, time: this.#time }), 0, block, start);
    return hash.digest('hex');
  }

  async #append(bytes: Buffer): Promise<void> {
    await this.#to.appendFile(bytes);
    this.#length += bytes.length;
  }
}

export interface ArchiveEntry {
  name: string;
  /** In bytes. */
  size: number;
  /** Must be read to the end before the next entry is requested. */
  bytes: AsyncIterable<Buffer>;
}

/**
 * Yields the entries of an archive in order. Their content must not be used before the iteration ends, because only
 * then are all digests checked.
 * @throws Unreadable, possibly after some entries
 */
export async function* readArchive(path: string): AsyncGenerator<ArchiveEntry> {
  const file = await open(path);
  try {
    /** The expected digest of the list at the end. */
    const list = createHash('sha256');
    for (;;) {
      const { name, size } = decoded(await exactly(file, block));
      const hash = createHash('sha256');
      let left = size;
      async function* bytes() {
        while (left > 0) {
          const part = await exactly(file, Math.min(left, piece));
          left -= part.length;
          hash.update(part);
          yield part;
        }
      }
      if (name === sums) {
        for await (const _ of bytes());
        if (hash.digest('hex') !== list.digest('hex')) throw new Unreadable('its checksum does not match');
        await padding(file, size);
        if (!(await exactly(file, ending.length)).equals(ending)) throw new Unreadable('its end is damaged');
        if ((await file.read(Buffer.alloc(1))).bytesRead > 0)
          throw new Unreadable('it continues after its end');
        return;
      }
      yield { name, size, bytes: bytes() };
      if (left > 0) throw new Error(`${name} was not read to the end`);
      list.update(`${hash.digest('hex')}  ${name}\n`);
      await padding(file, size);
    }
  } finally {
    await file.close();
  }
}

async function padding(file: FileHandle, size: number): Promise<void> {
  const bytes = await exactly(file, paddingOf(size));
  if (bytes.some((byte) => byte !== 0)) throw new Unreadable('its padding is damaged');
}

async function exactly(file: FileHandle, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let read = 0; read < length; ) {
    const { bytesRead } = await file.read(bytes, read, length - read);
    if (bytesRead === 0) throw new Unreadable('it is truncated');
    read += bytesRead;
  }
  return bytes;
}
