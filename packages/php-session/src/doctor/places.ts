import { PhpBytes, PhpFloat, PhpObject, type PhpValue, propertyName } from '../formats/value.ts';
import { displayName, findUser } from '../identity.ts';
import { decoding, follow, isEmpty, type Key, type Path } from '../path.ts';
import { leadsToTyped } from './typed.ts';

/** A value in a session, and the path to it. */
export interface SessionPlace {
  path: Path;
  value: PhpValue;
}

const deepest = 6;
const mostPlaces = 2000;

/** All values of a session, the outer ones first, and those in strings that are themselves serialized. */
export function placesIn(session: PhpValue): SessionPlace[] {
  const found = inside({ path: [], value: session }, mostPlaces);
  // It grows meanwhile.
  for (const place of found) {
    if (found.length >= mostPlaces) break;
    if (place.path.length < deepest) found.push(...inside(place, mostPlaces));
  }
  return found.slice(0, mostPlaces);
}

/** Returns the values directly inside a value, at most `most`. A serialized string is decoded first. */
export function inside({ path, value }: SessionPlace, most = Number.POSITIVE_INFINITY): SessionPlace[] {
  const container = isContainer(value) ? { path, value } : serialized({ path, value });
  if (container === null) return [];
  const properties = container.value instanceof PhpObject ? container.value.properties : container.value;
  const isObject = container.value instanceof PhpObject;
  const entries = Object.entries(properties as Record<string, PhpValue>);
  return entries.slice(0, most).map(([key, one]) => ({
    path: [...container.path, isObject ? propertyName(key) : key],
    value: one,
  }));
}

/** The value that a serialized string holds; null if that is no array and no object. */
export function serialized({ path, value }: SessionPlace): SessionPlace | null {
  if (typeof value !== 'string' && !(value instanceof PhpBytes)) return null;
  const found = follow(value, [decoding]);
  if (!('value' in found) || !isContainer(found.value) || isEmpty(found.value)) return null;
  return { path: [...path, decoding], value: found.value };
}

/** The keys of a path, without what stands for a decoding. */
export const keysOf = (path: Path): Key[] => path.filter((step) => step !== decoding);

function isContainer(value: PhpValue): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof PhpFloat) &&
    !(value instanceof PhpBytes)
  );
}

/** As sites call the keys, the likeliest first. */
const usual = {
  id: [
    /^(user|member|customer|client|account)_?id$|^uid$/i,
    /^id$/i,
    /^(user_?name|user|login|account|local_?username)$/i,
  ],
  name: [
    /^(display|full|real|screen)_?name$/i,
    /^name$/i,
    /^(first|nick)_?name$/i,
    /^(user|login)_?name$|^(user|login)$/i,
  ],
  roles: [/^(user_?)?roles$/i, /^(user_?)?role$/i, /^(user_?)?groups?$/i],
};

/** The name of what a user's data lies in. */
const ofUser = /user|member|customer|account|auth|login|identity|me$/i;

export type WantedPlace = keyof typeof usual;

/** The places that may hold the id, the name or the roles of the user by their keys, the likeliest first. */
export function likelyPlaces(session: PhpValue, what: WantedPlace): SessionPlace[] {
  return placesIn(session)
    .map((place) => ({ place, rank: rankOf(place, usual[what]) }))
    .filter(({ place, rank }) => rank !== null && mayBe(what, place, session))
    .sort((a, b) => (a.rank as number) - (b.rank as number))
    .map(({ place }) => place);
}

/** Whether the value there could be that of the user. */
export function mayBe(
  what: WantedPlace | undefined,
  { path, value }: SessionPlace,
  session: PhpValue,
): boolean {
  if (leadsToTyped(path) || keysOf(path).includes('')) return false;
  if (what === 'id') return findUser(session, { id: path, name: path }).state === 'user';
  return what !== 'name' || displayName(value) !== '';
}

/** A small number for a likely place; null for one that is not called so. */
function rankOf({ path }: SessionPlace, names: readonly RegExp[]): number | null {
  const keys = keysOf(path).map(String);
  const last = keys.at(-1) ?? '';
  const rank = names.findIndex((name) => name.test(last));
  if (rank === -1) return null;
  const isOfUser = keys.length > 1 && keys.slice(0, -1).some((key) => ofUser.test(key));
  const isBare = /^(id|name|roles?|groups?)$/i.test(last);
  // `cart.id` is hardly that of the user.
  return (isOfUser ? rank / 2 : isBare && keys.length > 1 ? rank + 10 : rank) + keys.length / 100;
}
