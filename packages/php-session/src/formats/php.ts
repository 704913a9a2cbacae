import { SerializeDecoder } from './php-serialize.ts';
import { decodeWithKeys, Reader } from './reader.ts';
import { newRecord, type PhpRecord, variables } from './value.ts';

const bar = 0x7c;

/**
 * `session.serialize_handler=php`, PHP's default: `name|value` after `name|value` (`PS_SERIALIZER_DECODE_FUNC(php)`
 * in ext/session/session.c). A name ends at the first bar, a value where its own lengths say.
 */
export const decodePhp = (bytes: Buffer): PhpRecord =>
  decodeWithKeys((keepKeys) => variablesOf(bytes, keepKeys, nameBeforeBar));

/** `session.serialize_handler=php_binary`: a byte with the length of the name, the name, the value. */
export const decodePhpBinary = (bytes: Buffer): PhpRecord =>
  decodeWithKeys((keepKeys) => variablesOf(bytes, keepKeys, nameAfterLength));

function variablesOf(bytes: Buffer, keepKeys: boolean, nameOf: (reader: Reader) => string): PhpRecord {
  const reader = new Reader(bytes);
  const values = new SerializeDecoder(reader, keepKeys);
  const session = newRecord();
  while (reader.left > 0) {
    const name = nameOf(reader);
    session[name] = values.value();
  }
  return variables(session);
}

function nameBeforeBar(reader: Reader): string {
  const end = reader.bytes.indexOf(bar, reader.offset);
  if (end === -1) reader.fail('a name and "|"');
  const name = reader.name(end - reader.offset);
  reader.offset++;
  return name;
}

function nameAfterLength(reader: Reader): string {
  const start = reader.offset;
  const length = reader.byte('the length of a name');
  // The highest bit once marked a name without a value. PHP's versions do not agree on it.
  if (length > 0x7f) reader.fail('a name of at most 127 bytes', start);
  return reader.name(length);
}
