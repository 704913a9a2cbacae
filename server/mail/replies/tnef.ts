/** The first bytes of the format in which Outlook sends `winmail.dat` (MS-OXTNEF), and the length of the header. */
const signature = 0x223e9f78;
const headerBytes = 6;
/** A level, an ID and a length before each attribute, and a checksum after it. */
const startBytes = 9;
const checksumBytes = 2;
const ofAttachment = 2;
/** The first attribute of an attachment, and the attribute with its name. */
const begins = 0x00069002;
const title = 0x00018010;
/** Maximum names, and maximum bytes of a name. */
const most = { names: 100, bytes: 255 };

/**
 * Returns the names of the files in a `winmail.dat`. Empty if there are none, as for a mail with only formatted text.
 */
export function namesInTnef(bytes: Buffer): string[] {
  const names: string[] = [];
  if (bytes.length < headerBytes || bytes.readUInt32LE(0) !== signature) return names;
  for (let at = headerBytes; at + startBytes <= bytes.length && names.length < most.names; ) {
    const [level, id, length] = [bytes.readUInt8(at), bytes.readUInt32LE(at + 1), bytes.readUInt32LE(at + 5)];
    const from = at + startBytes;
    if (level === ofAttachment && id === begins) names.push('');
    if (level === ofAttachment && id === title && names.length > 0)
      names[names.length - 1] = nameIn(bytes.subarray(from, from + Math.min(length, most.bytes)));
    at = from + length + checksumBytes;
  }
  return names;
}

/** Names have the character set of the sender's Windows, which is usually windows-1252. */
const nameIn = (bytes: Buffer): string =>
  new TextDecoder('windows-1252').decode(bytes).replace(/\0.*$/s, '').trim();
