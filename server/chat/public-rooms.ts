import { asTyped, folded } from '../text/folding.ts';
import type { Room } from './model.ts';

/** A room in a list: `key` is its position, `name` is what searches compare, `typed` the name as a user may type it. */
export interface ListedRoom {
  room: Room;
  key: readonly [string | number, string];
  name: string;
  typed: string;
}

/** All public rooms. They are sorted again only after one was created, deleted or renamed. */
export class PublicRooms {
  readonly #rooms = new Set<Room>();
  #byName: readonly ListedRoom[] | undefined;

  get count(): number {
    return this.#rooms.size;
  }

  get byName(): readonly ListedRoom[] {
    this.#byName ??= [...this.#rooms]
      .map((room) => {
        const { id, name } = room.record;
        return { room, key: [folded(name), id] as const, name: folded(name), typed: asTyped(name) };
      })
      .sort((a, b) => compareKeys(a.key, b.key));
    return this.#byName;
  }

  add(room: Room): void {
    this.#rooms.add(room);
    this.#byName = undefined;
  }

  delete(room: Room): void {
    if (this.#rooms.delete(room)) this.#byName = undefined;
  }

  renamed(): void {
    this.#byName = undefined;
  }
}

export function compareKeys(a: ListedRoom['key'], b: ListedRoom['key']): number {
  const n = a[0] === b[0] ? 1 : 0;
  return a[n] < b[n] ? -1 : a[n] > b[n] ? 1 : 0;
}
