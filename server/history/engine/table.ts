import { type ColumnName, columnTypes, type Row, type Value } from '../records/columns.ts';

/** A change of the history: see `Change`. */
interface AnyChange {
  readonly type: string;
}

/**
 * A table whose rows the rules find by fields (`Work.find`), put (`Work.put`) and remove (`Work.remove`). An absent
 * field is NULL in the database, and an object is stored as JSON. The field `room` is a room ID, stored as the room's
 * number; such rows can only be found by room, and are deleted with it.
 */
export interface Table<Of extends object = object> {
  readonly name: string;
  /** The fields of the primary key. */
  readonly key: readonly string[];
  readonly columns: Readonly<Record<string, ColumnName>>;
  /** For rows that name users: how to erase a user. */
  readonly erased?: {
    /** The fields that contain user IDs. Each has an index. */
    readonly users: readonly string[];
    /** Returns the row without the user, or null to delete it, and the change to announce. */
    without(row: Of, user: string): { row: Of | null; change?: AnyChange | undefined };
    /** Whether members of the room see rows that are deleted. Such a table has the field `room`. */
    isShown?: true;
    /** Whether the field `content` mentions users. Such a table has a column `num`, and the fields `room` and `id`. */
    hasMentions?: true;
  };
}

export const table = <Of extends object>(
  name: `chat_${string}`,
  key: readonly (keyof Of & string)[],
  columns: Readonly<Record<keyof Of & string, ColumnName>>,
  erased?: Table<Of>['erased'],
): Table<Of> => ({ name, key, columns, erased });

/** Converts a row of the database. @param room the ID of the room, for tables with a `room` column */
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

/** Returns the values of these fields of a row. @param room the number of its room */
export function valuesOf(row: object, fields: readonly string[], room: number | undefined): Value[] {
  return fields.map((field) => {
    const value = (row as Record<string, unknown>)[field] ?? null;
    if (field === 'room') return room as number;
    return typeof value === 'object' && value !== null ? JSON.stringify(value) : (value as Value);
  });
}

/** Returns a text that is equal for rows whose fields are equal. */
export function keyOf(row: object, fields: readonly string[]): string {
  return JSON.stringify(fields.map((field) => (row as Record<string, unknown>)[field]));
}
