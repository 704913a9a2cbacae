import { PhpBytes, PhpFloat, PhpObject, type PhpValue, propertyName } from '../formats/value.ts';
import { displayName, findUser } from '../identity.ts';
import { decoding, follow, isEmpty, type Key, type Path } from '../path.ts';

/** A value in a session, and the path to it. */
export interface SessionValue {
  path: Path;
  value: PhpValue;
}

const maxDepth = 6;
const maxValues = 2000;
/** The limit for each inner array or object. It keeps a long list from hiding the values after it. */
const maxChildren = 200;

/** Returns the values of a session, outer values first, including values in serialized strings. */
export function listValues(session: PhpValue): SessionValue[] {
  const values = listChildren({ path: [], value: session }, maxValues);
  // The loop also visits the values that it adds.
  for (const each of values) {
    if (values.length >= maxValues) break;
    if (each.path.length < maxDepth) values.push(...listChildren(each, maxChildren));
  }
  return values.slice(0, maxValues);
}

/** Returns the values directly inside an array, an object or a serialized string. */
export function listChildren(parent: SessionValue, limit = Number.POSITIVE_INFINITY): SessionValue[] {
  const container = isContainer(parent.value) ? parent : decodeSerialized(parent);
  if (container === null) return [];
  const { path, value } = container;
  const isObject = value instanceof PhpObject;
  const children = (isObject ? value.properties : value) as Record<string, PhpValue>;
  return Object.keys(children)
    .slice(0, limit)
    .map((key) => ({
      path: [...path, isObject ? propertyName(key) : key],
      value: children[key] as PhpValue,
    }));
}

/** Decodes a serialized string. Returns null if the content is not an array or object, or is empty. */
export function decodeSerialized({ path, value }: SessionValue): SessionValue | null {
  if (typeof value !== 'string' && !(value instanceof PhpBytes)) return null;
  const decoded = follow(value, [decoding]);
  if (!('value' in decoded) || !isContainer(decoded.value) || isEmpty(decoded.value)) return null;
  return { path: [...path, decoding], value: decoded.value };
}

/** Returns the keys of a path, without the decoding steps. */
export const keysOf = (path: Path): Key[] => path.filter((step) => step !== decoding);

const isContainer = (value: PhpValue): boolean =>
  typeof value === 'object' && value !== null && !(value instanceof PhpFloat) && !(value instanceof PhpBytes);

/** Whether a path leads to text that a visitor typed into the login form: `_security.last_username` of Symfony. */
export const isTyped = (path: Path): boolean => /(^|\.)last_username$/.test(String(path.at(-1)));

/** Usual names of keys, the likeliest first. */
const usualKeys = {
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
const userKey = /user|member|customer|account|auth|login|identity|me$/i;

export type UserPart = keyof typeof usualKeys;

/** Finds values that may be the ID, the name or the roles of the user, the likeliest first. */
export function findLikelyValues(session: PhpValue, part: UserPart): SessionValue[] {
  return listValues(session)
    .flatMap((each) => {
      const rank = rankPath(each.path, usualKeys[part]);
      return rank !== null && canBe(part, each, session) ? [{ each, rank }] : [];
    })
    .sort((a, b) => a.rank - b.rank)
    .map(({ each }) => each);
}

export function canBe(part: UserPart | undefined, { path, value }: SessionValue, session: PhpValue): boolean {
  if (isTyped(path) || keysOf(path).includes('')) return false;
  if (part === 'id') return findUser(session, { id: path, name: path }).state === 'user';
  return part !== 'name' || displayName(value) !== '';
}

/** Returns a low number for a likely path. Null if the last key does not match `likelyKeys`. */
function rankPath(path: Path, likelyKeys: readonly RegExp[]): number | null {
  const keys = keysOf(path).map(String);
  const last = keys.at(-1) ?? '';
  const rank = likelyKeys.findIndex((key) => key.test(last));
  if (rank === -1) return null;
  const isInUser = keys.slice(0, -1).some((key) => userKey.test(key));
  // `cart.id` is probably not the ID of the user.
  const isElsewhere = keys.length > 1 && /^(id|name|roles?|groups?)$/i.test(last);
  return (isInUser ? rank / 2 : isElsewhere ? rank + 10 : rank) + keys.length / 100;
}
