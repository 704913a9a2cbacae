import { type RoomRow, roomRowColumns, roomRowFrom } from '../records/room.ts';
import { type Asking, raw, sql } from './dialect.ts';
import type { KeptKind } from './kept.ts';
import type { LoadedRoom, Loader, Need, Work, WriteContext } from './work.ts';

export const keptRooms: KeptKind<{ num: number; row: RoomRow }> = { name: 'room' };

/** Loads what rules need, with a few statements for all of them. Locks rooms in the order of their IDs. */
export function* load(context: WriteContext, work: Work, needs: readonly Need[]): Asking<void> {
  yield* new NeedsLoader(context, work).load(needs);
}

// A class instead of nested generator functions, because V8 keeps the data of each call of such a function until the
// next full garbage collection.
class NeedsLoader {
  readonly #context: WriteContext;
  readonly #work: Work;
  readonly #needs = new Map<Loader<object>, object[]>();
  readonly #rooms = new Set<string>();

  constructor(context: WriteContext, work: Work) {
    this.#context = context;
    this.#work = work;
  }

  *load(asked: readonly Need[]): Asking<void> {
    const { transaction } = this.#context;
    for (let some = asked; some.length > 0; ) some = yield* this.#find(some);
    const unknown = [...this.#rooms].filter((id) => !this.#work.rooms.has(id));
    yield* this.#lock(unknown);
    for (const id of unknown) this.#add(this.#context.subjects.needsOfRoom(this.#work, id));
    for (const [loader, needs] of this.#needs) this.#add(loader.follow?.(this.#work, needs) ?? []);
    const queries = [...this.#needs].flatMap(
      ([loader, needs]) => loader.ask?.(this.#context, this.#work, needs) ?? [],
    );
    if (queries.length > 0) {
      const results = yield* transaction.queryAll(queries.map(({ sql }) => sql));
      for (const [n, { take }] of queries.entries()) take(results[n] ?? []);
    }
    for (const [loader, needs] of this.#needs) {
      if (loader.finish !== undefined) yield* loader.finish(this.#context, this.#work, needs);
    }
  }

  #add(needs: readonly Need[]): void {
    for (const { loader, of } of needs) {
      const some = this.#needs.get(loader);
      if (some === undefined) this.#needs.set(loader, [of]);
      else some.push(of);
      const { room } = 'where' in of ? (of.where as { room?: string }) : (of as { room?: string });
      if (room !== undefined) this.#rooms.add(room);
    }
  }

  /** Runs the `find` steps of the loaders. @returns further needs */
  *#find(needs: readonly Need[]): Asking<readonly Need[]> {
    this.#add(needs);
    const found: Need[] = [];
    for (const [loader, some] of Map.groupBy(needs, ({ loader }) => loader)) {
      if (loader.find === undefined) continue;
      const wanted = some.map(({ of }) => of);
      found.push(...(yield* loader.find(this.#context, this.#work, wanted)));
    }
    return found;
  }

  *#lock(ids: readonly string[]): Asking<void> {
    const { dialect, transaction, kept } = this.#context;
    const known = new Map(
      ids.flatMap((id) => {
        const room = kept?.get(keptRooms, id);
        return room === undefined ? [] : [[id, room]];
      }),
    );
    const unknown = ids.filter((id) => !known.has(id));
    if (unknown.length > 0) {
      const among = dialect.each(
        ['id'],
        unknown.map((id) => [id]),
      );
      const rows = yield* transaction.query(
        sql`SELECT ${raw(roomRowColumns)} FROM chat_rooms AS rooms WHERE ${among} ORDER BY id ${dialect.lock}`,
      );
      for (const row of rows) known.set(row.id as string, { num: row.num as number, row: roomRowFrom(row) });
    }
    for (const id of ids) {
      const room = known.get(id);
      const loaded: LoadedRoom | null =
        room === undefined ? null : { ...room, stored: room.row, parts: new Map() };
      this.#work.rooms.set(id, loaded);
    }
  }
}
