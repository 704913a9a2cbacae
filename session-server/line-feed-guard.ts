import { SerializedWalk } from './serialized-walk.ts';

const guardedCommand = /^[ \t\r\0\v]*(?:put {2}|put_all )[ \t]*/i;

/**
 * PHP's own client sends values as they are, line feeds too, and what follows one in a form field would be taken for
 * a command. Where a value tells the length of its strings (what a session handler puts under the empty key, and
 * what put_all takes), a line feed inside a string is part of it.
 */
export class LineFeedGuard {
  #walk: SerializedWalk | null | undefined;
  #walked = 0;
  #puts: 'session' | 'value' | null = null;

  /** What this line puts: a session as a handler of PHP stores it, what serialize() made; null: neither. */
  get puts(): 'session' | 'value' | null {
    return this.#puts;
  }

  /** Whether what has come is all that PHP would write, and nothing is left open. */
  get isComplete(): boolean {
    return this.#walk?.complete === true;
  }

  /** Whether the line goes on after what has come of it so far, which ends before a line feed. */
  isInside(line: Buffer): boolean {
    if (this.#walk === undefined) {
      const command = guardedCommand.exec(line.toString('latin1', 0, 64))?.[0];
      this.#puts = command === undefined ? null : /_all/i.test(command) ? 'value' : 'session';
      this.#walk = this.#puts === null ? null : new SerializedWalk(this.#puts);
      this.#walked = command?.length ?? 0;
    }
    if (this.#walk === null) return false;
    for (; this.#walked < line.length; this.#walked++) {
      const byte = line[this.#walked] as number;
      // Lengths count bytes, of which each comes as one character of UTF-8.
      if ((byte & 0xc0) !== 0x80) this.#walk.feed(byte);
    }
    return this.#walk.inside;
  }
}
