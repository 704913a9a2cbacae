import fc from 'fast-check';

const character = fc
  .oneof(fc.nat(0xd7ff), fc.integer({ min: 0xe000, max: 0x10ffff }))
  .map((code) => String.fromCodePoint(code));

/** Text of any characters. fast-check's own unit `binary` takes long to set up. */
export const anyText = (maxLength?: number) =>
  fc.string({ unit: character, ...(maxLength !== undefined && { maxLength }) });
