import { PhpBytes, PhpFloat, PhpObject, type PhpValue, propertyName } from '../formats/value.ts';
import { decoding, follow, isEmpty, type Path, type Step } from '../path.ts';

/** A value in a session, and the path to it. */
export interface Place {
  path: Path;
  value: PhpValue;
}

const deepest = 6;
const mostPlaces = 2000;

/** All values of a session, the outer ones first, and those in strings that are themselves serialized. */
export function placesIn(session: PhpValue): Place[] {
  const found = inside({ path: [], value: session });
  // It grows meanwhile.
  for (const place of found) {
    if (found.length >= mostPlaces) break;
    if (place.path.length < deepest) found.push(...inside(place));
  }
  return found.slice(0, mostPlaces);
}

/** The values in a value, one key deeper. Of a serialized string it takes those in the value that the string holds. */
export function inside({ path, value }: Place): Place[] {
  const container = isContainer(value) ? { path, value } : serialized({ path, value });
  if (container === null) return [];
  const properties = container.value instanceof PhpObject ? container.value.properties : container.value;
  const isObject = container.value instanceof PhpObject;
  return Object.entries(properties as Record<string, PhpValue>).map(([key, one]) => ({
    path: [...container.path, isObject ? propertyName(key) : key],
    value: one,
  }));
}

/** The value that a serialized string holds; null if that is no array and no object. */
export function serialized({ path, value }: Place): Place | null {
  if (typeof value !== 'string' && !(value instanceof PhpBytes)) return null;
  const found = follow(value, [decoding]);
  if (!('value' in found) || !isContainer(found.value) || isEmpty(found.value)) return null;
  return { path: [...path, decoding], value: found.value };
}

/** The keys of a path, without what stands for a decoding. */
export const keysOf = (path: Path): Exclude<Step, symbol>[] => path.filter((step) => step !== decoding);

function isContainer(value: PhpValue): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof PhpFloat) &&
    !(value instanceof PhpBytes)
  );
}
