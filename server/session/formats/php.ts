import { SerializeDecoder } from './php-serialize.ts';
import { Reader } from './reader.ts';
import { newRecord, type PhpRecord, variables } from './value.ts';

const bar = 0x7c;

/**
 * `session.serialize_handler=php`, PHP's default: `name|value` after `name|value` (`PS_SERIALIZER_DECODE_FUNC(php)`
 * in ext/session/session.c). A name ends at the first bar, a value where its own lengths say.
 */
export function decodePhp(bytes: Buffer): PhpRecord {
  const reader = new Reader(bytes);
  const values = new SerializeDecoder(reader);
  const session = newRecord();
  while (reader.left > 0) {
    const end = bytes.indexOf(bar, reader.offset);
    if (end === -1) reader.fail('a name and "|"');
    const name = reader.name(end - reader.offset);
    reader.offset++;
    session[name] = values.value();
  }
  return variables(session);
}

/** `session.serialize_handler=php_binary`: a byte with the length of the name, the name, the value. */
export function decodePhpBinary(bytes: Buffer): PhpRecord {
  const reader = new Reader(bytes);
  const values = new SerializeDecoder(reader);
  const session = newRecord();
  while (reader.left > 0) {
    const start = reader.offset;
    const length = reader.byte('the length of a name');
    // The highest bit once marked a name without a value. PHP's versions do not agree on it.
    if (length > 0x7f) reader.fail('a name of at most 127 bytes', start);
    const name = reader.name(length);
    session[name] = values.value();
  }
  return variables(session);
}
