/**
 * Checks the shape of a value from the browser's storage. Another version of the chat, or another script of the site,
 * may have written it.
 */
export type Form<T> = (value: unknown) => value is T;

export const text: Form<string> = (value) => typeof value === 'string';
export const number: Form<number> = (value) => typeof value === 'number';
export const flag: Form<boolean> = (value) => typeof value === 'boolean';

export const optional =
  <T>(form: Form<T>): Form<T | undefined> =>
  (value): value is T | undefined =>
    value === undefined || form(value);

export const list =
  <T>(form: Form<T>): Form<T[]> =>
  (value): value is T[] =>
    Array.isArray(value) && value.every(form);

export const map =
  <T>(form: Form<T>): Form<Readonly<Record<string, T>>> =>
  (value): value is Record<string, T> =>
    isObject(value) && Object.values(value).every(form);

/** An object with at least these fields. */
export const object =
  <T>(fields: { readonly [Name in keyof T]-?: (value: unknown) => boolean }): Form<T> =>
  (value): value is T =>
    isObject(value) &&
    Object.entries<(value: unknown) => boolean>(fields).every(([name, form]) => form(value[name]));

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
