import { type ColumnName, columnTypes } from '../columns.ts';

/** A change of the history: see `Change`. */
interface AnyChange {
  readonly type: string;
}

/** A row of a statement's answer. */
export type Row = Record<string, unknown>;

export type Value = string | number | null;

/** The columns of a statement, by which their types are known. */
export type Columns = readonly ColumnName[];

/**
 * A table whose rows the rules find by some of their fields (`Work.find`), put (`Work.put`) and remove (`Work.remove`).
 * A field that is absent is NULL in its column, and an object is JSON. The field `room` is the id of a room, in the
 * column of that name its number; such rows are found by their room alone, and go with it.
 */
export interface Table<Of extends object = object> {
  readonly name: string;
  /** The fields that identify a row. */
  readonly key: readonly string[];
  readonly columns: Readonly<Record<string, ColumnName>>;
  /** If rows name users: the rows of an erased user. */
  readonly erased?: {
    /** The fields that name a user; each has an index. */
    readonly users: readonly string[];
    /** Such a row without that user, or null if it goes, and the change that announces it. */
    without(row: Of, user: string): { row: Of | null; change?: AnyChange | undefined };
  };
}

export const table = <Of extends object>(
  name: `chat_${string}`,
  key: readonly (keyof Of & string)[],
  columns: Readonly<Record<keyof Of & string, ColumnName>>,
  erased?: Table<Of>['erased'],
): Table<Of> => ({ name, key, columns, ...(erased === undefined ? {} : { erased }) });

/** @param room the id of its room, for a table of rooms */
export function rowFrom<Of extends object>({ columns }: Table<Of>, row: Row, room?: string): Of {
  const fields: Record<string, unknown> = {};
  for (const [field, column] of Object.entries(columns)) {
    const value = row[column];
    if (field === 'room') fields[field] = room;
    else if (value !== null)
      fields[field] = columnTypes[column] === 'json' ? JSON.parse(value as string) : value;
  }
  return fields as Of;
}

/** The values of these fields of a row. @param room the number of its room */
export function valuesOf(row: object, fields: readonly string[], room: number | undefined): Value[] {
  return fields.map((field) => {
    const value = (row as Record<string, unknown>)[field] ?? null;
    if (field === 'room') return room as number;
    return typeof value === 'object' && value !== null ? JSON.stringify(value) : (value as Value);
  });
}

/** The same for the same fields of a row. */
export function keyOf(row: object, fields: readonly string[]): string {
  return JSON.stringify(fields.map((field) => (row as Record<string, unknown>)[field]));
}
