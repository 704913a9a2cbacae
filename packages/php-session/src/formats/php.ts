import { startOfPhpSerialize } from './guess.ts';
import { SerializeDecoder } from './php-serialize.ts';
import { decodeWithKeys, Reader } from './reader.ts';
import { dropIntegerNames, FormatError, newRecord, type PhpRecord } from './value.ts';

const bar = 0x7c;

/**
 * Decodes `session.serialize_handler=php`, PHP's default: repeated `name|value` (`PS_SERIALIZER_DECODE_FUNC(php)` in
 * ext/session/session.c). A name ends at the first bar, a value by its own lengths.
 * @throws FormatError
 */
export function decodePhp(bytes: Buffer): PhpRecord {
  // In a session of this other format, a bar in a string would end a name, and a user could write all variables.
  if (startOfPhpSerialize.test(bytes.toString('latin1', 0, 32)))
    throw new FormatError('expected a name at byte 0');
  return decodeWithKeys((trackKeys) => decodeVariables(bytes, trackKeys, readNameBeforeBar));
}

/** `session.serialize_handler=php_binary`: one byte for the length of the name, the name, the value. */
export const decodePhpBinary = (bytes: Buffer): PhpRecord =>
  decodeWithKeys((trackKeys) => decodeVariables(bytes, trackKeys, readNameAfterLength));

function decodeVariables(bytes: Buffer, trackKeys: boolean, readName: (reader: Reader) => string): PhpRecord {
  const reader = new Reader(bytes);
  const values = new SerializeDecoder(reader, trackKeys);
  const session = newRecord();
  while (reader.remainingBytes > 0) {
    const name = readName(reader);
    session[name] = values.decode();
  }
  return dropIntegerNames(session);
}

function readNameBeforeBar(reader: Reader): string {
  const end = reader.bytes.indexOf(bar, reader.offset);
  if (end === -1) reader.fail('a name and "|"');
  const name = reader.readName(end - reader.offset);
  reader.offset++;
  return name;
}

function readNameAfterLength(reader: Reader): string {
  const start = reader.offset;
  const length = reader.readByte('the length of a name');
  // The highest bit marked a name without a value, and versions of PHP handle it differently.
  if (length > 0x7f) reader.fail('a name of at most 127 bytes', start);
  return reader.readName(length);
}
